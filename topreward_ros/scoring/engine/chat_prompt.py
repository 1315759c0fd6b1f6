# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
r"""One turn of a chat with images among its text, token by token.

    <|im_start|>user\n
    text, and per image: <|vision_start|> N x <|image_pad|> <|vision_end|>
    <|im_end|>\n<|im_start|>assistant\n
    the answer as far as it is put into the model's mouth

This is how an instruct model was taught to be asked (Qwen3-VL's chat template, which has no
system turn). TOPReward's own question is not asked so: see `prompt`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from .geometry import Geometry
from .prompt import PromptTokens, Segment, text_segment, visual_segment
from .video import doubled

Part = str | torch.Tensor  # text, or an image uint8 (3, H, W)


class ChatLayout:
    """Segments of a turn. A text in it stays text: special tokens spelled out in it are none."""

    def __init__(self, tokens: PromptTokens, geometry: Geometry) -> None:
        """Raises ModelError where the tokenizer cannot end a turn or show an image."""
        self.tokens = tokens
        self._geometry = geometry
        self._start_of_turn = tokens.special('<|im_start|>')
        self._end_of_turn = tokens.special('<|im_end|>')
        self._vision_start = tokens.special('<|vision_start|>')
        self._vision_end = tokens.special('<|vision_end|>')
        self.image_pad = tokens.special('<|image_pad|>')

    @property
    def stops(self) -> frozenset[int]:
        """The tokens with which an answer ends."""
        return frozenset({self._end_of_turn, self.tokens.special('<|endoftext|>')})

    def turn(self, parts: Sequence[Part], begun: Sequence[int] = ()) -> list[Segment]:
        """The turn from position 0 on, up to what the model says next.

        begun are the tokens with which its answer begins. Images in one turn are of one size,
        multiples of the geometry's factor.
        """
        segments: list[Segment] = []
        for run in self._runs(parts, begun):
            start = segments[-1].next_position if segments else 0
            if isinstance(run, torch.Tensor):
                segments.append(self._image(run, start))
            else:
                segments.append(text_segment(run, start))
        return segments

    def _runs(
        self, parts: Sequence[Part], begun: Sequence[int]
    ) -> Iterator[list[int] | torch.Tensor]:
        """Ids between images, and the images. What no special token parts is cut as one text."""
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
        yield [*ids, self._start_of_turn, *self.tokens.text('assistant\n'), *begun]

    def _image(self, image: torch.Tensor, start: int) -> Segment:
        """An image is a frame that stands still: the vision tower reads it twice."""
        rows, columns = self._geometry.grid((image.shape[1], image.shape[2]))
        ids = [self._vision_start, *[self.image_pad] * (rows * columns), self._vision_end]
        return visual_segment(
            ids, (1, 1 + rows * columns), doubled(image, 0.0), (rows, columns), start
        )
