# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A Qwen3-VL asked in a chat turn, for the log-probabilities of given answers or for a text."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from topreward_ros.errors import NOT_A_NUMBER, ModelError

from ..loading.checkpoint import Checkpoint
from .chat_prompt import ChatLayout, EncodedImage, Image, Part, answer_ids
from .generation import generate
from .kept_turn import KeptTurn
from .prefix_cache import Branch, PrefixCache, prefix_cache
from .prompt import PromptTokens, Segment, count_tokens, text_segment
from .qwen3_vl import Engine, engine_of
from .video import doubled
from .vision_tower import VisionTower


class ChatModel:
    """Answers one chat turn at a time; nothing is cached between turns but in a `KeptTurn`."""

    is_reference = False  # whether it computes all anew, by transformers' own forward

    def __init__(self, checkpoint: Checkpoint, engine: Engine | None = None) -> None:
        """Use the given engine of the checkpoint, or make one.

        Raises ModelError for another family, or a tokenizer without image tokens.
        """
        self.checkpoint = checkpoint
        self.engine = engine_of(checkpoint) if engine is None else engine
        # Its reward models show pictures in their own shape, as published
        self.geometry = dataclasses.replace(self.engine.geometry, frame_fit='aspect')
        self._layout = ChatLayout(PromptTokens.of(checkpoint.folder), self.geometry)
        self._stop_tokens = self._layout.stop_tokens | _configured_stop_tokens(checkpoint)

    @property
    def vision(self) -> VisionTower:
        """What encodes images; what one of them has encoded is meant for models that share it."""
        return self.engine.vision

    @torch.inference_mode()
    def encode(self, image: torch.Tensor) -> Image:
        """Encode an image, uint8 (H, W, 3), once for all turns that show it."""
        grid = self.geometry.grid((image.shape[0], image.shape[1]))
        return EncodedImage(self.engine.encode(doubled(image, 0.0)), grid)

    def kept_turn(self) -> KeptTurn:
        """Return a place for turns that begin alike, to be given to `log_probs` and closed."""
        return KeptTurn(self, self.engine)

    def answer_ids(
        self, answers: Sequence[str], prefix: str = ''
    ) -> tuple[list[int], list[list[int]]]:
        """See `chat_prompt.answer_ids`."""
        return answer_ids(self._layout.tokens, answers, prefix)

    @torch.inference_mode()
    def log_probs(
        self,
        parts: Sequence[Part],
        answers: Sequence[str],
        prefix: str = '',
        kept: KeptTurn | None = None,
    ) -> list[float]:
        """Return log P(answer) [nat] after the turn and the prefix, for each of the answers.

        The log-probability of an answer is the sum over its tokens, each given those before it.
        All answers are run as branches in one forward. kept: where the last turn is, of which what
        both begin with is not run again. Raises ModelError for values that are not numbers,
        ValueError for a kept turn of another model.
        """
        prefix_ids, ids = self.answer_ids(answers, prefix)
        return self._log_probs(self._layout.turn(parts, prefix_ids), ids, kept)

    def _log_probs(
        self, turn: list[Segment], answers: list[list[int]], kept: KeptTurn | None
    ) -> list[float]:
        """As `log_probs`, of the tokens of a turn with the prefix, and of each answer after it."""
        with self._continued(turn, kept) as (cache, rest):
            token_log_probs = self._token_log_probs(cache, rest, answers)
            if any(math.isnan(value) for value in token_log_probs):
                raise ModelError(NOT_A_NUMBER)
        values = iter(token_log_probs)
        return [math.fsum(next(values) for _ in answer) for answer in answers]

    @contextmanager
    def _continued(
        self, turn: list[Segment], kept: KeptTurn | None
    ) -> Iterator[tuple[PrefixCache, list[Segment]]]:
        """Yield the cache for a turn, and the segments that are not in it yet."""
        if kept is None:
            with prefix_cache(self.engine) as cache:
                yield cache, turn
            return
        if kept.owner is not self:
            raise ValueError('the kept turn is of another model; expected one of this model')
        try:
            yield kept.continued(turn)
        except ModelError:
            kept.discard()
            raise

    def _token_log_probs(
        self, cache: PrefixCache, rest: list[Segment], answers: list[list[int]]
    ) -> list[float]:
        """Return log P of each token of each answer, given the turn and the tokens before it.

        rest: the segments of the turn that are not in the cache.
        """
        start, root = rest[-1].next_position, cache.length + count_tokens(rest)
        # Nothing is predicted from the last token of an answer, so it is not run.
        leaves = [text_segment(ids[:-1], start) for ids in answers]
        last = end = count_tokens(rest) - 1
        rows: list[int] = []
        for ids in answers:
            rows += [last, *range(end + 1, end + len(ids))]
            end += len(ids) - 1
        hidden = cache.forward(rest, [Branch(root, leaves)], rows)
        tokens = torch.tensor([token for ids in answers for token in ids])
        log_probs = torch.log_softmax(self.engine.logits(hidden), dim=-1)
        return log_probs.gather(1, tokens[:, None].to(log_probs.device))[:, 0].tolist()

    def generate(self, parts: Sequence[Part], limit: int) -> str:
        """Return the model's greedy answer to the turn, of at most `limit` tokens."""
        segments = self._layout.turn(parts)
        ids = generate(self.engine, segments, self._stop_tokens, limit)
        return self._layout.tokens.decode(ids)


def _configured_stop_tokens(checkpoint: Checkpoint) -> frozenset[int]:
    """Return the stop tokens of the checkpoint's generation_config.json."""
    config = getattr(checkpoint.model, 'generation_config', None)
    ends = getattr(config, 'eos_token_id', None)
    return frozenset(ends if isinstance(ends, list) else [] if ends is None else [ends])
