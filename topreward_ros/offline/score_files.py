# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward score`: recordings to tables and pictures, one after the other or on many machines."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ..scoring.errors import TopRewardError
from ..scoring.identity import Identity
from ..scoring.questions import check_task
from ..scoring.score import Scorer
from .clip_scores import Plan
from .outputs import Reading, write_bag, write_parquet
from .recording import GRIEF, Recording, remarks
from .score_episode import EpisodeScoring, ScoreError
from .score_table import Row
from .sources import Source, SourceOptions, open_source, source_name
from .whole_files import check_folder


@dataclass(frozen=True)
class ScoreOptions:
    """What to score, and what to write below `save`; note is told, and in the pictures."""

    sources: tuple[str, ...]
    save: Path
    plan: Plan = field(default_factory=Plan)
    read: SourceOptions = field(default_factory=SourceOptions)
    reading: Reading | None = None  # where bags are written
    parquet: bool = False
    overlay: bool = False
    note: str = ''

    def check(self) -> None:
        """TopRewardError for what cannot work whatever the recordings hold."""
        if self.read.task:
            check_task(self.read.task)
        names = [source_name(source) for source in self.sources]
        if len(set(names)) < len(names):
            raise ScoreError('two recordings of the same name: score them into different folders')
        check_folder(self.save)
        for source, name in zip(self.sources, names, strict=True):
            if (self.save / name).resolve() == Path(source).expanduser().resolve():
                raise ScoreError(
                    f'the results of {source} would be written into itself: name another folder '
                    'with --save'
                )

    def check_calibration(self, identity: Identity) -> None:
        """ScoreError where bags are to be read by a calibration that does not hold."""
        made = self.reading.calibration if self.reading is not None else None
        if made is None:
            return
        if obstacle := made.obstacle(identity.fingerprint, identity.layout, self.plan.fps):
            raise ScoreError(f'the calibration does not hold here: {obstacle}')

    def anywhere(self) -> ScoreOptions:
        """The same in paths that do not depend on the working directory."""
        return dataclasses.replace(
            self,
            sources=tuple(absolute(source) for source in self.sources),
            save=self.save.resolve(),
        )

    def scoring(self, identity: Identity) -> EpisodeScoring:
        return EpisodeScoring(identity, self.plan, self.overlay, self.note)


class Report:
    """Tells what happens, with a bar of the video scored, and keeps count of what failed."""

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

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True, markup=False)

    def failed(self, name: str, error: Exception) -> None:
        self.errors.append(error)
        self.say(f'{name}: {error or type(error).__name__}')

    def scored(self, folder: Path, rows: Sequence[Row], was_there: bool) -> None:
        if was_there:
            self.say(f'{folder}: scored already')
            return
        first, last = rows[0].log_prob, rows[-1].log_prob
        self.say(f'{folder}: {len(rows)} scores, log P("True") from {first:.3f} to {last:.3f}')

    def warn(self, source: Source) -> None:
        """What there is to know of how it was read, and what a bag was found to lack."""
        for remark in remarks(source.recordings):
            self.say(remark)
        if source.bag is None:
            return
        for warning in source.bag.warnings:
            self.say(warning)
        if source.bag.skipped:
            count, reason = source.bag.skipped, source.bag.refusal
            self.say(f'{source.name}: {count} images were skipped, the last: {reason}')

    def advance(self, seconds: float) -> None:
        self._bar.advance(self._all, seconds)

    def watch(
        self, recording: Recording, frames: Iterable[np.ndarray], count: int
    ) -> Iterator[np.ndarray]:
        self._bar.update(self._all, description=recording.name)
        for frame in frames:
            yield frame
            self.advance(recording.clip.seconds / count)


def score_files(scorer: Scorer, identity: Identity, options: ScoreOptions) -> None:
    """A folder for each recording, and what is wanted of each source as a whole.

    What is scored already is left as it is, so an interrupted run goes on where it stopped; a
    recording that cannot be scored does not end the run. Raises in the end what the one source
    given failed with, or ScoreError with how many failed.
    """
    options.check_calibration(identity)
    scoring = options.scoring(identity)

    def score(source: Source, recording: Recording, report: Report) -> list[Row]:
        folder = options.save / recording.name
        rows, was_there = scoring.run(
            scorer, recording, folder, lambda frames, n: report.watch(recording, frames, n)
        )
        if was_there:
            report.advance(recording.clip.seconds)
        report.scored(folder, rows, was_there)
        return rows

    opened, errors = open_all(options)
    with Report(seconds_of(opened)) as report:
        for name, error in errors.items():
            report.failed(name, error)
        for source in opened:
            scores: dict[str, list[Row]] = {}
            for recording in source.recordings:
                try:
                    scores[recording.name] = score(source, recording, report)
                except GRIEF as error:
                    report.failed(recording.name, error)
            finish(source, scores, identity, options, report)
            report.warn(source)
            source.close()
    raise_errors(report, options, sum(len(source.recordings) for source in opened) + len(errors))


def absolute(text: str) -> str:
    """A path that is there as one from the root; anything else, as an id on the hub, as it is."""
    path = Path(text).expanduser()
    return str(path.resolve()) if path.exists() else text


def open_all(options: ScoreOptions) -> tuple[list[Source], dict[str, Exception]]:
    """The sources that can be opened, and why the others cannot."""
    options.check()
    opened: list[Source] = []
    errors: dict[str, Exception] = {}
    for text in options.sources:
        try:
            opened.append(open_source(text, options.read))
        except GRIEF as error:
            errors[text] = error
    return opened, errors


def seconds_of(sources: Iterable[Source]) -> float:
    return sum(recording.clip.seconds for source in sources for recording in source.recordings)


def finish(
    source: Source,
    scores: Mapping[str, Sequence[Row]],
    identity: Identity,
    options: ScoreOptions,
    report: Report,
) -> None:
    """What is written of a source as a whole, of the episodes that could be scored."""
    folder = options.save / source.name
    try:
        if options.reading is not None and scores:
            write_bag(folder, source, scores, options.reading)
            report.say(f'{folder / "bag"}: the bag with progress')
        if options.parquet and scores:
            file, left_out = write_parquet(folder, source, scores, identity.model)
            for name, error in left_out.items():
                report.failed(name, error)
            report.say(f'{file}: progress of {len(scores) - len(left_out)} episodes')
    except GRIEF as error:
        report.failed(source.name, error)


def raise_errors(report: Report, options: ScoreOptions, count: int) -> None:
    """TopRewardError where something failed; the one there is, where there is one source."""
    if not report.errors:
        return
    (first, *others) = report.errors
    if len(options.sources) == 1 and not others and isinstance(first, TopRewardError):
        raise first
    raise ScoreError(f'{len(report.errors)} of {count} recordings could not be scored')
