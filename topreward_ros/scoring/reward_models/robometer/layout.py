# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
r"""Robometer's prompt (arXiv 2603.02115), as its code and LeRobot's port build it.

    <|im_start|>user\n the task
    per picture: Picture k: <|vision_start|> N x <|image_pad|> <|vision_end|> <|prog_token|>

The task comes first, and progress is read at the token after each picture. So everything is final
once it has run: nothing after that token changes it.
"""

from __future__ import annotations

import math

from topreward_ros.errors import ModelError

from ...engine.kept_features import Shown
from ...engine.prompt import PromptTokens, Segment, visual_segment

# Must change with the ids or positions of the prompt, as scores are then not comparable.
LAYOUT = 'robometer-1'

# Verbatim from github.com/robometer/robometer (MIT), at c7f38e2
INSTRUCTION = (
    "The task for the robot is '{task}'. Given the trajectory video, predict the task progress at "
    'each frame, how far along the robot is towards completing the task, a float between 0 and 1, '
    'where 0 is the starting state and 1 is when the task is completed. If the robot is not '
    'performing the same task, predict 0 progress.'
)

# Added to Qwen3-VL's tokens, one by one in this order
ADDED_TOKENS = (
    '<|split_token|>',
    '<|reward_token|>',
    '<|pref_token|>',
    '<|sim_token|>',
    '<|prog_token|>',
)
PROGRESS_TOKEN = ADDED_TOKENS[-1]

# Tokens of a picture, one per merged patch, by qwen_vl_utils
LEAST_TOKENS, MOST_TOKENS = 4, 16_384


class RobometerLayout:
    """Makes the segment of each picture."""

    instruction = INSTRUCTION

    def __init__(self, tokens: PromptTokens, rows: int) -> None:
        """rows: of the model's embeddings, of which the last five are the added tokens.

        Raises ModelError where the tokenizer has them at other places, or lacks Qwen3-VL's own.
        """
        self.tokens = tokens
        self._start = tokens.special('<|im_start|>')
        self._vision = tokens.special('<|vision_start|>'), tokens.special('<|vision_end|>')
        self.image_pad = tokens.special('<|image_pad|>')
        self.progress_token = rows - 1
        first = rows - len(ADDED_TOKENS)
        for place, name in enumerate(ADDED_TOKENS):
            found = tokens.added(name)
            # A tokenizer without them gets them behind its own
            expected = tokens.size + place if found is None else found
            if expected != first + place:
                raise ModelError(
                    f'{name} is token {expected} by the tokenizer and {first + place} by the '
                    'weights: they belong to different models'
                )

    def picture(
        self, shown: Shown, number: int, task: str, grid: tuple[int, int], start: int
    ) -> Segment:
        """Return the segment of the doubled picture of this number, from 1 on, or of its features.

        That of the first one begins with the task; the last token is the one to read.
        """
        text = f'Picture {number}: '
        ids = []
        if number == 1:
            ids, text = [self._start], f'user\n{self.instruction.format(task=task)}{text}'
        before = [*ids, *self.tokens.text(text), self._vision[0]]
        count = grid[0] * grid[1]
        ids = [*before, *[self.image_pad] * count, self._vision[1], self.progress_token]
        visual = len(before), len(before) + count
        return visual_segment(ids, visual, shown, grid, start)


def picture_size(height: int, width: int, factor: int, max_pixels: int) -> tuple[int, int]:
    """Return the size (H, W) [px] that a picture of this size is resized to.

    As smart_resize of qwen_vl_utils, with max_pixels where that is less than its own limit. Both
    sides are multiples of factor.
    """
    least = LEAST_TOKENS * factor**2
    most = min(MOST_TOKENS * factor**2, max_pixels)
    size = [max(1, round(side / factor)) for side in (height, width)]
    total = size[0] * size[1] * factor**2
    if total > most:
        shrink = math.sqrt(height * width / most) * factor
        size = [max(1, math.floor(side / shrink)) for side in (height, width)]
    elif total < least:
        grow = math.sqrt(least / (height * width)) / factor
        size = [math.ceil(side * grow) for side in (height, width)]
    return size[0] * factor, size[1] * factor
