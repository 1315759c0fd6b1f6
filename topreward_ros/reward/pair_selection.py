# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Choose one of several scores by how it separates successes from failures, and judge the choice.

Nested leave-pair-out cross-validation: a success and a failure are held out together, the score is
chosen by the ROC-AUC of all other recordings, and only then is the pair looked at. The share of the
pairs in the right order is the ROC-AUC of choosing like this, on recordings that had no part in the
choice. A score has nothing else that is fitted, so the inner judgement needs no folds of its own.
Pairs are compared within a score only: those of two scores have no common unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .metrics import bootstrap

LEAST = 2  # successes, and failures: one is held out, and one is left to choose by


@dataclass(frozen=True, eq=False)
class Selection:
    """What was chosen among k scores of s successes and f failures, of which 0 is the default.

    aucs (k,): of all recordings. chosen is the first with the highest. held_out (s, f): for each
    pair 1 where the score chosen without it has it in the right order, 0.5 where it ties them,
    else 0; default (s, f): the same of the default, which nothing was chosen by. choices (s, f):
    the score that was chosen without the pair.
    """

    aucs: np.ndarray
    chosen: int
    held_out: np.ndarray
    default: np.ndarray
    choices: np.ndarray

    @property
    def is_better(self) -> bool:
        """Whether choosing does better than the default on recordings held out."""
        return self.chosen != 0 and float(self.held_out.sum()) > float(self.default.sum())


def select(successes: Sequence[Sequence[float]], failures: Sequence[Sequence[float]]) -> Selection:
    """Choose among k scores; successes (k, s) and failures (k, f), higher for a success.

    The earlier one wins a tie. Raises ValueError for fewer than LEAST of a kind, and for NaN.
    """
    good, bad = np.asarray(successes, np.float64), np.asarray(failures, np.float64)
    if min(good.shape[1], bad.shape[1]) < LEAST:
        raise ValueError(
            f'{good.shape[1]} successes and {bad.shape[1]} failures: expected {LEAST} of each'
        )
    if np.isnan(good).any() or np.isnan(bad).any():
        raise ValueError('a score is NaN')
    wins = (good[:, :, None] > bad[:, None]) + 0.5 * (good[:, :, None] == bad[:, None])
    # Wins of the pairs of which neither recording is held out; halves, so sums are exact
    rows, columns = wins.sum(axis=2, keepdims=True), wins.sum(axis=1, keepdims=True)
    left = wins.sum(axis=(1, 2), keepdims=True) - rows - columns + wins
    choices = left.argmax(axis=0)
    aucs = wins.mean(axis=(1, 2))
    return Selection(
        aucs=aucs,
        chosen=int(wins.sum(axis=(1, 2)).argmax()),
        held_out=np.take_along_axis(wins, choices[None], axis=0)[0],
        default=wins[0],
        choices=choices,
    )


def pair_interval(pairs: np.ndarray) -> tuple[float, float]:
    """Return the 95 % bootstrap interval, over recordings, of the mean of pairs (s, f)."""

    def mean(rows: np.ndarray, columns: np.ndarray) -> float:
        return float(pairs[np.ix_(rows.astype(int), columns.astype(int))].mean())

    return bootstrap(mean, range(pairs.shape[0]), range(pairs.shape[1]))
