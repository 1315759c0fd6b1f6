# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Calibration of log-probabilities for one task, made from demonstrations by `fit_scale`."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from .guarantee import Band, Guarantee

LARGEST_LEVEL = 1e4  # [nat]
LARGEST_RULE = 100  # scores, of window and hold
LENGTH_BIASES = ('none', 'static')
# What is calibrated: log P("True"), or log P("True") - log P("False"); of a model without them, its
# own progress takes the place of the first
TRUE, DIFFERENCE = VALUES = ('true', 'true_minus_false')
TASK = '{task}'  # in a wording; by itself, the task as it is
LONGEST_WORDING = 500  # characters


def check_wording(wording: str) -> str:
    """Return a wording; ValueError unless it has the task in it once."""
    if not isinstance(wording, str) or wording.count(TASK) != 1 or len(wording) > LONGEST_WORDING:
        raise ValueError(
            f'the wording is {wording!r:.100}; expected a text of at most {LONGEST_WORDING} '
            f'characters with {TASK} in it once, such as "The robot should {TASK}"'
        )
    return wording


def worded(wording: str, task: str) -> str:
    """Return a task in a wording, in which other braces have no special meaning."""
    before, after = wording.split(TASK)
    return before + task.strip() + after if wording != TASK else task


@dataclass(frozen=True)
class Scale:
    """Mapping from log-probabilities, bias-corrected or not, to progress and success.

    levels: log P [nat], rising, at the progress values `points`, which rise from 0 to 1.
    threshold [nat]: log P that success needs; detected: share of the successes that reach it.
    roc_auc: of successes against failures, NaN without failures. false_alarm: share of failures
    that reach the threshold; without failures, a bound on the probability that a new demonstration
    reaches it in its first `fit_scale.EARLY` part, NaN without such a bound; with a guarantee,
    the share that this promises.

    guarantee, band: what is promised of the threshold and of progress, None where nothing is.
    """

    points: tuple[float, ...]
    levels: tuple[float, ...]
    threshold: float
    roc_auc: float
    false_alarm: float
    detected: float
    guarantee: Guarantee | None = None
    band: Band | None = None

    def __post_init__(self) -> None:
        for name, values in (('levels', self.levels), ('points', self.points)):
            if len(values) < 2 or not all(map(math.isfinite, values)):
                raise ValueError(f'{name} are {values}; expected two or more finite numbers')
            if any(high <= low for low, high in itertools.pairwise(values)):
                raise ValueError(f'{name} are {values}; expected rising numbers')
        if (self.points[0], self.points[-1]) != (0.0, 1.0):
            raise ValueError(f'points are {self.points}; expected 0 to 1')
        if len(self.points) != len(self.levels):
            raise ValueError(
                f'{len(self.levels)} levels at {len(self.points)} points; expected one each'
            )
        if not math.isfinite(self.threshold):
            raise ValueError(f'the threshold is {self.threshold}; expected a finite number')
        for name, values in (('levels', self.levels), ('threshold', (self.threshold,))):
            if max(map(abs, values)) > LARGEST_LEVEL:
                raise ValueError(f'{name}: {max(values, key=abs)} nat is no log-probability')


@dataclass(frozen=True)
class LengthBias:
    """Part of log P that depends on the number of frames alone [nat].

    curve[n - 1] is for n frames, relative to one frame; the last value holds for longer prefixes.
    """

    curve: tuple[float, ...] = (0.0,)

    def __post_init__(self) -> None:
        if not self.curve or not all(map(math.isfinite, self.curve)):
            raise ValueError(f'the length bias is {self.curve}; expected finite numbers')

    def corrected(self, log_prob: float, frames: int) -> float:
        """Return log P of a prefix of `frames` frames without its length bias."""
        return log_prob - self.curve[min(frames, len(self.curve)) - 1]


@dataclass(frozen=True)
class Calibration:
    """Scales for one model, prompt and frame rate.

    model, fingerprint and layout are those of `scoring.Identity`; fps [1/s] is the rate of the
    frames, history what was dropped of long episodes (`Sampling.history_name`); window and hold are
    those of `SuccessDetector`. plain is the scale of log P, static that
    of log P without the length bias; None where log P does not rise without it.

    wording: how the model is asked about a task; value: which of VALUES everything here is of.
    """

    model: str
    fingerprint: str
    layout: str
    fps: float
    tasks: tuple[str, ...]
    successes: int
    failures: int
    window: int
    hold: int
    plain: Scale
    static: Scale | None
    bias: LengthBias
    history: str = 'thin'
    wording: str = TASK
    value: str = TRUE

    def __post_init__(self) -> None:
        if not (isinstance(self.fps, float) and math.isfinite(self.fps) and self.fps > 0):
            raise ValueError(f'fps is {self.fps!r}; expected a number above 0')
        for name in ('window', 'hold'):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= LARGEST_RULE:
                raise ValueError(f'{name} is {value!r}; expected 1 to {LARGEST_RULE}')
        for name in ('model', 'fingerprint', 'layout', 'history'):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f'{name} is {getattr(self, name)!r}; expected a text')
        check_wording(self.wording)
        if self.value not in VALUES:
            raise ValueError(f'value is {self.value!r}; expected one of {", ".join(VALUES)}')

    def ask(self, task: str) -> str:
        """Return the text that the model is asked about for a task."""
        return worded(self.wording, task)

    def reading(self, length_bias: str) -> tuple[Scale, LengthBias]:
        """Return the scale and the bias to subtract, for one of LENGTH_BIASES."""
        if length_bias not in LENGTH_BIASES:
            raise ValueError(
                f'length_bias is {length_bias!r}; expected one of {", ".join(LENGTH_BIASES)}'
            )
        if length_bias == 'none':
            return self.plain, LengthBias()
        if self.static is None:
            raise ValueError(
                'length_bias is static, but log P of these demonstrations does not rise without '
                'what a still picture gains: use none, or another model'
            )
        return self.static, self.bias

    def mismatch(self, fingerprint: str, layout: str, fps: float, history: str = 'thin') -> str:
        """Return why it does not hold for this model, prompt, rate and history; empty if it does.

        history: as `Sampling.history_name`.
        """
        if fingerprint != self.fingerprint:
            return f'it was made with another model, {self.model} ({self.fingerprint})'
        if layout != self.layout:
            return f'it was made with the prompt layout {self.layout!r}; here it is {layout!r}'
        if not math.isclose(fps, self.fps, rel_tol=1e-6):
            return f'it was made at {self.fps:g} frames a second; here fps is {fps:g}'
        if history != self.history:
            return f'it was made with the history {_of(self.history)}; here it is {_of(history)}'
        return ''


def _of(history: str) -> str:
    """Return a history in words: "last 8" depends on max_frames, too."""
    name, _, frames = history.partition(' ')
    return f'{name} with max_frames {frames}' if frames else name
