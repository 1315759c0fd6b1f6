# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What environments with a model's reward share: when a picture is taken, and what it brings."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, SupportsFloat

import gymnasium
import numpy as np

from topreward_ros.scoring.sampling import NANOSECONDS

KEY = 'topreward'  # of what is told in info
Task = str | Callable[[gymnasium.Env[Any, Any]], str]
Picture = Callable[[gymnasium.Env[Any, Any]], np.ndarray]


@dataclass(frozen=True)
class Reading:
    """What a model said of a picture: its stamp [ns], progress in [0, 1] or NaN, success so far.

    probability is the model's own, of success; NaN if it has none. scene is that of Progress.
    """

    stamp: int
    progress: float
    is_success: bool
    probability: float = math.nan
    scene: int = 0


def check_seconds(seconds: float) -> None:
    """Raise ValueError for a time between two steps [s] that is none."""
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f'seconds is {seconds}; expected the time between two steps, above 0')


def check_weight(success_weight: float) -> None:
    """Raise ValueError for an invalid weight of the probability of success."""
    if not (math.isfinite(success_weight) and success_weight >= 0):
        raise ValueError(f'success_weight is {success_weight}; expected 0 or more')


def potential(progress: float, probability: float, success_weight: float) -> float:
    """Return the potential of a picture, whose gain is a reward; NaN if progress is.

    Raises ValueError if the probability of success counts, and the model has given none.
    """
    if not success_weight or math.isnan(progress):
        return progress
    if math.isnan(probability):
        raise ValueError(
            f'success_weight is {success_weight}, and this model gives no probability of success: '
            'leave it out, or use one that does (robometer, roboreward, large_reward_model)'
        )
    return progress + success_weight * probability


def rendered(env: gymnasium.Env[Any, Any]) -> np.ndarray:
    """Return the picture that the environment renders, uint8 RGB (H, W, 3)."""
    picture: Any = env.render()
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8:
        raise ValueError(
            f'render() returned {type(picture).__name__}; expected a picture, uint8 RGB (H, W, 3): '
            "make the environment with render_mode='rgb_array', or give `picture`"
        )
    return picture


class RewardWrapper(gymnasium.Wrapper[Any, Any, Any, Any]):
    """The reward of a step is the progress gained since the last one that is known.

    So rewards add up to the progress at the end less that at the beginning, whichever pictures are
    scored, and a picture that is not scored brings 0. With a success_weight this weight times the
    model's own probability of success is added to progress, which alone hardly tells a thing at its
    place from one beside it. Both are potentials, as of potential-based shaping.

    info['topreward'] has progress, success (by the rule), probability, scene, age [s] of the newest
    reading, is_fresh (of this very picture), and reward, the environment's own.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        task: Task,
        *,
        seconds: float = 0.5,
        picture: Picture = rendered,
        ends_on_success: bool = False,
        success_weight: float = 0.0,
    ) -> None:
        """seconds [s]: time between two steps; task: a text, or what it is after a reset.

        Raises ValueError for seconds that are not positive, or a negative weight; when a picture is
        judged, for a weight where the model gives no probability of success.
        """
        check_seconds(seconds)
        check_weight(success_weight)
        super().__init__(env)
        self._task, self._picture = task, picture
        self._step_time = round(seconds * NANOSECONDS)
        self._ends_on_success, self._success_weight = ends_on_success, success_weight
        self._now = 0  # stamp of the newest picture [ns]
        self._newest: Reading | None = None
        self._potential = math.nan  # of the newest reading that had one

    @abstractmethod
    def _begin(self, task: str) -> None:
        """Begin an episode of this task."""

    @abstractmethod
    def _judge(self, picture: np.ndarray, stamp: int) -> Reading | None:
        """Return what the model says of a picture; None where it says nothing of it."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment, begin an episode and score its first picture."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._begin(self._task if isinstance(self._task, str) else self._task(self.env))
        self._newest, self._potential = None, math.nan
        self._read()
        return observation, {**info, KEY: self._told(None)}

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Do a step; the reward is what was gained."""
        observation, own, terminated, truncated, info = self.env.step(action)
        gained = self._read()
        if self._ends_on_success and self._newest is not None and self._newest.is_success:
            terminated = True
        return observation, gained, terminated, truncated, {**info, KEY: self._told(own)}

    def _read(self) -> float:
        """Judge the picture of now; return what was gained."""
        self._now += self._step_time
        reading, before = self._judge(self._picture(self.env), self._now), self._newest
        if reading is None:
            return 0.0
        now = potential(reading.progress, reading.probability, self._success_weight)
        if math.isnan(now):
            self._newest = replace(reading, progress=before.progress) if before else reading
            return 0.0
        gained, self._newest, self._potential = now - self._potential, reading, now
        return 0.0 if math.isnan(gained) else gained

    def _told(self, own: SupportsFloat | None) -> dict[str, Any]:
        newest = self._newest or Reading(self._now, math.nan, False)
        return {
            'progress': newest.progress,
            'success': newest.is_success,
            'probability': newest.probability,
            'scene': newest.scene,
            'age': (self._now - newest.stamp) / NANOSECONDS if self._newest else math.inf,
            'is_fresh': self._newest is not None and newest.stamp == self._now,
            'reward': None if own is None else float(own),
        }
