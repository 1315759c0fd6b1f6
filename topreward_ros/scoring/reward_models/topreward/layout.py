# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
r"""The paper's question and the prompt around it (arXiv 2602.19313).

    <|im_start|>user\n
    per block: <T seconds><|vision_start|> N x <|video_pad|> <|vision_end|>
    the question; the next token is " True" or " False"

No end of turn and no generation prompt follow: with the chat template around the question
the value-order correlation falls from 0.945 to 0.500 (arXiv 2602.19313).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...engine.geometry import Geometry
from ...engine.kept_features import Shown, as_it_is
from ...engine.prefix_cache import Branch
from ...engine.prompt import PromptTokens, Segment, text_segment, visual_segment
from ...engine.video import Block
from ...frame_fits import PAPER_SIZE
from ...questions import Question, VideoQuestion

# Verbatim from arXiv 2602.19313
TOPREWARD = Question(
    'The above video shows a robot manipulation trajectory that completes the following task: '
    '{task} Decide whether the above statement is True or not. The answer is:'
)


def layout_name(question: VideoQuestion, geometry: Geometry) -> str:
    """Return the name of the prompt layout, frame fit and pixel budget, for an `Identity`."""
    squashed = f', {PAPER_SIZE[0]}x{PAPER_SIZE[1]}' if geometry.frame_fit == 'paper' else ''
    return f'{question.layout}{squashed}, {geometry.max_pixels} pixels'


class PromptLayout:
    """Makes the segments of the prompt, each at the position where the previous one ends."""

    def __init__(self, tokens: PromptTokens, question: VideoQuestion = TOPREWARD) -> None:
        """Raises ModelError where an answer to the question is not a single token."""
        self.tokens = tokens
        self.question = question
        self.answers = question.answers(tokens)

    def header(self) -> Segment:
        return text_segment(self.tokens.header(), 0)

    def block(
        self, block: Block, grid: tuple[int, int], start: int, shown: Shown | None = None
    ) -> Segment:
        """Return the segment of a block, with `shown` in its place where that is given."""
        ids, visual = self.tokens.block(block.time, grid[0] * grid[1])
        return visual_segment(ids, visual, block if shown is None else shown, grid, start)

    def ask(self, task: str, start: int) -> Segment:
        return text_segment(self.question.ids(self.tokens, task), start)


class VideoPrompt:
    """The prompt of a growing video: new segments of its prefix, and the branch of each score.

    The prefix has `tokens` tokens; the next position after it is `position`.
    """

    def __init__(
        self,
        layout: PromptLayout,
        tasks: Sequence[str],
        show: Callable[[Block], Shown] = as_it_is,
    ) -> None:
        """Show for each block what `show` makes of it."""
        self._layout = layout
        self._tasks = tasks
        self._show = show
        self.start()

    def start(self) -> None:
        """Reset to an empty prefix."""
        self.tokens = self.position = 0

    def take(self, other: VideoPrompt) -> None:
        """Continue where the prefix of another prompt, of the same layout, ends."""
        self.tokens, self.position = other.tokens, other.position

    def extend(self, blocks: Sequence[Block], grid: tuple[int, int]) -> list[Segment]:
        """Add full blocks to the prefix, after a header if it is empty; return the new segments."""
        segments: list[Segment] = []
        if not self.position:
            segments.append(self._append(self._layout.header()))
        for block in blocks:
            segments.append(self._append(self._block(block, grid)))
        return segments

    def branch(self, unpaired: Block | None, grid: tuple[int, int]) -> Branch:
        """Return a score's branch: the unpaired last frame, if any, and a question per task."""
        stem = [] if unpaired is None else [self._block(unpaired, grid)]
        start = stem[-1].next_position if stem else self.position
        return Branch(self.tokens, [self._layout.ask(task, start) for task in self._tasks], stem)

    def _block(self, block: Block, grid: tuple[int, int]) -> Segment:
        return self._layout.block(block, grid, self.position, self._show(block))

    def _append(self, segment: Segment) -> Segment:
        self.tokens += len(segment.ids)
        self.position = segment.next_position
        return segment
