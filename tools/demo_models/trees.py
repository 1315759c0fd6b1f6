# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tree attention: several prefixes of a clip and several questions each, in one forward.

The video is the trunk of a tree. A prefix branches off after its last full block, with its doubled
last frame if it is unpaired and the part of the question before the task; the questions branch off
there. A token attends to its own branch back to the root only, so each score equals that of its
prefix alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from topreward_ros.demo.model import SIDE
from topreward_ros.scoring.engine.prompt import Segment, text_positions
from topreward_ros.scoring.engine.video import Block
from topreward_ros.scoring.reward_models.topreward.layout import TOPREWARD, PromptLayout

from .attention import attend, bias_of, causal
from .forward import GradientModel

Span = tuple[int, int]


@dataclass(frozen=True)
class TreeBranch:
    """The tokens [start, stop) that follow the trunk's first `root` tokens.

    bias: of attention (stop - start, root + stop - start), 0 where a token attends.
    """

    start: int
    stop: int
    root: int
    bias: torch.Tensor


@dataclass
class Tree:
    """The tokens of a clip, the same for every clip of a batch except for the tasks.

    The trunk comes first and is causal; pairs: frame indices of each block; tails: start of the
    tokens from the task on, per question.
    """

    ids: list[int] = field(default_factory=list)
    positions: list[torch.Tensor] = field(default_factory=list)
    visual: list[int] = field(default_factory=list)
    pairs: list[Span] = field(default_factory=list)
    tails: list[int] = field(default_factory=list)
    branches: list[TreeBranch] = field(default_factory=list)

    @property
    def trunk(self) -> int:
        return self.branches[0].start

    def add(self, ids: Sequence[int], positions: torch.Tensor) -> None:
        self.ids += ids
        self.positions.append(positions)

    def add_block(self, segment: Segment, pair: Span) -> None:
        start = len(self.ids)
        self.visual += range(start + segment.visual[0], start + segment.visual[1])
        self.pairs.append(pair)
        self.add(segment.ids, segment.positions)

    def close_branch(self, root: int, start: int, questions: int, longest: int) -> None:
        """Make a branch, at `root`, of all tokens from `start`; its last tokens are questions."""
        count = len(self.ids) - start
        mask = torch.ones(count, count, dtype=torch.bool).tril()
        shared = count - questions * longest
        for k in range(1, questions):  # no attention to previous questions
            first = shared + k * longest
            mask[first : first + longest, shared:first] = False
        mask = torch.cat([torch.ones(count, root, dtype=torch.bool), mask], dim=1)
        self.branches.append(TreeBranch(start, len(self.ids), root, bias_of(mask)))

    def attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Attend along the tree; inputs (clips, heads, n, size), computed branch by branch."""
        end = self.trunk
        attn_out = [causal(query[:, :, :end], key[:, :, :end], value[:, :, :end])]
        for branch in self.branches:
            span = slice(branch.start, branch.stop)
            keys, values = (
                torch.cat([part[:, :, : branch.root], part[:, :, span]], dim=2)
                for part in (key, value)
            )
            attn_out.append(attend(query[:, :, span], keys, values, branch.bias))
        return torch.cat(attn_out, dim=2)


class TreeModel:
    """Scores trees with a Qwen3-VL model, with gradients."""

    def __init__(self, model: GradientModel, layout: PromptLayout) -> None:
        self._model = model
        self.layout = layout
        before, after = TOPREWARD.template.split('{task}')
        self._before = layout.tokens.text(before.rstrip())
        self._after = after
        # Hidden states of the questions' last tokens in the middle of the model
        self.pointing_states = torch.empty(0)

    def tail(self, task: str, short: bool) -> list[int]:
        """Return the tokens of a question from the task on."""
        return self.layout.tokens.text(f' {task}' + ('' if short else self._after))

    def tree(
        self,
        times: Sequence[float],
        prefixes: Sequence[int],
        questions: int,
        longest: int,
        short: bool = False,
    ) -> Tree:
        """Return a tree of `questions` questions per prefix, with tails of `longest` tokens."""
        tree, grid = Tree(), self._model.geometry.grid((SIDE, SIDE))
        header = self.layout.header()
        tree.add(header.ids, header.positions)
        # Tokens and next position of the trunk after each number of blocks
        ends = [(len(tree.ids), header.next_position)]
        for k in range(1, len(times), 2):
            segment = self._block(times[k - 1], times[k], grid, ends[-1][1])
            tree.add_block(segment, (k - 1, k))
            ends.append((len(tree.ids), segment.next_position))
        for prefix in prefixes:
            (root, end), start = ends[prefix // 2], len(tree.ids)
            if prefix % 2:
                last = prefix - 1
                segment = self._block(times[last], times[last], grid, end)
                tree.add_block(segment, (last, last))
                end = segment.next_position
            if not short:
                tree.add(self._before, text_positions(len(self._before), end))
                end += len(self._before)
            for _ in range(questions):
                tree.tails.append(len(tree.ids))
                tree.add([0] * longest, text_positions(longest, end))
            tree.close_branch(root, start, questions, longest)
        return tree

    def _block(self, first: float, second: float, grid: Span, start: int) -> Segment:
        return self.layout.block(
            Block((torch.empty(0), torch.empty(0)), (first, second)), grid, start
        )

    def forward(
        self, tree: Tree, frames: torch.Tensor, tails: Sequence[Sequence[list[int]]]
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return log-probabilities (clips, questions, 2) of True and False, and vision features.

        frames: uint8 (clips, frames, H, W, 3); tails: tokens of every question of every clip;
        features: each (clips * blocks, tokens, hidden).
        """
        clips = len(frames)
        ids = torch.tensor(tree.ids).repeat(clips, 1)
        ends = torch.empty(clips, len(tree.tails), dtype=torch.long)
        for clip, row in enumerate(tails):
            for k, (start, tail) in enumerate(zip(tree.tails, row, strict=True)):
                ids[clip, start : start + len(tail)] = torch.tensor(tail)
                ends[clip, k] = start + len(tail) - 1
        pairs = frames[:, torch.tensor(tree.pairs)].flatten(0, 1)
        features = self._model.encode(pairs)
        visual = torch.zeros(clips, len(tree.ids), dtype=torch.bool)
        visual[:, tree.visual] = True
        positions = torch.cat(tree.positions, dim=1)[:, None].expand(-1, clips, -1)
        flat = [part.flatten(0, 1) for part in features]
        clip = torch.arange(clips)[:, None]
        states = self._model.run(
            ids, positions, visual, flat, read=(clip, ends), attend=tree.attend
        )
        self.pointing_states = self._model.middle[clip, ends]
        logits = self._model.model.lm_head(states)
        answers = list(self.layout.answers)
        return F.log_softmax(logits, dim=-1)[..., answers], features
