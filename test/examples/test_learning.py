# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The drawn table as an environment, and the loop that learns in it, in a small form."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('gymnasium', reason='the extra "learning" is not installed')

from examples.learning import online
from examples.learning.policy import _operator
from examples.learning.ppo import DISCOUNT, TRACE, advantages_of
from examples.learning.report import interval, is_hacked
from examples.learning.table_world import STEPS, TableWorld
from topreward_ros.learning import ScorerReward

SMALL = ('--iterations', 2, '--episodes', 2, '--tables', 3, '--demonstrations', 4)


def walk(env: Any, seed: int) -> tuple[list[float], dict[str, Any]]:
    """Return the rewards of an episode of the operator without an offset, and what is told."""
    observation, info = env.reset(seed=seed)
    rewards = []
    for _ in range(STEPS):
        observation, reward, _, truncated, info = env.step(
            _operator(observation, np.zeros(2), 0.03)
        )
        rewards.append(float(reward))
    assert truncated
    return rewards, info


def test_an_operator_who_knows_the_place_succeeds_by_the_truth() -> None:
    done = []
    for seed in range(8):
        rewards, info = walk(TableWorld(), seed)
        done.append(info['is_done'])
        assert sum(rewards) == pytest.approx(info['true_progress'])
    assert sum(done) >= 7


def test_standing_still_is_nothing_and_a_seed_is_one_table() -> None:
    worlds = TableWorld(), TableWorld()
    (first, _), (second, _) = (world.reset(seed=3) for world in worlds)
    assert np.array_equal(first, second) and worlds[0].task == worlds[1].task
    assert np.array_equal(worlds[0].render()[:8], worlds[1].render()[:8])
    for _ in range(STEPS):
        _, reward, _, _, info = worlds[0].step(np.zeros(3, np.float32))
        assert reward == 0
    assert not info['is_done']


def test_the_models_progress_is_the_reward() -> None:
    """Of the demo's Robometer: it sees the operator succeed."""
    env = online.rewarded('robometer', 0)
    assert isinstance(env, ScorerReward)
    rewards, info = walk(env, 1)
    told = info['topreward']
    assert info['is_done'] and sum(rewards) > 0.8 and told['progress'] > 0.85
    assert told['is_fresh'] and told['age'] == 0
    env.close()


def test_advantages() -> None:
    rewards, values = np.array([[0.0, 1.0]]), np.array([[0.5, 0.25]])
    last = 1.0 - 0.25
    first = DISCOUNT * 0.25 - 0.5 + DISCOUNT * TRACE * last
    assert advantages_of(rewards, values) == pytest.approx(np.array([[first, last]]))


def test_the_loop_runs_is_resumed_and_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [str(tmp_path), *map(str, SMALL), '--cloning-steps', '20', '--seeds', '0', '1']
    online.main([*arguments, '--rewards', 'true', 'noise'])
    assert 'true' in capsys.readouterr().out
    files = sorted(tmp_path.glob('*.json'))
    assert [file.name for file in files] == [
        f'{name}-{seed}.json' for name in ('noise', 'true') for seed in (0, 1)
    ]
    results = [json.loads(file.read_text()) for file in files]
    assert all(len(each['course']) == 2 for each in results)
    by_seed = {(each['reward'], each['seed']): each['before'] for each in results}
    assert by_seed['true', 0] == by_seed['noise', 0], 'paired: one base policy for a seed'
    monkeypatch.setattr(online, 'refine', None)
    online.main([*arguments, '--rewards', 'true', 'noise'])
    assert '2' in capsys.readouterr().out


def test_intervals_and_what_is_called_hacked() -> None:
    assert interval([0.1, 0.2]) == '+0.15'
    text = interval([0.1, 0.2, 0.3])
    half = 4.30 * 0.1 / math.sqrt(3)
    assert text == f'+0.20 ({0.2 - half:+.2f} to {0.2 + half:+.2f})'
    rises = [{'reward': k / 10, 'true_progress': 0.5 - k / 100} for k in range(10)]
    assert is_hacked({'course': rises})
    honest = [{'reward': k / 10, 'true_progress': k / 10} for k in range(10)]
    assert not is_hacked({'course': honest})
