# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Token ids and MRoPE positions of a Qwen3-VL prompt, independent of the transformers version.

Text advances all three MRoPE axes by one; a block's merged patches are at (s, s + row, s + column),
and the text after it continues at s + max(rows, columns).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from topreward_ros.errors import ModelError, one_line

from ..loading.model_files import read_object
from .video import Block
from .vision_tower import Features

MAX_KEPT_TEXTS = 64  # whose tokens are kept: a score asks the same as the last one


@dataclass(frozen=True)
class Segment:
    """Tokens with positions (3, n) on the time, row and column axes of MRoPE.

    The tokens from `visual[0]` to `visual[1]` are video tokens, one per merged patch of the block,
    or of the features where it has been encoded before.
    """

    ids: tuple[int, ...]
    positions: torch.Tensor
    block: Block | None = None
    visual: tuple[int, int] = (0, 0)
    features: Features | None = None

    @property
    def next_position(self) -> int:
        return int(self.positions.max()) + 1


class PromptTokens:
    """Tokenizes the pieces of a prompt.

    Only this class adds special tokens to a prompt; those spelled out in a text stay plain text.
    """

    def __init__(self, tokenizer_file: Path) -> None:
        """Raises ModelError where it is damaged, or lacks Qwen3-VL's special tokens."""
        description = read_object(tokenizer_file)
        self._file = tokenizer_file
        self._added = self._read(description)
        self._start_of_turn = self.special('<|im_start|>')
        self._vision_start = self.special('<|vision_start|>')
        self._vision_end = self.special('<|vision_end|>')
        self.video_pad = self.special('<|video_pad|>')
        # Without added tokens, no text can be tokenized to a special token.
        description['added_tokens'] = []
        try:
            self._plain = Tokenizer.from_str(json.dumps(description))
            self._encoded = lru_cache(MAX_KEPT_TEXTS)(self._encode)
        except Exception as error:  # which is all that the library raises
            raise ModelError(f'{tokenizer_file} is damaged: {one_line(error)}') from error

    def _read(self, description: dict[str, Any]) -> dict[str, int]:
        try:
            tokens = description.get('added_tokens', [])
            return {str(token['content']): int(token['id']) for token in tokens}
        except (LookupError, TypeError, ValueError) as error:
            raise ModelError(f'{self._file} is damaged: {one_line(error)}') from error

    @classmethod
    def of(cls, folder: Path) -> PromptTokens:
        """Read the tokenizer of the checkpoint in this folder."""
        return cls(folder / 'tokenizer.json')

    def special(self, token: str) -> int:
        """Return the id of a special token; ModelError where the tokenizer does not have it."""
        try:
            return self._added[token]
        except KeyError as error:
            raise ModelError(
                f'{self._file} has no token {token!r}: it is not the tokenizer of a Qwen3-VL'
            ) from error

    def added(self, token: str) -> int | None:
        """Return the id of a token that was added to the vocabulary; None where it was not."""
        return self._added.get(token)

    @property
    def size(self) -> int:
        """The number of tokens, with those that were added."""
        return 1 + max(self._plain.get_vocab_size() - 1, *self._added.values())

    def text(self, text: str) -> list[int]:
        return list(self._encoded(text))

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._plain.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of these tokens, without added tokens such as the special ones."""
        return self._plain.decode(list(ids))

    def header(self) -> list[int]:
        return [self._start_of_turn, *self.text('user\n')]

    def block(self, time: float, tokens: int) -> tuple[list[int], tuple[int, int]]:
        """Return the ids of a block, and the start and stop of its `tokens` video tokens."""
        before = [*self.text(f'<{time:.1f} seconds>'), self._vision_start]
        ids = [*before, *[self.video_pad] * tokens, self._vision_end]
        return ids, (len(before), len(before) + tokens)


def text_positions(count: int, start: int) -> torch.Tensor:
    """Return the positions of `count` text tokens, (3, count)."""
    return torch.arange(start, start + count).expand(3, count)


def text_segment(ids: Sequence[int], start: int) -> Segment:
    return Segment(tuple(ids), text_positions(len(ids), start))


def visual_segment(
    ids: Sequence[int],
    visual: tuple[int, int],
    shown: Block | Features,
    grid: tuple[int, int],
    start: int,
) -> Segment:
    """Return a segment whose ids from `visual[0]` to `visual[1]` are the video tokens of a block.

    shown: the block, or its features; grid: rows and columns of merged patches; start: position of
    the first token.
    """
    rows, columns = grid
    before = text_positions(visual[0], start)
    corner = start + visual[0]
    patches = torch.stack(
        [
            torch.full((rows, columns), corner),
            torch.arange(rows).view(-1, 1).expand(rows, columns) + corner,
            torch.arange(columns).expand(rows, columns) + corner,
        ]
    ).flatten(1)
    after = text_positions(len(ids) - visual[1], corner + max(rows, columns))
    positions = torch.cat([before, patches, after], dim=1)
    if isinstance(shown, Block):
        return Segment(tuple(ids), positions, shown, visual)
    return Segment(tuple(ids), positions, None, visual, shown)


def count_tokens(segments: Sequence[Segment]) -> int:
    """Return the number of tokens in all segments."""
    return sum(len(segment.ids) for segment in segments)
