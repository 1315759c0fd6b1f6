# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The drawn table as an environment, and the loop that learns in it, in a small form."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip('gymnasium', reason='the extra "learning" is not installed')

from examples.learning import online, worlds
from examples.learning.demonstrations import IMPERFECT, demonstrations, intended
from examples.learning.episodes import play
from examples.learning.policy import Policy, clone
from examples.learning.ppo import DISCOUNT, TRACE, advantages_of
from examples.learning.report import interval, is_hacked
from examples.learning.table_world import TableWorld
from topreward_ros.demo.model import folder_for, settings_for
from topreward_ros.errors import TopRewardError
from topreward_ros.learning import ScorerReward, episode_rewards
from topreward_ros.reward.live import RewardOptions
from topreward_ros.scoring import LoadOptions, Sampling, load_scorer

from ..nodes.harness import Harness

SMALL = ('--iterations', 2, '--episodes', 2, '--tables', 3, '--demonstrations', 4)


def small(folder: Path, *more: str) -> list[str]:
    return [str(folder), *map(str, SMALL), '--cloning-steps', '20', *more]


def walk(env: Any, seed: int) -> tuple[list[float], dict[str, Any]]:
    """Return the rewards of an episode of the operator without an offset, and what is told."""
    observation, info = env.reset(seed=seed)
    rewards = []
    for _ in range(TableWorld.steps):
        observation, reward, _, truncated, info = env.step(intended(observation, np.zeros(2), 0.03))
        rewards.append(float(reward))
    assert truncated
    return rewards, info


def test_an_operator_who_knows_the_place_succeeds_by_the_truth() -> None:
    """And leaves the block, though the gripper is exactly above it when it opens."""
    done = []
    for seed in range(8):
        rewards, info = walk(TableWorld(), seed)
        done.append(info['is_done'])
        assert sum(rewards) == pytest.approx(info['true_progress'])
        assert not info['is_done'] or info['true_progress'] > 0.95
    assert sum(done) >= 7


def test_standing_still_is_nothing_and_a_seed_is_one_table() -> None:
    worlds = TableWorld(), TableWorld()
    (first, _), (second, _) = (world.reset(seed=3) for world in worlds)
    assert np.array_equal(first, second) and worlds[0].task == worlds[1].task
    assert np.array_equal(worlds[0].render()[:8], worlds[1].render()[:8])
    for _ in range(TableWorld.steps):
        _, reward, _, _, info = worlds[0].step(np.zeros(3, np.float32))
        assert reward == 0
    assert not info['is_done']


def test_the_models_progress_is_the_reward() -> None:
    """Of the demo's Robometer: it sees the operator succeed."""
    world = TableWorld()
    env = ScorerReward(
        world,
        load_scorer(LoadOptions(str(folder_for('robometer')), 'cpu', reward_model='robometer')),
        lambda _: world.task.say(),
        seconds=TableWorld.seconds,
        reward=RewardOptions(**settings_for('robometer')),
    )
    rewards, info = walk(env, 1)
    told = info['topreward']
    assert info['is_done'] and sum(rewards) > 0.8 and told['progress'] > 0.85
    assert told['is_fresh'] and told['age'] == 0
    env.close()


@pytest.mark.parametrize('weight', [0.0, 2.0])
def test_a_players_rewards_are_those_step_by_step(tmp_path: Path, weight: float) -> None:
    """Episodes side by side, scored in one pass, against one by one in an environment."""
    options = online._parser().parse_args([str(tmp_path), '--success-weight', str(weight)])
    torch.manual_seed(0)
    policy, seeds = Policy(), [3, 4]
    with online.player('robometer', 0, options) as played:
        episodes = played(policy, seeds)
    scorer = load_scorer(LoadOptions(str(folder_for('robometer')), 'cpu', reward_model='robometer'))
    reading = RewardOptions(**settings_for('robometer'))
    for k, seed in enumerate(seeds):
        world = TableWorld()
        env = ScorerReward(
            world,
            scorer,
            lambda env: env.task.say(),
            seconds=TableWorld.seconds,
            reward=reading,
            sampling=Sampling(fps=1 / TableWorld.seconds),
            success_weight=weight,
        )
        env.reset(seed=seed)
        rewards = [float(env.step(action)[1]) for action in episodes.actions[k]]
        assert episodes.rewards[k] == pytest.approx(np.array(rewards), abs=1e-4)
        assert np.abs(rewards).sum() > 0.01, 'a test of zeros shows nothing'
        env.close()


def test_rewards_of_a_running_node(
    active: Harness, checkpoint_folder: Path, tmp_path: Path
) -> None:
    """Over DDS they are those of the same model in this process; the loop runs on them."""
    reading = RewardOptions(log_prob_low=-12.0, log_prob_high=-6.0)
    assert active.change('deactivate')
    assert active.set(log_prob_low=-12.0, log_prob_high=-6.0) == ''
    assert active.change('activate')
    where = ('--node', active.name, '--image-topic', active.camera, '--rewards', 'node')
    arguments = small(tmp_path, *where, '--seeds', '0', '--iterations', '1')
    online.main(arguments)
    (file,) = tmp_path.glob('*-*.json')
    assert file.name == 'node-0.json' and json.loads(file.read_text())['course'][0]['reward'] != 0
    policy, worlds = Policy(), [TableWorld(), TableWorld()]
    scorer = load_scorer(LoadOptions(str(checkpoint_folder), 'cpu'))
    with online.player('node', 0, online._parser().parse_args(arguments)) as played:
        torch.manual_seed(1)
        live = played(policy, [5])
    torch.manual_seed(1)
    seen = play(policy, worlds[:1], [5], look=True)
    assert np.array_equal(live.actions, seen.actions)
    rewards = episode_rewards(
        scorer, worlds[0].task.say(), seen.pictures[0], seconds=TableWorld.seconds, reward=reading
    )
    assert live.rewards[0] == pytest.approx(rewards, abs=1e-4) and np.abs(rewards).sum() > 0


def test_a_weight_of_success_over_a_running_node(launch: Any, tmp_path: Path) -> None:
    """As in one process, of an episode that succeeds."""
    given = {
        'model': folder_for('robometer'),
        'reward_model': 'robometer',
        'fps': 1 / TableWorld.seconds,
        'autostart': 'true',
        **settings_for('robometer'),
    }
    node = launch(*(part for key, value in given.items() for part in ('-p', f'{key}:={value}')))
    assert node.until(lambda: node.fact('state') == 'active')
    where = ('--node', node.name, '--image-topic', node.camera)
    options = online._parser().parse_args([str(tmp_path), *where, '--success-weight', '2'])

    class Operator(Policy):
        def act(self, observations: np.ndarray) -> np.ndarray:
            return np.stack([intended(each, np.zeros(2), 0.03) for each in observations])

    rewards = {}
    for name in ('node', 'robometer'):
        with online.player(name, 0, options) as played:
            rewards[name] = played(Operator(), [5]).rewards
    options.success_weight = 0.0
    with online.player('robometer', 0, options) as played:
        without = played(Operator(), [5]).rewards
    assert rewards['node'] == pytest.approx(rewards['robometer'], abs=1e-4)
    assert rewards['node'].sum() > without.sum() + 1


def test_the_truth_with_a_weight_adds_up_to_progress_and_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an episode in which it is done, undone and done again."""
    episodes = play(Policy(), [TableWorld()], [3])
    done = np.zeros_like(episodes.done)
    done[0, 4:6] = done[0, -3:] = True
    monkeypatch.setattr(online, 'play_in', lambda *_: replace(episodes, done=done))
    options = online._parser().parse_args([str(tmp_path), '--success-weight', '2'])
    with online.player('true', 0, options) as played:
        added = (played(Policy(), [3]).rewards - episodes.rewards)[0]
    assert np.flatnonzero(added).tolist() == [4, 6, TableWorld.steps - 3]
    assert added[[4, 6, -3]] == pytest.approx(np.array([2, -2, 2]))


def test_imperfect_demonstrations() -> None:
    shown = demonstrations(0, 40, IMPERFECT)
    again = demonstrations(0, 40, IMPERFECT)
    assert all(np.array_equal(a.actions, b.actions) for a, b in zip(shown, again, strict=True))
    done = {
        kind: np.mean([each.is_done for each in shown if each.kind == kind]) for kind in IMPERFECT
    }
    assert done['good'] > 0.9 and done['beside'] < 0.5
    assert shown[0].observations.shape == (TableWorld.steps, 8) and shown[0].progress.shape == (
        TableWorld.steps + 1,
    )


def test_weights_of_cloning() -> None:
    """Of two opposite actions the one with weight is imitated; without any there is nothing."""
    observations = np.zeros((200, 8), np.float32)
    actions = np.repeat(np.array([[0.8, 0, 1], [-0.8, 0, -1]], np.float32), 100, axis=0)
    weights = np.repeat([1.0, 0.0], 100)
    policy = clone(0, observations, actions, weights, steps=200)
    movement, closing = policy.distributions(torch.zeros(1, 8))
    assert movement.mean[0, 0] > 0.6 and closing.probs[0] > 0.8
    with pytest.raises(ValueError, match='all weights are 0'):
        clone(0, observations, actions, 0 * weights, steps=1)


def test_advantages() -> None:
    rewards, values = np.array([[0.0, 1.0]]), np.array([[0.5, 0.25]])
    last = 1.0 - 0.25
    first = DISCOUNT * 0.25 - 0.5 + DISCOUNT * TRACE * last
    assert advantages_of(rewards, values) == pytest.approx(np.array([[first, last]]))


def test_the_loop_runs_is_resumed_and_reports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = small(tmp_path, '--seeds', '0', '1')
    online.main([*arguments, '--rewards', 'true', 'noise'])
    assert 'true' in capsys.readouterr().out
    files = sorted(tmp_path.glob('*-*.json'))
    assert [file.name for file in files] == [
        f'{name}-{seed}.json' for name in ('noise', 'true') for seed in (0, 1)
    ]
    results = [json.loads(file.read_text()) for file in files]
    assert all(len(each['course']) == 2 for each in results)
    by_seed = {(each['reward'], each['seed']): each['before'] for each in results}
    assert by_seed['true', 0] == by_seed['noise', 0], 'paired: one base policy for a seed'

    def never(*_: Any) -> dict[str, Any]:
        raise AssertionError('a run was repeated')

    monkeypatch.setattr(online, 'refine', never)
    online.main([*arguments, '--rewards', 'true', 'noise'])
    assert '2' in capsys.readouterr().out
    with pytest.raises(TopRewardError, match='other options'):
        online.main([*arguments, '--rewards', 'true', '--episodes', '3'])


def test_intervals_and_what_is_called_hacked() -> None:
    assert interval([0.1, 0.2]) == '+0.15'
    text = interval([0.1, 0.2, 0.3])
    half = 4.30 * 0.1 / math.sqrt(3)
    assert text == f'+0.20 ({0.2 - half:+.2f} to {0.2 + half:+.2f})'
    rises = [{'reward': k / 10, 'true_progress': 0.5 - k / 100, 'success': 0.0} for k in range(10)]
    assert is_hacked({'course': rises})
    honest = [{**each, 'true_progress': each['reward']} for each in rises]
    assert not is_hacked({'course': honest})
    succeeds = [{**each, 'success': each['reward'] / 2} for each in rises]
    assert not is_hacked({'course': succeeds}), 'a success is more than progress'


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        (('--success-weight', '-1'), 'success_weight is -1.0; expected 0 or more'),
        (('--success-weight', 'nan'), 'success_weight is nan; expected 0 or more'),
        (('--success-weight', '1', '--rewards', 'topreward'), 'gives no probability of success'),
        (('--world', 'so101', '--rewards', 'topreward'), 'has learned to see the world so101'),
        (('--iterations', '0'), '--iterations: 0 is below 1'),
        (('--episodes', '0'), '--episodes: 0 is below 1'),
        (('--tables', '0'), '--tables: 0 is below 1'),
        (('--demonstrations', '-4'), '--demonstrations: -4 is below 1'),
        (('--seeds', '-1'), 'expected 0 or more'),
    ],
)
def test_options_that_make_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(SystemExit):
        online.main([str(tmp_path / 'results'), *arguments])
    assert reason in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_folder_is_of_one_experiment(tmp_path: Path) -> None:
    """Also where the files of its runs have other names."""
    online.main(small(tmp_path, '--seeds', '0', '--rewards', 'noise'))
    for other in (('--world', 'so101'), ('--success-weight', '1'), ('--node', '/other')):
        with pytest.raises(TopRewardError, match='of other options'):
            online.main(small(tmp_path, '--seeds', '1', '--rewards', 'true', *other))


def test_a_simulator_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith(('examples.arm_sim', 'examples.learning.arm_world', 'mujoco')):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'mujoco', None)
    worlds._arm.cache_clear()
    with pytest.raises(TopRewardError, match=r'mujoco is not installed: pip install .*sim'):
        online.main(small(tmp_path, '--seeds', '0', '--rewards', 'true', '--world', 'so101'))
