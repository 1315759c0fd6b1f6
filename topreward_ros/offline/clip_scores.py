# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A clip's scores without a robot, a camera or ROS: sampled and scored as the node would."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..reward.progress import min_max
from ..scoring.curve import anchors, curve
from ..scoring.errors import FrameError
from ..scoring.score import Score, Scorer
from ..scoring.window import NANOSECONDS, FrameWindow, Sample, Verdict
from .clip import Clip, ClipError
from .score_table import Row

NORMALIZATION = 'min-max of the episode'
NO_GAP = 1e6  # a recording is one episode, however long it stood still [s]

Watch = Callable[[Iterable[np.ndarray], int], Iterable[np.ndarray]]


@dataclass(frozen=True)
class Plan:
    """How a clip is scored: frames kept a second, how many prefixes (None: all of them), and at
    how many frames every second pair is dropped, as in the node.
    """

    fps: float = 2.0
    anchors: int | None = None
    max_frames: int = 64

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
    log_probs = np.array([score.log_prob for score in scores])
    progress = min_max(log_probs)
    gained = np.diff(progress, prepend=progress[:1])
    return [
        Row(
            time=kept[number - 1][0],
            episode=1,
            frames=score.frames,
            log_prob=score.log_prob,
            log_prob_false=score.log_prob_false,
            progress=float(value),
            reward=float(reward),
            normalization=NORMALIZATION,
            latency=math.nan,
            task=task,
        )
        for number, score, value, reward in zip(wanted, scores, progress, gained, strict=True)
    ]


def sampled(clip: Clip, window: FrameWindow) -> Iterator[tuple[float, Sample, np.ndarray]]:
    """Frames kept: their own time [s], and where the window puts them.

    One that cannot be decoded is as if it had not come, as for the node.
    """
    for time, picture in clip.undecoded():
        stamp = round(time * NANOSECONDS)
        verdict = window.judge(stamp)
        if verdict is Verdict.KEEP:
            try:
                image = picture()
            except FrameError:
                continue
            yield time, window.take(stamp), image
        elif verdict is Verdict.SKIP:
            window.see(stamp)
        else:
            raise ClipError(f'{clip.name} {verdict.value} at {time:.3f} s: its times do not rise')


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
