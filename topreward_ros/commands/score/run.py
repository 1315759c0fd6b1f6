# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score recordings one after the other, and write tables, plots and other outputs."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from topreward_ros.errors import TopRewardError
from topreward_ros.files import check_folder
from topreward_ros.recordings.recording import BAD_RECORDING, Recording, Source
from topreward_ros.recordings.source_options import SourceOptions
from topreward_ros.recordings.sources import open_source, source_name
from topreward_ros.results.output import Output, Reading
from topreward_ros.results.outputs import make_outputs
from topreward_ros.results.score_table import Row
from topreward_ros.scoring.questions import check_task
from topreward_ros.scoring.score import Identity, Scorer

from .clip_scores import Plan
from .episode import EpisodeScoring, ScoreError


@dataclass(frozen=True)
class ScoreOptions:
    """What to score, and what to write below the folder `save`.

    outputs are names in `results.outputs`, and paths where the user wants them, by name; reading is
    how they convert scores; note is printed and drawn in the plots.
    """

    sources: tuple[str, ...]
    save: Path
    plan: Plan = field(default_factory=Plan)
    read: SourceOptions = field(default_factory=SourceOptions)
    outputs: tuple[str, ...] = ()
    paths: Mapping[str, Path] = field(default_factory=dict)
    reading: Reading = field(default_factory=Reading)
    note: str = ''

    def check(self) -> None:
        """Raise TopRewardError for options that are wrong for any recording."""
        if self.read.task:
            check_task(self.read.task)
        names = [source_name(source) for source in self.sources]
        if len(set(names)) < len(names):
            raise ScoreError('two sources have the same name: score them into different folders')
        check_folder(self.save)
        for source, name in zip(self.sources, names, strict=True):
            if (self.save / name).resolve() == Path(source).expanduser().resolve():
                raise ScoreError(
                    f'the results of {source} would be written into itself: choose another '
                    'folder with --save'
                )
        for output in make_outputs(self.outputs, self.reading, '', self.paths):
            output.check(self.sources)

    def check_calibration(self, identity: Identity) -> None:
        """Raise ScoreError for a calibration of another model or other options."""
        calibration = self.reading.calibration
        if calibration is None:
            return
        if reason := calibration.mismatch(identity.fingerprint, identity.layout, self.plan.fps):
            raise ScoreError(f'the calibration does not hold here: {reason}')

    def anywhere(self) -> ScoreOptions:
        """Return the same options with absolute paths."""
        return dataclasses.replace(
            self,
            sources=tuple(absolute(source) for source in self.sources),
            save=self.save.resolve(),
            paths={name: path.resolve() for name, path in self.paths.items()},
        )

    def scoring(self, identity: Identity) -> EpisodeScoring:
        outputs = make_outputs(self.outputs, self.reading, identity.model, self.paths)
        return EpisodeScoring(identity, self.plan, outputs, self.note)


class Report:
    """Prints results with a bar of the seconds scored, and collects errors."""

    def __init__(self, seconds: float) -> None:
        self.console = Console()
        self.errors: list[Exception] = []
        self._bar = Progress(
            TextColumn('{task.description}'),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=self.console,
        )
        self._all = self._bar.add_task('', total=max(seconds, 1e-9))

    def __enter__(self) -> Report:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def print(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True, markup=False)

    def failed(self, name: str, error: Exception) -> None:
        self.errors.append(error)
        self.print(f'{name}: {error or type(error).__name__}')

    def scored(self, folder: Path, rows: Sequence[Row], found_before: bool) -> None:
        if found_before:
            self.print(f'{folder}: scored already')
            return
        first, last = rows[0].score.value, rows[-1].score.value
        quantity = 'progress' if rows[0].score.log_prob is None else 'log P("True")'
        self.print(f'{folder}: {len(rows)} scores, {quantity} from {first:.3f} to {last:.3f}')

    def warn(self, source: Source) -> None:
        """Print what a user should know about how the source was read."""
        for warning in source.warnings:
            self.print(warning)

    def advance(self, seconds: float) -> None:
        self._bar.advance(self._all, seconds)

    def watch(
        self, recording: Recording, frames: Iterable[np.ndarray], count: int
    ) -> Iterator[np.ndarray]:
        self._bar.update(self._all, description=escape(recording.name))
        for frame in frames:
            yield frame
            self.advance(recording.clip.seconds / count)


def score_files(scorer: Scorer, options: ScoreOptions) -> None:
    """Write a folder per recording, and the outputs of each source.

    Existing scores are left unchanged, so that an interrupted run can be continued; a recording
    that cannot be scored does not end the run. At the end, raises the error of a single source, or
    ScoreError with the number of recordings that failed.
    """
    options.check_calibration(scorer.identity)
    scoring = options.scoring(scorer.identity)

    def score(recording: Recording, report: Report) -> list[Row]:
        folder = options.save / recording.name
        rows, found_before = scoring.run(
            scorer, recording, folder, lambda frames, n: report.watch(recording, frames, n)
        )
        if found_before:
            report.advance(recording.clip.seconds)
        report.scored(folder, rows, found_before)
        return rows

    opened, errors = open_all(options)
    with Report(seconds_of(opened)) as report:
        for name, error in errors.items():
            report.failed(name, error)
        for source in opened:
            scores: dict[str, list[Row]] = {}
            with contextlib.closing(source):
                for recording in source.recordings:
                    try:
                        scores[recording.name] = score(recording, report)
                    except BAD_RECORDING as error:
                        report.failed(recording.name, error)
                finish(source, scores, scoring.outputs, options, report)
    raise_errors(report, options, sum(len(source.recordings) for source in opened) + len(errors))


def absolute(text: str) -> str:
    """Return an existing path as absolute; any other text, such as a hub id, unchanged."""
    path = Path(text).expanduser()
    return str(path.resolve()) if path.exists() else text


def open_all(options: ScoreOptions) -> tuple[list[Source], dict[str, Exception]]:
    """Open the sources; return those that can be opened, and the errors of the others."""
    options.check()
    opened: list[Source] = []
    errors: dict[str, Exception] = {}
    for text in options.sources:
        try:
            opened.append(open_source(text, options.read))
        except BAD_RECORDING as error:
            errors[text] = error
    return opened, errors


def seconds_of(sources: Iterable[Source]) -> float:
    return sum(recording.clip.seconds for source in sources for recording in source.recordings)


def finish(
    source: Source,
    scores: Mapping[str, Sequence[Row]],
    outputs: Iterable[Output],
    options: ScoreOptions,
    report: Report,
) -> None:
    """Write the outputs of a whole source, and print how it was read."""
    folder = options.save / source.name
    for output in outputs if scores else ():
        try:
            written = output.write_source(folder, source, scores)
        except BAD_RECORDING as error:
            report.failed(source.name, error)
            continue
        for name, reason in written.failed.items():
            report.failed(name, reason)
        if written.summary:
            report.print(written.summary)
    report.warn(source)


def raise_errors(report: Report, options: ScoreOptions, count: int) -> None:
    """Raise the only error if there is one source, else ScoreError with the number of errors."""
    if not report.errors:
        return
    (first, *others) = report.errors
    if len(options.sources) == 1 and not others and isinstance(first, TopRewardError):
        raise first
    raise ScoreError(f'{len(report.errors)} of {count} recordings could not be scored')
