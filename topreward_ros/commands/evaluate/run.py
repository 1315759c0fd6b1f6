# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluate every method on every recording; an interrupted run is continued."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import track

from topreward_ros.errors import TopRewardError
from topreward_ros.files import StoredResults
from topreward_ros.recordings.recording import BAD_RECORDING, Recording
from topreward_ros.results.calibration_file import check_calibration
from topreward_ros.reward.calibration import Calibration
from topreward_ros.scoring.score import Identity

from ..failures import named
from .answers import AnswerCheck
from .measuring import (
    Measurement,
    PrefixSampling,
    measure,
    read_measurement,
    write_measurement,
    wrong_tasks,
)
from .methods import Method
from .report import Evaluation, write_report


class EvaluationError(TopRewardError):
    """Nothing could be evaluated."""


@dataclass(frozen=True)
class EvaluateOptions:
    """Output folder, sampling, calibration and notes; seed is of the shuffled frames."""

    save: Path
    sampling: PrefixSampling = field(default_factory=PrefixSampling)
    calibration: Calibration | None = None
    notes: tuple[str, ...] = ()
    seed: int = 0


def evaluate(
    methods: Sequence[Method],
    identity: Identity,
    recordings: Sequence[Recording],
    options: EvaluateOptions,
    answers: AnswerCheck | None = None,
) -> tuple[Path, int]:
    """Measure, and write report.md, report.json and plots.

    answers compares what is published of the recordings; it keeps what could not be compared.

    Returns the path of report.md, and how many recordings could not be measured. Stored
    measurements are reused. A recording that cannot be measured is listed in the report and
    does not end the run. Raises EvaluationError where none could be measured, and CalibrationError
    for a calibration of another model or rate.
    """
    if options.calibration is not None:
        check_calibration(options.calibration, options.sampling.fps, identity)
    console = Console(stderr=True, emoji=False)
    measured: list[Measurement] = []
    failed: dict[str, str] = {}
    jobs = list(zip(recordings, wrong_tasks(recordings), strict=True))
    for recording, wrong_task in track(jobs, 'recordings', console=console):
        if answers is not None:
            _compare(answers, recording, console)
        try:
            measured.append(_stored_measure(methods, identity, recording, wrong_task, options))
        except BAD_RECORDING as error:
            failed[recording.name] = str(error)
            console.print(named(recording.name, error), highlight=False, markup=False)
        finally:
            recording.clip.release()
    if not measured:
        raise EvaluationError('no recording could be measured')
    evaluation = Evaluation(
        identity, options.sampling, options.calibration, options.notes, failed, answers
    )
    return write_report(options.save, measured, evaluation), len(failed)


def _compare(answers: AnswerCheck, recording: Recording, console: Console) -> None:
    """Compare a recording with its published answers; one that cannot be is kept and told."""
    try:
        answers(recording)
    except BAD_RECORDING as error:
        answers.failed[recording.name] = str(error)
        line = named(recording.name, error)
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _stored_measure(
    methods: Sequence[Method],
    identity: Identity,
    recording: Recording,
    wrong_task: str,
    options: EvaluateOptions,
) -> Measurement:
    """Measure a recording, or read its stored measurement made with the same options."""
    # Of the name, so that it does not depend on the other recordings
    seed = options.seed + zlib.crc32(recording.name.encode())
    asked = {
        'task': recording.task,
        'of': dict(recording.origin),
        'wrong task': wrong_task,
        'methods': [name for method in methods for name in method.names],
        'seed': seed,
        **dataclasses.asdict(identity),
        **dataclasses.asdict(options.sampling),
    }
    stored = StoredResults(options.save / 'recordings' / f'{recording.name}.json', asked)
    measurement = read_measurement(stored, recording)
    if measurement is None:
        measurement = measure(methods, recording, wrong_task, options.sampling, seed)
        write_measurement(stored, measurement)
    return measurement
