# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Batches of prompts of several lengths, each with pictures of its own, in one forward."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from topreward_ros.scoring.engine.prompt import Segment, text_segment

from .forward import GradientModel, Read

PLACEHOLDER = torch.empty(0)  # for the pixels of a picture that has been encoded


@dataclass(frozen=True)
class Prompt:
    """The segments of a prompt, and which of the batch's pictures each visual one shows."""

    segments: list[Segment]
    pictures: list[int]

    def followed_by(self, ids: Sequence[int]) -> Prompt:
        """Return the prompt with these tokens behind it."""
        if not ids:
            return self
        end = self.segments[-1].next_position
        return Prompt([*self.segments, text_segment(ids, end)], self.pictures)

    @property
    def tokens(self) -> int:
        return self.ends[-1]

    @property
    def ends(self) -> list[int]:
        """The number of tokens up to each segment, with it."""
        return list(itertools.accumulate(len(segment.ids) for segment in self.segments))

    @property
    def pictures_end(self) -> int:
        """The number of tokens up to the last picture, with it."""
        ends = zip(self.ends, self.segments, strict=True)
        return max(end for end, segment in ends if segment.visual[1])


def run_prompts(
    model: GradientModel, prompts: Sequence[Prompt], features: Sequence[torch.Tensor], read: Read
) -> torch.Tensor:
    """Return the last hidden states of the tokens to read, (*shape of an index, hidden).

    features: of all pictures, each (pictures, tokens, hidden); read: indices of prompts and tokens.
    """
    longest = max(prompt.tokens for prompt in prompts)
    ids = torch.zeros(len(prompts), longest, dtype=torch.long)
    positions = torch.zeros(3, len(prompts), longest, dtype=torch.long)
    visual = torch.zeros(len(prompts), longest, dtype=torch.bool)
    shown: list[int] = []
    for row, prompt in enumerate(prompts):
        start = 0
        for segment in prompt.segments:
            stop = start + len(segment.ids)
            ids[row, start:stop] = torch.tensor(segment.ids)
            positions[:, row, start:stop] = segment.positions
            visual[row, start + segment.visual[0] : start + segment.visual[1]] = True
            start = stop
        shown += prompt.pictures
    parts = [part[torch.tensor(shown)].flatten(0, 1) for part in features]
    return model.run(ids, positions, visual, parts, read=read)
