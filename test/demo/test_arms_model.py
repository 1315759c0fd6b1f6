# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The arms' Robometer without their simulation: its files, and the scores of both scorers.

What it says of the arms is in test/examples/test_arm_model.py.
"""

from __future__ import annotations

import numpy as np
import pytest

from topreward_ros.demo.model import FOLDER_ARMS
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.options import LoadOptions


def test_it_is_small_described_and_known_by_its_heads() -> None:
    files = {file.name: file.stat().st_size for file in FOLDER_ARMS.iterdir()}
    assert sum(files.values()) < 8e6
    assert {'config.json', 'model.safetensors', 'tokenizer.json', 'README.md'} <= files.keys()
    card = (FOLDER_ARMS / 'README.md').read_text(encoding='utf-8')
    assert 'any robot' in card and card.count('| success: VOC, mean |') == 2
    assert '**no**' not in card
    assert load_scorer(str(FOLDER_ARMS)).reward_model == 'robometer'


def test_the_stream_equals_the_recompute() -> None:
    stream, recompute = (
        load_scorer(LoadOptions(str(FOLDER_ARMS), scorer=kind)).start(
            'Put the red block on the tray.'
        )
        for kind in ('streaming', 'recompute')
    )
    random = np.random.default_rng(0)
    for k in range(5):
        frame = random.integers(0, 255, (128, 128, 3), dtype=np.uint8)
        for attempt in (stream, recompute):
            attempt.append(frame, k / 2)
        one, other = stream.score(), recompute.score()
        assert one.progress == pytest.approx(other.progress, abs=1e-4)
        assert one.success == pytest.approx(other.success, abs=1e-4)
