# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plot several episodes: images above, published progress below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from topreward_ros.demo.drawing import SceneRenderer
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.demo.tasks import KIND_NAMES
from topreward_ros.results.lettering import POINTS, wrapped
from topreward_ros.results.plot import (
    COLOR_FAILURE,
    COLOR_GRID,
    COLOR_PROGRESS,
    COLOR_SUCCESS,
    COLOR_TEXT,
    drawn,
    save_png,
)

COLOR_TRUTH = '#9aa5b1'
SIDE = 240  # of an image [px]
COLUMN = 2.35  # width of an episode [in]
TASK_SIZE = 9  # of letters [pt]


@dataclass(frozen=True)
class EpisodeCurve:
    """An episode and what was published about it; times [s] since its arm began to move.

    detected is the time of the image at which success was detected; None without a success.
    """

    episode: SceneEpisode
    times: list[float]
    progress: list[float]
    detected: float | None = None

    @property
    def is_right(self) -> bool:
        """Whether success was detected exactly if the episode is one."""
        return self.episode.is_success == (self.detected is not None)


def plot_episodes(file: Path, curves: Sequence[EpisodeCurve]) -> None:
    """Plot the episodes side by side as PNG; the file appears when it is complete."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(COLUMN * len(curves) + 0.6, 4.1), dpi=150, facecolor='white')
    rows = figure.subplots(
        2,
        len(curves),
        squeeze=False,
        gridspec_kw={'height_ratios': (1, 1.55), 'hspace': 0.08, 'wspace': 0.1},
    )
    left = 0.55 / (COLUMN * len(curves) + 0.6)
    figure.subplots_adjust(left=left, right=0.995, top=0.84, bottom=0.115)
    for column, curve in enumerate(curves):
        _draw_pictures(rows[0][column], curve)
        _draw_curve(rows[1][column], curve, is_first=column == 0)
    save_png(figure, file)


def _draw_pictures(axes, curve: EpisodeCurve) -> None:  # type: ignore[no-untyped-def]
    """Draw the first and the last image."""
    episode = curve.episode
    camera = SceneRenderer(SIDE, SIDE, episode.appearance, noise=0)
    end = curve.times[-1] if curve.times else episode.seconds
    first, last = (camera.take(episode.state(time)) for time in (0.0, end))
    gap = np.full((SIDE, 8, 3), 255, np.uint8)
    axes.imshow(np.concatenate([first, gap, last], axis=1), interpolation='lanczos')
    axes.set_anchor('SW')
    axes.set_axis_off()
    task, font = drawn(wrapped(episode.task.say(), TASK_SIZE, 0.95 * COLUMN * POINTS, 2))
    axes.text(0, -48, task, size=TASK_SIZE, color=COLOR_TEXT, va='bottom', **font)
    kind = 'success' if episode.is_success else f'failure: {KIND_NAMES[episode.kind]}'
    axes.text(
        0, -14, kind, fontsize=8, color=COLOR_SUCCESS if episode.is_success else COLOR_FAILURE
    )


def _draw_curve(axes, curve: EpisodeCurve, is_first: bool) -> None:  # type: ignore[no-untyped-def]
    end = max(curve.times, default=curve.episode.seconds)
    times = np.linspace(0, end, 80)
    truth = [curve.episode.progress(time) for time in times]
    axes.plot(times, truth, color=COLOR_TRUTH, linewidth=1.2, linestyle='--', label='true')
    axes.plot(
        curve.times,
        curve.progress,
        color=COLOR_PROGRESS,
        linewidth=2,
        marker='o',
        markersize=2.6,
        label='published live',
    )
    if curve.detected is not None:
        axes.axvline(curve.detected, color=COLOR_SUCCESS, linewidth=1.5)
        axes.text(curve.detected, 1.07, 'success ', color=COLOR_SUCCESS, fontsize=8, ha='right')
    axes.set_ylim(-0.04, 1.16)
    axes.set_xlim(0, end)
    axes.grid(color=COLOR_GRID, linewidth=0.8)
    axes.spines[['top', 'right']].set_visible(False)
    axes.tick_params(colors=COLOR_TEXT, labelsize=7.5)
    axes.set_yticks([0, 0.5, 1])
    axes.set_xlabel('time [s]', color=COLOR_TEXT, fontsize=8)
    if is_first:
        axes.set_ylabel('progress', color=COLOR_TEXT, fontsize=9)
        axes.legend(fontsize=7.5, frameon=False, loc='upper left', bbox_to_anchor=(0, 0.93))
    else:
        axes.tick_params(labelleft=False)
