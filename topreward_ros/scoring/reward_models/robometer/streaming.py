# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Exact progress and success at the cost of one picture.

The task comes first and nothing follows a picture but the next one, so the prefix cache only grows
and no token is run twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch

from topreward_ros.errors import ModelError

from ...engine.kept_features import KeptFeatures
from ...engine.prefix_cache import SEGMENTS_PER_FORWARD, PrefixCache
from ...engine.prompt import Segment
from ...questions import check_tasks
from ...score import Episode, Score
from ..streamed import StreamedScorer
from .loading import Robometer
from .names import RobometerNames
from .pictures import PicturePrompt, Pictures

# What a task of several sentences needs beyond that of the warm-up [tokens]
LONG_TASK_TOKENS = 64


class RobometerScorer(RobometerNames, StreamedScorer):
    """A Robometer that scores a growing sequence of pictures with a key-value cache."""

    def __init__(self, robometer: Robometer) -> None:
        super().__init__(robometer.checkpoint)
        self.robometer = robometer

    def start(self, tasks: str | Sequence[str]) -> RobometerEpisode:
        return RobometerEpisode(self, check_tasks(tasks))

    def curve(
        self,
        clip: Iterable[tuple[np.ndarray, float]],
        tasks: str | Sequence[str],
        lengths: Sequence[int] | None = None,
    ) -> Iterator[tuple[Score, ...]]:
        """As `Scorer.curve`: several pictures in a forward, each with its own score."""
        last = None if lengths is None else max(lengths, default=0)
        requested = None if lengths is None else set(lengths)
        episode = self.start(tasks)
        try:
            for frame, time in () if last == 0 else clip:
                episode.append(frame, time)
                if episode.waiting < SEGMENTS_PER_FORWARD and episode.frames != last:
                    continue
                yield from _requested(episode.every_score(), requested)
                if episode.frames == last:
                    return
            if episode.waiting:
                yield from _requested(episode.every_score(), requested)
        finally:
            episode.close()

    def _steady_step(self, height: int, width: int, max_frames: int) -> tuple[list[Segment], int]:
        pictures = Pictures(self.engine.geometry)
        pictures.append(np.zeros((height, width, 3), np.uint8), 0.0)
        prompt = PicturePrompt(self.robometer.layout, 'warm up')
        (first,) = prompt.extend(pictures, 1)
        pictures.shown *= max(10, max_frames)  # numbers of two digits are the longest there are
        *_, longest = prompt.extend(pictures, len(pictures.shown))
        most = len(first.ids) + LONG_TASK_TOKENS + len(longest.ids) * max_frames
        return [longest], most


class RobometerEpisode(Episode):
    """One attempt: its pictures, and a prefix cache for each task."""

    def __init__(self, scorer: RobometerScorer, tasks: tuple[str, ...]) -> None:
        self.tasks = tasks
        self._pictures = Pictures(scorer.engine.geometry)
        self._features = KeptFeatures(scorer.engine)
        self._streams = [_Stream(scorer, task, self._features) for task in tasks]

    @property
    def frames(self) -> int:
        return len(self._pictures.shown)

    @property
    def waiting(self) -> int:
        """Number of pictures that have not been run yet."""
        return self.frames - min(stream.run for stream in self._streams)

    def append(self, frame: np.ndarray, time: float) -> None:
        self._pictures.append(frame, time)

    def scores(self) -> tuple[Score, ...]:
        self._check()
        return tuple(stream.newest(self._pictures) for stream in self._streams)

    def every_score(self) -> list[tuple[Score, ...]]:
        """Return the scores of all prefixes that end in pictures not run yet, a row for each."""
        self._check()
        rows = [stream.advance(self._pictures) for stream in self._streams]
        return list(zip(*rows, strict=True))

    def thin(self) -> None:
        """Drop every second picture; the next score runs the others anew."""
        self._pictures.thin()
        for stream in self._streams:
            stream.restart()

    def keep_last(self, count: int) -> None:
        """As `Episode.keep_last`; from the first drop on, features of pictures are kept."""
        if not self._pictures.keep_last(count):
            return
        self._features.begin()
        self._features.keep(self._pictures.shown)
        for stream in self._streams:
            stream.restart()

    def close(self) -> None:
        self._features.clear()
        for stream in self._streams:
            stream.close()
        self._pictures = Pictures(self._pictures.geometry)

    def _check(self) -> None:
        if not self.frames:
            raise ValueError('an episode without frames cannot be scored: append one first')


class _Stream:
    """The prefix cache of one task, and the values of its newest picture."""

    def __init__(self, scorer: RobometerScorer, task: str, features: KeptFeatures) -> None:
        self._engine, self._heads = scorer.engine, scorer.robometer.heads
        self._features = features
        self._prompt = PicturePrompt(scorer.robometer.layout, task, features.show)
        self._prefix = PrefixCache(scorer.engine, scorer.recorded)
        self._newest: Score | None = None

    @property
    def run(self) -> int:
        """Number of pictures in the prefix."""
        return self._prompt.pictures

    def newest(self, pictures: Pictures) -> Score:
        if self.run < len(pictures.shown) or self._newest is None:
            self.advance(pictures)
        assert self._newest is not None
        return self._newest

    @torch.inference_mode()
    def advance(self, pictures: Pictures) -> list[Score]:
        """Run the pictures that have not been run; return the score after each of them."""
        scores: list[Score] = []
        try:
            while self.run < len(pictures.shown):
                stop = min(len(pictures.shown), self.run + SEGMENTS_PER_FORWARD)
                first = self.run + 1
                values = self._values(self._prompt.extend(pictures, stop))
                for frames, (progress, success) in enumerate(values, first):
                    scores.append(Score(frames, progress=progress, success=success))
        except ModelError:  # not a number: the content of the cache is invalid
            self._prefix.discard()
            self._features.clear()
            self.restart()
            raise
        except BaseException:  # an incomplete forward leaves prompt and cache inconsistent
            self._features.clear()
            self.restart()
            raise
        self._newest = scores[-1] if scores else self._newest
        return scores

    def restart(self) -> None:
        self._prefix.clear()
        self._prompt.start()
        self._newest = None

    def close(self) -> None:
        self.restart()
        self._prefix.close()

    def _values(self, segments: Sequence[Segment]) -> list[list[float]]:
        with self._engine.on_device():
            return list(self._heads(self._prefix.append(segments)).tolist())


def _requested(
    rows: Iterable[tuple[Score, ...]], lengths: set[int] | None
) -> Iterator[tuple[Score, ...]]:
    return (row for row in rows if lengths is None or row[0].frames in lengths)
