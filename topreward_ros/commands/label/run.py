# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score the episodes of a dataset, judge them, write the labelled copy and the review page."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from topreward_ros.errors import ArgumentsError, TopRewardError
from topreward_ros.files import ResultsError
from topreward_ros.recordings.clip import ClipError
from topreward_ros.recordings.lerobot.files import DatasetError, open_files
from topreward_ros.recordings.lerobot.source import DatasetSource
from topreward_ros.recordings.recording import BAD_RECORDING, digest
from topreward_ros.results.frame_labels import (
    BY_MODEL,
    COLUMNS,
    VERDICTS,
    RewardRule,
    Verdict,
    frame_labels,
    verdict_of,
)
from topreward_ros.results.lerobot_copy import (
    Copy,
    Original,
    check_original,
    check_out,
    write_copy,
)
from topreward_ros.results.overrides_file import OVERRIDES_FILE, read_overrides
from topreward_ros.results.review_page import PAGE_FILE, Reviewed, write_review
from topreward_ros.results.review_pictures import STRIP_FILE, StripOutput
from topreward_ros.results.score_table import Row
from topreward_ros.reward.outcome import Doubt, Outcome, doubts, outcome_of
from topreward_ros.reward.values import between
from topreward_ros.scoring.score import Identity, Scorer

from ..score.run import ScoreOptions, Sources, open_all

WHOLE = (
    'label needs the whole dataset in a folder: hf download --repo-type dataset OWNER/NAME '
    '--local-dir FOLDER'
)


class LabelError(TopRewardError):
    """Episodes that cannot be labelled."""


@dataclass(frozen=True)
class LabelOptions:
    """How to score the one dataset, and what to write.

    overrides: the file of what a person says; None for the one in the folder of results.
    """

    scoring: ScoreOptions
    out: Path
    rule: RewardRule
    overrides: Path | None = None
    replace: bool = False
    link: bool = True


@dataclass(frozen=True)
class Prepared:
    """All that is known before the model is loaded; folder is that of the results."""

    original: Original
    sources: Sources
    source: DatasetSource
    folder: Path
    kept: Path
    overrides: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        return [short(each.name) for each in self.source.recordings]


def short(name: str) -> str:
    """Return the name of a recording without that of its dataset."""
    return name.rpartition('/')[2]


def prepare(options: LabelOptions) -> Prepared:
    """Open the dataset and the overrides; raises TopRewardError for all that can be known now."""
    text = options.scoring.sources[0]
    if not Path(text).expanduser().is_dir():
        raise DatasetError(f'{text} is not a folder, and {WHOLE}')
    original = check_original(open_files(text), options.replace)
    check_out(original, options.out)
    if options.scoring.save.resolve().is_relative_to(original.files.root.resolve()):
        raise ResultsError(
            f'the results would be written into {original.name}: choose another folder with --save'
        )
    if options.overrides is not None and not options.overrides.is_file():
        raise ResultsError(f'{options.overrides} is no file; expected one that the page saved')
    sources = open_all(options.scoring)
    source = sources.opened[0]
    assert isinstance(source, DatasetSource)  # it has been opened as one above
    folder = options.scoring.save / source.name
    kept = options.overrides or folder / OVERRIDES_FILE
    names = {short(each.name) for each in source.recordings}
    overrides = read_overrides(kept, original.name, names)
    return Prepared(original, sources, source, folder, kept, overrides)


def label_dataset(scorer: Scorer, options: LabelOptions, prepared: Prepared) -> None:
    """Write the page and the copy, and print what they hold.

    What is scored is found again by the next run. Raises LabelError, and writes no copy, where an
    episode could not be scored.
    """
    options.scoring.check_scorer(scorer)
    if not scorer.tells_success and options.scoring.reading.calibration is None:
        raise ArgumentsError(
            f'{scorer.reward_model} cannot tell success: calibrate, which judges by progress, and '
            'give --calibration'
        )
    tables = _score(scorer, options.scoring, prepared)
    live = options.scoring.reading.start()
    outcomes = [outcome_of(live, [row.score for row in rows]) for rows in tables]
    doubt = doubts(outcomes, [each.is_success for each in prepared.source.recordings])
    verdicts, columns = _labels(prepared, tables, outcomes, options.rule)
    report = Console(emoji=False)
    _write_page(prepared, tables, outcomes, doubt, report)
    request = _request(scorer.identity, options, prepared, verdicts, columns)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        sizes = [(prepared.original.files.root / p).stat().st_size for p in prepared.original.paths]
        task = bar.add_task('copy', total=sum(sizes))
        copy = write_copy(
            prepared.original,
            options.out,
            columns,
            request,
            link=options.link,
            watch=lambda size: bar.advance(task, size),
        )
    _print(report, _summary(options.out, verdicts, copy))


def _score(scorer: Scorer, options: ScoreOptions, prepared: Prepared) -> list[list[Row]]:
    """Return the scores of every episode, those of an earlier run where there are such."""
    strip = StripOutput(options.reading, scorer.identity.model)
    scoring = dataclasses.replace(options.scoring(scorer.identity), outputs=(strip,))
    tables: list[list[Row]] = []
    with prepared.sources.report() as report:
        for recording in prepared.source.recordings:
            folder = options.save / recording.name
            try:
                rows, found_before = scoring.run(
                    scorer,
                    recording,
                    folder,
                    lambda frames, n, of=recording: report.watch(of, frames, n),  # type: ignore[misc]
                )
            except BAD_RECORDING as error:
                report.failed(recording.name, error)
                continue
            if found_before:
                report.advance(recording.clip.seconds)
            report.scored(folder, rows, found_before)
            tables.append(rows)
        report.warn(prepared.source)
    if len(report.errors) == report.count == 1:
        raise report.errors[0][1]
    if report.errors:
        raise LabelError(
            f'{len(report.errors)} of {report.count} episodes could not be scored, so no copy was '
            'written: repair them, or remove them with lerobot-edit-dataset'
        )
    return tables


def _labels(
    prepared: Prepared,
    tables: Sequence[Sequence[Row]],
    outcomes: Sequence[Outcome],
    rule: RewardRule,
) -> tuple[dict[str, Verdict], dict[str, np.ndarray]]:
    """Return the verdict of each episode, and the columns of all frames by their index."""
    verdicts: dict[str, Verdict] = {}
    parts = []
    episodes = prepared.source.dataset.episodes
    for name, episode, rows, outcome in zip(
        prepared.names, episodes, tables, outcomes, strict=True
    ):
        table = episode.table()
        scored = table.numbers([row.time for row in rows])
        known = ~np.isnan(outcome.progress)
        if not known.any():
            raise ClipError(
                f'{name} has no progress, as its scores are flat: choose another normalization '
                'with --set'
            )
        progress = between(scored[known], outcome.progress[known], episode.frames)
        reached = None if outcome.detected is None else int(scored[outcome.detected])
        verdict = verdict_of(outcome.is_success, reached, prepared.overrides.get(name))
        verdicts[name] = verdict
        parts.append((table.first_index, frame_labels(progress, verdict, rule)))
    parts.sort(key=lambda part: part[0])
    count = 0
    for first, values in parts:
        if first != count:
            raise DatasetError(
                f'{prepared.original.name}: frame {count} is of no episode, or of two'
            )
        count += len(values[next(iter(COLUMNS))])
    return verdicts, {
        name: np.concatenate([values[name] for _, values in parts]) for name in COLUMNS
    }


def _write_page(
    prepared: Prepared,
    tables: Sequence[Sequence[Row]],
    outcomes: Sequence[Outcome],
    doubt: Sequence[Doubt],
    report: Console,
) -> None:
    reviewed = [
        Reviewed(
            name=short(recording.name),
            task=recording.task,
            seconds=recording.clip.seconds,
            times=np.array([row.time for row in rows]),
            outcome=outcome,
            doubt=of_it,
            strip=prepared.folder / short(recording.name) / STRIP_FILE,
        )
        for recording, rows, outcome, of_it in zip(
            prepared.source.recordings, tables, outcomes, doubt, strict=True
        )
    ]
    page, kept = prepared.folder / PAGE_FILE, prepared.kept
    write_review(page, prepared.original.name, reviewed, prepared.overrides, kept.resolve())
    count = sum(each.doubt.is_doubtful and each.name not in prepared.overrides for each in reviewed)
    _print(
        report,
        f'{page}: {count} of {len(reviewed)} episodes are doubtful. Open it in a browser, judge by '
        f'key, put what it downloads at {kept} and run this again',
    )


def _request(
    identity: Identity,
    options: LabelOptions,
    prepared: Prepared,
    verdicts: Mapping[str, Verdict],
    columns: Mapping[str, np.ndarray],
) -> dict[str, Any]:
    """Return what the copy holds and how it was made, as plain values."""
    reading = options.scoring.reading
    calibration = reading.calibration
    return {
        'dataset': prepared.original.name,
        'model': dataclasses.asdict(identity),
        'sampling': dataclasses.asdict(options.scoring.plan.sampling),
        'reading': dataclasses.asdict(reading.options),
        'calibration': digest(dataclasses.asdict(calibration)) if calibration else None,
        'reward': dataclasses.asdict(options.rule),
        'columns': dict(COLUMNS),
        'episodes': {
            name: {'verdict': each.verdict, 'origin': each.origin, 'reached': each.reached}
            for name, each in verdicts.items()
        },
        'values': hashlib.sha256(b''.join(each.tobytes() for each in columns.values())).hexdigest(),
    }


def _summary(out: Path, verdicts: Mapping[str, Verdict], copy: Copy) -> str:
    counts = Counter(each.verdict for each in verdicts.values())
    people = sum(each.origin != BY_MODEL for each in verdicts.values())
    parts = ', '.join(f'{counts[verdict]} {verdict}' for verdict in VERDICTS if counts[verdict])
    text = f'{out}: {len(verdicts)} episodes ({parts}), {people} by a person'
    if not copy.linked and not copy.copied:
        return f'{text}; labelled so already'
    links = f', {copy.linked} of them hard links' if copy.linked else ''
    return f'{text}; {copy.linked + copy.copied} files{links}'


def _print(console: Console, text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)
