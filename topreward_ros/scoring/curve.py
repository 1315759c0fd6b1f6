# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every prefix of a clip from one pass over its video, for files.

The full blocks are run once, causally, chunk by chunk. What a prefix has of its own is short: the
question, and before it the last frame doubled where the length is odd. These branches are run
many at a time against the cache, each seeing the video up to its root and nothing beside it, and
cut off again. The numbers are those of scoring each prefix by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from .cache import KeyValueCache
from .engine import Engine, causal_mask, count_tokens
from .prompt import PromptLayout, Segment
from .questions import check_tasks
from .score import Score, Scorer
from .streaming import StreamingScorer
from .video import Block, Video, doubled

# Of the video and of the branches that are run at once: bounds the memory of a pass.
BLOCKS_PER_PASS = 8
TOKENS_PER_PASS = 1024
ANCHORS = 15


def anchors(frames: int, count: int = ANCHORS) -> list[int]:
    """Lengths of so many prefixes of a clip, evenly spaced from 1 to all of it, each once.

    As the paper takes 15 (arXiv 2602.19313, section on progress estimation) and LeRobot rounds.
    """
    if frames < 1 or count < 1:
        raise ValueError(f'{count} prefixes of {frames} frames: expected at least one of each')
    if count == 1:
        return [frames]
    return [int(n) for n in np.unique(np.linspace(1, frames, count).round())]


def curve(
    scorer: Scorer,
    frames: Iterable[np.ndarray],
    times: Iterable[float],
    tasks: str | Sequence[str],
    lengths: Iterable[int] | None = None,
) -> list[tuple[Score, ...]]:
    """Scores of the prefixes of these lengths, rising; of every prefix where none are named.

    frames are uint8 RGB (H, W, 3), times [s] from the clip's beginning; both are read one by one
    and not kept. A score per task in each row. Raises as `Episode.append`, and ValueError for a
    length that the clip does not have. A scorer without a cache scores prefix by prefix.
    """
    wanted = None if lengths is None else sorted(set(lengths))
    if wanted and wanted[0] < 1:
        raise ValueError(f'a prefix of {wanted[0]} frames cannot be scored; expected 1 or more')
    clip = zip(frames, times, strict=True)
    if isinstance(scorer, StreamingScorer):
        rows = list(_Curve(scorer, check_tasks(tasks), wanted).scores(clip))
    else:
        rows = list(_sweep(scorer, tasks, wanted, clip))
    found = [row[0].frames for row in rows]
    if wanted is not None and found != wanted:
        missing = min(set(wanted) - set(found))
        raise ValueError(f'the clip has no prefix of {missing} frames: it is shorter')
    return rows


def _sweep(
    scorer: Scorer,
    tasks: str | Sequence[str],
    wanted: list[int] | None,
    clip: Iterable[tuple[np.ndarray, float]],
) -> Iterator[tuple[Score, ...]]:
    episode = scorer.start(tasks)
    try:
        for frame, time in clip:
            episode.append(frame, time)
            if wanted is None or episode.frames in wanted:
                yield episode.scores()
            if wanted is not None and episode.frames >= wanted[-1]:
                return
    finally:
        episode.close()


@dataclass(frozen=True)
class _Branch:
    """What a prefix adds to the video's first `root` tokens: perhaps a block, and questions."""

    frames: int
    root: int
    block: list[Segment]
    questions: list[Segment]

    @property
    def tokens(self) -> int:
        return count_tokens([*self.block, *self.questions])


class _Curve:
    """One clip on its way through the model."""

    def __init__(
        self, scorer: StreamingScorer, tasks: tuple[str, ...], wanted: list[int] | None
    ) -> None:
        self._engine: Engine = scorer.engine
        self._layout: PromptLayout = scorer.layout
        self._tasks = tasks
        self._wanted = None if wanted is None else set(wanted)
        self._video = Video(scorer.engine.geometry)
        self._frames = 0  # in the blocks run so far
        self._position = 0

    @torch.inference_mode()
    def scores(self, clip: Iterable[tuple[np.ndarray, float]]) -> Iterator[tuple[Score, ...]]:
        with self._engine.lent_cache() as cache:
            last = None if self._wanted is None else max(self._wanted, default=0)
            for count, (frame, time) in enumerate(clip, start=1):
                if last is not None and count > last:
                    break
                self._video.append(frame, time)
                if len(self._video.blocks) == BLOCKS_PER_PASS:
                    yield from self._run(cache)
            yield from self._run(cache)

    def _run(self, cache: KeyValueCache) -> Iterator[tuple[Score, ...]]:
        """The blocks that wait, and the prefixes that end in them."""
        blocks, lone = self._video.take_blocks()
        segments = [] if self._position else [self._layout.header()]
        position = segments[0].next_position if segments else self._position
        tokens = cache.length + count_tokens(segments)
        branches: list[_Branch] = []
        for block in blocks:
            self._branch(branches, tokens, position, doubled(block.frames[0], block.times[0]))
            segments.append(self._layout.block(block, self._video.grid, position))
            position = segments[-1].next_position
            tokens += len(segments[-1].ids)
            self._branch(branches, tokens, position)
        if lone is not None:
            self._branch(branches, tokens, position, lone)
        if segments:
            with self._engine.on_device():
                self._engine.forward(segments, cache)
        self._position = position
        for group in _groups(branches):
            yield from self._ask(group, cache)

    def _branch(
        self, branches: list[_Branch], root: int, position: int, lone: Block | None = None
    ) -> None:
        """Note the prefix that ends here, if it is wanted."""
        self._frames += 1
        if self._wanted is not None and self._frames not in self._wanted:
            return
        block = [] if lone is None else [self._layout.block(lone, self._video.grid, position)]
        start = block[0].next_position if block else position
        questions = [self._layout.ask(task, start) for task in self._tasks]
        branches.append(_Branch(self._frames, root, block, questions))

    def _ask(self, branches: list[_Branch], cache: KeyValueCache) -> Iterator[tuple[Score, ...]]:
        trunk = cache.length
        segments = [s for branch in branches for s in (*branch.block, *branch.questions)]
        rows, mask = _apart(trunk, branches)
        with self._engine.on_device():
            hidden = self._engine.forward(segments, cache, rows, mask)
        cache.cut(trunk)
        answers = self._engine.log_probs(hidden, self._layout.answers)
        for branch, row in zip(
            branches, answers.view(-1, len(self._tasks), 2).tolist(), strict=True
        ):
            yield tuple(Score(true, false, branch.frames) for true, false in row)


def _groups(branches: list[_Branch]) -> Iterator[list[_Branch]]:
    """The branches in order, as many at a time as a pass may hold."""
    group: list[_Branch] = []
    for branch in branches:
        if group and sum(other.tokens for other in group) + branch.tokens > TOKENS_PER_PASS:
            yield group
            group = []
        group.append(branch)
    if group:
        yield group


def _apart(trunk: int, branches: Sequence[_Branch]) -> tuple[list[int], torch.Tensor]:
    """The last row of each question, and the mask: own root, own branch, no other question."""
    count = sum(branch.tokens for branch in branches)
    mask = torch.zeros(count, trunk + count, dtype=torch.bool)
    rows, start = [], 0
    for branch in branches:
        stop = start + branch.tokens
        mask[start:stop, : branch.root] = True
        mask[start:stop, trunk + start : trunk + stop] = causal_mask(0, branch.tokens)
        first = end = start + count_tokens(branch.block)
        for question in branch.questions:
            begin, end = end, end + len(question.ids)
            mask[begin:end, trunk + first : trunk + begin] = False
            rows.append(end - 1)
        start = stop
    return rows, mask
