# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score a clip as a published implementation does, to compare with its results number by number.

authors: github.com/TOPReward/TOPReward (checked at jcoleharrison/TOPReward, bc61380). Of N frames
with f of them a second, frame round(k f / 2) is shown with its own time. Prefixes end at the frames
int(linspace(1, N, 15)).

lerobot: compute_rabc_weights of lerobot.rewards.topreward (checked at 0.6.1). Every frame is shown,
as if there were two a second. Prefixes end at round(linspace(1, N, 15)), and the pixels of a clip
are limited together, so that the size of frames depends on the length of the prefix.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from topreward_ros.errors import ModelError
from topreward_ros.recordings.clip import Clip, ClipError
from topreward_ros.scoring.clip_curve import anchors, curve
from topreward_ros.scoring.engine.geometry import Geometry
from topreward_ros.scoring.engine.video import fit_frame
from topreward_ros.scoring.frame_fits import PAPER_SIZE, PUBLISHED_LOADING
from topreward_ros.scoring.reward_models.topreward.recompute import RecomputeScorer
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer
from topreward_ros.scoring.score import Score, Scorer

SizeOf = Callable[[int], tuple[int, int] | None]  # (H, W) [px]
Watch = Callable[[Iterable[np.ndarray], int], Iterable[np.ndarray]]


@dataclass(frozen=True)
class Prefixes:
    """Which frames of a clip are shown, and which prefixes of the clip are scored.

    shown: numbers of the frames, from 0; times [s] that they are labelled with; ends: frames of the
    clip in each prefix. All rise.
    """

    shown: Sequence[int]
    times: Sequence[float]
    ends: Sequence[int]

    def lengths(self) -> list[int]:
        """Return how many frames are shown in each prefix, at least one."""
        counts = np.searchsorted(np.array(self.shown), np.array(self.ends))
        return [max(1, int(count)) for count in counts]


class Published(ABC):
    """What a published implementation shows of a clip, and which prefixes it scores."""

    name: str

    @abstractmethod
    def prefixes(self, count: int, clip_fps: float, fps: float, most: int | None) -> Prefixes:
        """Return the prefixes of `count` frames, clip_fps a second.

        fps [1/s]: how many are shown, or how they are labelled. most is the number of prefixes;
        None ends one at every frame.
        """

    @abstractmethod
    def sizes(self, geometry: Geometry, clip: Clip, longest: int) -> SizeOf:
        """Return a function: the size of the frames in a prefix that shows so many, up to longest.

        None is the size that the scorer itself gives them. Raises ModelError where the model is
        given none of that size.
        """

    def geometry(self, scorer: Scorer) -> Geometry:
        """Return the geometry of a Qwen3-VL that fits frames as this implementation does."""
        model = scorer.identity.model
        if not isinstance(scorer, StreamingScorer | RecomputeScorer):
            raise ModelError(
                f'{model} is no Qwen3-VL, which is what {self.name} run: leave out --as'
            )
        geometry, frame_fit = scorer.engine.geometry, PUBLISHED_LOADING[self.name]['frame_fit']
        if geometry.frame_fit != frame_fit:
            raise ModelError(
                f'{model} is given frames by the fit {geometry.frame_fit}, and {self.name} use '
                f'{frame_fit}: it was made for others, or loaded for them'
            )
        return geometry


class Authors(Published):
    """The authors' code."""

    name = 'authors'

    def prefixes(self, count: int, clip_fps: float, fps: float, most: int | None) -> Prefixes:
        """See `Published`; fps [1/s] of the frames are shown."""
        step = max(clip_fps / fps, 1.0)
        rounded = np.round(np.arange(0.0, float(count), step)).astype(int)
        shown = [int(number) for number in np.unique(np.minimum(rounded, count - 1))]
        ends = list(range(1, count + 1))
        if most is not None:
            spaced = np.linspace(1, count, min(most, count), dtype=int)
            ends = [int(end) for end in np.unique(spaced)] if count > 2 else [count]
        return Prefixes(shown, [number / clip_fps for number in shown], ends)

    def sizes(self, geometry: Geometry, clip: Clip, longest: int) -> SizeOf:
        """See `Published`; their processor must not make frames smaller than ours."""
        if geometry.clip_size(longest, *PAPER_SIZE) != geometry.fit_size(*PAPER_SIZE):
            raise ModelError(
                f"the authors' processor makes frames smaller where there are {longest}, and this "
                'model is given no such ones: lower --fps, leave out --dense, or score a shorter '
                'recording'
            )
        return lambda _: None


class LeRobot(Published):
    """LeRobot's package."""

    name = 'lerobot'

    def prefixes(self, count: int, clip_fps: float, fps: float, most: int | None) -> Prefixes:
        """See `Published`; every frame is shown, labelled as fps [1/s]."""
        ends = [1] if most == 1 else anchors(count, min(most or count, count))
        return Prefixes(range(count), [number / fps for number in range(count)], ends)

    def sizes(self, geometry: Geometry, clip: Clip, longest: int) -> SizeOf:
        """See `Published`; the pixels of a prefix are limited together."""
        _, picture = next(iter(clip.undecoded()))
        height, width = picture().shape[:2]
        largest = geometry.clip_size(1, height, width)
        if geometry.fit_size(*largest) != largest:
            raise ModelError(
                f'LeRobot shows frames of up to {largest[1]}x{largest[0]}, and this model is given '
                f'at most {geometry.max_pixels} pixels: it was made, or loaded, for smaller ones'
            )
        return lambda length: geometry.clip_size(length, height, width)


PUBLISHED: dict[str, Published] = {each.name: each for each in (Authors(), LeRobot())}


def score_as(
    name: str,
    fps: float,
    most: int | None,
    *,
    scorer: Scorer,
    clip: Clip,
    task: str,
    watch: Watch,
) -> tuple[list[float], list[Score]]:
    """Return the time [s] of the last frame in each prefix, and its score.

    name is one in PUBLISHED; fps and most as for `Published.prefixes`. Raises ClipError for a clip
    without frames, and ModelError for a model that does not see the frames as that implementation
    does.
    """
    published = PUBLISHED[name]
    geometry = published.geometry(scorer)
    clip_times = [time for time, _ in clip.undecoded()]
    if not clip_times:
        raise ClipError(f'{clip.name} has no frames')
    prefixes = published.prefixes(len(clip_times), clip.fps, fps, most)
    lengths = prefixes.lengths()
    size_of = published.sizes(geometry, clip, lengths[-1])
    groups = [
        (size, list(group)) for size, group in itertools.groupby(sorted(set(lengths)), size_of)
    ]
    total = sum(group[-1] for _, group in groups)
    by_length: dict[int, Score] = {}
    for size, group in groups:  # a pass for each size of frames
        most = group[-1]
        images = watch(_shown(clip, prefixes.shown[:most], size), total)
        rows = curve(scorer, images, prefixes.times[:most], task, group)
        by_length |= {length: row[0] for length, row in zip(group, rows, strict=True)}
    return [clip_times[end - 1] for end in prefixes.ends], [by_length[n] for n in lengths]


def _shown(
    clip: Clip, numbers: Sequence[int], size: tuple[int, int] | None
) -> Iterator[np.ndarray]:
    """Yield the images of these frames, resized to a size (H, W) [px] if there is one."""
    wanted = set(numbers)
    for number, (_, picture) in enumerate(clip.undecoded()):
        if number in wanted:
            yield picture() if size is None else fit_frame(picture(), size)
        if number >= numbers[-1]:
            return
