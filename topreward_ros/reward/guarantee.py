# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a number of recordings can promise about new ones, whatever their distribution.

Of `count` recordings that are exchangeable with a new one, let `beyond` have a value above a limit
that is one of the values itself. The probability that a new value is above that limit has, at most,
the distribution Beta(beyond + 1, count - beyond). So it is at most `share` with confidence c where
P(Binomial(count, share) <= beyond) <= 1 - c (tolerance limits of Wilks, 1941; the bound on the
share is that of Clopper and Pearson, 1934). Ties make the probability smaller.

The confidence is over the draw of the recordings. It holds for new recordings like them, in the
same proportions of kinds, and for one limit chosen in advance, not for the best of several.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
LARGEST_COUNT = 100_000  # recordings
ROUNDING = 1e-12  # of a probability
STEPS = 60  # of a bisection, to the precision of a float


class TooFewError(ValueError):
    """Fewer recordings than a promise takes."""


def at_most(beyond: int, count: int, share: float) -> float:
    """Return P(Binomial(count, share) <= beyond), for a share within (0, 1)."""
    k = np.arange(1, beyond + 1)
    steps = np.log((count - k + 1) / k) + math.log(share) - math.log1p(-share)
    logs = np.concatenate([[0.0], np.cumsum(steps)]) + count * math.log1p(-share)
    highest = float(logs.max())
    return min(math.exp(highest) * float(np.exp(logs - highest).sum()), 1.0)


def is_promised(beyond: int, count: int, share: float, confidence: float = CONFIDENCE) -> bool:
    """Return whether `beyond` of `count` recordings promise at most `share` of new ones."""
    return at_most(beyond, count, share) <= 1 - confidence + ROUNDING


def upper_bound(beyond: int, count: int, confidence: float = CONFIDENCE) -> float:
    """Return the upper confidence bound on a share of which `beyond` of `count` were seen.

    One-sided, exact (Clopper and Pearson, 1934): 0 of 20 give 0.139 at 0.95. 1 where all were seen,
    or there are none.
    """
    if beyond >= count:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        if not 0 < middle < 1:
            break
        low, high = (
            (low, middle) if at_most(beyond, count, middle) <= 1 - confidence else (middle, high)
        )
    return high


def interval(seen: int, count: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the two-sided interval of Clopper and Pearson (1934) of a share; 0 to 1 of none."""
    one_sided = (1 + confidence) / 2
    return 1 - upper_bound(count - seen, count, one_sided), upper_bound(seen, count, one_sided)


def needed(share: float, confidence: float = CONFIDENCE) -> int:
    """Return how many recordings a promise of at most `share` takes: 59 for 0.05 at 0.95."""
    count = max(math.ceil(math.log(1 - confidence) / math.log1p(-share)) - 1, 1)
    while not is_promised(0, count, share, confidence):
        count += 1
    return count


def allowed(count: int, share: float, confidence: float = CONFIDENCE) -> int:
    """Return how many of `count` values may be above the limit for a promise of at most `share`.

    Raises TooFewError where not even none would do.
    """
    if count < needed(share, confidence):
        raise TooFewError(
            f'{count} can promise {upper_bound(0, count, confidence):.0%} at best with confidence '
            f'{confidence:g}; {share:.2g} takes {needed(share, confidence)}'
        )
    low, high = 0, count  # it is in [low, high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (middle, high) if is_promised(middle, count, share, confidence) else (low, middle)
        )
    return low


def limit(
    values: Sequence[float], share: float, confidence: float = CONFIDENCE
) -> tuple[float, int]:
    """Return the smallest of the values (n,) that at most `share` of new ones exceed, and how many
    of them exceed it by the order statistic, `allowed`.

    Raises TooFewError for too few values, and ValueError for one that is not finite.
    """
    if not all(map(math.isfinite, values)):
        raise ValueError(f'a value is not finite: {min(values)} to {max(values)}')
    beyond = allowed(len(values), share, confidence)
    return float(sorted(values)[len(values) - 1 - beyond]), beyond


def check_asked(share: float, confidence: float) -> None:
    """Raise ValueError for a share or a confidence that is not within (0, 1)."""
    for name, value in (('share', share), ('confidence', confidence)):
        if not (isinstance(value, int | float) and 0.001 <= value <= 0.999):
            raise ValueError(f'the {name} is {value!r}; expected 0.001 to 0.999')


@dataclass(frozen=True)
class Guarantee:
    """With `confidence`, at most `share` of new episodes without success raise a false alarm.

    failed, other_tasks, beginnings: the recordings without success that it is made from (failed
    attempts, recordings of other tasks, unfinished beginnings of successes, at most one each);
    beyond: how many of them may reach the threshold by the order statistic.
    """

    share: float
    confidence: float
    failed: int
    other_tasks: int
    beginnings: int
    beyond: int

    def __post_init__(self) -> None:
        _check(self, self.count, ('failed', 'other_tasks', 'beginnings', 'beyond'))

    @property
    def count(self) -> int:
        """Number of recordings without success."""
        return self.failed + self.other_tasks + self.beginnings

    @property
    def bound(self) -> float:
        """The share that is promised, at most `share`: 0.139 for none beyond of 20 at 0.95."""
        return upper_bound(self.beyond, self.count, self.confidence)


@dataclass(frozen=True)
class Band:
    """With `confidence`, progress leaves the band in at most `share` of new successes.

    width: progress stays within this distance of the share of the time that has passed, at every
    score of a success. successes: how many it is made from, none of which the scale was made from;
    beyond: how many of them may leave it by the order statistic.
    """

    width: float
    share: float
    confidence: float
    successes: int
    beyond: int

    def __post_init__(self) -> None:
        if not (isinstance(self.width, int | float) and 0 <= self.width <= 1):
            raise ValueError(f'the width of the band is {self.width!r}; expected 0 to 1')
        _check(self, self.successes, ('successes', 'beyond'))

    @property
    def bound(self) -> float:
        """The share that is promised, at most `share`."""
        return upper_bound(self.beyond, self.successes, self.confidence)


def _check(promise: Guarantee | Band, count: int, names: Sequence[str]) -> None:
    """Raise ValueError for numbers that make no promise, or promise more than they can."""
    check_asked(promise.share, promise.confidence)
    for name in names:
        value = getattr(promise, name)
        if type(value) is not int or not 0 <= value <= LARGEST_COUNT:
            raise ValueError(f'{name} is {value!r}; expected 0 to {LARGEST_COUNT}')
    asked = promise.share, promise.confidence
    if promise.beyond >= count or not is_promised(promise.beyond, count, *asked):
        raise ValueError(
            f'{promise.beyond} of {count} recordings cannot promise {promise.share:.2g} with '
            f'confidence {promise.confidence:g}'
        )
