# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward score`: recordings to tables and pictures, one after the other."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from ..scoring.errors import TopRewardError
from ..scoring.questions import check_task
from ..scoring.score import Scorer
from .clip import Clip, open_clip
from .clip_scores import Plan, score_clip
from .plot import plot_run
from .score_table import write_rows


class ScoreError(TopRewardError):
    """Some of the recordings could not be scored."""


@dataclass(frozen=True)
class ScoreOptions:
    """What to score with which model, and where to write; note is told, and in the pictures."""

    sources: tuple[str, ...]
    task: str
    model: str
    save: Path
    plan: Plan
    note: str = ''

    def folders(self) -> dict[str, Path]:
        """Where what is said of each goes; ScoreError where two would share a folder."""
        names = {}
        for source in self.sources:
            path = Path(source).expanduser().resolve()
            names[source] = path.name if path.is_dir() else path.stem
        if len(set(names.values())) < len(names):
            raise ScoreError('two recordings of the same name: score them into different folders')
        return {source: self.save / name for source, name in names.items()}

    def asked(self) -> dict[str, Any]:
        """What the scores depend on, besides the recording."""
        return {'task': self.task, 'model': self.model, **dataclasses.asdict(self.plan)}


def score_files(scorer: Scorer, options: ScoreOptions) -> None:
    """A folder for each recording, with scores.csv, progress.png and asked.json.

    What is scored already is left as it is, so an interrupted run goes on where it stopped; a
    recording that cannot be scored does not end the run. Raises ScoreError in the end if there
    was one, TaskError for a task that cannot be asked about.
    """
    check_task(options.task)
    console = Console()
    if options.note:
        console.print(options.note, style='bold yellow')
    folders = options.folders()
    failed = 0
    for source, folder in folders.items():
        try:
            if _is_done(folder, options):
                console.print(f'{folder}: scored already', highlight=False, soft_wrap=True)
            else:
                _score(scorer, open_clip(source), folder, options, console)
        except (TopRewardError, OSError, ValueError, RuntimeError) as error:
            failed += 1
            console.print(f'[red]{source}[/red]: {error}', highlight=False, soft_wrap=True)
    if failed:
        raise ScoreError(f'{failed} of {len(folders)} recordings could not be scored')


def _is_done(folder: Path, options: ScoreOptions) -> bool:
    """Whether it was scored already; ScoreError where it was with other words or another model."""
    file = folder / 'asked.json'
    if not file.exists():
        return False
    before = json.loads(file.read_text(encoding='utf-8'))
    if before != options.asked():
        raise ScoreError(f'{folder} holds scores of {before}: give another folder to --save')
    return True


def _score(
    scorer: Scorer, clip: Clip, folder: Path, options: ScoreOptions, console: Console
) -> None:
    def watch(frames: Iterable[np.ndarray], count: int) -> Iterable[np.ndarray]:
        return track(frames, clip.name, total=count, console=console)

    rows = score_clip(scorer, clip, options.task, options.plan, watch)
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / 'scores.csv', rows)
    plot_run(folder / 'progress.png', clip, rows, note=options.note)
    part = folder / '.asked.json.part'
    part.write_text(json.dumps(options.asked(), ensure_ascii=False), encoding='utf-8')
    part.rename(folder / 'asked.json')  # the last: it says that the others are whole
    console.print(
        f'{folder}: {len(rows)} scores, log P("True") from {rows[0].log_prob:.3f} to '
        f'{rows[-1].log_prob:.3f}',
        highlight=False,
        soft_wrap=True,
    )
