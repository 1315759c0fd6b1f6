# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `topreward calibrate` is asked to promise, and why it cannot."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from topreward_ros.results.calibration_file import CalibrationError
from topreward_ros.reward.calibration import LengthBias, Scale
from topreward_ros.reward.fit_guarantee import (
    WithoutSuccess,
    beginning,
    guaranteed_threshold,
    progress_band,
    with_guarantee,
)
from topreward_ros.reward.fit_scale import Attempt, make_scale
from topreward_ros.reward.guarantee import (
    CONFIDENCE,
    Guarantee,
    TooFewError,
    needed,
    upper_bound,
)
from topreward_ros.reward.metrics import held_mean
from topreward_ros.reward.success import HOLD, WINDOW

LEAST_FOR_SCALE = 2  # successes, beside those of a band
KINDS = {
    'failed': 'failed',
    'other_tasks': 'of other tasks',
    'beginnings': 'unfinished beginnings of successes',
}


@dataclass(frozen=True)
class Promises:
    """Shares of new episodes that may raise a false alarm, and of new successes whose progress may
    leave its band; None for no promise. with_beginnings counts the beginnings of successes.
    """

    false_alarms: float | None = None
    band: float | None = None
    confidence: float = CONFIDENCE
    with_beginnings: bool = True

    @property
    def any(self) -> bool:
        return self.false_alarms is not None or self.band is not None


@dataclass(frozen=True)
class Fit:
    """Attempts to fit a calibration to.

    A band needs successes that the scale is not made from: every other one is held out, or more
    where the promise takes them. other_tasks are for the promise of false alarms only.
    """

    attempts: Sequence[Attempt]
    other_tasks: Sequence[Attempt] = ()
    promises: Promises = field(default_factory=Promises)
    window: int = WINDOW
    hold: int = HOLD

    @property
    def failed(self) -> list[Attempt]:
        return [attempt for attempt in self.attempts if not attempt.is_success]

    def successes(self, held_out: bool | None = None) -> list[Attempt]:
        """Return those held out, those that the scale is made from, or all."""
        every = [attempt for attempt in self.attempts if attempt.is_success]
        if held_out is None:
            return every
        chosen = _held_out(len(every), self.promises)
        return [each for k, each in enumerate(every) if (k in chosen) is held_out]

    def biased(self) -> Sequence[Attempt]:
        """Return what the length bias is made from: with a promise, nothing that it counts."""
        return self.successes(held_out=False) if self.promises.any else self.attempts

    def scale(self, bias: LengthBias, is_static: bool) -> Scale:
        """Fit the scale of log P without this bias, with the promises.

        Raises ValueError as `make_scale`. A static scale has no promises where too few recordings
        remain that its bias is not made from.
        """
        fitted = [*self.successes(held_out=False), *self.failed]
        scale = make_scale(fitted, bias, self.window, self.hold)
        if self.promises.band is not None:
            band = self.promises.band, self.promises.confidence
            held_out = self.successes(held_out=True)
            scale = dataclasses.replace(scale, band=progress_band(scale, bias, held_out, *band))
        share = self.promises.false_alarms
        if share is None:
            return scale
        try:
            threshold, guarantee = guaranteed_threshold(
                self._without_success(is_static),
                bias,
                share,
                self.promises.confidence,
                window=self.window,
                hold=self.hold,
            )
        except TooFewError as error:
            if is_static:
                return scale
            counts = self._without_success(is_static).judged(self.window + self.hold - 1).counts
            raise CalibrationError(refused_alarms(counts, self.promises)) from error
        reached, failed = (
            [held_mean(each.corrected(bias), self.window, self.hold) for each in some]
            for some in (self.successes(), self.failed)
        )
        return with_guarantee(scale, threshold, guarantee, reached, failed)

    def _without_success(self, is_static: bool) -> WithoutSuccess:
        successes = self.successes(held_out=True if is_static else None)
        begun = [beginning(each) for each in successes] if self.promises.with_beginnings else []
        return WithoutSuccess(self.failed, self.other_tasks, begun)


def _held_out(count: int, promises: Promises) -> set[int]:
    """Return the indices of the successes that a band is made from, evenly spread."""
    if promises.band is None:
        return set()
    chosen = max(needed(promises.band, promises.confidence), count // 2)
    return {k * count // chosen for k in range(chosen)}


def check_counts(successes: int, failed: int, other_tasks: int, promises: Promises) -> None:
    """Raise CalibrationError where so many recordings cannot promise what is asked."""
    counts = {
        'failed': failed,
        'other_tasks': other_tasks,
        'beginnings': successes if promises.with_beginnings else 0,
    }
    share, confidence = promises.false_alarms, promises.confidence
    if share is not None and sum(counts.values()) < needed(share, confidence):
        raise CalibrationError(refused_alarms(counts, promises))
    if promises.band is None:
        return
    takes = needed(promises.band, confidence)
    if successes < takes + LEAST_FOR_SCALE:
        left = max(successes - LEAST_FOR_SCALE, 0)
        raise CalibrationError(
            f'a band that progress leaves in at most {percent(promises.band)} of new successes, '
            f'with confidence {percent(confidence)}, takes {takes} successes beside '
            f'{LEAST_FOR_SCALE} for the scale, and there are {successes}: '
            f'{_remedy(left, takes, confidence, "--band")}'
        )


def refused_alarms(counts: Mapping[str, int], promises: Promises) -> str:
    """Return why recordings of these kinds cannot promise so few false alarms."""
    share, confidence = promises.false_alarms, promises.confidence
    assert share is not None
    count, takes = sum(counts.values()), needed(share, confidence)
    best = f'; {count} can promise {percent(upper_bound(0, count, confidence))} at best'
    return (
        f'at most {percent(share)} false alarms, with confidence {percent(confidence)}, takes '
        f'{takes} recordings without success, and there are {count} ({listed(counts)})'
        f'{best if count else ""}: {_remedy(count, takes, confidence, "--false-alarms")}'
    )


def _remedy(count: int, takes: int, confidence: float, option: str) -> str:
    possible = math.ceil(100 * upper_bound(0, count, confidence)) / 100
    ask = f', or ask for {option} {possible:g}' if possible < 1 else ''
    return f'record {takes - count} more{ask}'


def listed(counts: Mapping[str, int]) -> str:
    """Return the numbers of recordings without success, by kind."""
    return ', '.join(f'{count} {KINDS[name]}' for name, count in counts.items())


def percent(share: float) -> str:
    return f'{100 * share:.3g}%'


def promise_lines(name: str, scale: Scale, asked: bool) -> list[str]:
    """Return what is promised of a scale, for a value of length_bias; asked: of its threshold."""
    lines = []
    if scale.guarantee is not None:
        lines.append(f'length_bias {name}: {promised(scale.guarantee)}')
    elif asked:
        lines.append(
            f'warning: length_bias {name}: nothing is promised of this threshold, as too few '
            'recordings without success remain that the bias is not made from'
        )
    if (band := scale.band) is not None:
        lines.append(
            f'length_bias {name}: with confidence {percent(band.confidence)}, progress stays '
            f'within {band.width:.3f} of the share of the time passed in all but '
            f'{percent(band.share)} of new successes ({band.successes} successes that the scale is '
            f'not made from promise {percent(band.bound)})'
        )
    return lines


def promised(guarantee: Guarantee) -> str:
    """Return the promise of a threshold in words."""
    counts = {name: getattr(guarantee, name) for name in KINDS}
    return (
        f'with confidence {percent(guarantee.confidence)}, at most {percent(guarantee.share)} of '
        f'new episodes without success raise a false alarm, if they are like these '
        f'{guarantee.count} and in the same proportions: {listed(counts)} '
        f'(they promise {percent(guarantee.bound)})'
    )
