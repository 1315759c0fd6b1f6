# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Forward of a Qwen3-VL: prompt segments in, hidden states and log-probabilities out."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from topreward_ros.errors import ModelError

from ..loading.checkpoint import Checkpoint
from .attention import AttentionPart, PartAttention, causal_parts
from .counted_attention import counted_on
from .geometry import Geometry, geometry_of
from .key_value_cache import CacheWriter, KeyValueCache
from .language_model import LanguageModel, Tokens
from .prompt import Segment, count_tokens
from .video import Block, stacked
from .vision_tower import Features, VisionTower

# Rows of the output matrix converted to float32 at a time: 16384 x 4096 values are 256 MiB.
VOCABULARY_CHUNK = 16_384
MAX_REUSED_CAPACITY = 32_768  # larger caches are freed when they are returned [tokens]
STREAMING_FAMILIES = ('qwen3_vl', 'qwen3_vl_moe')


class Engine:
    """Runs prompt segments through a model and computes log-probabilities.

    model is a Qwen3VLForConditionalGeneration or its mixture-of-experts sibling. Returned caches
    are reused, so consecutive episodes share memory.
    """

    def __init__(self, model: Any, geometry: Geometry, visual: Any = None) -> None:
        """visual: a vision tower in place of the model's own."""
        self.model = model
        self.geometry = geometry
        self.vision = VisionTower(model.model.visual if visual is None else visual)
        self.language = LanguageModel(model.model.language_model)
        self._counted = counted_on(self.language.cache_shape(), self.language.heads)
        self._free: list[KeyValueCache] = []
        self._made: list[weakref.ref[KeyValueCache]] = []  # those in use, too

    @property
    def device(self) -> torch.device:
        return self.language.device

    def borrow_cache(self) -> KeyValueCache:
        """Return an empty cache, reused or new."""
        return self._free.pop() if self._free else self.new_cache()

    def new_cache(self) -> KeyValueCache:
        """Return an empty cache that is not meant to be returned."""
        cache = KeyValueCache(self.language.cache_shape())
        self._made = [made for made in self._made if made() is not None] + [weakref.ref(cache)]
        return cache

    @property
    def reserved_bytes(self) -> int:
        """Memory of all caches, in use or free; other threads may ask."""
        caches = [made() for made in self._made]
        tokens = sum(cache.capacity for cache in caches if cache is not None)
        return tokens * self.language.cache_shape().bytes_per_token

    def return_cache(self, cache: KeyValueCache) -> None:
        """Keep this cache for reuse, unless its capacity is above MAX_REUSED_CAPACITY."""
        cache.truncate(0)
        if cache.capacity <= MAX_REUSED_CAPACITY:
            self._free.append(cache)

    def on_device(self) -> contextlib.AbstractContextManager[Any]:
        """Return a context in which the model's device is CUDA's current device."""
        if self.device.type == 'cuda':
            return torch.cuda.device(self.device)
        return contextlib.nullcontext()

    def forward(
        self,
        segments: Sequence[Segment],
        cache: KeyValueCache,
        rows: Sequence[int] = (),
        parts: Sequence[AttentionPart] | None = None,
    ) -> torch.Tensor:
        """Run segments after the cached tokens; return hidden states (len(rows), hidden).

        The segments are appended to the cache. parts tell what the tokens attend to; all before
        them if not given. Blocks are encoded in this forward, unless some segments have features:
        then all that show something have to.
        """
        count, start = count_tokens(segments), cache.length
        tokens = Tokens(
            ids=self.to_device(
                torch.tensor([token for segment in segments for token in segment.ids])
            ),
            positions=self.to_device(torch.cat([segment.positions for segment in segments], dim=1)),
            visual=self.to_device(_visual_indices(segments)),
            rows=self.to_device(torch.tensor(list(rows), dtype=torch.long)),
            attention=PartAttention(
                parts or causal_parts(start, count), start, rows, self.to_device, self._counted
            ),
        )
        blocks = [segment.block for segment in segments if segment.block is not None]
        ready = [segment.features for segment in segments if segment.features is not None]
        if blocks and ready:
            raise ValueError('blocks to encode and features in one forward; expected one of them')
        frames = self.to_device(stacked(blocks)) if blocks else None
        try:
            with plain_attention(self.device):
                if ready:
                    return self.decode(tokens, Features.joined(ready), cache.append(count))
                return self.run(tokens, frames, cache.append(count))
        except BaseException:  # some layers may not have been written
            cache.truncate(min(start, cache.length))
            raise

    def run(self, tokens: Tokens, frames: torch.Tensor | None, writer: CacheWriter) -> torch.Tensor:
        """Run inputs that are on the device already; frames uint8 (pairs, 2, H, W, 3).

        Never synchronises with the device, so it can be captured in a CUDA graph.
        """
        return self.decode(tokens, None if frames is None else self._encode(frames), writer)

    def encode(self, block: Block) -> Features:
        """Return the features of a block, for segments of any number of forwards."""
        with self.on_device(), plain_attention(self.device):
            return self._encode(self.to_device(stacked([block])))

    def decode(
        self, tokens: Tokens, features: Features | None, writer: CacheWriter
    ) -> torch.Tensor:
        """Run inputs with these features at their video tokens, all on the device already."""
        if features is None:
            return self.language(tokens, None, (), writer)
        return self.language(tokens, features.tokens, features.deepstack, writer)

    def _encode(self, frames: torch.Tensor) -> Features:
        height, width = frames.shape[2:4]
        patch = self.geometry.patch
        return self.vision(self.geometry.patches(frames), height // patch, width // patch)

    def log_probs(self, hidden: torch.Tensor, tokens: Sequence[int]) -> torch.Tensor:
        """Return the log-softmax over the vocabulary at `tokens`, float32 (n, len(tokens)).

        The result is on the device. float32 whatever the dtype of the weights: in bfloat16 a logit
        near 20 has steps of 1/8 nat.
        """
        log_probs = torch.log_softmax(self.logits(hidden), dim=-1)
        return torch.stack([log_probs[:, token] for token in tokens], dim=1)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return logits of the whole vocabulary, float32 (n, vocabulary), on the device."""
        head = self.model.get_output_embeddings()
        if not head.weight.is_floating_point():  # quantised: only the module itself can apply it
            return torch.as_tensor(head(hidden).float())
        return _matmul_float32(hidden, head.weight)

    def to_device(self, tensor: torch.Tensor) -> torch.Tensor:
        """Copy a tensor to the device, asynchronously on CUDA."""
        if self.device.type != 'cuda':
            return tensor.to(self.device)
        return tensor.pin_memory().to(self.device, non_blocking=True)


def plain_attention(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Return a context for steps of ever new shapes: attention without cuDNN.

    cuDNN, the default on Hopper since torch 2.11, builds a plan for each shape. A step that is
    captured has one shape, and may use it.
    """
    if device.type != 'cuda':
        return contextlib.nullcontext()
    others = SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH
    return sdpa_kernel(list(others))


def engine_of(checkpoint: Checkpoint) -> Engine:
    """Return the engine of a Qwen3-VL checkpoint; ModelError for a model of another family."""
    if checkpoint.family not in STREAMING_FAMILIES:
        raise ModelError(
            f'{checkpoint.name} is a {checkpoint.family}; this reward model needs one of '
            f'{", ".join(STREAMING_FAMILIES)}. Set reward_model to "topreward" for other families'
        )
    return Engine(checkpoint.model, geometry_of(checkpoint))


def _matmul_float32(hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return hidden @ weight.T, accumulated and returned in float32."""
    if weight.dtype == torch.float32:
        return hidden.float() @ weight.T
    if weight.is_cuda and hidden.dtype == weight.dtype:
        try:
            return torch.mm(hidden, weight.T, out_dtype=torch.float32)
        except (TypeError, RuntimeError):  # torch before 2.8, or a GPU without support
            pass
    states = hidden.float()
    return torch.cat([states @ rows.float().T for rows in weight.split(VOCABULARY_CHUNK)], dim=1)


def _visual_indices(segments: Sequence[Segment]) -> torch.Tensor:
    """Return the indices of the video tokens among all tokens."""
    indices: list[int] = []
    start = 0
    for segment in segments:
        indices += range(start + segment.visual[0], start + segment.visual[1])
        start += len(segment.ids)
    return torch.tensor(indices, dtype=torch.long)
