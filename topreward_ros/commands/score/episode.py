# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score one recording once, and write its results into its own folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topreward_ros.errors import TaskError, TopRewardError
from topreward_ros.files import StoredResults
from topreward_ros.recordings.recording import NO_TASK, Recording
from topreward_ros.results.output import Output
from topreward_ros.results.plot import plot_run
from topreward_ros.results.score_table import Row, read_rows, write_rows
from topreward_ros.reward.calibration import TASK, worded
from topreward_ros.scoring.questions import check_task
from topreward_ros.scoring.sampling import Sampling
from topreward_ros.scoring.score import Identity, Scorer

from .clip_scores import Plan, score_clip
from .published import Watch

TABLE_FILE, PLOT_FILE = 'scores.csv', 'progress.png'


class ScoreError(TopRewardError):
    """Some of the recordings could not be scored; the exit code is that of a single reason."""

    def __init__(self, reason: str, exit_code: int = TopRewardError.exit_code) -> None:
        super().__init__(reason)
        self.exit_code = exit_code  # type: ignore[misc]


@dataclass(frozen=True)
class EpisodeScoring:
    """How recordings are scored and which outputs are written; note is drawn in the plots.

    wording is how the model is asked about a task.
    """

    identity: Identity
    plan: Plan
    outputs: Sequence[Output] = ()
    note: str = ''
    wording: str = TASK

    def worded(self, recording: Recording) -> Recording:
        """Return the recording with its task as the model is asked about it."""
        return dataclasses.replace(recording, task=worded(self.wording, recording.task))

    def asked(self, recording: Recording) -> dict[str, Any]:
        """Return everything that the scores depend on."""
        unsaid = ('', False, Sampling.history)  # as before there was a choice
        plan = {
            name: value
            for name, value in dataclasses.asdict(self.plan).items()
            if value not in unsaid
        }
        of_recording = {'task': self.worded(recording).task, 'of': dict(recording.origin)}
        return {**of_recording, **dataclasses.asdict(self.identity), **plan}

    def run(
        self, scorer: Scorer, recording: Recording, folder: Path, watch: Watch
    ) -> tuple[list[Row], bool]:
        """Score a recording unless the folder has its scores; return the rows, and if it had them.

        The folder gets scores.csv, progress.png, asked.json and the outputs. Raises TaskError,
        ClipError, or ScoreError where the folder holds other scores.
        """
        if not recording.task:
            raise TaskError(NO_TASK)
        asked = self.worded(recording)
        check_task(asked.task)
        stored = StoredResults(folder / 'asked.json', self.asked(recording))
        _check_free(folder, stored)
        found_before = stored.read() is not None
        if found_before:
            # The same scorer, which an older table does not name
            rows = [
                dataclasses.replace(row, reward_model=row.reward_model or scorer.reward_model)
                for row in read_rows(folder / TABLE_FILE)
            ]
        else:
            stored.begin()
            scored = score_clip(scorer, asked.clip, asked.task, self.plan, watch)
            rows = [dataclasses.replace(row, task=recording.task) for row in scored]
            write_rows(folder / TABLE_FILE, rows)
            plot_run(folder / PLOT_FILE, recording.clip, rows, note=self.note)
            for name in (name for output in self.outputs for name in output.recording_files):
                (folder / name).unlink(missing_ok=True)
            stored.finish()  # last, as it marks the other files as complete
        for output in self.outputs:
            output.write_recording(folder, recording, rows)
        return rows, found_before


def _check_free(folder: Path, stored: StoredResults) -> None:
    """Raise ScoreError where the folder holds other scores."""
    if not stored.file.exists() and (folder / TABLE_FILE).exists():
        raise ScoreError(
            f'{folder} holds scores of another recording: choose another folder with --save'
        )
    other = stored.other()
    if other is not None:
        raise ScoreError(
            f'{folder} holds scores of {_differences(other, stored.request)}: choose another '
            'folder with --save'
        )


def _differences(other: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """Say in words how the request of the scores in a folder differs from this one."""
    every = {**dict.fromkeys(other), **asked}
    names = [name for name in every if other.get(name) != asked.get(name)]
    if 'of' in names:
        return 'another recording, or of this one before it changed'
    parts = [
        f'{IN_WORDS[name](other.get(name))} instead of {IN_WORDS[name](asked.get(name))}'
        for name in names
        if name in IN_WORDS
    ]
    return ', '.join([*parts, *(['another model'] if set(names) & MODEL else [])])


MODEL = {field.name for field in dataclasses.fields(Identity)}
# The other values of a request
IN_WORDS: dict[str, Callable[[Any], str]] = {
    'task': lambda task: f'the task "{task}"',
    'fps': lambda fps: f'{fps} frames per second',
    'anchors': lambda count: 'every prefix' if count is None else f'{count} prefixes',
    'max_frames': lambda count: f'at most {count} frames',
    'history': lambda name: f'the history {name or Sampling.history}',
    'published': lambda name: f'the prefixes of {name}' if name else 'our own prefixes',
    'to_the_end': lambda whole: 'the last frame, too,' if whole else 'frames of the grid alone',
}
