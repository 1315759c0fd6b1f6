# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Make a calibration from scored attempts at a task, and describe it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from topreward_ros.results.calibration_file import CalibrationError
from topreward_ros.reward.calibration import Calibration, LengthBias, Scale
from topreward_ros.reward.fit_scale import Attempt, length_bias
from topreward_ros.reward.success import HOLD, WINDOW
from topreward_ros.scoring.sampling import Sampling
from topreward_ros.scoring.score import Identity

from .promises import Fit, Promises, check_counts, promise_lines

NOTHING = Promises()
LOG_PROB = 'log P("True")'


def make_calibration(
    attempts: Sequence[Attempt],
    tasks: Sequence[str],
    identity: Identity,
    fps: float,
    *,
    window: int = WINDOW,
    hold: int = HOLD,
    other_tasks: Sequence[Attempt] = (),
    promises: Promises = NOTHING,
    history: str = Sampling().history_name,
) -> Calibration:
    """Return the calibration of these attempts; raises CalibrationError where there is none.

    It has no static scale where the scores do not rise after the length bias is subtracted.
    other_tasks are recordings of other tasks, asked about this one; they and the promises: see
    `promises.Fit`.
    """
    if not attempts:
        raise CalibrationError('no recording to calibrate on; expected at least one success')
    fit = Fit(attempts, other_tasks, promises, window, hold)
    check_counts(len(fit.successes()), len(fit.failed), len(other_tasks), promises)
    try:
        plain = fit.scale(LengthBias(), is_static=False)
        bias = length_bias(fit.biased())
    except ValueError as error:
        raise CalibrationError(str(error)) from error
    return Calibration(
        model=identity.model,
        fingerprint=identity.fingerprint,
        layout=identity.layout,
        fps=fps,
        history=history,
        tasks=tuple(dict.fromkeys(tasks)),
        successes=len(fit.successes()),
        failures=len(fit.failed),
        window=window,
        hold=hold,
        plain=plain,
        static=_static_scale(fit, bias),
        bias=bias,
    )


def _static_scale(fit: Fit, bias: LengthBias) -> Scale | None:
    """Return the scale without the length bias; None where scores do not rise without it."""
    try:
        return fit.scale(bias, is_static=True)
    except ValueError:
        return None


def describe(calibration: Calibration) -> list[str]:
    """Return a line for each value of length_bias, and warnings."""
    lines = []
    scales = {'none': calibration.plain, 'static': calibration.static}
    for name, scale in scales.items():
        if scale is None:
            lines.append(
                f'length_bias {name}: log P does not rise after the bias is subtracted, so '
                'length_bias has to stay none'
            )
            continue
        # Only a model's own progress is above 0
        value, unit = ("the model's progress", '') if scale.levels[-1] > 0 else (LOG_PROB, ' nat')
        lines.append(
            f'length_bias {name}: {value} rises from {scale.levels[0]:.3f} to '
            f'{scale.levels[-1]:.3f}{unit}; success threshold {scale.threshold:.3f}{unit}, reached '
            f'by {scale.detected:.0%} of the successes; {_false_alarms(calibration, scale)}'
        )
        lines += promise_lines(name, scale, asked=calibration.plain.guarantee is not None)
        if not scale.detected or scale.roc_auc <= 0.6:
            lines.append(
                'warning: this threshold hardly separates success from failure: use progress '
                'alone, more recordings, or another model'
            )
    return lines


def _false_alarms(calibration: Calibration, scale: Scale) -> str:
    if calibration.failures:
        return f'ROC-AUC {scale.roc_auc:.3f}, false alarms {scale.false_alarm:.0%}'
    if scale.guarantee is not None:
        return 'no failures, so false alarms are known by the promise alone'
    if math.isnan(scale.false_alarm):
        return 'the rate of early detections is unknown, as the recordings are too short'
    return f'detected early in at most {scale.false_alarm:.0%} of new successes'
