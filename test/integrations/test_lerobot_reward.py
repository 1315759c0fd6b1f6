# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The reward model `topreward_ros` by LeRobot's own factory, against the scorer itself."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from .conftest import NO_LEROBOT

pytest.importorskip('lerobot', reason=NO_LEROBOT)

from lerobot.configs.rewards import RewardModelConfig
from lerobot.rewards import (
    get_reward_model_class,
    make_reward_model,
    make_reward_model_config,
    make_reward_pre_post_processors,
)

import lerobot_reward_topreward
from topreward_ros.demo import model
from topreward_ros.demo.drawing import SceneRenderer, film
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.errors import FrameError, ModelError, TaskError
from topreward_ros.results.calibration_file import CalibrationError, write_calibration
from topreward_ros.reward.calibration import Calibration, LengthBias, Scale
from topreward_ros.reward.live import RewardOptions
from topreward_ros.scoring import LoadOptions, curve, load_scorer

TYPE = 'topreward_ros'
KEY = 'observation.images.top'
MODELS = {
    'topreward': str(model.FOLDER),
    'robometer': str(model.FOLDER_ROBOMETER),
    'large_reward_model': str(model.FOLDER),
    'roboreward': '',  # a random one: no demo's model is trained on its question
}
FPS = 2.0


def episode(seed: int) -> tuple[np.ndarray, str]:
    scene = SceneEpisode(seed)
    return np.stack(list(film(scene, FPS, 64, 64)))[:8], scene.task.say()


EPISODES = [episode(3), episode(4)]
COUNT = min(len(frames) for frames, _ in EPISODES)
FRAMES = [frames[:COUNT] for frames, _ in EPISODES]
TASKS = [task for _, task in EPISODES]


def batch(scale: float = 255.0) -> dict[str, Any]:
    """Two episodes as LeRobot's loader gives them: float32 (B, T, C, H, W) in [0, 1]."""
    images = torch.from_numpy(np.stack(FRAMES)).permute(0, 1, 4, 2, 3)
    return {KEY: images.float() / scale, 'task': list(TASKS), 'index': torch.arange(2)}


def config(**fields: Any) -> Any:
    fields.setdefault('model', MODELS['topreward'])
    return make_reward_model_config(TYPE, device='cpu', image_key=KEY, fps=FPS, **fields)


def last_values(name: str, reward_model: str) -> list[float]:
    scorer = load_scorer(LoadOptions(name, device='cpu', reward_model=reward_model))
    times = np.arange(COUNT) / FPS
    return [
        curve(scorer, frames, times, task)[-1][0].value
        for frames, task in zip(FRAMES, TASKS, strict=True)
    ]


def test_lerobot_derives_all_names_from_the_type() -> None:
    assert TYPE in RewardModelConfig.get_known_choices()
    assert RewardModelConfig.get_choice_class('topreward') is not type(config())  # LeRobot's own
    cls = get_reward_model_class(TYPE)
    assert cls.name == TYPE and cls.config_class is lerobot_reward_topreward.TopRewardRosConfig


@pytest.mark.parametrize('reward_model', MODELS)
def test_the_reward_is_the_last_value_of_the_curve(
    reward_model: str, checkpoint_folder: Path
) -> None:
    name = MODELS[reward_model] or str(checkpoint_folder)
    made = make_reward_model(config(model=name, reward_model=reward_model), dataset_stats={})
    rewards = made.compute_reward(batch())
    assert rewards.shape == (2,) and rewards.dtype == torch.float32
    assert rewards.device == torch.device('cpu') and not rewards.requires_grad
    np.testing.assert_allclose(rewards, last_values(name, reward_model), atol=1e-5)
    assert rewards[0] != rewards[1]
    assert not made.is_trainable and not list(made.parameters())


def test_the_processors_leave_pictures_as_they_are() -> None:
    settings = config()
    before, after = make_reward_pre_post_processors(settings, dataset_stats={KEY: {}})
    made = make_reward_model(settings)
    processed = before(batch())
    assert torch.equal(processed[KEY], batch()[KEY]) and processed['task'] == TASKS
    rewards = after(made.compute_reward(processed))
    assert torch.equal(rewards, made.compute_reward(batch()))
    # One picture with its text, as a robot's loop has it
    one = {KEY: batch()[KEY][0, 0], 'task': TASKS[0]}
    (reward,) = made.compute_reward(before(one))
    expected = made.compute_reward({KEY: batch()[KEY][:1, :1], 'task': TASKS[:1]})
    assert reward == expected[0]


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    made = make_reward_model(config(max_frames=4, default_task='Open the drawer.'))
    made.save_pretrained(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ['config.json']
    assert json.loads((tmp_path / 'config.json').read_text())['type'] == TYPE
    again = get_reward_model_class(TYPE).from_pretrained(tmp_path)
    assert again.config == made.config and not again.training
    assert torch.equal(again.compute_reward(batch()), made.compute_reward(batch()))
    by_path = config(pretrained_path=str(tmp_path))
    assert make_reward_model(by_path).config is by_path
    (tmp_path / 'config.json').write_text('{"type": "topreward"}')
    with pytest.raises(TypeError, match="of the reward model 'topreward'; expected"):
        get_reward_model_class(TYPE).from_pretrained(tmp_path)


def test_only_the_newest_frames_are_shown_at_their_own_times() -> None:
    rewards = make_reward_model(config(max_frames=3)).compute_reward(batch())
    scorer = load_scorer(LoadOptions(MODELS['topreward'], device='cpu'))
    times = np.arange(COUNT)[-3:] / FPS
    rows = curve(scorer, FRAMES[0][-3:], times, TASKS[0], [3])
    assert float(rewards[0]) == pytest.approx(rows[0][0].value, abs=1e-5)


def test_padding_is_not_shown() -> None:
    made = make_reward_model(config())
    first = batch()[KEY][:, :1].expand(-1, 2, -1, -1, -1)
    padded = torch.zeros(2, COUNT + 2, dtype=torch.bool)
    padded[:, :2] = True
    images = {KEY: torch.cat([first, batch()[KEY]], dim=1), KEY + '_is_pad': padded}
    found = made.compute_reward({**batch(), **images})
    assert torch.equal(found, made.compute_reward(batch()))


@pytest.mark.parametrize('normalization', ['fixed', 'probability', 'running'])
def test_progress_and_success_are_the_nodes(normalization: str) -> None:
    options = {'normalization': normalization, 'log_prob_low': -4.0, 'log_prob_high': 0.0}
    threshold = model.SETTINGS['success_threshold']
    live = RewardOptions(**options, success_threshold=threshold).start()
    scorer = load_scorer(LoadOptions(MODELS['topreward'], device='cpu'))
    progress, success = [], []
    for frames, task in zip(FRAMES, TASKS, strict=True):
        live.start()
        rows = curve(scorer, frames, np.arange(COUNT) / FPS, task)
        steps = [live.update(row[0]) for row in rows]
        progress.append(steps[-1].progress)
        success.append(float(any(step.success is not None for step in steps)))
    for output, expected in (('progress', progress), ('success', success)):
        settings = config(reward_output=output, success_threshold=threshold, **options)
        found = make_reward_model(settings).compute_reward(batch())
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_success_is_detected() -> None:
    scene = SceneEpisode(3)
    camera = SceneRenderer(64, 64, scene.appearance)
    times = np.arange(int(scene.seconds * FPS) + 6) / FPS  # a rest at the end, for the hold
    frames = np.stack([camera.take(scene.state(time)) for time in times])
    images = torch.from_numpy(frames)[None]
    settings = config(
        reward_output='success', success_threshold=model.SETTINGS['success_threshold']
    )
    made = make_reward_model(settings)
    for shown, expected in ((images, 1.0), (images[:, :4], 0.0)):
        assert made.compute_reward({KEY: shown, 'task': scene.task.say()}).tolist() == [expected]


def calibration(fps: float = FPS, **fields: Any) -> Calibration:
    identity = load_scorer(LoadOptions(MODELS['topreward'], device='cpu')).identity
    scale = Scale((0.0, 0.5, 1.0), (-3.0, -1.0, -0.1), -0.2, math.nan, math.nan, 1.0)
    return Calibration(
        identity.model, identity.fingerprint, identity.layout, fps, (TASKS[0],), 3, 0, 3, 2,
        scale, None, LengthBias(), **fields,
    )  # fmt: skip


def test_a_calibration_is_the_scale(tmp_path: Path) -> None:
    file = tmp_path / 'calibration.yaml'
    write_calibration(file, calibration())
    settings = config(
        reward_output='progress', normalization='calibrated', calibration=str(file), max_frames=4
    )
    made = make_reward_model(settings)
    few = {**batch(), KEY: batch()[KEY][:, :4]}
    values = make_reward_model(config()).compute_reward(few)
    expected = np.interp(values, (-3.0, -1.0, -0.1), (0.0, 0.5, 1.0))
    np.testing.assert_allclose(made.compute_reward(few), expected, atol=1e-5)
    with pytest.raises(FrameError, match=r'frames, and the calibration is not of the last 4'):
        made.compute_reward(batch())
    write_calibration(file, calibration(history='last 4'))
    make_reward_model(settings).compute_reward(batch())
    write_calibration(file, calibration(fps=5.0))
    with pytest.raises(CalibrationError, match='made at 5 frames a second; here fps is 2'):
        make_reward_model(settings)


def test_what_is_missing_is_told() -> None:
    made = make_reward_model(config())
    without = {key: value for key, value in batch().items() if key != 'task'}
    with pytest.raises(TaskError, match="no 'task'"):
        made.compute_reward(without)
    with pytest.raises(TaskError, match='blank'):
        made.compute_reward({**without, 'task': ' '})
    with pytest.raises(FrameError, match='its images are'):
        made.compute_reward({'observation.images.wrist': batch()[KEY], 'task': TASKS})
    with pytest.raises(FrameError, match='expected uint8, or floats in'):
        made.compute_reward(batch(scale=1.0))
    assert made.compute_reward({KEY: batch()[KEY][:0], 'task': []}).shape == (0,)
    assert torch.isfinite(made.compute_reward(batch())).all()  # an error leaves nothing behind


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({'fps': 0.0}, 'fps is 0.0; expected'),
        ({'max_frames': 0}, 'max_frames is 0; expected'),
        ({'reward_output': 'log_prob'}, 'expected one of value, progress, success'),
        ({'reward_model': 'sarm'}, 'expected one of auto, topreward'),
        ({'normalization': 'min-max'}, 'expected one of fixed'),
        ({'normalization': 'calibrated'}, 'levels are'),
        ({'log_prob_low': 0.0}, 'low must be below high'),
    ],
)
def test_other_values_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lerobot_reward_topreward.TopRewardRosConfig(device='cpu', **fields)


def test_a_model_that_is_not_there_is_told() -> None:
    with pytest.raises(ModelError, match='no/such'):
        make_reward_model(config(model='no/such'))
