# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read and write calibrations as YAML."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from topreward_ros.errors import TopRewardError, one_line
from topreward_ros.files import write_text
from topreward_ros.reward.calibration import TASK, TRUE, Calibration, LengthBias, Scale
from topreward_ros.reward.guarantee import Band, Guarantee
from topreward_ros.scoring.sampling import Sampling
from topreward_ros.scoring.score import Identity

VERSION = 1
HEAD = """\
# Maps log P("True") of one model to progress and success for one task; made by
# `topreward calibrate`. levels: log P at the progress values `points`. threshold: mean log P that
# success requires. roc_auc: of successes against failures. false_alarm: share of the failures that
# reach the threshold; without failures, a bound on the chance that success is reported early.
# detected: share of the successes that reach it. static: the same after subtracting the length
# bias, which is what a still image gains with the number of its frames. log P is in nat.
# guarantee: with `confidence`, at most a `share` of new episodes without success, like the ones
# counted here and in the same proportions, reach the threshold; `beyond` of these may. band: with
# `confidence`, progress is further than `width` from the share of the time passed in at most a
# `share` of new successes. wording, where there is one: how the model is asked about the task, by
# the node, too. value true_minus_false: all of this is of log P("True") - log P("False").
"""
# Values that all calibrations of earlier versions had; these are not written
LEFT_OUT = {'history': Sampling.history, 'wording': TASK, 'value': TRUE}
PROMISES = {'guarantee': Guarantee, 'band': Band}  # of a scale, absent where nothing is promised


MOST_CHARACTERS = 1_000_000
# What content of another form raises
NONSENSE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class CalibrationError(TopRewardError):
    """A calibration that cannot be made, read or used."""


class _PlainLoader(yaml.SafeLoader):
    """Refuses aliases, by which a small file can become a huge content."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise ValueError('it has aliases')
        return super().compose_node(parent, index)


def write_calibration(file: Path, calibration: Calibration) -> None:
    """Write a calibration; the file appears when it is complete."""
    content = _plain({'version': VERSION, **dataclasses.asdict(calibration)})
    for name, default in LEFT_OUT.items():
        if content[name] == default:
            del content[name]
    file.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=96)
    write_text(file, HEAD + text)


def read_calibration(file: Path) -> Calibration:
    """Read a calibration; raises CalibrationError for a missing or invalid file."""
    try:
        with file.expanduser().open(encoding='utf-8-sig') as stream:
            text = stream.read(MOST_CHARACTERS + 1)
        if len(text) > MOST_CHARACTERS:
            raise ValueError(f'more than {MOST_CHARACTERS} characters')
        content = yaml.load(text, _PlainLoader)  # safe: it only makes plain types
        version = content.pop('version')
        if version != VERSION:
            raise CalibrationError(
                f'{file} has the version {version}; expected {VERSION}: make it again with '
                '`topreward calibrate`'
            )
        scales = {name: _scale(content.pop(name)) for name in ('plain', 'static')}
        if scales['plain'] is None:
            raise ValueError('no plain scale')
        bias = LengthBias(tuple(map(float, content.pop('bias')['curve'])))
        tasks = tuple(map(str, content.pop('tasks')))
        fields: dict[str, Any] = {**content, **scales, 'bias': bias, 'tasks': tasks}
        return Calibration(**fields)
    except OSError as error:
        raise CalibrationError(f'{file} cannot be read: {error.strerror}') from error
    except (yaml.YAMLError, *NONSENSE) as error:
        raise CalibrationError(
            f'{file} is not a calibration ({one_line(error)}): make one with `topreward calibrate`'
        ) from error


def check_calibration(
    calibration: Calibration,
    fps: float,
    identity: Identity | None = None,
    name: object = '',
    history: str = Sampling().history_name,
) -> None:
    """Raise CalibrationError if a calibration is for another sampling, model or prompt layout.

    name is of its file, history as `Sampling.history_name`; without an identity, before the model
    is loaded, only the rate and the history are checked.
    """
    fingerprint = identity.fingerprint if identity else calibration.fingerprint
    layout = identity.layout if identity else calibration.layout
    reason = calibration.mismatch(fingerprint, layout, fps, history)
    if reason:
        raise CalibrationError(
            f'{name or "the calibration"} does not hold here: {reason}. Calibrate again, or use '
            'the settings it was made with'
        )


def _scale(content: dict[str, Any] | None) -> Scale | None:
    if content is None:
        return None
    promises = {
        name: kind(**content.pop(name)) for name, kind in PROMISES.items() if name in content
    }
    lists = {name: tuple(map(float, content.pop(name))) for name in ('points', 'levels')}
    numbers = {name: float(value) for name, value in content.items()}
    fields: dict[str, Any] = {**lists, **numbers, **promises}
    return Scale(**fields)


def _plain(value: Any) -> Any:
    """Convert tuples to lists, as safe YAML has no tuples, and leave out promises not made."""
    if isinstance(value, dict):
        return {
            key: _plain(item)
            for key, item in value.items()
            if not (key in PROMISES and item is None)
        }
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
