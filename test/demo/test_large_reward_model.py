# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's model as a Large Reward Model: its answers on a few held-out episodes.

tools/demo_models/evaluate.py evaluates it on many more.
"""

from __future__ import annotations

import numpy as np
import pytest

from topreward_ros.demo.drawing import SceneRenderer
from topreward_ros.demo.model import FOLDER, folder_for, settings_for
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.demo.tasks import known_tasks
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.score import Score, Scorer

SEEDS = range(91_000, 91_006)
NAME = 'large_reward_model'


@pytest.fixture(scope='module')
def scorer() -> Scorer:
    return load_scorer(LoadOptions(str(FOLDER), reward_model=NAME))


def walk(scorer: Scorer, episode: SceneEpisode, frames: int = 9) -> tuple[list[Score], list[float]]:
    """Return the scores of an episode's pictures, and its true progress."""
    camera = SceneRenderer(64, 64, episode.appearance)
    attempt, scores, truth = scorer.start(episode.task.say()), [], []
    for time in map(float, episode.times(frames)):
        attempt.append(camera.take(episode.state(time)), time)
        scores.append(attempt.score())
        truth.append(episode.progress(time))
    attempt.close()
    return scores, truth


def test_its_card_has_the_figures_and_its_threshold_is_of_its_own_probability(
    scorer: Scorer,
) -> None:
    card = (FOLDER / 'README.md').read_text(encoding='utf-8')
    assert '| contrast: ' in card and '**no**' not in card
    assert scorer.reward_model == NAME
    assert folder_for(NAME) == FOLDER == folder_for('topreward')
    assert settings_for(NAME)['success_threshold'] == pytest.approx(np.log(0.5), abs=1e-3)


def test_it_tells_complete_from_not(scorer: Scorer) -> None:
    """And how far it is: on most tasks that it knows, near the truth."""
    known, complete, errors = known_tasks(), [], []
    for k, seed in enumerate(SEEDS):
        for kind in ('success', ('short', 'undone', 'wrong_target')[k % 3]):
            episode = SceneEpisode(seed, kind, known[(7 * k) % len(known)])
            scores, truth = walk(scorer, episode)
            complete.append((scores[-1].parts['completion'], kind == 'success'))
            errors.append(np.abs([s.parts['process'] for s in scores] - np.array(truth)).mean())
    success = [value for value, is_success in complete if is_success]
    failure = [value for value, is_success in complete if not is_success]
    assert np.median(success) > 0.5 > max(failure)
    assert np.mean(errors) < 0.12


def test_the_stream_equals_the_recompute() -> None:
    episode = SceneEpisode(SEEDS[0], 'success', known_tasks()[0])
    both = [
        walk(load_scorer(LoadOptions(str(FOLDER), reward_model=NAME, scorer=kind)), episode)
        for kind in ('streaming', 'recompute')
    ]
    for one, other in zip(*(scores for scores, _ in both), strict=True):
        assert one.parts == pytest.approx(other.parts, abs=1e-4)
