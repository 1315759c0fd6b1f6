# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Answers from each whole prompt anew, through transformers' own forward.

The reference in tests, and the way of the published server, which encodes the pictures for each
question. It shares only the prompt's token ids and the patches with `ChatModel`; positions, masks
and the forward are those of transformers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from topreward_ros.errors import NOT_A_NUMBER, ModelError

from ...engine.chat_model import ChatModel
from ...engine.chat_prompt import Image
from ...engine.kept_turn import KeptTurn
from ...engine.prompt import Segment
from ...engine.reference_forward import run_whole


class RecomputedChatModel(ChatModel):
    """Keeps nothing that it computed: neither turns nor what the vision tower made of pictures.

    Texts are generated as by `ChatModel`.
    """

    is_reference = True

    def encode(self, image: torch.Tensor) -> Image:
        """Return the image as it is: each question encodes it anew."""
        return image

    def _log_probs(
        self, turn: list[Segment], answers: list[list[int]], kept: KeptTurn | None
    ) -> list[float]:
        """As `ChatModel`, but the answers follow the prompt as a batch, and `kept` is not used.

        Raises ValueError for encoded pictures, or none.
        """
        shown = [segment for segment in turn if segment.block or segment.features]
        if not shown or any(segment.features for segment in shown):
            raise ValueError('no pictures, or encoded ones; expected some, uint8 (H, W, 3)')
        prompt = run_whole(self.engine, turn, self._layout.image_pad, use_cache=True)
        hidden = [prompt.last_hidden_state[:, -1:].expand(len(answers), -1, -1)]
        most = max(map(len, answers)) - 1  # nothing is predicted from the last token of an answer
        if most:
            hidden.append(self._follow(prompt.past_key_values, [a[:-1] for a in answers], most))
        states = torch.cat(hidden, dim=1)
        logits = self.engine.logits(states.flatten(0, 1)).view(*states.shape[:2], -1)
        log_probs = torch.log_softmax(logits, dim=-1)
        values = [
            math.fsum(log_probs[k, range(len(answer)), answer].tolist())
            for k, answer in enumerate(answers)
        ]
        if any(map(math.isnan, values)):
            raise ModelError(NOT_A_NUMBER)
        return values

    def _follow(self, cache: Any, answers: Sequence[Sequence[int]], most: int) -> torch.Tensor:
        """Run answers after a prompt, as a batch; return hidden states (answers, most, hidden)."""
        model, device = self.engine.model.model, self.engine.device
        ids = torch.tensor([[*ids, *[0] * (most - len(ids))] for ids in answers], device=device)
        first = cache.get_seq_length() + int(model.rope_deltas)
        positions = torch.arange(first, first + most, device=device).expand(3, len(answers), most)
        cache.batch_repeat_interleave(len(answers))
        output = model(input_ids=ids, position_ids=positions, past_key_values=cache, use_cache=True)
        return torch.as_tensor(output.last_hidden_state)
