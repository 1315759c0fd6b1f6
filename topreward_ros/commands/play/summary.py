# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a played run says of itself: live, at its end, and in `summary.json`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from topreward_ros.nodes.sessions.recorder import Recorder
from topreward_ros.results.score_table import Row

OUTPUTS = (
    ('bag', 'messages, MCAP'),
    ('scores.csv', 'scores, a row each'),
    ('progress.png', 'plot'),
    ('summary.json', 'scores made, due and missed'),
    ('reward_node.log', 'log of the node'),
)


@dataclass(frozen=True)
class Summary:
    """Numbers of scores that were made and that were due; due is 0 where it is not known.

    One is due for each image that the node keeps of the clip. lost: numbers of frames that were not
    scored, with their causes. is_paced: whether the playback waited for the node.
    """

    scores: int
    due: int
    lost: Sequence[tuple[int, str]] = ()
    is_paced: bool = False

    @property
    def missed(self) -> int:
        """The number of grid points without a score of their own."""
        return max(0, self.due - self.scores)

    @property
    def warning(self) -> str:
        """What a user has to know of missed points; empty without any."""
        if not self.missed:
            return ''
        remedy = '' if self.is_paced else ': use --rate auto, which waits for each score'
        return f'{self.missed} of {self.due} grid points were missed{remedy}.'

    def content(self) -> dict[str, object]:
        """Return the content of `summary.json`; null where it is not known."""
        known = {'due': self.due, 'missed': self.missed} if self.due else {}
        lost = {cause: count for count, cause in self.lost}
        return {'scores': self.scores, 'due': None, 'missed': None, **known, 'lost': lost}


def live(recorder: Recorder) -> str:
    """Return the newest score, as markup of rich."""
    row = recorder.rows[-1]
    success = '  [green]success[/green]' if recorder.successes else ''
    return (
        f'progress [bold]{row.progress:5.3f}[/bold]  {_value(row)}  '
        f'{row.score.frames} frames{success}'
    )


def print_summary(console: Console, folder: Path, recorder: Recorder, summary: Summary) -> None:
    """Print the last score, what was missed, and the files of the folder."""
    last = recorder.rows[-1]
    latencies = [row.latency for row in recorder.rows if not math.isnan(row.latency)]
    is_real = bool(latencies) and not summary.is_paced
    console.print(
        f'{summary.scores} scores, the last of {last.score.frames} frames: progress '
        f'{last.progress:.3f}, {_value(last)}; '
        + (f'median latency {statistics.median(latencies):.2f} s; ' if is_real else '')
        + (f'success at {recorder.successes[0]:.1f} s' if recorder.successes else 'no success')
    )
    if summary.warning:
        console.print(summary.warning, style='bold yellow', highlight=False)
    for count, what in summary.lost:
        console.print(f'  {count} {what}', style='yellow', highlight=False)
    for name, what in OUTPUTS:
        console.print(f'  {folder / name}', soft_wrap=True, highlight=False, markup=False, end='')
        console.print(f'  {what}', style='dim')


def _value(row: Row) -> str:
    if row.score.log_prob is None:
        success = row.score.success
        told = '' if success is None else f', success {success:.3f}'
        return f'{escape(row.reward_model or "model")} {row.score.value:.3f}{told}'
    return f'log P("True") {row.score.log_prob:.3f}'
