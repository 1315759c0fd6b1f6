# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plot a run: frames, progress and log-probabilities."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from topreward_ros.files import whole_file
from topreward_ros.recordings.clip import Clip

from .lettering import POINTS, families, wrapped
from .score_table import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FRAMES_IN_STRIP = 7
WIDTH, HEIGHT = 9.0, 5.6  # of a run's plot [in]
LEFT, RIGHT = 0.09, 0.91  # edges of the axes
TASK_SIZE, NOTE_SIZE = 12, 8  # of letters [pt]
LINE = 1.3  # from one line to the next, in sizes of their letters
COLOR_TEXT = '#22303c'
COLOR_PROGRESS = '#d9622b'
COLOR_TRUE = '#2b6cb0'
COLOR_FALSE = '#9aa5b1'
COLOR_SUCCESS = '#2f855a'
COLOR_FAILURE = COLOR_NOTE = '#b03a2e'
COLOR_GRID = '#e6eaee'


def plot_run(
    file: Path,
    clip: Clip,
    rows: Sequence[Row],
    successes: Sequence[float] = (),
    note: str = '',
) -> None:
    """Plot a run as PNG; successes are times [s]. The file appears when it is complete."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=150, facecolor='white')
    strip, progress, log_probs = figure.subplots(
        3, 1, gridspec_kw={'height_ratios': (0.9, 2.2, 1.3), 'hspace': 0.16}
    )
    figure.subplots_adjust(left=LEFT, right=RIGHT, top=0.92, bottom=0.12)
    _write_texts(figure, rows[-1].task if rows else '', note)
    _draw_strip(strip, clip)
    _draw_progress(progress, rows, successes)
    _draw_values(log_probs, rows)
    for axes in (progress, log_probs):
        axes.set_xlim(0, max([clip.seconds, *(row.time for row in rows)]))
        axes.grid(color=COLOR_GRID, linewidth=0.8)
        axes.spines[['top', 'right']].set_visible(False)
        axes.tick_params(colors=COLOR_TEXT, labelsize=8)
    progress.tick_params(labelbottom=False)
    save_png(figure, file)


def _write_texts(figure: Figure, task: str, note: str) -> None:
    """Write the task above the axes and the note below them, and make room for their lines."""
    width = (0.97 - LEFT) * WIDTH * POINTS
    title = wrapped(f'“{task}”', TASK_SIZE, width, 2)
    notes = wrapped(note, NOTE_SIZE, width, 4)
    figure.subplots_adjust(
        top=0.92 - _height(TASK_SIZE, len(title) - 1),
        bottom=0.12 + _height(NOTE_SIZE, len(notes)),
    )
    text, font = drawn(title)
    figure.suptitle(text, x=LEFT, y=0.985, ha='left', size=TASK_SIZE, color=COLOR_TEXT, **font)
    text, font = drawn(notes)
    figure.text(LEFT, 0.015, text, va='bottom', size=NOTE_SIZE, color=COLOR_NOTE, **font)


def _height(size: float, lines: int) -> float:
    """Return the height of lines of text, as a fraction of the figure's."""
    return lines * LINE * size / POINTS / HEIGHT


def drawn(lines: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return wrapped lines as a text for matplotlib, and its font as keyword arguments.

    Dollar signs are escaped, between which matplotlib reads mathematics.
    """
    text = '\n'.join(lines)
    return text.replace('$', r'\$'), {'family': families(text), 'linespacing': LINE}


def save_png(figure: Figure, file: Path) -> None:
    """Write a figure as PNG; the file appears when it is complete."""
    with whole_file(file) as part, warnings.catch_warnings():
        # Before 3.6 matplotlib draws a text with one font only, and warns of every other glyph
        warnings.filterwarnings('ignore', 'Glyph .* missing')
        figure.savefig(part, format='png')


def _draw_strip(axes, clip: Clip) -> None:  # type: ignore[no-untyped-def]
    times = [clip.seconds * (k + 0.5) / FRAMES_IN_STRIP for k in range(FRAMES_IN_STRIP)]
    images = clip.at(times)
    axes.set_axis_off()
    axes.set_xlim(0, clip.seconds)
    axes.set_ylim(0, 1)
    if not images:
        return
    box = axes.get_position()
    figure = axes.get_figure()
    width, height = figure.get_size_inches()
    # Each frame in its slot, as large as slot and row allow
    slot = box.width * width / FRAMES_IN_STRIP
    aspect = images[0].shape[1] / images[0].shape[0]
    frame_width = min(0.97 * slot, box.height * height * aspect)
    for k, image in enumerate(images):
        left = box.x0 + (slot * (k + 0.5) - frame_width / 2) / width
        frame_height = frame_width / aspect / height
        bottom = box.y1 - frame_height
        inset = figure.add_axes((left, bottom, frame_width / width, frame_height))
        inset.imshow(image[:: max(1, image.shape[0] // 300), :: max(1, image.shape[0] // 300)])
        inset.set_axis_off()


def _draw_progress(axes, rows: Sequence[Row], successes: Sequence[float]) -> None:  # type: ignore[no-untyped-def]
    for episode in sorted({row.episode for row in rows}):
        part = [row for row in rows if row.episode == episode]
        axes.plot(
            [row.time for row in part],
            [row.progress for row in part],
            color=COLOR_PROGRESS,
            linewidth=2,
            marker='o',
            markersize=3.5,
            clip_on=False,
        )
    if rows and all(np.isnan(row.progress) for row in rows):
        axes.text(0.5, 0.5, 'flat', transform=axes.transAxes, ha='center', color=COLOR_TEXT)
    for time in successes:
        axes.axvline(time, color=COLOR_SUCCESS, linewidth=1.5)
    if successes:
        named = 'success' if len(successes) == 1 else f'{len(successes)} successes'
        place, font = (min(successes), 1.04), {'color': COLOR_SUCCESS, 'fontsize': 8}
        axes.annotate(f' {named}', place, va='bottom', annotation_clip=False, **font)
    axes.set_ylim(-0.04, 1.04)
    kind = rows[-1].normalization if rows else ''
    axes.set_ylabel(f'progress\n({kind})' if kind else 'progress', color=COLOR_TEXT, fontsize=9)


def _draw_values(axes, rows: Sequence[Row]) -> None:  # type: ignore[no-untyped-def]
    """Plot log-probabilities, or progress and success of a model that gives these instead."""
    times = [row.time for row in rows]
    has_log_prob = all(row.score.log_prob is not None for row in rows)
    # A single score is no line
    style: dict[str, Any] = {'linewidth': 1.5, 'marker': '' if len(rows) > 1 else 'o'}
    style |= {'markersize': 3.5, 'clip_on': False}
    values = [row.score.value for row in rows]
    label, field = ('True', 'log_prob_false') if has_log_prob else ('progress', 'success')
    axes.plot(times, values, color=COLOR_TRUE, label=label, **style)
    others = [getattr(row.score, field) for row in rows]
    if rows and None not in others:
        color, label = (COLOR_FALSE, 'False') if has_log_prob else (COLOR_SUCCESS, 'success')
        axes.plot(times, others, color=color, label=label, **style)
        values += others
    name, font = drawn([rows[-1].reward_model or 'model' if rows else 'model'])
    if has_log_prob:
        name, font = 'log P [nat]', {}
    axes.set_ylabel(name, color=COLOR_TEXT, fontsize=9, **font)
    axes.set_xlabel('image time [s]', color=COLOR_TEXT, fontsize=9)
    if rows:
        axes.legend(loc='center left', bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    if values and np.ptp(values) < 0.5:  # so that a flat line looks flat
        middle = float(np.mean(values))
        axes.set_ylim(middle - 0.5, middle + 0.5)
