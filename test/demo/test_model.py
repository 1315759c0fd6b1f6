# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's model: its files, the scores of both scorers, and a few held-out episodes.

tools/demo_models/evaluate.py evaluates it on many more.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from tools.demo_models.held_out import Conditions, DemoEvaluation
from topreward_ros.demo.drawing import SceneRenderer
from topreward_ros.demo.model import FOLDER
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.demo.table import others
from topreward_ros.demo.tasks import known_tasks
from topreward_ros.reward.metrics import roc_auc, value_order_correlation
from topreward_ros.scoring.engine.geometry import geometry_of
from topreward_ros.scoring.loading.checkpoint import Checkpoint, load_checkpoint
from topreward_ros.scoring.reward_models.topreward.recompute import RecomputeScorer
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer

SEEDS = range(90_000, 90_008)
MORE_SEEDS = range(90_000, 90_024)


@pytest.fixture(scope='module')
def demo_model() -> Checkpoint:
    return load_checkpoint(str(FOLDER))


@pytest.fixture(scope='module')
def evaluation(demo_model: Checkpoint) -> DemoEvaluation:
    return DemoEvaluation(StreamingScorer(demo_model))


def test_it_is_small_and_described() -> None:
    files = {file.name: file.stat().st_size for file in FOLDER.iterdir()}
    assert sum(files.values()) < 8e6
    assert {'config.json', 'model.safetensors', 'tokenizer.json', 'README.md'} <= files.keys()
    card = (FOLDER / 'README.md').read_text(encoding='utf-8')
    assert 'any robot' in card and '| success: VOC, mean |' in card
    vision = json.loads((FOLDER / 'config.json').read_text(encoding='utf-8'))['vision_config']
    assert vision['spatial_merge_size'] == 2  # as of the published models


def test_frames_are_shrunk_to_the_size_of_its_training(demo_model: Checkpoint) -> None:
    geometry = geometry_of(demo_model)
    for side in (96, 240, 470, 480, 1080):
        assert geometry.fit_size(side, side) == (64, 64)


def test_the_stream_equals_the_recompute(demo_model: Checkpoint) -> None:
    episode = SceneEpisode(SEEDS[0], 'success', known_tasks()[0])
    camera = SceneRenderer(240, 240, episode.appearance)
    stream, recompute = (
        kind(demo_model).start(episode.task.say()) for kind in (StreamingScorer, RecomputeScorer)
    )
    for time in episode.times(9):
        frame = camera.take(episode.state(float(time)))
        for attempt in (stream, recompute):
            attempt.append(frame, float(time))
        one, other = stream.score(), recompute.score()
        assert one.log_prob == pytest.approx(other.log_prob, abs=1e-4)
        assert one.log_prob_false == pytest.approx(other.log_prob_false, abs=1e-4)


def test_it_separates_success_from_failure(evaluation: DemoEvaluation) -> None:
    known = known_tasks()
    last: dict[bool, list[float]] = {True: [], False: []}
    orders, errors = [], []
    for k, seed in enumerate(SEEDS):
        for kind in ('success', ('short', 'undone', 'wrong_object', 'wrong_target')[k % 4]):
            episode = SceneEpisode(seed, kind, known[(7 * k) % len(known)])
            curve = evaluation.curves(episode, Conditions(), [episode.task])[:, 0]
            last[episode.is_success].append(float(curve[-3:].mean()))
            if episode.is_success:
                truth = [episode.progress(float(time)) for time in episode.times(len(curve))]
                orders.append(value_order_correlation(curve))
                errors.append(np.abs(np.exp(curve) - truth).mean())
    assert np.mean(orders) > 0.98 and np.mean(errors) < 0.05
    assert roc_auc(last[True], last[False]) == 1.0


def test_it_reads_the_task(evaluation: DemoEvaluation) -> None:
    """Wrong tasks stay below 0.2 in at least 98 %, the target of the full evaluation."""
    known, wrong = known_tasks(), []
    for k, seed in enumerate(MORE_SEEDS):
        episode = SceneEpisode(seed, 'success', known[(7 * k) % len(known)])
        tasks = [task for _, task in others(episode.task, episode.start) if task in known]
        final = np.exp(evaluation.curves(episode, Conditions(), [episode.task, *tasks])[-1])
        assert final[0] > 0.85 and final[0] > final[1:].max()
        wrong += final[1:].tolist()
    assert len(wrong) > 100 and np.mean(np.array(wrong) < 0.2) >= 0.98


def test_standing_still_is_no_progress(evaluation: DemoEvaluation) -> None:
    """P stays within 0.03, and log P within 0.3 nat, the target of the full evaluation."""
    for seed in SEEDS:
        episode = SceneEpisode(seed, 'still')
        curve = evaluation.curves(episode, Conditions(), [episode.task], np.arange(32) / 4)
        assert np.ptp(np.exp(curve)) < 0.03 and np.ptp(curve) < 0.3


def test_the_figures_are_those_of_the_field() -> None:
    assert value_order_correlation(np.array([1.0, 2.0, 3.0, 10.0])) == pytest.approx(1.0)
    assert value_order_correlation(np.array([3.0, 2.0, 1.0])) == pytest.approx(-1.0)
    assert roc_auc([2.0, 3.0], [1.0, 2.0]) == 0.875
