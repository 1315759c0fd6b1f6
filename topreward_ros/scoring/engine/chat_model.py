# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A Qwen3-VL that is asked in a chat turn: how likely are these answers, or what does it say?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch

from topreward_ros.errors import NOT_A_NUMBER, ModelError

from ..loading.checkpoint import Checkpoint
from .chat_prompt import ChatLayout, Part
from .generation import generate
from .prefix_cache import Branch, PrefixCache, prefix_cache
from .prompt import PromptTokens, Segment, count_tokens, text_segment
from .qwen3_vl import Engine, engine_of


class ChatModel:
    """Asks one question at a time; nothing is kept between two."""

    def __init__(self, checkpoint: Checkpoint, engine: Engine | None = None) -> None:
        """engine is the checkpoint's, where it has one already.

        Raises ModelError for another family, or a tokenizer without tokens for images.
        """
        self._engine = engine_of(checkpoint) if engine is None else engine
        self.geometry = self._engine.geometry
        self._layout = ChatLayout(PromptTokens.of(checkpoint.folder), self.geometry)
        self._stops = self._layout.stops | _configured_stops(checkpoint)

    def answer_ids(
        self, answers: Sequence[str], prefix: str = ''
    ) -> tuple[list[int], list[list[int]]]:
        """The tokens of the prefix, and of each answer behind it.

        A last piece of the prefix that the tokenizer joins to what follows, such as a space, is
        counted to the answers. ModelError where an answer begins with all of another, so that
        which of them is meant cannot be told.
        """
        tokens = self._layout.tokens
        begun = tokens.text(prefix)
        whole = [tokens.text(prefix + answer) for answer in answers]
        shared = min(_alike(begun, ids) for ids in whole)
        own = [ids[shared:] for ids in whole]
        for one, other in itertools.permutations(range(len(own)), 2):
            if own[other][: len(own[one])] == own[one]:
                raise ModelError(
                    f'the answers {answers[one]!r} and {answers[other]!r} begin alike for the '
                    'tokenizer, so that which of them is meant cannot be told: ask for others'
                )
        return begun[:shared], own

    @torch.inference_mode()
    def log_probs(
        self, parts: Sequence[Part], answers: Sequence[str], prefix: str = ''
    ) -> list[float]:
        """log P(answer) [nat] after the turn and the prefix, for each of the answers.

        An answer of several tokens has the product of their probabilities, each given those
        before it. All answers are run in one forward, side by side.
        """
        begun, ids = self.answer_ids(answers, prefix)
        trunk = self._layout.turn(parts, begun)
        with prefix_cache(self._engine) as cached:
            predicted = self._predicted(trunk, ids, cached)
            if any(math.isnan(value) for value in predicted):
                raise ModelError(NOT_A_NUMBER)
        values = iter(predicted)
        return [math.fsum(next(values) for _ in answer) for answer in ids]

    def _predicted(
        self, trunk: list[Segment], answers: list[list[int]], cached: PrefixCache
    ) -> list[float]:
        """log P of each token of each answer, given the trunk and those before it."""
        start = trunk[-1].next_position
        # The last token of an answer leads nowhere, so an answer of one token adds nothing.
        leaves = [text_segment(ids[:-1], start) for ids in answers]
        last = end = count_tokens(trunk) - 1
        rows: list[int] = []
        for ids in answers:
            rows += [last, *range(end + 1, end + len(ids))]
            end += len(ids) - 1
        hidden = cached.ask(trunk, [Branch(count_tokens(trunk), leaves)], rows)
        tokens = torch.tensor([token for ids in answers for token in ids])
        log_probs = torch.log_softmax(self._engine.logits(hidden), dim=-1)
        return log_probs.gather(1, tokens[:, None].to(log_probs.device))[:, 0].tolist()

    def generate(self, parts: Sequence[Part], limit: int) -> str:
        """What the model says to the turn, in at most `limit` tokens."""
        segments = self._layout.turn(parts)
        return self._layout.tokens.decode(generate(self._engine, segments, self._stops, limit))


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in pairs)


def _configured_stops(checkpoint: Checkpoint) -> frozenset[int]:
    """What ends an answer by the checkpoint's own generation_config.json."""
    config = getattr(checkpoint.model, 'generation_config', None)
    ends = getattr(config, 'eos_token_id', None)
    return frozenset(ends if isinstance(ends, list) else [] if ends is None else [ends])
