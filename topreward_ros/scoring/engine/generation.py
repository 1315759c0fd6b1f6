# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Answers in words: the likeliest token each time, until the model ends its turn.

The prompt is run once and kept as keys and values; each token is one short step on top of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch

from topreward_ros.errors import NOT_A_NUMBER, ModelError

from .prefix_cache import prefix_cache
from .prompt import Segment, count_tokens, text_segment
from .qwen3_vl import Engine


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
    answer: list[int] = []
    with prefix_cache(engine) as prefix:
        new = prefix.prefill(segments)
        while len(answer) < limit:
            hidden = prefix.extend(new, [count_tokens(new) - 1])
            logits = engine.logits(hidden)
            token = int(logits.argmax())
            if logits[0, token].isnan():  # which argmax takes for the largest
                raise ModelError(NOT_A_NUMBER)
            if token in stops:
                break
            answer.append(token)
            new = [text_segment([token], new[-1].next_position)]
    return answer
