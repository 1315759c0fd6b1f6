# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ways of reading progress from a model that `topreward evaluate` compares."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from topreward_ros.errors import ModelError
from topreward_ros.scoring.clip_curve import curve
from topreward_ros.scoring.reward_models.generative_value_learning.values import generative_values
from topreward_ros.scoring.reward_models.large_reward_models.rewards import LargeRewardModel
from topreward_ros.scoring.score import Score, Scorer

LOG_PROB = 'TOPReward'
STATIC = 'TOPReward, static-corrected'
MARGIN = 'TOPReward, true minus false'
OWN = 'progress of the model'  # of models that tell no log-probability
LRM = {name: f'LRM, {name}' for name in ('completion', 'process', 'contrast', 'combined')}
GVL = 'GVL'
STEPS_BACK = 4  # frames between the two that are compared


@dataclass(frozen=True, eq=False)
class SampledRecording:
    """What a method is shown: frames uint8 RGB (H, W, 3) with their times [s], which share of the
    recording has passed at each, and the lengths of the prefixes of which values are wanted.
    """

    images: Sequence[np.ndarray]
    times: Sequence[float]
    shares: np.ndarray
    lengths: Sequence[int]
    task: str

    @property
    def positions(self) -> np.ndarray:
        """Where the prefixes end, as shares of the recording."""
        return self.shares[np.array(self.lengths) - 1]


@dataclass(frozen=True, eq=False)
class Curve:
    """Values (n,) at positions (n,) from 0 to 1 of a recording's length; higher is further.

    answered is the share of the answers that came in the form asked for: of probability, or of
    what was written. Values that could not be read are NaN.
    """

    positions: np.ndarray
    values: np.ndarray
    answered: float = 1.0


class Method(Protocol):
    """Gives curves of a recording, one for each of its names."""

    names: tuple[str, ...]

    def curves(self, shown: SampledRecording) -> Mapping[str, Curve]: ...


class TopReward:
    """log P(" True") of each prefix [nat]; the same less what a still picture of as many frames
    gets; and log P(" True") - log P(" False"). For a model that tells no log-probability, its own
    progress.
    """

    names: tuple[str, ...] = (LOG_PROB, STATIC, MARGIN, OWN)

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def curves(self, shown: SampledRecording) -> Mapping[str, Curve]:
        scores = self._scores(shown.images, shown, shown.lengths)
        values = np.array([score.value for score in scores])
        if scores[0].log_prob is None:
            return {OWN: Curve(shown.positions, values)}
        curves = {LOG_PROB: values, STATIC: values - self._bias(shown)}
        if scores[0].log_prob_false is not None:
            curves[MARGIN] = values - np.array([score.log_prob_false for score in scores])
        return {name: Curve(shown.positions, each) for name, each in curves.items()}

    def _bias(self, shown: SampledRecording) -> np.ndarray:
        """What a still picture gains by the number of its frames, counted from one, (n,) [nat]."""
        still = itertools.repeat(shown.images[0], len(shown.images))
        alone, *static = (s.value for s in self._scores(still, shown, [1, *shown.lengths]))
        if shown.lengths[0] == 1:
            static = [alone, *static]
        return np.array(static) - alone

    def _scores(
        self, images: Iterable[np.ndarray], shown: SampledRecording, lengths: Sequence[int]
    ) -> list[Score]:
        rows = curve(self._scorer, images, shown.times, shown.task, lengths)
        return [row[0] for row in rows]


class LargeRewards:
    """The three questions of Large Reward Models about the last frame of each prefix."""

    names: tuple[str, ...] = tuple(LRM.values())

    def __init__(self, scorer: Scorer) -> None:
        """Raises ModelError for a model that cannot be asked in a chat turn."""
        self._model = LargeRewardModel(scorer.chat_model(), every=1, steps_back=STEPS_BACK)

    def curves(self, shown: SampledRecording) -> Mapping[str, Curve]:
        episode = self._model.start(shown.task)
        scores = []
        for number, (image, time) in enumerate(zip(shown.images, shown.times, strict=True), 1):
            episode.append(image, time)
            if number in shown.lengths:
                scores.append(episode.reward())
        episode.close()
        answered = float(np.mean([score.coverage for score in scores]))
        return {
            name: Curve(shown.positions, np.array([getattr(s, key) for s in scores]), answered)
            for key, name in LRM.items()
        }


class GenerativeValueLearning:
    """Percentages that the model writes of shuffled frames."""

    names: tuple[str, ...] = (GVL,)

    def __init__(self, scorer: Scorer) -> None:
        """Raises ModelError for a model that cannot be asked in a chat turn."""
        self._model = scorer.chat_model()

    def curves(self, shown: SampledRecording) -> Mapping[str, Curve]:
        if len(shown.images) < 2:
            return {GVL: Curve(np.zeros(1), np.full(1, np.nan), 0.0)}
        told = generative_values(self._model, shown.images, shown.task)
        positions = shown.shares[told.indices]
        # The first is not the model's: it was told.
        answered = 1 - told.unparsable / (len(told.values) - 1)
        return {GVL: Curve(positions[1:], told.values[1:], answered)}


# By their short names: makers from a scorer
METHODS: dict[str, Callable[[Scorer], Method]] = {
    'topreward': TopReward,
    'lrm': LargeRewards,
    'gvl': GenerativeValueLearning,
}
DEFAULT_METHODS = ('topreward', 'lrm')


def make_methods(names: Sequence[str] | None, scorer: Scorer) -> list[Method]:
    """Make the methods of these short names; None: those of DEFAULT_METHODS that the model allows.

    Raises ModelError for a method named that the model does not allow.
    """
    if names is not None:
        return [METHODS[name](scorer) for name in dict.fromkeys(names)]
    made: list[Method] = []
    for name in DEFAULT_METHODS:
        with contextlib.suppress(ModelError):
            made.append(METHODS[name](scorer))
    return made
