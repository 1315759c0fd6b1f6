# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fits a threshold and a band that hold for new episodes, with what `guarantee` can promise.

A promise holds if what is measured on a recording depends on no other: a recording counts only for
a length bias and a scale that were not made from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .calibration import LengthBias, Scale
from .fit_scale import EARLY, ROUNDING, Attempt
from .guarantee import CONFIDENCE, Band, Guarantee, limit
from .metrics import held_mean
from .progress import CalibratedNormalization
from .success import HOLD, WINDOW


@dataclass(frozen=True)
class WithoutSuccess:
    """Episodes without success, by kind.

    failed: attempts at the task; other_tasks: recordings of other tasks, asked about this one;
    beginnings: of successes, as `beginning` cuts them. Those that are too short to be judged are
    left out: they raise no alarm.
    """

    failed: Sequence[Attempt] = ()
    other_tasks: Sequence[Attempt] = ()
    beginnings: Sequence[Attempt] = ()

    def judged(self, least: int) -> WithoutSuccess:
        """Return those with at least so many scores."""
        kinds = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return WithoutSuccess(
            **{name: [a for a in each if len(a.log_probs) >= least] for name, each in kinds.items()}
        )

    @property
    def counts(self) -> dict[str, int]:
        """Number of episodes by kind."""
        return {field.name: len(getattr(self, field.name)) for field in dataclasses.fields(self)}


def beginning(attempt: Attempt) -> Attempt:
    """Return the first `EARLY` part of a success, in which it is unfinished."""
    early = attempt.shares < EARLY
    return dataclasses.replace(
        attempt,
        log_probs=attempt.log_probs[early],
        times=attempt.times[early],
        frames=attempt.frames[early],
        is_success=False,
    )


def guaranteed_threshold(
    episodes: WithoutSuccess,
    bias: LengthBias,
    share: float,
    confidence: float = CONFIDENCE,
    *,
    window: int = WINDOW,
    hold: int = HOLD,
) -> tuple[float, Guarantee]:
    """Return the lowest threshold that at most `share` of new such episodes reach [nat].

    It is `ROUNDING` above the order statistic of the highest thresholds at which `SuccessDetector`
    would fire. Raises TooFewError for too few episodes.
    """
    judged = episodes.judged(window + hold - 1)
    every = (*judged.failed, *judged.other_tasks, *judged.beginnings)
    held = [held_mean(each.corrected(bias), window, hold) for each in every]
    highest, beyond = limit(held, share, confidence)
    guarantee = Guarantee(share, confidence, beyond=beyond, **judged.counts)
    return highest + ROUNDING, guarantee


def with_guarantee(
    scale: Scale,
    threshold: float,
    guarantee: Guarantee,
    reached: Sequence[float],
    failed: Sequence[float],
) -> Scale:
    """Return the scale with another threshold [nat] and its guarantee.

    reached, failed: highest thresholds at which successes and failures would be detected [nat].
    """
    alarms = float(np.mean(np.array(failed) >= threshold)) if failed else guarantee.bound
    return dataclasses.replace(
        scale,
        threshold=threshold,
        false_alarm=alarms,
        detected=float(np.mean(np.array(reached) >= threshold)),
        guarantee=guarantee,
    )


def progress_error(scale: Scale, bias: LengthBias, attempt: Attempt) -> float:
    """Return the largest |progress - share of the time passed| over the scores of an attempt."""
    progress = CalibratedNormalization(scale.points, scale.levels).progress
    read = np.array([progress(float(value)) for value in attempt.corrected(bias)])
    return float(np.abs(read - attempt.shares).max())


def progress_band(
    scale: Scale,
    bias: LengthBias,
    successes: Sequence[Attempt],
    share: float,
    confidence: float = CONFIDENCE,
) -> Band:
    """Return the narrowest band that progress leaves in at most `share` of new successes.

    Neither the scale nor the bias may be made from these successes. Raises TooFewError for too few.
    """
    errors = [progress_error(scale, bias, each) for each in successes]
    width, beyond = limit(errors, share, confidence)
    return Band(width, share, confidence, len(errors), beyond)
