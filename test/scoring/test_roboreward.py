# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""RoboReward: equal to the stock processor and model, live, in one pass and by recompute."""

from __future__ import annotations

import json
import math
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from topreward_ros.demo.pattern import pattern_frame
from topreward_ros.errors import ModelError
from topreward_ros.scoring.clip_curve import curve
from topreward_ros.scoring.engine.prompt import PromptTokens
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.reward_models.roboreward.question import ROBOREWARD
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer

GOLDEN = json.loads((Path(__file__).parents[1] / 'roboreward_golden.json').read_text())
TOLERANCE = 1e-4


@pytest.mark.parametrize('scorer', ['streaming', 'recompute'])
@pytest.mark.parametrize('golden', GOLDEN['clips'], ids=lambda each: str(each['size']))
def test_equals_the_published_way(
    checkpoint_folder: Path, device: str, golden: dict[str, Any], scorer: str
) -> None:
    options = LoadOptions(
        str(checkpoint_folder), device, 'float32', scorer=scorer, reward_model='roboreward'
    )
    loaded, count = load_scorer(options), GOLDEN['frames']
    frames = [pattern_frame(k / (count - 1), *golden['size']) for k in range(count)]
    times = [k / GOLDEN['fps'] for k in range(count)]
    expected = [(grade - 1) / 4 for grade in golden['expected_digit']]
    episode, live = loaded.start(GOLDEN['task']), []
    for frame, time in zip(frames, times, strict=True):
        episode.append(frame, time)
        live.append(episode.score().progress)
    rows = curve(loaded, frames, times, GOLDEN['task'], range(1, count + 1))
    for values in (live, [row[0].progress for row in rows]):
        assert np.abs(np.array(values) - np.array(expected)).max() <= TOLERANCE
    best = [math.exp(row[4]) / sum(map(math.exp, row)) for row in golden['log_probs']]
    assert [row[0].success for row in rows] == pytest.approx(best, abs=TOLERANCE)
    assert np.ptp(expected) > 100 * TOLERANCE, 'other values would be noticed'


def test_ids_are_those_of_the_chat_template(checkpoint_folder: Path) -> None:
    ids = ROBOREWARD.ids(PromptTokens.of(checkpoint_folder), GOLDEN['task'])
    repeated = [(token, len(list(group))) for token, group in groupby(ids)]
    theirs = GOLDEN['clips'][0]['ids_of_3']
    theirs = [tuple(each) if isinstance(each, list) else (each, 1) for each in theirs]
    answer = len(PromptTokens.of(checkpoint_folder).text('ANSWER: '))
    assert repeated[:-answer] == theirs[-len(repeated) + answer :], 'theirs end before the answer'


def test_grades_are_read_as_their_mean() -> None:
    certain = ROBOREWARD.score(3, [-50.0, -50.0, -50.0, -0.1, -50.0])
    assert certain.progress == pytest.approx(0.75) and certain.success == pytest.approx(0.0)
    even = ROBOREWARD.score(3, [-9.0] * 5)
    assert even.progress == pytest.approx(0.5) and even.success == pytest.approx(0.2)
    best = ROBOREWARD.score(3, [-math.inf] * 4 + [-700.0])
    assert (best.progress, best.success, best.log_prob) == (1.0, 1.0, None)
    with pytest.raises(ModelError, match='not a number'):
        ROBOREWARD.score(1, [math.nan] * 5)


def test_it_is_told_by_its_name(checkpoint_folder: Path, tmp_path: Path, device: str) -> None:
    """The files are those of a stock model; frames keep their shape whatever frame_fit says."""
    link = tmp_path / 'RoboReward-8B'
    link.symlink_to(checkpoint_folder, target_is_directory=True)
    scorer = load_scorer(LoadOptions(str(link), device, frame_fit='paper'))
    assert isinstance(scorer, StreamingScorer)
    assert scorer.identity.layout == 'roboreward-1, 393216 pixels'
    assert scorer.reward_model == 'roboreward'
    plain = load_scorer(LoadOptions(str(link), device, reward_model='topreward'))
    assert plain.identity.layout.startswith('topreward-1')
    assert plain.reward_model == 'topreward'
