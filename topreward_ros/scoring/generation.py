# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Answers in words: the likeliest token each time, until the model ends its turn.

The prompt is run once and kept as keys and values; each token is one short step on top of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch

from .cache import KeyValueCache
from .engine import Engine
from .errors import ModelError
from .prompt import Segment, text_segment
from .score import NOT_A_NUMBER

# Of a prompt that are run at once: bounds the memory of one forward.
SEGMENTS_PER_FORWARD = 8


@torch.inference_mode()
def generate(
    engine: Engine, segments: Sequence[Segment], stops: Collection[int], limit: int
) -> list[int]:
    """Ids of the greedy answer to a prompt, at most `limit`, without the token that ends it.

    The same as `generate(do_sample=False)` of transformers. ValueError for a limit below 1,
    ModelError where the model answers with what is no number.
    """
    if limit < 1:
        raise ValueError(f'an answer of at most {limit} tokens; expected 1 or more')
    with engine.lent_cache() as cache, engine.on_device():
        return _generate(engine, list(segments), stops, limit, cache)


def _generate(
    engine: Engine,
    new: list[Segment],
    stops: Collection[int],
    limit: int,
    cache: KeyValueCache,
) -> list[int]:
    while len(new) > SEGMENTS_PER_FORWARD:
        engine.forward(new[:SEGMENTS_PER_FORWARD], cache)
        new = new[SEGMENTS_PER_FORWARD:]
    answer: list[int] = []
    while len(answer) < limit:
        last = sum(len(segment.ids) for segment in new) - 1
        hidden = engine.forward(new, cache, [last])
        logits = engine.logits(hidden)
        token = int(logits.argmax())
        if logits[0, token].isnan():  # which argmax takes for the largest
            raise ModelError(NOT_A_NUMBER)
        if token in stops:
            break
        answer.append(token)
        new = [text_segment([token], new[-1].next_position)]
    return answer
