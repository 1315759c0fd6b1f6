# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The two towers of a Qwen3-VL model, from segments of a prompt to log-probabilities."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import torch

from topreward_ros.errors import ModelError

from ..loading.checkpoint import Checkpoint
from .geometry import Geometry, geometry_of
from .key_value_cache import KeyValueCache, Writer
from .language_model import LanguageModel, Tokens
from .prompt import Segment, count_tokens
from .vision_tower import VisionTower

# Rows of the output matrix taken to float32 at a time: 16384 x 4096 values are 256 MiB.
VOCABULARY_CHUNK = 16_384
LARGEST_LENT = 32_768  # [tokens]
FAMILIES = ('qwen3_vl', 'qwen3_vl_moe')


class Engine:
    """Runs segments of a prompt through a model and reads log-probabilities.

    model is a Qwen3VLForConditionalGeneration or its mixture-of-experts sibling. Caches that are
    given back are lent again, so that the memory of one episode serves the next.
    """

    def __init__(self, model: Any, geometry: Geometry) -> None:
        self.model = model
        self.geometry = geometry
        self.vision = VisionTower(model.model.visual)
        self.language = LanguageModel(model.model.language_model)
        self._free: list[KeyValueCache] = []

    @property
    def device(self) -> torch.device:
        return self.language.device

    def borrow_cache(self) -> KeyValueCache:
        """An empty cache."""
        return self._free.pop() if self._free else KeyValueCache(self.language.cache_shape())

    def give_back(self, cache: KeyValueCache) -> None:
        """Lend this cache to whoever asks next; one as large as a long file's is given up."""
        cache.cut(0)
        if cache.room <= LARGEST_LENT:
            self._free.append(cache)

    def on_device(self) -> contextlib.AbstractContextManager[Any]:
        """Within it the model's device is the one that CUDA means by default."""
        if self.device.type == 'cuda':
            return torch.cuda.device(self.device)
        return contextlib.nullcontext()

    def forward(
        self,
        segments: Sequence[Segment],
        cache: KeyValueCache,
        rows: Sequence[int] = (),
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Run segments after what the cache holds; the hidden states (len(rows), hidden).

        Afterwards the cache holds the segments too. mask is boolean (n, past + n), True where a
        token may look; without it every token sees all before it.
        """
        count = count_tokens(segments)
        if mask is None:
            mask = causal_mask(cache.length, count)
        tokens = Tokens(
            ids=self.send(torch.tensor([token for segment in segments for token in segment.ids])),
            positions=self.send(torch.cat([segment.positions for segment in segments], dim=1)),
            visual=self.send(_visual(segments)),
            rows=self.send(torch.tensor(list(rows), dtype=torch.long)),
            mask=self.send(mask),
        )
        blocks = [segment.block for segment in segments if segment.block is not None]
        frames = self.send(torch.stack([block.frames for block in blocks])) if blocks else None
        start = cache.length
        try:
            return self.run(tokens, frames, cache.append(count))
        except BaseException:  # what was written is not whole
            cache.cut(min(start, cache.length))
            raise

    def run(self, tokens: Tokens, frames: torch.Tensor | None, writer: Writer) -> torch.Tensor:
        """The same with everything on the device already; frames uint8 (pairs, 2, 3, H, W).

        Asks the device nothing, so it can be captured in a CUDA graph.
        """
        if frames is None:
            return self.language(tokens, None, (), writer)
        height, width = frames.shape[-2:]
        patch = self.geometry.patch
        features = self.vision(self.geometry.patches(frames), height // patch, width // patch)
        return self.language(tokens, features.tokens, features.deepstack, writer)

    def log_probs(self, hidden: torch.Tensor, tokens: Sequence[int]) -> torch.Tensor:
        """log softmax over the vocabulary at `tokens`, float32 (n, len(tokens)), on the device.

        Taken in float32 whatever the weights are: in bfloat16 a logit near 20 has steps of
        1/8 nat.
        """
        log_probs = torch.log_softmax(self.logits(hidden), dim=-1)
        return torch.stack([log_probs[:, token] for token in tokens], dim=1)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Over the whole vocabulary, float32 (n, vocabulary), on the device."""
        head = self.model.get_output_embeddings()
        if not head.weight.is_floating_point():  # quantised: only the module itself can read it
            return torch.as_tensor(head(hidden).float())
        return _product(hidden, head.weight)

    def send(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor on the device, without waiting for it to arrive."""
        if self.device.type != 'cuda':
            return tensor.to(self.device)
        return tensor.pin_memory().to(self.device, non_blocking=True)


def engine_of(checkpoint: Checkpoint) -> Engine:
    """The engine of a Qwen3-VL checkpoint; ModelError for a model of another family."""
    if checkpoint.family not in FAMILIES:
        raise ModelError(
            f'{checkpoint.name} is a {checkpoint.family}; streaming needs one of '
            f'{", ".join(FAMILIES)}. Set scorer to "recompute" for other families'
        )
    return Engine(checkpoint.model, geometry_of(checkpoint))


def causal_mask(past: int, count: int) -> torch.Tensor:
    """Boolean (count, past + count): each token sees all before it and itself."""
    return torch.ones(count, past + count, dtype=torch.bool).tril(past)


def _product(hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """hidden @ weight.T, summed and given in float32."""
    if weight.dtype == torch.float32:
        return hidden.float() @ weight.T
    if weight.is_cuda and hidden.dtype == weight.dtype:
        try:
            return torch.mm(hidden, weight.T, out_dtype=torch.float32)
        except (TypeError, RuntimeError):  # before torch 2.8, or a GPU that cannot: below
            pass
    states = hidden.float()
    return torch.cat([states @ rows.float().T for rows in weight.split(VOCABULARY_CHUNK)], dim=1)


def _visual(segments: Sequence[Segment]) -> torch.Tensor:
    """Indices of the video tokens."""
    indices: list[int] = []
    start = 0
    for segment in segments:
        indices += range(start + segment.visual[0], start + segment.visual[1])
        start += len(segment.ids)
    return torch.tensor(indices, dtype=torch.long)
