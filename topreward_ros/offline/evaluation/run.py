# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward evaluate`: every recording measured by every method, resumed where it stopped."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import track

from ...reward.calibration import Calibration
from ...scoring.errors import TopRewardError
from ...scoring.identity import Identity
from ..recording import GRIEF, Recording
from .measuring import Measured, Sampling, measure, read_measured, write_measured, wrong_tasks
from .methods import Method
from .report import Evaluated, write_report


class EvaluationError(TopRewardError):
    """Nothing could be evaluated."""


@dataclass(frozen=True)
class EvaluateOptions:
    """Where to write, how to sample, and what else to say; seed is of the shuffled frames."""

    save: Path
    sampling: Sampling = field(default_factory=Sampling)
    calibration: Calibration | None = None
    notes: tuple[str, ...] = ()
    seed: int = 0


def evaluate(
    methods: Sequence[Method],
    identity: Identity,
    recordings: Sequence[Recording],
    options: EvaluateOptions,
) -> Path:
    """Measure, and write report.md, report.json and pictures; the report's file.

    What is measured already is read again; a recording that cannot be measured is in the report
    and does not end the run. Raises EvaluationError where none could be, or the calibration is of
    another model or rate.
    """
    if options.calibration is not None:
        made = options.calibration
        obstacle = made.obstacle(identity.fingerprint, identity.layout, options.sampling.fps)
        if obstacle:
            raise EvaluationError(f'the calibration does not hold here: {obstacle}')
    console = Console()
    measured: list[Measured] = []
    failed: dict[str, str] = {}
    names = [name for method in methods for name in method.names]
    tasks = wrong_tasks(recordings)
    jobs = list(zip(recordings, tasks, strict=True))
    for recording, wrong in track(jobs, 'recordings', console=console):
        seed = options.seed + zlib.crc32(recording.name.encode())  # others may come or go
        asked = {
            'task': recording.task,
            'of': dict(recording.origin),
            'wrong task': wrong,
            'methods': names,
            'seed': seed,
            **dataclasses.asdict(identity),
            **dataclasses.asdict(options.sampling),
        }
        file = options.save / 'recordings' / f'{recording.name}.json'
        try:
            found = read_measured(file, recording, asked)
            if found is None:
                found = measure(methods, recording, wrong, options.sampling, seed)
                write_measured(file, found, asked)
            measured.append(found)
        except GRIEF as error:
            failed[recording.name] = str(error)
            console.print(f'{recording.name}: {error}', highlight=False, markup=False)
        finally:
            recording.clip.rest()
    if not measured:
        raise EvaluationError('no recording could be measured')
    of = Evaluated(identity, options.sampling, options.calibration, options.notes, failed)
    return write_report(options.save, measured, of)
