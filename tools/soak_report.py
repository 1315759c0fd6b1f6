# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What `tools.soak` has sampled: slopes, judgements, a picture and a table."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from topreward_ros.nodes.cameras.scene_camera import StagedEpisode
from topreward_ros.nodes.reset.episode_log import EpisodeRecord

WARM_UP = 0.1  # share of the time that is not fitted: caches fill
BLOCKS = 30  # into which the rest is divided; slopes are fitted to their medians
NEGLIGIBLE = 0.01  # growth in the time of the run, as a share of the level
DEVICE = 'reward node: device memory [MiB]'
LATENCY = 'latency [ms]'


@dataclass(frozen=True)
class Slope:
    """Median, and growth per hour with the half width of its 95 % interval; grows if it is real."""

    median: float
    per_hour: float
    half_width: float
    grows: bool


class Samples:
    """Times [s] and values, by name and unit."""

    def __init__(self) -> None:
        self.series: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def add(
        self, now: float, nodes: Mapping[str, Any], latencies: Iterable[float], memory: str
    ) -> None:
        """Sample the processes; memory is the reward node's own account, used for a GPU."""
        for node, process in nodes.items():
            with process.oneshot():
                self.series[f'{node}: memory [MiB]'].append(
                    (now, process.memory_info().rss / 2**20)
                )
                self.series[f'{node}: threads'].append((now, process.num_threads()))
                self.series[f'{node}: file descriptors'].append((now, process.num_fds()))
        if match := re.match(r'(\d+) MiB on the GPU', memory):
            self.series[DEVICE].append((now, float(match[1])))
        self.series[LATENCY] += [(now, 1000 * each) for each in latencies if math.isfinite(each)]

    def slopes(self) -> dict[str, Slope]:
        """Fit a line to each series."""
        return {name: _slope(values) for name, values in self.series.items() if values}


def _slope(values: Sequence[tuple[float, float]]) -> Slope:
    times, numbers = np.array(values).T
    end = times[-1]
    kept = times >= WARM_UP * end
    blocks = np.minimum((times[kept] / end - WARM_UP) / (1 - WARM_UP) * BLOCKS, BLOCKS - 1)
    points = [
        (times[kept][here].mean(), np.median(numbers[kept][here]))
        for k in range(BLOCKS)
        if (here := blocks.astype(int) == k).any()
    ]
    median = float(np.median(numbers))
    if len(points) < 5:
        return Slope(median, math.nan, math.nan, False)
    x, y = np.array(points).T
    x = (x - x.mean()) / 3600
    per_hour = float((x * y).sum() / (x * x).sum())
    residuals = y - y.mean() - per_hour * x
    error = math.sqrt((residuals**2).sum() / (len(x) - 2) / (x * x).sum())
    growth = (per_hour - 2 * error) * end / 3600
    return Slope(median, per_hour, 2 * error, bool(growth > NEGLIGIBLE * median))


@dataclass(frozen=True)
class Verdicts:
    """Episodes of the scene and of the log, and the judgements by what the arm did."""

    shown: int
    logged: int
    lost: int  # shown and not logged
    doubled: int  # logged and not shown, or detected twice
    right: int
    outcomes: dict[str, dict[str, int]]


def judged(
    shown: Sequence[StagedEpisode], log: Sequence[EpisodeRecord], successes: int
) -> Verdicts:
    """Compare the log with the truth; an episode that the end of the run has cut does not count."""
    records = [record for record in log if record.outcome != 'cut off']
    ended = [each for each in shown if each.ended]
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    right = 0
    rest = iter(records)
    matched = 0
    for each in ended:
        record = next(rest, None)
        if record is None or record.task != each.episode.task.say():
            break
        matched += 1
        expected = 'success' if each.episode.is_success else 'time is up'
        right += record.outcome == expected
        outcomes[each.episode.kind][record.outcome] += 1
    logged_successes = sum(record.outcome == 'success' for record in records)
    return Verdicts(
        shown=len(ended),
        logged=len(records),
        lost=len(ended) - matched,
        doubled=len(records) - matched + max(0, successes - logged_successes - 1),
        right=right,
        outcomes={kind: dict(counts) for kind, counts in outcomes.items()},
    )


def lines(slopes: Mapping[str, Slope], verdicts: Verdicts) -> list[str]:
    """Return the report as Markdown."""
    table = ['| | median | growth per hour | |', '|---|---:|---:|---|']
    for name, slope in slopes.items():
        growth = f'{slope.per_hour:+.2f} ± {slope.half_width:.2f}'
        table.append(
            f'| {name} | {slope.median:.1f} | {growth} | {"grows" if slope.grows else "steady"} |'
        )
    counts = [
        f'| {kind} | ' + ', '.join(f'{n} × {outcome}' for outcome, n in outcomes.items()) + ' |'
        for kind, outcomes in sorted(verdicts.outcomes.items())
    ]
    return [
        *table,
        '',
        f'{verdicts.shown} episodes; {verdicts.logged} in the log; {verdicts.lost} lost, '
        f'{verdicts.doubled} doubled; {verdicts.right} judged rightly.',
        '',
        '| what the arm does | outcomes |',
        '|---|---|',
        *counts,
    ]


def draw(file: Path, samples: Samples, slopes: Mapping[str, Slope]) -> None:
    """Draw every series with its fitted line."""
    from matplotlib.figure import Figure

    names = list(slopes)
    columns = 2
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(11, 2.1 * rows), layout='constrained')
    axes = np.atleast_1d(figure.subplots(rows, columns, sharex=True)).ravel()
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    for axis, name in zip(axes, names, strict=False):
        times, values = np.array(samples.series[name]).T
        slope = slopes[name]
        axis.plot(times / 60, values, '.', markersize=2, color='#7fa8d1')
        if math.isfinite(slope.per_hour):
            middle = (times[0] + times[-1]) / 2
            fit = slope.median + slope.per_hour * (times - middle) / 3600
            axis.plot(times / 60, fit, color='#b5432e', linewidth=1.5)
        axis.set_title(
            f'{name}: {slope.per_hour:+.2f} ± {slope.half_width:.2f} per hour',
            loc='left',
            fontsize=9,
        )
        top = 1.5 * float(np.percentile(values, 99.5))
        axis.set_ylim(0, top or 1)
        axis.spines[['top', 'right']].set_visible(False)
        axis.tick_params(labelsize=8)
    for axis in axes[max(0, len(names) - columns) : len(names)]:
        axis.set_xlabel('time [min]', fontsize=9)
        axis.tick_params(labelbottom=True)
    figure.savefig(file, dpi=110)
