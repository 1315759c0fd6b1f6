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

from topreward_ros.errors import TopRewardError
from topreward_ros.files import Kept
from topreward_ros.recordings.recording import BAD_RECORDING, Recording
from topreward_ros.reward.calibration import Calibration
from topreward_ros.scoring.score import Identity

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
    """Where to write, how to sample, and what else to say; seed is of the shuffled frames."""

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
) -> Path:
    """Measure, and write report.md, report.json and pictures; the report's file.

    What is measured already is read again; a recording that cannot be measured is in the report
    and does not end the run. Raises EvaluationError where none could be, or the calibration is of
    another model or rate.
    """
    if options.calibration is not None:
        reason = options.calibration.mismatch(
            identity.fingerprint, identity.layout, options.sampling.fps
        )
        if reason:
            raise EvaluationError(f'the calibration does not hold here: {reason}')
    console = Console()
    measured: list[Measurement] = []
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
        kept = Kept(options.save / 'recordings' / f'{recording.name}.json', asked)
        try:
            found = read_measurement(kept, recording)
            if found is None:
                found = measure(methods, recording, wrong, options.sampling, seed)
                write_measurement(kept, found)
            measured.append(found)
        except BAD_RECORDING as error:
            failed[recording.name] = str(error)
            console.print(f'{recording.name}: {error}', highlight=False, markup=False)
        finally:
            recording.clip.release()
    if not measured:
        raise EvaluationError('no recording could be measured')
    of = Evaluation(identity, options.sampling, options.calibration, options.notes, failed)
    return write_report(options.save, measured, of)
