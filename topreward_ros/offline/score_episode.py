# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One recording: scored, drawn and written into a folder of its own, once."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..scoring.errors import TaskError, TopRewardError
from ..scoring.identity import Identity
from ..scoring.questions import check_task
from ..scoring.score import Scorer
from .clip_scores import Plan, Watch, score_clip
from .overlay import write_overlay
from .plot import plot_run
from .recording import Recording
from .score_table import Row, read_rows, write_rows
from .whole_files import write_json

MARKER, UNDER_WAY = 'asked.json', 'under way'
NO_TASK = 'it does not say its task: give it in words, --task "Put the block into the cup."'


class ScoreError(TopRewardError):
    """Some of the recordings could not be scored."""


@dataclass(frozen=True)
class EpisodeScoring:
    """What is asked of a recording, and what is written of it; note is in the pictures."""

    identity: Identity
    plan: Plan
    overlay: bool = False
    note: str = ''

    def asked(self, recording: Recording) -> dict[str, Any]:
        """What scores depend on."""
        plan = dataclasses.asdict(self.plan)
        told = {'task': recording.task, 'of': dict(recording.origin)}
        return {**told, **dataclasses.asdict(self.identity), **plan}

    def run(
        self, scorer: Scorer, recording: Recording, folder: Path, watch: Watch
    ) -> tuple[list[Row], bool]:
        """Its scores, and whether they were there already.

        In the folder stand scores.csv, progress.png, asked.json and, where it is wanted,
        overlay.mp4. Raises TaskError, ClipError, or ScoreError where the folder holds something
        else.
        """
        if not recording.task:
            raise TaskError(NO_TASK)
        check_task(recording.task)
        asked = self.asked(recording)
        rows = _rows_of_before(asked, folder)
        was_there = rows is not None
        if rows is None:
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / MARKER, {UNDER_WAY: asked})
            rows = score_clip(scorer, recording.clip, recording.task, self.plan, watch)
            write_rows(folder / 'scores.csv', rows)
            plot_run(folder / 'progress.png', recording.clip, rows, note=self.note)
            (folder / 'overlay.mp4').unlink(missing_ok=True)
            write_json(folder / MARKER, asked)  # the last: it says that the others are whole
        if self.overlay and not (folder / 'overlay.mp4').exists():
            write_overlay(folder / 'overlay.mp4', recording.clip, rows)
        return rows, was_there


def _rows_of_before(asked: dict[str, Any], folder: Path) -> list[Row] | None:
    """None where there are none; ScoreError where there is something else."""
    file = folder / MARKER
    if not file.exists():
        if (folder / 'scores.csv').exists():
            raise ScoreError(
                f'{folder} holds scores of something else: give another folder to --save'
            )
        return None
    before = json.loads(file.read_text(encoding='utf-8'))
    if UNDER_WAY in before:
        return None
    if before != asked:
        other = [
            'another recording, or of this one before it changed'
            if name == 'of'
            else f'{name} {before.get(name)!r} instead of {value!r}'
            for name, value in asked.items()
            if before.get(name) != value
        ]
        raise ScoreError(
            f'{folder} holds scores of {", ".join(other)}: give another folder to --save'
        )
    return read_rows(folder / 'scores.csv')
