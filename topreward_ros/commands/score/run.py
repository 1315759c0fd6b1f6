# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score recordings one after the other, and write tables, plots and other outputs."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from topreward_ros.errors import ArgumentsError, TaskError
from topreward_ros.files import check_folder
from topreward_ros.recordings.recording import BAD_RECORDING, NO_TASK, Recording, Source
from topreward_ros.recordings.source_options import SourceOptions
from topreward_ros.recordings.sources import open_source, source_name
from topreward_ros.results.calibration_file import check_calibration
from topreward_ros.results.output import Output, Reading
from topreward_ros.results.outputs import make_outputs
from topreward_ros.results.score_table import Row
from topreward_ros.reward.calibration import TASK
from topreward_ros.scoring.score import Identity, Scorer

from ..failures import tell_failure
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
        names = [source_name(source) for source in self.sources]
        if len(set(names)) < len(names):
            raise ArgumentsError(
                'two sources have the same name: score them into different folders'
            )
        check_folder(self.save)
        self.check_calibration()
        for source, name in zip(self.sources, names, strict=True):
            if (self.save / name).resolve() == Path(source).expanduser().resolve():
                raise ArgumentsError(
                    f'the results of {source} would be written into itself: choose another '
                    'folder with --save'
                )
        for output in make_outputs(self.outputs, self.reading, '', self.paths):
            output.check(self.sources)

    def check_calibration(self, identity: Identity | None = None) -> None:
        """Raise CalibrationError for a calibration of another model or other options."""
        if self.reading.calibration is not None:
            sampling = self.plan.sampling
            check_calibration(
                self.reading.calibration,
                sampling.fps,
                identity,
                history=sampling.history_name,
            )

    def check_scorer(self, scorer: Scorer) -> None:
        """Raise TopRewardError for options that do not fit the loaded model."""
        self.check_calibration(scorer.identity)
        if not scorer.tells_success:
            try:
                self.reading.options.check_success(scorer.reward_model, self.reading.calibration)
            except ValueError as error:
                raise ArgumentsError(str(error)) from error

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
        calibration = self.reading.calibration
        wording = calibration.wording if calibration is not None else TASK
        return EpisodeScoring(identity, self.plan, outputs, self.note, wording)


class Report:
    """Prints results with a bar of the seconds scored, and collects errors.

    Of `count` recordings, of this number of sources, each error is printed at once; that of a
    single one ends the command.
    """

    def __init__(self, seconds: float, sources: int, count: int) -> None:
        self.console = Console(emoji=False)
        self.sources = sources
        self.count = count
        self.errors: list[tuple[str, Exception]] = []
        self._bar = Progress(
            TextColumn('{task.description}', markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=self.console,
            redirect_stderr=sys.stderr.isatty(),  # errors stay on their own stream
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
        self.errors.append((name, error))
        if self.count > 1:
            tell_failure(name, error)

    def scored(self, folder: Path, rows: Sequence[Row], found_before: bool) -> None:
        if found_before:
            self.print(f'{folder}: scored already')
            return
        first, last = rows[0].score.value, rows[-1].score.value
        quantity = 'log P("True")'
        if rows[0].score.log_prob is None:
            quantity = f'{rows[0].reward_model} progress'.lstrip()
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


def score_files(scorer: Scorer, options: ScoreOptions, sources: Sources | None = None) -> None:
    """Write a folder per recording, and the outputs of each source; sources may be open already.

    Existing scores are left unchanged, so that an interrupted run can be continued; a recording
    that cannot be scored does not end the run. At the end, raises the error of a single source, or
    ScoreError with the number of recordings that failed.
    """
    options.check_scorer(scorer)
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

    sources = sources or open_all(options)
    with sources.report() as report:
        for name, error in sources.errors.items():
            report.failed(name, error)
        for source in sources.opened:
            scores: dict[str, list[Row]] = {}
            with contextlib.closing(source):
                for recording in source.recordings:
                    try:
                        scores[recording.name] = score(recording, report)
                    except BAD_RECORDING as error:
                        report.failed(recording.name, error)
                finish(source, scores, scoring.outputs, options, report)
    raise_errors(report)


def absolute(text: str) -> str:
    """Return an existing path as absolute; any other text, such as a hub id, unchanged."""
    path = Path(text).expanduser()
    return str(path.resolve()) if path.exists() else text


@dataclass(frozen=True)
class Sources:
    """The sources that could be opened, and the errors of the others by their text."""

    opened: Sequence[Source]
    errors: Mapping[str, Exception]

    @property
    def count(self) -> int:
        """The number of recordings; a source that cannot be opened counts as one."""
        return sum(len(source.recordings) for source in self.opened) + len(self.errors)

    @property
    def seconds(self) -> float:
        return sum(each.clip.seconds for source in self.opened for each in source.recordings)

    def report(self) -> Report:
        return Report(self.seconds, len(self.opened) + len(self.errors), self.count)


def open_all(options: ScoreOptions) -> Sources:
    """Open the sources, before the model is loaded; raises TopRewardError if none can be scored."""
    options.check()
    opened: list[Source] = []
    errors: dict[str, Exception] = {}
    for text in options.sources:
        try:
            opened.append(_open(text, options))
        except BAD_RECORDING as error:
            errors[text] = error
    sources = Sources(opened, errors)
    if not opened:
        report = sources.report()
        for name, failure in errors.items():
            report.failed(name, failure)
        raise_errors(report)
    return sources


def _open(text: str, options: ScoreOptions) -> Source:
    """Open a source; raises TopRewardError also for one without any task."""
    source = open_source(text, options.read)
    if source.recordings and not any(each.task for each in source.recordings):
        source.close()
        raise TaskError(NO_TASK)
    return source


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


def raise_errors(report: Report) -> None:
    """Raise the error of a single recording, else ScoreError with the number of errors."""
    if not report.errors:
        return
    errors = [error for _, error in report.errors]
    if report.count == 1 and len(errors) == 1:
        raise errors[0]
    if report.count == 1:
        for each in report.errors:
            tell_failure(*each)
    codes = {getattr(error, 'exit_code', 1) for error in errors}
    code = codes.pop() if report.sources == 1 and len(codes) == 1 else 1
    raise ScoreError(f'{len(errors)} of {report.count} recordings could not be scored', code)
