# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Many prefixes and many questions about one clip, in one forward of the model.

The video is the trunk of a tree. A prefix branches off after its last whole block (with its odd
frame doubled, if it has one) and says the words before the task; the questions branch off there.
A token sees its own branch back to the root and nothing beside it, so each score is the one that
the prefix would get by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F

from topreward_ros.demo.model import SIDE
from topreward_ros.scoring.prompt import PromptLayout, Segment, text_positions
from topreward_ros.scoring.transformers_versions import vision_features
from topreward_ros.scoring.video import Block, Geometry

Span = tuple[int, int]
THINKING_LAYER = -2


@dataclass
class Tree:
    """The tokens of a clip, the same for every clip of a batch but for the tasks.

    pairs are the frames of each block; tails [start] are where the questions' own words go.
    """

    ids: list[int] = field(default_factory=list)
    positions: list[torch.Tensor] = field(default_factory=list)
    seen: list[tuple[Span, list[Span]]] = field(default_factory=list)
    visual: list[int] = field(default_factory=list)
    pairs: list[Span] = field(default_factory=list)
    tails: list[int] = field(default_factory=list)

    def add(self, ids: Sequence[int], positions: torch.Tensor, path: list[Span]) -> list[Span]:
        """Append tokens that see `path` and each other; the path of what comes after them."""
        span = len(self.ids), len(self.ids) + len(ids)
        self.ids += ids
        self.positions.append(positions)
        self.seen.append((span, path))
        return [*path, span]

    def add_block(self, segment: Segment, pair: Span, path: list[Span]) -> list[Span]:
        start = len(self.ids)
        self.visual += range(start + segment.visual[0], start + segment.visual[1])
        self.pairs.append(pair)
        return self.add(segment.ids, segment.positions, path)

    def mask(self) -> torch.Tensor:
        """Boolean (1, 1, n, n), True where a token may look."""
        mask = torch.zeros(len(self.ids), len(self.ids), dtype=torch.bool)
        for (start, stop), path in self.seen:
            for first, last in path:
                mask[start:stop, first:last] = True
            mask[start:stop, start:stop] = torch.ones(stop - start, stop - start).tril().bool()
        return mask[None, None]


class TreeModel:
    """Scores trees with a Qwen3-VL model, so that gradients flow."""

    def __init__(self, model: Any, layout: PromptLayout, geometry: Geometry) -> None:
        self.model = model
        self.layout = layout
        self.geometry = geometry
        before, after = layout.question.template.split('{task}')
        self._before = layout.tokens.text(before.rstrip())
        self._after = after
        # Where a question's last token has seen the video and not yet been answered
        self.thought = torch.empty(0)
        model.model.language_model.layers[THINKING_LAYER].register_forward_hook(self._listen)

    def _listen(self, _layer: Any, _inputs: Any, output: Any) -> None:
        self.thought = output[0] if isinstance(output, tuple) else output

    def tail(self, task: str, short: bool) -> list[int]:
        """What a question says from the task on."""
        return self.layout.tokens.text(f' {task}' + ('' if short else self._after))

    def tree(
        self,
        times: Sequence[float],
        prefixes: Sequence[int],
        questions: int,
        longest: int,
        short: bool = False,
    ) -> Tree:
        """A tree of so many questions to each prefix; tails of at most `longest` tokens."""
        tree, grid = Tree(), self.geometry.grid((SIDE, SIDE))
        header = self.layout.header()
        paths = [tree.add(header.ids, header.positions, [])]
        ends = [header.next_position]
        for k in range(1, len(times), 2):
            segment = self._block(times[k - 1], times[k], grid, ends[-1])
            paths.append(tree.add_block(segment, (k - 1, k), paths[-1]))
            ends.append(segment.next_position)
        for prefix in prefixes:
            path, end = paths[prefix // 2], ends[prefix // 2]
            if prefix % 2:
                last = prefix - 1
                segment = self._block(times[last], times[last], grid, end)
                path, end = tree.add_block(segment, (last, last), path), segment.next_position
            if not short:
                path = tree.add(self._before, text_positions(len(self._before), end), path)
                end += len(self._before)
            for _ in range(questions):
                tree.tails.append(len(tree.ids))
                tree.add([0] * longest, text_positions(longest, end), path)
        return tree

    def _block(self, first: float, second: float, grid: Span, start: int) -> Segment:
        return self.layout.block(Block(torch.empty(0), (first, second)), grid, start)

    def forward(
        self, tree: Tree, frames: torch.Tensor, tails: Sequence[Sequence[list[int]]]
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Log-probabilities (clips, questions, 2) of True and False, and the vision tower's
        features, each (clips * blocks, tokens, hidden).

        frames: uint8 (clips, frames, 3, H, W); tails: tokens of every question of every clip.
        """
        model, clips = self.model.model, len(frames)
        ids = torch.tensor(tree.ids).repeat(clips, 1)
        ends = torch.empty(clips, len(tree.tails), dtype=torch.long)
        for clip, row in enumerate(tails):
            for k, (start, tail) in enumerate(zip(tree.tails, row, strict=True)):
                ids[clip, start : start + len(tail)] = torch.tensor(tail)
                ends[clip, k] = start + len(tail) - 1
        features = self.see(frames[:, torch.tensor(tree.pairs)].flatten(0, 1))
        embeds = model.get_input_embeddings()(ids)
        visual = torch.zeros(clips, len(tree.ids), dtype=torch.bool)
        visual[:, tree.visual] = True
        embeds = embeds.masked_scatter(visual[..., None], features[0])
        positions = torch.cat(tree.positions, dim=1)
        order = torch.arange(len(tree.ids)).view(1, -1)
        hidden = model.language_model(
            inputs_embeds=embeds,
            position_ids=torch.cat([order, positions])[:, None].expand(-1, clips, -1),
            attention_mask=tree.mask().expand(clips, -1, -1, -1),
            use_cache=False,
            visual_pos_masks=visual,
            deepstack_visual_embeds=[layer.flatten(0, 1) for layer in features[1:]],
        ).last_hidden_state
        clip = torch.arange(clips)[:, None]
        hidden, self.thought = hidden[clip, ends], self.thought[clip, ends]
        logits = self.model.lm_head(hidden).float()
        answers = list(self.layout.answers)
        return F.log_softmax(logits, dim=-1)[..., answers], features

    def see(self, pairs: torch.Tensor) -> list[torch.Tensor]:
        """The vision tower's tokens and DeepStack features for uint8 (n, 2, 3, H, W)."""
        count, (height, width) = len(pairs), pairs.shape[-2:]
        patch = self.geometry.patch
        grid = torch.tensor([[1, height // patch, width // patch]] * count)
        visual = self.model.model.visual
        tokens, layers = vision_features(visual, self.geometry.patches(pairs), grid)
        return [part.view(count, -1, part.shape[-1]) for part in (tokens, *layers)]


def see_pairs_at_once(visual: Any) -> None:
    """Make the vision tower quick on a CPU for many pairs of equal size; the numbers stay.

    It would attend pair by pair in a loop, and cut patches with a slow convolution.
    """
    from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb_vision

    def attend(
        attention: Any,
        hidden_states: torch.Tensor,
        cu_seqlens: torch.Tensor,
        position_embeddings: Any = None,
        **_: Any,
    ) -> torch.Tensor:
        rows, pairs = len(hidden_states), len(cu_seqlens) - 1
        heads = attention.qkv(hidden_states).view(rows, 3, attention.num_heads, -1)
        query, key, value = heads.permute(1, 0, 2, 3).unbind(0)
        query, key = apply_rotary_pos_emb_vision(query, key, *position_embeddings)
        query, key, value = (
            part.view(pairs, rows // pairs, attention.num_heads, -1).transpose(1, 2)
            for part in (query, key, value)
        )
        mixed = F.scaled_dot_product_attention(query, key, value)
        return torch.as_tensor(attention.proj(mixed.transpose(1, 2).reshape(rows, -1)))

    def cut(embed: Any, patches: torch.Tensor) -> torch.Tensor:
        weight = embed.proj.weight
        return F.linear(patches.view(-1, weight[0].numel()), weight.flatten(1), embed.proj.bias)

    type(visual.blocks[0].attn).forward = attend
    type(visual.patch_embed).forward = cut
