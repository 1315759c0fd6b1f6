# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The outcome of a recorded episode, by the live reward, and how doubtful it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .live import LiveReward, ScoreReading
from .metrics import held_mean
from .success import Scene

# Progress that belongs to a success at its end, and to no failure at any time
HIGH_PROGRESS = 0.8
# Nearer to the threshold than this share of the usual distance is doubtful
NEAR = 0.5

TOO_SHORT = 'too few scores to judge success'
LOST = 'success was detected, and is lost at the end'
LOW = 'called a success, but progress ends at {:.2f}'
REACHED = 'called a failure, but progress reached {:.2f}'
OTHER_LABEL = 'the dataset calls it a {}'
CLOSE = 'near the threshold'


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the live reward says of an episode with these n scores.

    progress (n,) is NaN where it is unknown; evidence (n,) is what success is judged by, NaN where
    a score has none, and is compared to the threshold. detected: the number of the score at which
    success was detected, None where it was not. margin: the highest threshold at which it would
    have been, less the threshold; NaN for too few scores. is_lost: the scene looks unfinished at
    the end although success was detected.
    """

    progress: np.ndarray
    evidence: np.ndarray
    threshold: float
    detected: int | None
    margin: float
    is_lost: bool = False

    @property
    def is_success(self) -> bool:
        return self.detected is not None


def outcome_of(live: LiveReward, scores: Iterable[ScoreReading]) -> Outcome:
    """Return the outcome of an episode, as the node would have judged it."""
    live.start()
    steps = [live.update(score) for score in scores]
    evidence = [math.nan if step.evidence is None else step.evidence for step in steps]
    rule = live.detector
    known = np.array([value for value in evidence if not math.isnan(value)])
    is_judged = len(known) >= rule.window + rule.hold - 1
    held = held_mean(known, rule.window, rule.hold) if is_judged else math.nan
    detected = next((k for k, step in enumerate(steps) if step.success is not None), None)
    return Outcome(
        progress=np.array([step.progress for step in steps]),
        evidence=np.array(evidence),
        threshold=rule.threshold,
        detected=detected,
        margin=held - rule.threshold,
        is_lost=detected is not None and rule.scene is Scene.UNFINISHED,
    )


@dataclass(frozen=True)
class Doubt:
    """How doubtful an outcome is, and why.

    degree: from 0 (far from the threshold) to 1 (at it), 0.5 for the usual distance, and one more
    for each reason that contradicts the outcome.
    """

    degree: float
    reasons: tuple[str, ...] = ()

    @property
    def is_doubtful(self) -> bool:
        return bool(self.reasons)


def doubts(outcomes: Sequence[Outcome], labels: Sequence[bool | None]) -> list[Doubt]:
    """Return the doubt of each outcome; labels are what else is known of success, None: nothing.

    The usual distance from the threshold is the median among the outcomes of the same kind, as
    log-probabilities above a threshold have less room than those below.
    """
    usual = {
        kind: float(np.median(distances)) if distances else math.nan
        for kind in (True, False)
        for distances in [
            [
                abs(each.margin)
                for each in outcomes
                if each.is_success is kind and math.isfinite(each.margin)
            ]
        ]
    }
    return [
        _doubt(each, label, usual[each.is_success])
        for each, label in zip(outcomes, labels, strict=True)
    ]


def _doubt(outcome: Outcome, label: bool | None, usual: float) -> Doubt:
    reasons = []
    ends, highest = _end_and_highest(outcome.progress)
    if math.isnan(outcome.margin):
        reasons.append(TOO_SHORT)
    if outcome.is_lost:
        reasons.append(LOST)
    elif outcome.is_success and ends < HIGH_PROGRESS:
        reasons.append(LOW.format(ends))
    elif not outcome.is_success and highest >= HIGH_PROGRESS:
        reasons.append(REACHED.format(highest))
    if label is not None and label is not outcome.is_success:
        reasons.append(OTHER_LABEL.format('success' if label else 'failure'))
    near = _nearness(abs(outcome.margin), usual)
    degree = near + len(reasons)
    if near > 1 / (1 + NEAR):
        reasons.append(CLOSE)
    return Doubt(degree, tuple(reasons))


def _end_and_highest(progress: np.ndarray) -> tuple[float, float]:
    known = progress[~np.isnan(progress)]
    return (float(known[-1]), float(known.max())) if known.size else (math.nan, math.nan)


def _nearness(distance: float, usual: float) -> float:
    """Return usual / (usual + distance): 1 at the threshold, 0.5 at the usual distance."""
    if not math.isfinite(distance):
        return 0.0
    return usual / (usual + distance) if usual + distance else 1.0
