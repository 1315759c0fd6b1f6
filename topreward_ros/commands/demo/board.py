# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The terminal output of the demo: live progress bars, verdicts, and a final table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from topreward_ros.demo.tasks import KIND_NAMES
from topreward_ros.nodes.cameras.scene_camera import StagedEpisode
from topreward_ros.nodes.sessions.recorder import Recorder
from topreward_ros.scoring.sampling import NANOSECONDS

from .plot import EpisodeCurve


@dataclass(frozen=True)
class Line:
    """What is shown of an episode: its newest progress, and the verdict in words."""

    task: str
    progress: float
    verdict: str
    is_over: bool


class Board:
    """Shows a live progress bar per episode; headless, it prints a line per episode."""

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
        self._printed = 0  # episodes

    def __enter__(self) -> Board:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, lines: Sequence[Line]) -> None:
        for number, line in enumerate(lines, start=1):
            text = f'{number}. {line.task}'
            if number > len(self._rows):
                self._rows.append(self._bars.add_task(text, total=1.0, verdict=''))
            self._bars.update(self._rows[number - 1], completed=line.progress, verdict=line.verdict)
            if self._headless and line.is_over and number > self._printed:
                self._printed = number
                self._console.print(f'{text}  {line.verdict}')


def line_of(task: str, progress: Sequence[float], detected: float | None, is_over: bool) -> Line:
    """Return the line of an episode from all that was published about it so far."""
    verdict = '' if detected is None else f'success after {detected:.1f} s'
    if is_over:
        verdict = verdict or 'no success: time is up'
    return Line(task, progress[-1] if progress else 0.0, verdict, is_over)


def scene_lines(staged: Sequence[StagedEpisode], recorder: Recorder) -> list[Line]:
    """Return a line for each episode of the scene."""
    return [
        line_of(curve.episode.task.say(), curve.progress, curve.detected, bool(one.ended))
        for one, curve in zip(staged, judge(staged, recorder), strict=True)
    ]


def judge(staged: Sequence[StagedEpisode], recorder: Recorder) -> list[EpisodeCurve]:
    """Return what the nodes published about each episode, by the stamps of the images."""
    first = recorder.first_stamp
    curves = []
    for each in staged:
        began, ended = ((stamp - first) / NANOSECONDS for stamp in (each.began, each.ended))
        end = ended if each.ended else float('inf')
        rows = [
            row
            for row in recorder.rows
            if began <= row.time <= end and row.task == each.episode.task.say()
        ]
        detected = [time for time in recorder.successes if began <= time <= end]
        curves.append(
            EpisodeCurve(
                episode=each.episode,
                times=[row.time - began for row in rows],
                progress=[row.progress for row in rows],
                detected=detected[0] - began if detected else None,
            )
        )
    return curves


def verdict_table(curves: Sequence[EpisodeCurve]) -> Table:
    """Return a table with the verdict on each episode."""
    table = Table()
    for name in ('', 'task', 'what the arm does', 'final progress', 'success', 'verdict'):
        table.add_column(name, justify='right' if name in ('', 'final progress') else 'left')
    for number, curve in enumerate(curves, start=1):
        table.add_row(
            str(number),
            curve.episode.task.say(),
            KIND_NAMES[curve.episode.kind],
            f'{curve.progress[-1]:.2f}' if curve.progress else 'none',
            f'after {curve.detected:.1f} s' if curve.detected is not None else 'no',
            '[green]right[/green]' if curve.is_right else '[bold red]wrong[/bold red]',
        )
    return table


def wrongly_judged(curves: Sequence[EpisodeCurve], outcomes: Sequence[str], count: int) -> int:
    """Return how many of `count` episodes the reward node or the reset node judged wrongly.

    Episodes that were never scored, or cut off, are included.
    """
    right = 0
    for curve, outcome in zip(curves, outcomes, strict=False):
        expected = 'success' if curve.episode.is_success else 'time is up'
        right += curve.is_right and bool(curve.times) and outcome == expected
    return count - right
