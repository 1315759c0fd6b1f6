# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Token ids and positions of a Qwen3-VL prompt, whatever version of transformers is installed.

Text advances all three MRoPE axes by one, a block's merged patches sit at (s, s + row, s + column),
and what follows goes on at s + max(rows, columns).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer

from topreward_ros.errors import ModelError

from ..questions import Question
from .video import Block


@dataclass(frozen=True)
class Segment:
    """A run of tokens with positions (3, n) on the time, row and column axes of MRoPE.

    block is the one whose patches stand at `visual`, the start and stop of the run that is video.
    """

    ids: tuple[int, ...]
    positions: torch.Tensor
    block: Block | None = None
    visual: tuple[int, int] = (0, 0)

    @property
    def next_position(self) -> int:
        return int(self.positions.max()) + 1


class PromptTokens:
    """Turns texts into ids.

    Only this class puts special tokens into a prompt; those spelled out in a text are plain text.
    """

    def __init__(self, tokenizer_file: Path) -> None:
        """Raises ModelError where the file lacks Qwen3-VL's tokens."""
        description = json.loads(tokenizer_file.read_text(encoding='utf-8'))
        self._file = tokenizer_file
        self._added = {
            token['content']: int(token['id']) for token in description.get('added_tokens', [])
        }
        self._start_of_turn = self.special('<|im_start|>')
        self._vision_start = self.special('<|vision_start|>')
        self._vision_end = self.special('<|vision_end|>')
        self.video_pad = self.special('<|video_pad|>')
        # Without its added tokens the tokenizer cannot be talked into making one.
        description['added_tokens'] = []
        self._plain = Tokenizer.from_str(json.dumps(description))

    @classmethod
    def of(cls, folder: Path) -> PromptTokens:
        """The tokens of the checkpoint in this folder."""
        return cls(folder / 'tokenizer.json')

    def special(self, token: str) -> int:
        """The id of a special token; ModelError where the tokenizer has none of this name."""
        try:
            return self._added[token]
        except KeyError as error:
            raise ModelError(
                f'{self._file} has no token {token!r}: it is not the tokenizer of a Qwen3-VL'
            ) from error

    def text(self, text: str) -> list[int]:
        return list(self._plain.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of these tokens; added tokens, special ones among them, leave no trace."""
        return self._plain.decode(list(ids))

    def header(self) -> list[int]:
        return [self._start_of_turn, *self.text('user\n')]

    def block(self, time: float, tokens: int) -> tuple[list[int], tuple[int, int]]:
        """The ids of one block, and where its `tokens` video tokens are."""
        before = [*self.text(f'<{time:.1f} seconds>'), self._vision_start]
        ids = [*before, *[self.video_pad] * tokens, self._vision_end]
        return ids, (len(before), len(before) + tokens)

    def answers(self, question: Question) -> tuple[int, int]:
        """The ids of the two answers; ModelError where one is not a single token."""
        ids = [self.text(answer) for answer in (question.true, question.false)]
        if any(len(answer) != 1 for answer in ids):
            raise ModelError(
                f'the tokenizer splits {question.true!r} or {question.false!r} in several; '
                'the question needs answers of one token each'
            )
        return ids[0][0], ids[1][0]


def text_positions(count: int, start: int) -> torch.Tensor:
    """Where so many tokens of text stand, (3, count)."""
    return torch.arange(start, start + count).expand(3, count)


def text_segment(ids: Sequence[int], start: int) -> Segment:
    return Segment(tuple(ids), text_positions(len(ids), start))


def visual_segment(
    ids: Sequence[int], visual: tuple[int, int], block: Block, grid: tuple[int, int], start: int
) -> Segment:
    """Ids of which those from `visual` on to its end stand for the merged patches of a block.

    grid is rows and columns of merged patches; start the position of the first token.
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
    return Segment(tuple(ids), positions, block, visual)


def count_tokens(segments: Sequence[Segment]) -> int:
    """The tokens of all segments."""
    return sum(len(segment.ids) for segment in segments)
