# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
r"""Token ids of a chat turn of text and images.

    <|im_start|>user\n
    text, and per image: <|vision_start|> N x <|image_pad|> <|vision_end|>
    <|im_end|>\n<|im_start|>assistant\n
    the beginning of the answer, where one is given

This is Qwen3-VL's chat template, without a system turn. TOPReward's own prompt does not use it: see
`reward_models.topreward.layout`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from topreward_ros.errors import ModelError

from .geometry import Geometry
from .prompt import PromptTokens, Segment, text_segment, visual_segment
from .video import Block, doubled
from .vision_tower import Features


@dataclass(frozen=True)
class EncodedImage:
    """An image that a vision tower has encoded, with its rows and columns of merged patches."""

    features: Features
    grid: tuple[int, int]


Image = torch.Tensor | EncodedImage  # uint8 (H, W, 3), or encoded before
Part = str | Image


class ChatLayout:
    """Makes the segments of a turn; special tokens spelled out in its text stay plain text."""

    def __init__(self, tokens: PromptTokens, geometry: Geometry) -> None:
        """Raises ModelError where the tokenizer lacks the tokens of turns or images."""
        self.tokens = tokens
        self._geometry = geometry
        self._start_of_turn = tokens.special('<|im_start|>')
        self._end_of_turn = tokens.special('<|im_end|>')
        self._vision_start = tokens.special('<|vision_start|>')
        self._vision_end = tokens.special('<|vision_end|>')
        self.image_pad = tokens.special('<|image_pad|>')

    @property
    def stop_tokens(self) -> frozenset[int]:
        """The tokens that end an answer."""
        return frozenset({self._end_of_turn, self.tokens.special('<|endoftext|>')})

    def turn(self, parts: Sequence[Part], answer: Sequence[int] = ()) -> list[Segment]:
        """Return the segments of a turn from position 0, up to the model's next token.

        answer are the given first tokens of the answer. All images of a turn have one size, a
        multiple of the geometry's factor, or all are encoded.
        """
        segments: list[Segment] = []
        for run in self._runs(parts, answer):
            start = segments[-1].next_position if segments else 0
            if isinstance(run, list):
                segments.append(text_segment(run, start))
            else:
                segments.append(self._image(run, start))
        return segments

    def _runs(self, parts: Sequence[Part], answer: Sequence[int]) -> Iterator[list[int] | Image]:
        """Yield token ids and images; text between special tokens is tokenized as one."""
        ids, text = [self._start_of_turn], 'user\n'
        for part in parts:
            if isinstance(part, str):
                text += part
                continue
            if ids or text:
                yield [*ids, *self.tokens.text(text)]
            yield part
            ids, text = [], ''
        ids += [*self.tokens.text(text), self._end_of_turn, *self.tokens.text('\n')]
        yield [*ids, self._start_of_turn, *self.tokens.text('assistant\n'), *answer]

    def _image(self, image: Image, start: int) -> Segment:
        """Encode an image as a doubled frame, since the vision tower reads pairs."""
        if isinstance(image, EncodedImage):
            return self._visual(*image.grid, image.features, start)
        rows, columns = self._geometry.grid((image.shape[0], image.shape[1]))
        return self._visual(rows, columns, doubled(image, 0.0), start)

    def _visual(self, rows: int, columns: int, shown: Block | Features, start: int) -> Segment:
        count = rows * columns
        ids = [self._vision_start, *[self.image_pad] * count, self._vision_end]
        return visual_segment(ids, (1, 1 + count), shown, (rows, columns), start)


def answer_ids(
    tokens: PromptTokens, answers: Sequence[str], prefix: str = ''
) -> tuple[list[int], list[list[int]]]:
    """Return the token ids of the prefix, and of each answer after it.

    The end of the prefix belongs to the answers where the tokenizer joins it to what follows,
    such as a space. Raises ModelError where the tokens of one answer begin with all tokens of
    another, so the two cannot be told apart.
    """
    prefix_ids = tokens.text(prefix)
    joined = [tokens.text(prefix + answer) for answer in answers]
    shared = min(_common_prefix(prefix_ids, ids) for ids in joined)
    own = [ids[shared:] for ids in joined]
    for one, other in itertools.permutations(range(len(own)), 2):
        if own[other][: len(own[one])] == own[one]:
            raise ModelError(
                f'the answers {answers[one]!r} and {answers[other]!r} begin alike for the '
                'tokenizer, so they cannot be told apart: use other answers'
            )
    return prefix_ids[:shared], own


def _common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """Return the number of leading tokens that both share."""
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in pairs)
