# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The two towers of a Qwen3-VL model, called with tokens, positions and cache made explicit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .prompt import Segment
from .transformers_versions import vision_features
from .video import Block, Geometry

# Rows of the output matrix taken to float32 at a time: 16384 x 4096 values are 256 MiB.
VOCABULARY_CHUNK = 16_384


class Engine:
    """Runs segments of a prompt through a model and reads log-probabilities.

    model is a Qwen3VLForConditionalGeneration or its mixture-of-experts sibling.
    """

    def __init__(self, model: Any, geometry: Geometry) -> None:
        self.model = model
        self.geometry = geometry
        self._visual = model.model.visual
        self._language = model.model.language_model
        self._embed = model.get_input_embeddings()

    @property
    def text_config(self) -> Any:
        return self.model.config.text_config

    @property
    def device(self) -> torch.device:
        return self._embed.weight.device

    @property
    def masks_branches(self) -> bool:
        """Whether a boolean (1, 1, q, kv) mask does what it says: with SDPA only.

        Eager attention adds it to the scores and is silently wrong; flash attention refuses it.
        """
        return self.text_config._attn_implementation == 'sdpa'

    def pixels(self, blocks: Sequence[Block]) -> tuple[torch.Tensor, torch.Tensor]:
        """Patches of the blocks on the device, and their grid (n, 3) of time, rows, columns."""
        frames = torch.stack([block.frames for block in blocks]).to(self.device)
        rows, columns = frames.shape[-2:]
        patch = self.geometry.patch
        grid = torch.tensor([[1, rows // patch, columns // patch]] * len(blocks))
        return self.geometry.patches(frames), grid.to(self.device)

    def forward(
        self,
        segments: Sequence[Segment],
        cache: Any,
        rows: Sequence[int],
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Run segments after what the cache holds; the hidden states (len(rows), hidden).

        Afterwards the cache holds the segments too. mask is boolean (q, kv), True where a token
        may look; without it every token sees all before it.
        """
        ids = torch.tensor([[token for segment in segments for token in segment.ids]])
        count = ids.shape[1]
        past = cache.get_seq_length()
        # The axis that comes first is the place in the sequence; it keeps masks causal.
        order = torch.arange(past, past + count).view(1, -1)
        positions = torch.cat([order, _stack(segments)]).unsqueeze(1)
        embeds = self._embed(ids.to(self.device))
        deepstack: dict[str, Any] = {}
        visual = _visual_mask(segments)
        blocks = [segment.block for segment in segments if segment.block is not None]
        if blocks:
            patches, grid = self.pixels(blocks)
            features, layers = vision_features(self._visual, patches.to(self._visual.dtype), grid)
            visual = visual.to(self.device)
            embeds[visual] = features.to(embeds.dtype)
            deepstack = {'visual_pos_masks': visual, 'deepstack_visual_embeds': layers}
        hidden = self._language(
            inputs_embeds=embeds,
            position_ids=positions.to(self.device),
            attention_mask=None if mask is None else mask[None, None].to(self.device),
            past_key_values=cache,
            use_cache=True,
            **deepstack,
        ).last_hidden_state
        return hidden[0, torch.tensor(rows, dtype=torch.long, device=hidden.device)]

    def log_probs(self, hidden: torch.Tensor, tokens: Sequence[int]) -> torch.Tensor:
        """log softmax over the vocabulary at `tokens`, float32 (n, len(tokens)).

        Taken in float32 whatever the weights are, chunk by chunk: in bfloat16 a logit near 20 has
        steps of 1/8 nat.
        """
        head = self.model.get_output_embeddings()
        if not head.weight.is_floating_point():  # quantised: only the module itself can read it
            logits = head(hidden).float()
        else:
            states = hidden.float()
            logits = torch.cat(
                [states @ chunk.float().T for chunk in head.weight.split(VOCABULARY_CHUNK)], dim=1
            )
        return torch.log_softmax(logits, dim=-1)[:, list(tokens)].cpu()


def _stack(segments: Sequence[Segment]) -> torch.Tensor:
    return torch.cat([segment.positions for segment in segments], dim=1)


def _visual_mask(segments: Sequence[Segment]) -> torch.Tensor:
    mask = torch.zeros(1, sum(len(segment.ids) for segment in segments), dtype=torch.bool)
    start = 0
    for segment in segments:
        mask[0, start + segment.visual[0] : start + segment.visual[1]] = True
        start += len(segment.ids)
    return mask
