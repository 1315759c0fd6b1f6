# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward calibrate`: from recordings of a task to a calibration for the node."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.progress import track

from ..reward.calibration import Calibration, LengthBias, Scale
from ..reward.scale_fitting import Attempt, length_bias, make_scale
from ..scoring.curve import curve
from ..scoring.identity import Identity
from ..scoring.score import Scorer
from .calibration_file import CalibrationError
from .clip_scores import Plan, Watch, sampled, score_clip
from .recording import GRIEF, Recording


def attempt(scorer: Scorer, recording: Recording, plan: Plan, watch: Watch) -> Attempt:
    """What the model says of every prefix of a recording, and of its first frame repeated.

    A recording without a label counts as a success. Raises as `score_clip`.
    """
    rows = score_clip(scorer, recording.clip, recording.task, plan, watch)
    count = max(row.frames for row in rows)
    _, _, first = next(sampled(recording.clip, plan.window()))
    return Attempt(
        log_probs=np.array([row.log_prob for row in rows]),
        times=np.array([row.time for row in rows]),
        frames=np.array([row.frames for row in rows]),
        static=static_curve(scorer, first, count, recording.task, plan.fps),
        is_success=recording.is_success is not False,
    )


def static_curve(
    scorer: Scorer, image: np.ndarray, count: int, task: str, fps: float
) -> np.ndarray:
    """log P("True") of 1 to `count` frames that are all this image, (count,) [nat]."""
    times = (k / fps for k in range(count))
    rows = curve(scorer, itertools.repeat(image, count), times, task)
    return np.array([row[0].log_prob for row in rows])


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


def attempts_of(
    scorer: Scorer, recordings: Sequence[Recording], plan: Plan, console: Console, least: int = 1
) -> list[tuple[Recording, Attempt]]:
    """Those that can be scored, at `least` times; what is wrong with the others is told."""
    found = []
    for recording in track(recordings, 'recordings', console=console):
        try:
            made = attempt(scorer, recording, plan, lambda frames, _: frames)
            if len(made.log_probs) < least:
                raise CalibrationError(
                    f'left out: it has {len(made.log_probs)} scores and success needs {least}; '
                    'raise --fps'
                )
            found.append((recording, made))
        except GRIEF as error:
            console.print(f'{recording.name}: {error}', highlight=False, markup=False)
        finally:
            recording.clip.rest()
    return found


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
