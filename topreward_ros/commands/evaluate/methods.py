# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The methods of estimating progress that `topreward evaluate` compares."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from topreward_ros.errors import NoChatError
from topreward_ros.scoring.clip_curve import curve
from topreward_ros.scoring.reward_models.generative_value_learning.values import generative_values
from topreward_ros.scoring.reward_models.large_reward_models.rewards import (
    LargeRewardModel,
    LrmScore,
)
from topreward_ros.scoring.score import Score, Scorer

LOG_PROB = 'TOPReward'
STATIC = 'TOPReward, static-corrected'
MARGIN = 'TOPReward, true minus false'
OWN = 'progress of the model'  # for models without a log-probability
LRM = {name: f'LRM, {name}' for name in ('completion', 'process', 'contrast', 'combined')}
GVL = 'GVL'
STEPS_BACK = 4  # frames between the two compared frames


@dataclass(frozen=True, eq=False)
class SampledRecording:
    """The input of a method: frames, uint8 RGB (H, W, 3), with their times [s].

    shares are the fractions of the recording that have passed at each frame; lengths are those of
    the prefixes to evaluate.
    """

    images: Sequence[np.ndarray]
    times: Sequence[float]
    shares: np.ndarray
    lengths: Sequence[int]
    task: str

    @property
    def positions(self) -> np.ndarray:
        """The ends of the prefixes, as fractions of the recording."""
        return self.shares[np.array(self.lengths) - 1]


@dataclass(frozen=True, eq=False)
class Curve:
    """Values (n,) at positions (n,) from 0 to 1 of a recording's length; higher is further.

    answered is the fraction of answers in the requested form: of their probability, or of the
    generated values. Values that could not be parsed are NaN.
    """

    positions: np.ndarray
    values: np.ndarray
    answered: float = 1.0


class Method(Protocol):
    """Computes curves of a recording, one for each of its names."""

    names: tuple[str, ...]

    def curves(self, recording: SampledRecording) -> Mapping[str, Curve]: ...


class TopReward:
    """log P(" True") of each prefix [nat], without and with the static length bias subtracted.

    Also log P(" True") - log P(" False"), where the model gives both. For a model without a
    log-probability, its own progress.
    """

    names: tuple[str, ...] = (LOG_PROB, STATIC, MARGIN)

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def curves(self, recording: SampledRecording) -> Mapping[str, Curve]:
        scores = self._scores(recording.images, recording, recording.lengths)
        values = np.array([score.value for score in scores])
        if scores[0].log_prob is None:
            return {OWN: Curve(recording.positions, values)}
        curves = {LOG_PROB: values, STATIC: values - self._bias(recording)}
        if scores[0].log_prob_false is not None:
            curves[MARGIN] = values - np.array([score.log_prob_false for score in scores])
        return {name: Curve(recording.positions, each) for name, each in curves.items()}

    def _bias(self, recording: SampledRecording) -> np.ndarray:
        """Return what a still image gains with each prefix length over one frame, (n,) [nat]."""
        still = itertools.repeat(recording.images[0], len(recording.images))
        alone, *static = (s.value for s in self._scores(still, recording, [1, *recording.lengths]))
        if recording.lengths[0] == 1:
            static = [alone, *static]
        return np.array(static) - alone

    def _scores(
        self, images: Iterable[np.ndarray], recording: SampledRecording, lengths: Sequence[int]
    ) -> list[Score]:
        rows = curve(self._scorer, images, recording.times, recording.task, lengths)
        return [row[0] for row in rows]


class LargeRewards:
    """The three rewards of Large Reward Models for the last frame of each prefix."""

    names: tuple[str, ...] = tuple(LRM.values())

    def __init__(self, scorer: Scorer) -> None:
        """Raises NoChatError for a model that cannot answer chat messages."""
        # A stock model may prefer a place, unlike one that was trained with the places given
        self._model = LargeRewardModel(scorer.chat_model(), steps_back=STEPS_BACK, both_orders=True)

    def curves(self, recording: SampledRecording) -> Mapping[str, Curve]:
        scores: list[LrmScore] = []
        frames = zip(recording.images, recording.times, strict=True)
        with contextlib.closing(self._model.start(recording.task)) as episode:
            for number, (image, time) in enumerate(frames, 1):
                episode.append(image, time)
                if number in recording.lengths:
                    scores += episode.rewards()
        answered = float(np.mean([score.coverage for score in scores]))
        return {
            name: Curve(recording.positions, np.array([getattr(s, key) for s in scores]), answered)
            for key, name in LRM.items()
        }


class GenerativeValueLearning:
    """Progress percentages that the model generates for shuffled frames."""

    names: tuple[str, ...] = (GVL,)

    def __init__(self, scorer: Scorer) -> None:
        """Raises NoChatError for a model that cannot answer chat messages."""
        self._model = scorer.chat_model()

    def curves(self, recording: SampledRecording) -> Mapping[str, Curve]:
        if len(recording.images) < 2:
            return {GVL: Curve(np.zeros(1), np.full(1, np.nan), 0.0)}
        generated = generative_values(self._model, recording.images, recording.task)
        positions = recording.shares[generated.indices]
        # The first value is given in the prompt, not generated
        answered = 1 - generated.unparsable / (len(generated.values) - 1)
        return {GVL: Curve(positions[1:], generated.values[1:], answered)}


# Constructors by short name
METHODS: dict[str, Callable[[Scorer], Method]] = {
    'topreward': TopReward,
    'lrm': LargeRewards,
    'gvl': GenerativeValueLearning,
}
DEFAULT_METHODS = ('topreward', 'lrm')


def make_methods(names: Sequence[str] | None, scorer: Scorer) -> list[Method]:
    """Return the methods of these short names; None: the DEFAULT_METHODS that the model supports.

    Raises NoChatError for a named method that the model does not support.
    """
    if names is not None:
        if unknown := set(names) - METHODS.keys():
            raise ValueError(f'{min(unknown)!r} is no method; expected {", ".join(METHODS)}')
        return [METHODS[name](scorer) for name in dict.fromkeys(names)]
    methods: list[Method] = []
    for name in DEFAULT_METHODS:
        with contextlib.suppress(NoChatError):
            methods.append(METHODS[name](scorer))
    return methods
