# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's Robometer: its files, the scores of both scorers, and a few held-out episodes.

tools/demo_models/evaluate.py evaluates it on many more.
"""

from __future__ import annotations

import numpy as np
import pytest

from tools.demo_models.held_out import Conditions, DemoEvaluation, true_progress
from topreward_ros.demo.drawing import SceneRenderer
from topreward_ros.demo.model import FOLDER_ROBOMETER, folder_for, settings_for
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.demo.tasks import known_tasks
from topreward_ros.reward.metrics import value_order_correlation
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.score import Scorer

SEEDS = range(90_000, 90_008)


@pytest.fixture(scope='module')
def scorer() -> Scorer:
    return load_scorer(str(FOLDER_ROBOMETER))


@pytest.fixture(scope='module')
def evaluation(scorer: Scorer) -> DemoEvaluation:
    return DemoEvaluation(scorer)


def test_it_is_small_described_and_known_by_its_heads(scorer: Scorer) -> None:
    files = {file.name: file.stat().st_size for file in FOLDER_ROBOMETER.iterdir()}
    assert sum(files.values()) < 8e6
    assert {'config.json', 'model.safetensors', 'tokenizer.json', 'README.md'} <= files.keys()
    card = (FOLDER_ROBOMETER / 'README.md').read_text(encoding='utf-8')
    assert 'any robot' in card and '| success: VOC, mean |' in card
    assert scorer.reward_model == 'robometer'
    assert folder_for('robometer') == FOLDER_ROBOMETER != folder_for(None) == folder_for('auto')


def test_the_stream_equals_the_recompute() -> None:
    episode = SceneEpisode(SEEDS[0], 'success', known_tasks()[0])
    camera = SceneRenderer(240, 240, episode.appearance)
    stream, recompute = (
        load_scorer(LoadOptions(str(FOLDER_ROBOMETER), scorer=kind)).start(episode.task.say())
        for kind in ('streaming', 'recompute')
    )
    for time in episode.times(9):
        frame = camera.take(episode.state(float(time)))
        for attempt in (stream, recompute):
            attempt.append(frame, float(time))
        one, other = stream.score(), recompute.score()
        assert one.progress == pytest.approx(other.progress, abs=1e-4)
        assert one.success == pytest.approx(other.success, abs=1e-4)


def test_it_separates_success_from_failure(evaluation: DemoEvaluation) -> None:
    """By the probability that ends episodes in the demo, where it also has to be certain."""
    known = known_tasks()
    orders, errors = [], []
    threshold = np.exp(settings_for('robometer')['success_threshold'])
    for k, seed in enumerate(SEEDS):
        for kind in ('success', ('short', 'undone', 'wrong_object', 'wrong_target')[k % 4]):
            episode = SceneEpisode(seed, kind, known[(7 * k) % len(known)])
            scores = evaluation.scores(episode, Conditions(), [episode.task])
            final = [row[0].success for row in scores[-2:]]
            assert all((each > threshold) == episode.is_success for each in final), (seed, kind)
            if episode.is_success:
                curve = np.array([row[0].value for row in scores])
                orders.append(value_order_correlation(curve))
                errors.append(np.abs(curve - true_progress(episode, len(curve))).mean())
    assert np.mean(orders) > 0.97 and np.mean(errors) < 0.06


def test_standing_still_is_no_progress(evaluation: DemoEvaluation) -> None:
    for seed in SEEDS[:3]:
        episode = SceneEpisode(seed, 'still')
        curve = evaluation.curves(episode, Conditions(), [episode.task], np.arange(24) / 4)
        assert curve.max() < 0.08 and np.ptp(curve) < 0.06
