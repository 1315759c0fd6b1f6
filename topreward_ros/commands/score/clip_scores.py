# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score clips without ROS, sampled and scored as in the reward node."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from topreward_ros.recordings.clip import Clip, ClipError
from topreward_ros.recordings.clip_sampling import NO_GAP, sampled
from topreward_ros.results.score_table import Row
from topreward_ros.reward.live import NORMALIZATION_MODEL
from topreward_ros.reward.progress import min_max
from topreward_ros.scoring.clip_curve import anchors, curve
from topreward_ros.scoring.sampling import FrameWindow, Sample, Sampling
from topreward_ros.scoring.score import Score, Scorer

from .published import Watch, score_as

NORMALIZATION = 'min-max of the episode'


@dataclass(frozen=True)
class Plan:
    """How a clip is scored: frames per second, number of prefixes (None: all), maximum frames.

    At max_frames frames are dropped as by the node's history. to_the_end adds the last
    frame, which the grid of the node may leave out. published is a name in PUBLISHED, empty for
    none: the frames and prefixes are then those of that implementation, and max_frames is unused.
    """

    fps: float = Sampling.fps
    anchors: int | None = None
    max_frames: int = Sampling.max_frames
    to_the_end: bool = False
    published: str = ''
    history: str = Sampling.history

    @property
    def sampling(self) -> Sampling:
        """The sampling of the node that gives the same scores."""
        return Sampling(self.fps, self.max_frames, NO_GAP, self.history)

    def sampled(self, clip: Clip) -> Iterator[tuple[float, Sample, np.ndarray]]:
        """Yield the frames that are kept, as `sampled`."""
        return sampled(clip, self.window(), to_the_end=self.to_the_end)

    def window(self) -> FrameWindow:
        return self.sampling.window()


def score_clip(scorer: Scorer, clip: Clip, task: str, plan: Plan, watch: Watch) -> list[Row]:
    """Return a row per scored prefix; watch wraps the frames, given their number, to show progress.

    The clip is read twice and not held in memory. Progress and reward are normalised over the whole
    episode, as in the paper for recordings (`min_max`); NaN where the curve is flat. Raises
    ClipError for a clip without frames.
    """
    if plan.published:
        prefixes = plan.published, plan.fps, plan.anchors
        times, scores = score_as(*prefixes, scorer=scorer, clip=clip, task=task, watch=watch)
    else:
        times, scores = _score(scorer, clip, task, plan, watch)
    progress, normalization = _progress(scores)
    if plan.published and np.isnan(progress).all():
        progress = np.ones(len(progress))  # what both call the progress of a flat curve
    gained = np.diff(progress, prepend=progress[:1])
    return [
        Row(
            time=time,
            episode=1,
            score=score,
            progress=float(value),
            reward=float(reward),
            normalization=normalization,
            latency=math.nan,
            task=task,
            reward_model=scorer.reward_model,
        )
        for time, score, value, reward in zip(times, scores, progress, gained, strict=True)
    ]


def _score(
    scorer: Scorer, clip: Clip, task: str, plan: Plan, watch: Watch
) -> tuple[list[float], list[Score]]:
    """Return the time [s] of the newest frame in each prefix, and its score."""
    samples = [(time, sample) for time, sample, _ in plan.sampled(clip)]
    if not samples:
        raise ClipError(f'{clip.name} has no frames')
    count = len(samples)
    lengths = list(range(1, count + 1))
    if plan.anchors is not None:
        lengths = _anchors([time for time, _ in samples], plan.anchors)
    frames = watch((image for _, _, image in plan.sampled(clip)), count)
    if count > plan.max_frames:
        kept = [sample for _, sample in samples]
        scores = list(_bounded(scorer, frames, kept, task, set(lengths)))
    else:
        times = (sample.time for _, sample in samples)
        scores = [row[0] for row in curve(scorer, frames, times, task, lengths)]
    return [samples[length - 1][0] for length in lengths], scores


def _progress(scores: Sequence[Score]) -> tuple[np.ndarray, str]:
    """Return the progress of an episode, the model's own if it has one, and its normalization."""
    values = np.array([score.value for score in scores])
    if scores[0].log_prob is None:
        return values, NORMALIZATION_MODEL
    return min_max(values), NORMALIZATION


def _anchors(times: list[float], count: int) -> list[int]:
    """Return lengths of evenly spaced prefixes; spaced in time where frames are thinned."""
    steps = np.diff(times)[:-1]  # the last frame may be between two points
    if not steps.size or steps.max() < 1.5 * steps.min():
        return anchors(len(times), count)
    points = np.linspace(times[0], times[-1], count) if count > 1 else np.array(times[-1:])
    nearest = np.abs(np.array(times)[None] - points[:, None]).argmin(axis=1)
    return [int(number) + 1 for number in np.unique(nearest)]


def _bounded(
    scorer: Scorer,
    frames: Iterable[np.ndarray],
    samples: list[Sample],
    task: str,
    lengths: set[int],
) -> Iterator[Score]:
    """Yield the scores of a clip longer than max_frames; frames are dropped as in the node."""
    episode = scorer.start(task)
    try:
        for length, (frame, sample) in enumerate(zip(frames, samples, strict=True), start=1):
            if sample.thin:
                episode.thin()
            if sample.keep is not None:
                episode.keep_last(sample.keep)
            episode.append(frame, sample.time)
            if length in lengths:
                yield episode.score()
    finally:
        episode.close()
