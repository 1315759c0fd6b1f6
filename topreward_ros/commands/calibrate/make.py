# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward calibrate`: from attempts at a task to a calibration for the node."""

from __future__ import annotations

import math
from collections.abc import Sequence

from topreward_ros.results.calibration_file import CalibrationError
from topreward_ros.reward.calibration import Calibration, LengthBias, Scale
from topreward_ros.reward.fit_scale import Attempt, length_bias, make_scale
from topreward_ros.scoring.score import Identity


def make_calibration(
    attempts: Sequence[Attempt],
    tasks: Sequence[str],
    identity: Identity,
    fps: float,
    *,
    window: int = 3,
    hold: int = 2,
) -> Calibration:
    """The calibration of these attempts; CalibrationError where they give none.

    Where nothing rises any more without the length bias, it has no static scale.
    """
    if not attempts:
        raise CalibrationError('there is no recording to calibrate on')
    bias = length_bias(attempts)
    try:
        plain = make_scale(attempts, LengthBias(), window, hold)
    except ValueError as error:
        raise CalibrationError(str(error)) from error
    static: Scale | None
    try:
        static = make_scale(attempts, bias, window, hold)
    except ValueError:
        static = None
    return Calibration(
        model=identity.model,
        fingerprint=identity.fingerprint,
        layout=identity.layout,
        fps=fps,
        tasks=tuple(dict.fromkeys(tasks)),
        successes=sum(attempt.is_success for attempt in attempts),
        failures=sum(not attempt.is_success for attempt in attempts),
        window=window,
        hold=hold,
        plain=plain,
        static=static,
        bias=bias,
    )


def describe(made: Calibration) -> list[str]:
    """What it says, a line for each way of reading, and what to beware of."""
    lines = []
    for name, scale in (('as it is', made.plain), ('static bias taken off', made.static)):
        if scale is None:
            lines.append(f'{name}: nothing rises, so length_bias has to stay none')
            continue
        if made.failures:
            told = f'ROC-AUC {scale.roc_auc:.3f}, false alarms {scale.false_alarm:.0%}'
        elif math.isnan(scale.false_alarm):
            told = 'how often it is called early cannot be told of recordings this short'
        else:
            told = f'called early in at most {scale.false_alarm:.0%} of new ones'
        lines.append(
            f'{name}: log P("True") from {scale.levels[0]:.3f} to {scale.levels[-1]:.3f} nat; '
            f'success from {scale.threshold:.3f} nat, reached by {scale.detected:.0%} of the '
            f'successes; {told}'
        )
        if not scale.detected or scale.roc_auc <= 0.6:
            lines.append(
                'BEWARE: this threshold hardly tells success from failure; use progress alone, '
                'more recordings, or another model'
            )
    return lines
