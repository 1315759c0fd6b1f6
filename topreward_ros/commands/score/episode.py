# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One recording: scored, drawn and written into a folder of its own, once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topreward_ros.errors import TaskError, TopRewardError
from topreward_ros.files import Kept
from topreward_ros.recordings.recording import NO_TASK, Recording
from topreward_ros.results.output import Output
from topreward_ros.results.plot import plot_run
from topreward_ros.results.score_table import Row, read_rows, write_rows
from topreward_ros.scoring.questions import check_task
from topreward_ros.scoring.score import Identity, Scorer

from .clip_scores import Plan, Watch, score_clip

TABLE, PICTURE = 'scores.csv', 'progress.png'


class ScoreError(TopRewardError):
    """Some of the recordings could not be scored."""


@dataclass(frozen=True)
class EpisodeScoring:
    """What is asked of a recording, and what is written of it; note is in the pictures."""

    identity: Identity
    plan: Plan
    outputs: Sequence[Output] = ()
    note: str = ''

    def asked(self, recording: Recording) -> dict[str, Any]:
        """What scores depend on."""
        plan = dataclasses.asdict(self.plan)
        of_recording = {'task': recording.task, 'of': dict(recording.origin)}
        return {**of_recording, **dataclasses.asdict(self.identity), **plan}

    def run(
        self, scorer: Scorer, recording: Recording, folder: Path, watch: Watch
    ) -> tuple[list[Row], bool]:
        """Score it, unless the folder has its scores already; the rows, and whether it had.

        The folder gets scores.csv, progress.png, asked.json and what the outputs write. Raises
        TaskError, ClipError, or ScoreError where the folder holds something else.
        """
        if not recording.task:
            raise TaskError(NO_TASK)
        check_task(recording.task)
        kept = Kept(folder / 'asked.json', self.asked(recording))
        _check_free(folder, kept)
        found = kept.read() is not None
        if found:
            rows = read_rows(folder / TABLE)
        else:
            kept.begin()
            rows = score_clip(scorer, recording.clip, recording.task, self.plan, watch)
            write_rows(folder / TABLE, rows)
            plot_run(folder / PICTURE, recording.clip, rows, note=self.note)
            for name in (name for output in self.outputs for name in output.recording_files):
                (folder / name).unlink(missing_ok=True)
            kept.finish()  # the last: it says that the others are whole
        for output in self.outputs:
            output.write_recording(folder, recording, rows)
        return rows, found


def _check_free(folder: Path, kept: Kept) -> None:
    """ScoreError where the folder holds scores of something else."""
    if not kept.file.exists() and (folder / TABLE).exists():
        raise ScoreError(f'{folder} holds scores of something else: give another folder to --save')
    other = kept.other()
    if other is not None:
        raise ScoreError(
            f'{folder} holds scores of {_differences(other, kept.asked)}: give another folder to '
            '--save'
        )


def _differences(other: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    return ', '.join(
        'another recording, or of this one before it changed'
        if name == 'of'
        else f'{name} {other.get(name)!r} instead of {value!r}'
        for name, value in asked.items()
        if other.get(name) != value
    )
