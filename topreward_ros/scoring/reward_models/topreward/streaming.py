# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Exact scores at a constant cost per frame.

The video comes before the question and attention is causal, so each full block is run once and
its keys and values are cached. A score runs the new blocks, the doubled last frame if it is
unpaired, and the question; the last two are then truncated from the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np
import torch

from topreward_ros.errors import ModelError

from ...engine.chat_model import ChatModel
from ...engine.kept_features import KeptFeatures
from ...engine.prefix_cache import PrefixCache
from ...engine.prompt import PromptTokens, Segment, count_tokens
from ...engine.video import Video, fitter
from ...loading.checkpoint import Checkpoint
from ...loading.fingerprint import identity_of
from ...loading.memory import is_out_of_memory
from ...questions import VideoQuestion, check_tasks
from ...score import Episode, Identity, Score
from ..streamed import StreamedScorer
from .curve import one_pass
from .layout import TOPREWARD, PromptLayout, VideoPrompt, layout_name

# What times of hours and tasks of several sentences need beyond those of the warm-up [tokens]
LONG_TIME_TOKENS, LONG_TASK_TOKENS = 3, 64


class StreamingScorer(StreamedScorer):
    """A Qwen3-VL that scores a growing video with a key-value cache."""

    def __init__(self, checkpoint: Checkpoint, question: VideoQuestion = TOPREWARD) -> None:
        """Raises ModelError for a model of another family, which needs a `PrefixScorer`."""
        super().__init__(checkpoint)
        self.layout = PromptLayout(PromptTokens.of(checkpoint.folder), question)

    @cached_property
    def identity(self) -> Identity:
        return identity_of(
            self._checkpoint, layout_name(self.layout.question, self.engine.geometry)
        )

    @property
    def reward_model(self) -> str:
        return self.layout.question.reward_model

    def fitter(self, height: int, width: int) -> Callable[[np.ndarray], np.ndarray]:
        return fitter(self.engine.geometry, height, width)

    def start(self, tasks: str | Sequence[str]) -> StreamingEpisode:
        return StreamingEpisode(self, check_tasks(tasks))

    def curve(
        self,
        clip: Iterable[tuple[np.ndarray, float]],
        tasks: str | Sequence[str],
        lengths: Sequence[int] | None = None,
    ) -> Iterator[tuple[Score, ...]]:
        return one_pass(self.engine, self.layout, clip, check_tasks(tasks), lengths)

    def chat_model(self) -> ChatModel:
        return ChatModel(self._checkpoint, self.engine)

    def _steady_step(self, height: int, width: int, max_frames: int) -> tuple[list[Segment], int]:
        video = Video(self.engine.geometry)
        for time in (9.0, 9.5):
            video.append(np.zeros((height, width, 3), np.uint8), time)
        prompt = VideoPrompt(self.layout, ['warm up'])
        header, block = prompt.extend(video.blocks, video.grid)
        (question,) = prompt.branch(None, video.grid).leaves
        pair = count_tokens([block]) + LONG_TIME_TOKENS
        most = count_tokens([header, question]) + LONG_TASK_TOKENS + pair * (max_frames // 2 + 1)
        return [block, question], most


class StreamingEpisode(Episode):
    """One attempt: its video, and a prefix cache of the full blocks that have been run."""

    def __init__(self, scorer: StreamingScorer, tasks: tuple[str, ...]) -> None:
        self.tasks = tasks
        self._engine = scorer.engine
        self._layout = scorer.layout
        self._features = KeptFeatures(scorer.engine)
        self._prompt = VideoPrompt(scorer.layout, tasks, self._features.show)
        self._prefix = PrefixCache(scorer.engine, scorer.recorded)
        self._video = Video(scorer.engine.geometry)
        self._cached_blocks = 0
        self._thinned = _Thinned(scorer, tasks)

    @property
    def frames(self) -> int:
        return self._video.frames

    @property
    def cached_tokens(self) -> int:
        """Number of tokens in the prefix cache: header and full blocks, without the question."""
        return self._prefix.length

    def append(self, frame: np.ndarray, time: float) -> None:
        self._video.append(frame, time)

    @torch.inference_mode()
    def thin(self) -> None:
        """Drop every second block; the next score prefills those that were not prepared."""
        self._video.thin()
        self._reset()
        self._cached_blocks = self._thinned.move(self._prefix, self._prompt)

    def keep_last(self, count: int) -> None:
        """As `Episode.keep_last`; from the first drop on, features of pairs are kept.

        Pairs shift by one frame with each frame that is dropped, and are the same after two.
        """
        if not self._video.keep_last(count):
            return
        self._features.begin()
        self._features.keep(self._video.images())
        self._thinned.clear()
        self._reset()

    @torch.inference_mode()
    def prepare_thinning(self) -> bool:
        return self._thinned.grow(self._video, self._prefix.capacity)

    def close(self) -> None:
        self._video = Video(self._engine.geometry)
        self._reset()
        self._prefix.close()
        self._thinned.discard()
        self._features.clear()

    @torch.inference_mode()
    def scores(self) -> tuple[Score, ...]:
        if not self.frames:
            raise ValueError('an episode without frames cannot be scored: append one first')
        try:
            rows = self._log_probs()
        except BaseException as error:  # an incomplete forward leaves prompt and cache inconsistent
            self._reset()
            self._features.clear()
            if is_out_of_memory(error):
                self._thinned.discard()
            raise
        try:
            return tuple(self._layout.question.score(self.frames, row) for row in rows)
        except ModelError:  # not a number: the content of the cache is invalid
            self._prefix.discard()
            self._thinned.discard()
            self._features.clear()
            self._reset()
            raise

    def _log_probs(self) -> list[list[float]]:
        video = self._video
        new = self._prompt.extend(video.blocks[self._cached_blocks :], video.grid)
        branch = self._prompt.branch(video.branch, video.grid)
        hidden = self._prefix.forward(self._prefix.prefill(new), [branch])
        self._cached_blocks = len(video.blocks)
        with self._engine.on_device():
            return self._engine.log_probs(hidden, self._layout.answers).tolist()

    def _reset(self) -> None:
        self._prefix.clear()
        self._prompt.start()
        self._cached_blocks = 0


class _Thinned:
    """The prefix as it will be once the episode is thinned: every second block, grown in advance.

    Its cache is a spare one, of which the content is copied: steps are recorded for a cache.
    """

    def __init__(self, scorer: StreamingScorer, tasks: Sequence[str]) -> None:
        self._prefix = PrefixCache(scorer.engine, is_spare=True)
        self._prompt = VideoPrompt(scorer.layout, tasks)
        self._blocks = 0

    def grow(self, video: Video, capacity: int) -> bool:
        """Run the next block of a video that stays; return whether there is another one.

        capacity is that of the live cache [tokens], of which half is reserved.
        """
        blocks = video.blocks[::2]
        if self._blocks == len(blocks):
            return False
        try:
            if not self._blocks:
                self._prefix.reserve(-(-capacity // 2))
            self._prefix.extend(
                self._prompt.extend(blocks[self._blocks : self._blocks + 1], video.grid)
            )
        except BaseException:  # incomplete, perhaps for want of memory
            self.discard()
            raise
        self._blocks += 1
        return self._blocks < len(blocks)

    def move(self, prefix: PrefixCache, prompt: VideoPrompt) -> int:
        """Give the prefix and its prompt to others, which are empty; return its blocks."""
        blocks = self._blocks
        if blocks:
            prefix.copy(self._prefix)
            prompt.take(self._prompt)
        self.clear()
        return blocks

    def clear(self) -> None:
        self._prefix.clear()
        self._prompt.start()
        self._blocks = 0

    def discard(self) -> None:
        """Free the cache, whose content may be invalid; the next block begins anew."""
        self._prefix.discard()
        self.clear()
