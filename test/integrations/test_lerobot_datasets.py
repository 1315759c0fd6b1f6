# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Datasets that LeRobot wrote: scored by `topreward`, weighted by LeRobot's own RA-BC, and loaded
by LeRobot for the plug-in."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from .conftest import NO_LEROBOT

pytest.importorskip('lerobot', reason=NO_LEROBOT)

import pyarrow.parquet as pq
from lerobot.datasets import LeRobotDataset
from lerobot.rewards import make_reward_model, make_reward_pre_post_processors
from lerobot.utils.sample_weighting import SampleWeightingConfig, make_sample_weighter

import lerobot_reward_topreward
from topreward_ros.commands.main import main
from topreward_ros.demo import model
from topreward_ros.demo.drawing import film
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.reward.weights import rabc_weights

pytestmark = pytest.mark.slow

KEY = 'observation.images.top'
NAME = 'somebody/demo'
FPS, SCORED_FPS = 10, 2
STATE = {'dtype': 'float32', 'shape': (2,), 'names': ['x', 'y']}
KINDS = ((3, 'success'), (4, 'still'), (5, 'undone'))


@dataclass
class Scored:
    root: Path
    progress_file: Path
    columns: dict[str, np.ndarray]


def write_dataset(root: Path, kind: str) -> None:
    features = {
        KEY: {'dtype': kind, 'shape': (64, 96, 3), 'names': ['height', 'width', 'channels']},
        'observation.state': STATE,
        'action': STATE,
    }
    dataset = LeRobotDataset.create(NAME, FPS, features, root=root, use_videos=kind == 'video')
    still = np.zeros(2, np.float32)
    for seed, scene_kind in KINDS:
        scene = SceneEpisode(seed, scene_kind)
        for picture in film(scene, FPS, 64, 96):
            rest = {'observation.state': still, 'action': still, 'task': scene.task.say()}
            dataset.add_frame({KEY: picture, **rest})
        dataset.save_episode()
    dataset.finalize()


def topreward(*arguments: object) -> None:
    """Run the command with the demo's model."""
    with pytest.MonkeyPatch.context() as patch:
        if importlib.util.find_spec('matplotlib') is None:  # LeRobot itself does not need it
            patch.setattr('topreward_ros.commands.score.episode.plot_run', lambda *_, **__: None)
        assert main([*map(str, arguments), '--model', str(model.FOLDER), '--device', 'cpu']) == 0


@pytest.fixture(scope='module', params=['image', 'video'])
def scored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    folder = tmp_path_factory.mktemp(request.param)
    root = folder / 'dataset'
    write_dataset(root, request.param)
    topreward('score', root, '--parquet', root, '--dense', '--save', folder / 'scores')
    file = root / 'topreward_progress.parquet'
    table = pq.read_table(file)
    columns = {name: table[name].to_numpy() for name in table.column_names}
    return Scored(root, file, columns)


@pytest.mark.parametrize('chunk', [1, 5, 50])
def test_lerobots_weights_are_those_of_this_package(scored: Scored, chunk: int) -> None:
    config = SampleWeightingConfig(type='rabc', progress_path=str(scored.progress_file))
    policy: Any = SimpleNamespace(config=SimpleNamespace(chunk_size=chunk))
    weighter = make_sample_weighter(config, policy, torch.device('cpu'))
    assert weighter is not None
    dataset = LeRobotDataset(NAME, root=scored.root)
    found, told = weighter.compute_batch_weights({'index': torch.arange(len(dataset))})

    columns = scored.columns
    np.testing.assert_array_equal(columns['index'], np.arange(len(dataset)))
    episodes = [
        columns['progress_sparse'][columns['episode_index'] == number]
        for number in range(dataset.num_episodes)
    ]
    expected = np.concatenate(rabc_weights(episodes, chunk))
    assert told['mean_weight'] == pytest.approx(expected.mean(), abs=1e-5)
    assert told['num_zero_weight'] == (expected == 0).sum() > 0
    assert told['num_full_weight'] == (expected == 1).sum() > 0
    # LeRobot's weights add up to the size of the batch
    whole = expected * len(expected) / (expected.sum() + 1e-6)
    np.testing.assert_allclose(found.numpy(), whole, atol=1e-5)


def test_the_plug_in_gives_the_scores_of_the_file(scored: Scored) -> None:
    steps = [k / SCORED_FPS for k in range(-5, 1)]
    dataset = LeRobotDataset(NAME, root=scored.root, delta_timestamps={KEY: steps})
    settings = lerobot_reward_topreward.TopRewardRosConfig(
        device='cpu', model=str(model.FOLDER), image_key=KEY, fps=float(SCORED_FPS)
    )
    before, after = make_reward_pre_post_processors(settings)
    made = make_reward_model(settings)
    starts = np.flatnonzero(scored.columns['frame_index'] == 0)
    # From the first frame of an episode on, whose earlier ones are padding
    chosen = [int(start) + k * FPS // SCORED_FPS for start in starts for k in (0, 2, 5)]
    loader = torch.utils.data.DataLoader(torch.utils.data.Subset(dataset, chosen), batch_size=4)
    found = torch.cat([after(made.compute_reward(before(batch))) for batch in loader])
    expected = scored.columns['topreward_log_prob'][chosen]
    assert not np.isnan(expected).any()
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_lerobot_loads_a_labelled_copy(scored: Scored, tmp_path: Path) -> None:
    topreward('label', scored.root, tmp_path / 'copy', '--save', tmp_path / 'scores')
    dataset = LeRobotDataset(NAME, root=tmp_path / 'copy')
    frame = dataset[len(dataset) - 1]
    labels = ('progress', 'next.reward', 'returns', 'next.success', 'success')
    dtypes = [str(frame[name].dtype).removeprefix('torch.') for name in labels]
    assert dtypes == ['float32', 'float32', 'float32', 'bool', 'bool']
    assert frame[KEY].shape == (3, 64, 96)
