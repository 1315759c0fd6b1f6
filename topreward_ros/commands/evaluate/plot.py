# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plot an evaluation: progress curves, and the scores of successes and failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from topreward_ros.results.lettering import POINTS, measured, wrapped
from topreward_ros.results.plot import (
    COLOR_FAILURE,
    COLOR_FALSE,
    COLOR_GRID,
    COLOR_PROGRESS,
    COLOR_SUCCESS,
    COLOR_TEXT,
    COLOR_TRUE,
    drawn,
    save_png,
)
from topreward_ros.reward.calibration import Calibration
from topreward_ros.reward.metrics import last_mean

from .figures import CALIBRATED, MIN_MAX, MIN_MAXED, Reader, methods_of, readings
from .measuring import REAL, REPEATED, Measurement
from .methods import GVL, LOG_PROB, LRM, MARGIN, OWN, STATIC

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_RECORDINGS = 12  # with a plot
COLUMNS = 4
CELL = 2.9  # width of a recording's plot with its margins [in]
LEAST = 4.2  # width of the figure, for the legend [in]
TASK_SIZE, LEGEND_SIZE = 7.5, 8.5  # of letters [pt]
COLOR_PUBLISHED = '#805ad5'
# Plotted progress mappings: color and line width
STYLES = {
    f'{LOG_PROB}: {MIN_MAX}': (COLOR_PROGRESS, 1.9),
    f'{STATIC}: {MIN_MAX}': (COLOR_TRUE, 1.1),
    f'{LOG_PROB}: {CALIBRATED}': (COLOR_SUCCESS, 1.5),
    f'{MARGIN}: {CALIBRATED}': (COLOR_SUCCESS, 1.5),
    OWN: (COLOR_PROGRESS, 1.9),
    f'{OWN}: {CALIBRATED}': (COLOR_SUCCESS, 1.5),
    LRM['combined']: ('#b7791f', 1.1),
    GVL: (COLOR_TEXT, 1.1),
}


def plot_curves(
    file: Path, measured: Sequence[Measurement], calibration: Calibration | None = None
) -> None:
    """Plot the curves of the first recordings, alternating successes and failures."""
    from matplotlib.figure import Figure

    chosen = _alternate(measured)[:MAX_RECORDINGS]
    columns = min(COLUMNS, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = Figure(
        figsize=(max(CELL * columns + 0.5, LEAST), 2.5 * rows + 0.7), dpi=130, facecolor='white'
    )
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.flat[len(chosen) :]:
        axes.set_axis_off()
    for axes, each in zip(grid.flat, chosen, strict=False):
        _draw(axes, each, readings(methods_of(measured), calibration))
    lines = {line.get_label(): line for axes in grid.flat for line in axes.get_lines()}
    figure.supxlabel('fraction of the recording', fontsize=9, color=COLOR_TEXT)
    figure.supylabel('progress', fontsize=9, color=COLOR_TEXT)
    _draw_legend(figure, lines)
    save_png(figure, file)


def _draw_legend(figure: Figure, lines: Mapping[str, Any]) -> None:
    """Draw the legend above the plots, in as many columns as fit, and make room for it."""
    width, height = figure.get_size_inches()
    longest = max((measured(label, LEGEND_SIZE) for label in lines), default=0.0) / POINTS
    columns = max(1, min(len(lines), int(width / (longest + 0.6))))
    style: dict[str, Any] = {'frameon': False, 'fontsize': LEGEND_SIZE}
    figure.legend(lines.values(), lines.keys(), loc='upper center', ncol=columns, **style)
    top = 1 - (0.15 + 0.2 * -(-len(lines) // columns)) / height
    figure.tight_layout(rect=(0, 0, 1, top), h_pad=1.2)


def _draw(  # type: ignore[no-untyped-def]
    axes, each: Measurement, ways: Mapping[str, tuple[str, Reader]]
) -> None:
    real = each.curves[REAL]
    if each.truth is not None:
        at = np.linspace(0, 1, len(each.truth))
        axes.plot(at, each.truth, '--', color=COLOR_FALSE, linewidth=1.3, label='true')
    for name, values in each.published.items():
        if name == 'topreward':
            at = np.linspace(0, 1, len(values))
            axes.plot(at, values, color=COLOR_PUBLISHED, linewidth=1.3, label='published TOPReward')
    for name, (color, width) in STYLES.items():
        if name in ways:
            method, read = ways[name]
            curve = real[method]
            progress = read(curve, each.lengths)
            axes.plot(curve.positions, progress, color=color, linewidth=width, label=name)
    verdict = {
        True: ('success', COLOR_SUCCESS),
        False: ('failure', COLOR_FAILURE),
        None: ('', COLOR_TEXT),
    }
    word, color = verdict[each.is_success]
    title, font = drawn(wrapped(each.task, TASK_SIZE, 0.8 * CELL * POINTS, 2))
    axes.set_title(title, size=TASK_SIZE, color=COLOR_TEXT, loc='left', pad=11, **font)
    axes.text(0, 1.09, word, fontsize=7.5, color=color, va='bottom')
    axes.set_ylim(-0.05, 1.08)
    axes.set_xlim(0, 1)
    axes.set_yticks([0, 0.5, 1])
    axes.grid(color=COLOR_GRID, linewidth=0.8)
    axes.spines[['top', 'right']].set_visible(False)
    axes.tick_params(colors=COLOR_TEXT, labelsize=7)


def plot_success(file: Path, measured: Sequence[Measurement]) -> None:
    """Plot for each method the paper's score of successes, failures and still images."""
    from matplotlib.figure import Figure

    methods = methods_of(measured)
    figure = Figure(figsize=(8, 0.62 * len(methods) * 1.5 + 0.6), dpi=130, facecolor='white')
    rows = figure.subplots(len(methods), 1, squeeze=False)[:, 0]
    random = np.random.default_rng(0)
    for axes, method in zip(rows, methods, strict=True):
        groups = {
            'success': (COLOR_SUCCESS, [m for m in measured if m.is_success is True], REAL),
            'failure': (COLOR_FAILURE, [m for m in measured if m.is_success is False], REAL),
            'first frame repeated': (COLOR_FALSE, measured, REPEATED),
        }
        for level, (name, (color, members, variation)) in enumerate(groups.items()):
            values = [m.curves[variation][method].values for m in members]
            scores = [last_mean(v[~np.isnan(v)]) for v in values if (~np.isnan(v)).any()]
            height = -level + random.uniform(-0.25, 0.25, len(scores))
            axes.scatter(scores, height, s=14, color=color, alpha=0.7, linewidths=0, label=name)
        axes.set_yticks([])
        axes.set_ylim(-2.6, 0.6)
        unit = ' [nat]' if method in MIN_MAXED else ''
        axes.set_title(f'{method}{unit}', fontsize=8.5, color=COLOR_TEXT, loc='left', pad=3)
        axes.spines[['top', 'right', 'left']].set_visible(False)
        axes.tick_params(colors=COLOR_TEXT, labelsize=7)
        axes.xaxis.get_offset_text().set(size=7, color=COLOR_TEXT)
    handles, labels = rows[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='upper right', ncol=3, frameon=False, fontsize=8.5)
    figure.tight_layout(h_pad=0.9)
    save_png(figure, file)


def _alternate(measured: Sequence[Measurement]) -> list[Measurement]:
    good = [each for each in measured if each.is_success is not False]
    bad = [each for each in measured if each.is_success is False]
    turns = [
        pair for k in range(max(len(good), len(bad))) for pair in (good[k : k + 1], bad[k : k + 1])
    ]
    return [each for turn in turns for each in turn]
