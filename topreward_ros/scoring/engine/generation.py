# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Greedy decoding: prefill of the prompt, then one cached step per token."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch

from topreward_ros.errors import NOT_A_NUMBER, ModelError

from .prefix_cache import prefix_cache
from .prompt import Segment, count_tokens, text_segment
from .qwen3_vl import Engine


@torch.inference_mode()
def generate(
    engine: Engine, segments: Sequence[Segment], stop_tokens: Collection[int], limit: int
) -> list[int]:
    """Return the ids of the greedy answer to a prompt, at most `limit`, without the stop token.

    Equal to `generate(do_sample=False)` of transformers. Raises ValueError for a limit below 1,
    ModelError where a logit is not a number.
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
            if logits[0, token].isnan():  # argmax treats NaN as the largest value
                raise ModelError(NOT_A_NUMBER)
            if token in stop_tokens:
                break
            answer.append(token)
            new = [text_segment([token], new[-1].next_position)]
    return answer
