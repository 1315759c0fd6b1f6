# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ways of reading progress from a model that `topreward evaluate` compares."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...scoring.chat_model import ChatModel
from ...scoring.checkpoint import Checkpoint
from ...scoring.curve import curve
from ...scoring.large_reward_models import LargeRewardModel
from ...scoring.score import Scorer
from ...scoring.value_learning import generative_values
from ...scoring.video import DEFAULT_MAX_PIXELS

LOG_PROB = 'TOPReward'
STATIC = 'TOPReward, static-corrected'
MARGIN = 'TOPReward, true minus false'
LRM = {name: f'LRM, {name}' for name in ('completion', 'process', 'contrast', 'combined')}
GVL = 'GVL'
STEPS_BACK = 4  # frames between the two that are compared


@dataclass(frozen=True, eq=False)
class Shown:
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

    def curves(self, shown: Shown) -> Mapping[str, Curve]: ...


class TopReward:
    """log P(" True") of each prefix [nat]; the same less what a still picture of as many frames
    gets; and log P(" True") - log P(" False").
    """

    names: tuple[str, ...] = (LOG_PROB, STATIC, MARGIN)

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def curves(self, shown: Shown) -> Mapping[str, Curve]:
        still = itertools.repeat(shown.images[0], len(shown.images))
        true, false = self._scores(shown.images, shown, shown.lengths)
        # Of one frame too: what is taken off is counted from there.
        (alone, *static), _ = self._scores(still, shown, [1, *shown.lengths])
        if shown.lengths[0] == 1:
            static = [alone, *static]
        bias = np.array(static) - alone
        values = {LOG_PROB: true, STATIC: true - bias, MARGIN: true - false}
        return {name: Curve(shown.positions, each) for name, each in values.items()}

    def _scores(
        self, images: Iterable[np.ndarray], shown: Shown, lengths: Sequence[int]
    ) -> np.ndarray:
        rows = curve(self._scorer, images, shown.times, shown.task, lengths)
        return np.array([(row[0].log_prob, row[0].log_prob_false) for row in rows]).T


class LargeRewards:
    """The three questions of Large Reward Models about the last frame of each prefix."""

    names: tuple[str, ...] = tuple(LRM.values())

    def __init__(self, checkpoint: Checkpoint, max_pixels: int) -> None:
        self._model = LargeRewardModel(
            checkpoint, max_pixels=max_pixels, every=1, steps_back=STEPS_BACK
        )

    def curves(self, shown: Shown) -> Mapping[str, Curve]:
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

    def __init__(self, checkpoint: Checkpoint, max_pixels: int) -> None:
        self._model = ChatModel(checkpoint, max_pixels)

    def curves(self, shown: Shown) -> Mapping[str, Curve]:
        if len(shown.images) < 2:
            return {GVL: Curve(np.zeros(1), np.full(1, np.nan), 0.0)}
        told = generative_values(self._model, shown.images, shown.task)
        positions = shown.shares[told.indices]
        # The first is not the model's: it was told.
        answered = 1 - told.unparsable / (len(told.values) - 1)
        return {GVL: Curve(positions[1:], told.values[1:], answered)}


def make_methods(
    names: Sequence[str],
    scorer: Scorer,
    checkpoint: Checkpoint,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> list[Method]:
    """The methods by their short names: topreward, lrm, gvl."""
    made: list[Method] = []
    for name in dict.fromkeys(names):
        if name == 'topreward':
            made.append(TopReward(scorer))
        elif name == 'lrm':
            made.append(LargeRewards(checkpoint, max_pixels))
        elif name == 'gvl':
            made.append(GenerativeValueLearning(checkpoint, max_pixels))
        else:
            raise ValueError(f'{name!r} is no method; expected topreward, lrm or gvl')
    return made
