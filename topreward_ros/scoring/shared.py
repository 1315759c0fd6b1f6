# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One model for all cameras of a process: it is loaded once, and their steps take turns.

Whoever has waited longest goes first, one step at a time, so a busy camera cannot starve another.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Hashable, Sequence

import numpy as np

from .checkpoint import LoadOptions
from .factory import load_scorer
from .identity import Identity, identify
from .score import Episode, Score, Scorer
from .turns import DEVICE
from .video import DEFAULT_MAX_PIXELS


class SharedScorer:
    """A scorer whose episodes may be used by several threads, one thread each."""

    def __init__(self, scorer: Scorer, summary: str, identity: Identity) -> None:
        self._summary = summary
        self._scorer = scorer
        self.identity = identity

    @property
    def path(self) -> str:
        return self._scorer.path

    @property
    def summary(self) -> str:
        """The model, and how it is scored with."""
        return f'{self._summary}: {self.path}'

    def start(self, tasks: str | Sequence[str]) -> SharedEpisode:
        return SharedEpisode(self._scorer.start(tasks))

    def warm_up(self, height: int, width: int, max_frames: int = 4) -> None:
        with DEVICE:
            self._scorer.warm_up(height, width, max_frames)


class SharedEpisode:
    """An episode that waits for its turn wherever it touches the model or its memory."""

    def __init__(self, episode: Episode) -> None:
        self._episode = episode

    @property
    def frames(self) -> int:
        return self._episode.frames

    def append(self, frame: np.ndarray, time: float) -> None:
        self._episode.append(frame, time)

    def score(self) -> Score:
        with DEVICE:
            return self._episode.score()

    def scores(self) -> tuple[Score, ...]:
        with DEVICE:
            return self._episode.scores()

    def thin(self) -> None:
        with DEVICE:
            self._episode.thin()

    def close(self) -> None:
        with DEVICE:
            self._episode.close()


_loaded: weakref.WeakValueDictionary[Hashable, SharedScorer] = weakref.WeakValueDictionary()
_loading = threading.Lock()


def load_shared(
    model: str,
    options: LoadOptions | None = None,
    kind: str = 'auto',
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> SharedScorer:
    """As `load_scorer`; the one that is loaded already where it was asked for in the same words.

    It is given up when nobody holds it any more.
    """
    key = model, options or LoadOptions(), kind, max_pixels
    with _loading:
        scorer = _loaded.get(key)
        if scorer is None:
            made, checkpoint = load_scorer(model, options, kind, max_pixels)
            summary = f'{checkpoint.summary()}, scored by {type(made).__name__}'
            scorer = _loaded[key] = SharedScorer(made, summary, identify(checkpoint, max_pixels))
        return scorer
