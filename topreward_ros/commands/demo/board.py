# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the demo shows of its episodes: live bars, the verdicts, and a table in the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from topreward_ros.demo.tasks import KIND_NAMES
from topreward_ros.nodes.cameras.scene_camera import StagedEpisode
from topreward_ros.nodes.sessions.recorder import Recorder
from topreward_ros.scoring.sampling import NANOSECONDS

from .plot import EpisodeCurve


class Board:
    """A bar with live progress for each episode; a line each when there is nobody to look."""

    def __init__(self, console: Console, headless: bool) -> None:
        self._console = console
        self._headless = headless
        self._bars = Progress(
            TextColumn('{task.description}'),
            BarColumn(bar_width=30),
            TextColumn('{task.percentage:3.0f} %'),
            TextColumn('{task.fields[verdict]}'),
            console=console,
            disable=headless,
        )
        self._rows: list[Any] = []
        self._told = 0

    def __enter__(self) -> Board:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, shown: Sequence[StagedEpisode], recorder: Recorder) -> None:
        for number, one in enumerate(judge(shown, recorder), start=1):
            if number > len(self._rows):
                text = f'{number}. {one.episode.task.say()}'
                self._rows.append(self._bars.add_task(text, total=1.0, verdict=''))
            progress = one.progress[-1] if one.progress else 0.0
            verdict = f'success after {one.detected:.1f} s' if one.detected else ''
            if shown[number - 1].ended:
                verdict = verdict or 'no success: time is up'
            self._bars.update(self._rows[number - 1], completed=progress, verdict=verdict)
            if self._headless and shown[number - 1].ended and number > self._told:
                self._told = number
                self._console.print(f'{number}. {one.episode.task.say()}  {verdict}')


def judge(shown: Sequence[StagedEpisode], recorder: Recorder) -> list[EpisodeCurve]:
    """What the nodes said of each episode shown, by the stamps of the images."""
    first = recorder.first_stamp
    curves = []
    for one in shown:
        began, ended = ((stamp - first) / NANOSECONDS for stamp in (one.began, one.ended))
        end = ended if one.ended else float('inf')
        rows = [
            row
            for row in recorder.rows
            if began <= row.time <= end and row.task == one.episode.task.say()
        ]
        detected = [time for time in recorder.successes if began <= time <= end]
        curves.append(
            EpisodeCurve(
                episode=one.episode,
                times=[row.time - began for row in rows],
                progress=[row.progress for row in rows],
                detected=detected[0] - began if detected else None,
            )
        )
    return curves


def verdict_table(judged: Sequence[EpisodeCurve]) -> Table:
    table = Table()
    for name in ('', 'task', 'what the arm does', 'final progress', 'detected', 'judged'):
        table.add_column(name, justify='right' if name in ('', 'final progress') else 'left')
    for number, one in enumerate(judged, start=1):
        table.add_row(
            str(number),
            one.episode.task.say(),
            KIND_NAMES[one.episode.kind],
            f'{one.progress[-1]:.2f}' if one.progress else 'none',
            f'after {one.detected:.1f} s' if one.detected is not None else 'no',
            '[green]right[/green]' if one.is_right else '[bold red]wrong[/bold red]',
        )
    return table


def wrongly_judged(judged: Sequence[EpisodeCurve], outcomes: Sequence[str], count: int) -> int:
    """How many of so many episodes were not judged rightly, by the reward node or the reset node.

    The ones that were never scored, or cut off, are among them.
    """
    right = 0
    for one, outcome in zip(judged, outcomes, strict=False):
        expected = 'success' if one.episode.is_success else 'time is up'
        right += one.is_right and bool(one.times) and outcome == expected
    return count - right
