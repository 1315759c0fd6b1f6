# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Make a calibration from scored attempts at a task, and describe it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from topreward_ros.results.calibration_file import CalibrationError
from topreward_ros.reward.calibration import DIFFERENCE, TASK, TRUE, Calibration, LengthBias, Scale
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
    wording: str = TASK,
    value: str = TRUE,
) -> Calibration:
    """Return the calibration of these attempts; raises CalibrationError where there is none.

    It has no static scale where the scores do not rise after the length bias is subtracted.
    value, of `calibration.VALUES`, is what is calibrated of the attempts, which were asked about in
    this wording. other_tasks are recordings of other tasks, asked about this one; they and the
    promises: see `promises.Fit`.
    """
    if not attempts:
        raise CalibrationError('no recording to calibrate on; expected at least one success')
    attempts, other_tasks = ([each.of(value) for each in some] for some in (attempts, other_tasks))
    fit = Fit(attempts, other_tasks, promises, window, hold)
    check_counts(len(fit.successes()), len(fit.failed), len(other_tasks), promises)
    plain, static, bias = _scales(fit)
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
        static=static,
        bias=bias,
        wording=wording,
        value=value,
    )


def _scales(fit: Fit) -> tuple[Scale, Scale | None, LengthBias]:
    try:
        plain = fit.scale(LengthBias(), is_static=False)
        bias = length_bias(fit.biased())
    except ValueError as error:
        raise CalibrationError(str(error)) from error
    try:
        return plain, fit.scale(bias, is_static=True), bias
    except ValueError:
        return plain, None, bias


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
        value, unit = _value(calibration, scale)
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


def made(file: Path, calibration: Calibration, scores: Path, parameters: str = '') -> str:
    """Return what was made, and how the node uses it; parameters are further ones of the node."""
    return (
        f'{file}: made from {calibration.successes} successes and {calibration.failures} '
        f'failures (scores in {scores}). Parameters for the node: '
        f'calibration: {file.resolve()}, normalization: calibrated{parameters}'
    )


def _value(calibration: Calibration, scale: Scale) -> tuple[str, str]:
    """Return what is calibrated, and its unit."""
    if calibration.value == DIFFERENCE:
        return f'{LOG_PROB} - log P("False")', ' nat'
    # Only a model's own progress is above 0
    return ("the model's progress", '') if scale.levels[-1] > 0 else (LOG_PROB, ' nat')


def _false_alarms(calibration: Calibration, scale: Scale) -> str:
    if calibration.failures:
        return f'ROC-AUC {scale.roc_auc:.3f}, false alarms {scale.false_alarm:.0%}'
    if scale.guarantee is not None:
        return 'no failures, so false alarms are known by the promise alone'
    if math.isnan(scale.false_alarm):
        return 'the rate of early detections is unknown, as the recordings are too short'
    return f'detected early in at most {scale.false_alarm:.0%} of new successes'
