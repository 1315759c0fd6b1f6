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
from typing import Any

import torch
import torch.nn.functional as F
from transformers import AttentionInterface

from topreward_ros.demo.model import SIDE
from topreward_ros.scoring.engine.geometry import Geometry
from topreward_ros.scoring.engine.prompt import Segment, text_positions
from topreward_ros.scoring.engine.video import Block
from topreward_ros.scoring.engine.vision_tower import VisionTower
from topreward_ros.scoring.reward_models.topreward.layout import PromptLayout

Span = tuple[int, int]
POINTING_LAYER = 2  # its output is read by the pointing head; later layers compute the answer


@dataclass(frozen=True)
class TreeBranch:
    """The tokens [start, stop) that follow the trunk's first `root` tokens.

    mask: attention mask, boolean (stop - start, root + stop - start), True where a token attends.
    """

    start: int
    stop: int
    root: int
    mask: torch.Tensor


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
        self.branches.append(TreeBranch(start, len(self.ids), root, mask))

    def attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Attend along the tree; inputs (clips, heads, n, size), computed branch by branch."""
        attention = F.scaled_dot_product_attention
        end = self.trunk
        stem = query[:, :, :end], key[:, :, :end], value[:, :, :end]
        attn_out = [attention(*stem, is_causal=True, enable_gqa=True)]
        for branch in self.branches:
            span = slice(branch.start, branch.stop)
            keys, values = (
                torch.cat([part[:, :, : branch.root], part[:, :, span]], dim=2)
                for part in (key, value)
            )
            attn_out.append(
                attention(query[:, :, span], keys, values, attn_mask=branch.mask, enable_gqa=True)
            )
        return torch.cat(attn_out, dim=2)


class TreeModel:
    """Scores trees with a Qwen3-VL model, with gradients."""

    def __init__(self, model: Any, layout: PromptLayout, geometry: Geometry) -> None:
        self.model = model
        self.layout = layout
        self.geometry = geometry
        self.vision = VisionTower(model.model.visual)
        before, after = layout.question.template.split('{task}')
        self._before = layout.tokens.text(before.rstrip())
        self._after = after
        # Hidden states of the questions' last tokens after POINTING_LAYER
        self.pointing_states = torch.empty(0)
        self._tree = Tree()
        language_model = model.model.language_model
        language_model.layers[POINTING_LAYER].register_forward_hook(self._store_output)
        AttentionInterface.register('tree', self._attend)  # transformers makes no mask for it
        language_model.config._attn_implementation = 'tree'
        type(language_model.norm).forward = _norm

    def _attend(
        self,
        _module: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        *_: Any,
        **__: Any,
    ) -> tuple[torch.Tensor, None]:
        return self._tree.attend(query, key, value).transpose(1, 2), None

    def _store_output(self, _layer: Any, _inputs: Any, output: Any) -> None:
        self.pointing_states = output[0] if isinstance(output, tuple) else output

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
        tree, grid = Tree(), self.geometry.grid((SIDE, SIDE))
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
        model, clips = self.model.model, len(frames)
        ids = torch.tensor(tree.ids).repeat(clips, 1)
        ends = torch.empty(clips, len(tree.tails), dtype=torch.long)
        for clip, row in enumerate(tails):
            for k, (start, tail) in enumerate(zip(tree.tails, row, strict=True)):
                ids[clip, start : start + len(tail)] = torch.tensor(tail)
                ends[clip, k] = start + len(tail) - 1
        features = self.encode(frames[:, torch.tensor(tree.pairs)].flatten(0, 1))
        embeds = model.get_input_embeddings()(ids)
        visual = torch.zeros(clips, len(tree.ids), dtype=torch.bool)
        visual[:, tree.visual] = True
        embeds = embeds.masked_scatter(visual[..., None], features[0])
        positions = torch.cat(tree.positions, dim=1)
        order = torch.arange(len(tree.ids)).view(1, -1)
        self._tree = tree
        hidden = model.language_model(
            inputs_embeds=embeds,
            position_ids=torch.cat([order, positions])[:, None].expand(-1, clips, -1),
            use_cache=False,
            visual_pos_masks=visual,
            deepstack_visual_embeds=[layer.flatten(0, 1) for layer in features[1:]],
        ).last_hidden_state
        clip = torch.arange(clips)[:, None]
        hidden, self.pointing_states = hidden[clip, ends], self.pointing_states[clip, ends]
        logits = self.model.lm_head(hidden).float()
        answers = list(self.layout.answers)
        return F.log_softmax(logits, dim=-1)[..., answers], features

    def encode(self, pairs: torch.Tensor) -> list[torch.Tensor]:
        """Return the vision tower's tokens and DeepStack features of uint8 (n, 2, H, W, 3)."""
        count, (height, width) = len(pairs), pairs.shape[2:4]
        patch = self.geometry.patch
        features = self.vision(self.geometry.patches(pairs), height // patch, width // patch)
        parts = (features.tokens, *features.deepstack)
        return [part.view(count, -1, part.shape[-1]) for part in parts]


def _norm(norm: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Replace Qwen3-VL's norm of five operations by one, with the same result."""
    return F.rms_norm(hidden, norm.weight.shape, norm.weight, norm.variance_epsilon)
