# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A clip's scores without a robot, a camera or ROS: sampled and scored as the node would."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from topreward_ros.recordings.clip import Clip, ClipError
from topreward_ros.recordings.clip_sampling import NO_GAP, sampled
from topreward_ros.results.score_table import Row
from topreward_ros.reward.progress import min_max
from topreward_ros.scoring.clip_curve import anchors, curve
from topreward_ros.scoring.sampling import FrameWindow, Sample, Sampling
from topreward_ros.scoring.score import Score, Scorer

NORMALIZATION = 'min-max of the episode'

Watch = Callable[[Iterable[np.ndarray], int], Iterable[np.ndarray]]


@dataclass(frozen=True)
class Plan:
    """How a clip is scored: frames kept a second, how many prefixes (None: all of them), and at
    how many frames every second pair is dropped, as in the node.
    """

    fps: float = Sampling.fps
    anchors: int | None = None
    max_frames: int = Sampling.max_frames

    def window(self) -> FrameWindow:
        return FrameWindow(self.fps, self.max_frames, NO_GAP)


def score_clip(scorer: Scorer, clip: Clip, task: str, plan: Plan, watch: Watch) -> list[Row]:
    """A row for each prefix scored; watch is given the frames and their number, to show a bar.

    The clip is read twice and never held. Progress and reward are of the whole episode, as the
    paper has them for files (`min_max`); NaN where the curve is flat. Raises ClipError for a clip
    without frames.
    """
    kept = [(time, sample) for time, sample, _ in sampled(clip, plan.window())]
    if not kept:
        raise ClipError(f'{clip.name} has no frames')
    count = len(kept)
    wanted = list(range(1, count + 1))
    if plan.anchors is not None:
        wanted = _anchors([time for time, _ in kept], plan.anchors)
    frames = watch((image for _, _, image in sampled(clip, plan.window())), count)
    if any(sample.thin for _, sample in kept):
        scores = list(_thinning(scorer, frames, [sample for _, sample in kept], task, set(wanted)))
    else:
        times = (sample.time for _, sample in kept)
        scores = [row[0] for row in curve(scorer, frames, times, task, wanted)]
    progress = min_max(np.array([score.value for score in scores]))
    gained = np.diff(progress, prepend=progress[:1])
    return [
        Row(
            time=kept[number - 1][0],
            episode=1,
            score=score,
            progress=float(value),
            reward=float(reward),
            normalization=NORMALIZATION,
            latency=math.nan,
            task=task,
        )
        for number, score, value, reward in zip(wanted, scores, progress, gained, strict=True)
    ]


def _anchors(times: list[float], count: int) -> list[int]:
    """Numbers of the frames at which evenly spaced prefixes end; in time, where frames thin out."""
    steps = np.diff(times)
    if not steps.size or steps.max() < 1.5 * steps.min():
        return anchors(len(times), count)
    points = np.linspace(times[0], times[-1], count) if count > 1 else np.array(times[-1:])
    nearest = np.abs(np.array(times)[None] - points[:, None]).argmin(axis=1)
    return [int(number) + 1 for number in np.unique(nearest)]


def _thinning(
    scorer: Scorer,
    frames: Iterable[np.ndarray],
    samples: list[Sample],
    task: str,
    wanted: set[int],
) -> Iterator[Score]:
    """The scores of a clip that outgrows max_frames, which is thinned as the node thins it."""
    episode = scorer.start(task)
    try:
        for number, (frame, sample) in enumerate(zip(frames, samples, strict=True), start=1):
            if sample.thin:
                episode.thin()
            episode.append(frame, sample.time)
            if number in wanted:
                yield episode.score()
    finally:
        episode.close()
