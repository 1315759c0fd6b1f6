# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The three questions of Large Reward Models (arXiv 2603.16065) about single camera frames.

Questions and the format of an answer, a JSON object with one key, follow the code and adapters
published by the authors; the wording is this package's own. The prompt ends with the beginning of
that object, so the next tokens are the answer. The authors let the model reason before it compares
two images; here the answer follows at once, as its probability is read instead of a text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ...engine.chat_prompt import Part
from ...questions import check_task


@dataclass(frozen=True)
class FrameQuestion:
    """A question about images, with a closed set of answers.

    template contains "{task}" once and "{image}" once per image; prefix is the beginning of the
    answer, and answers are its possible continuations. Raises ValueError for a template without
    these fields, or fewer than two different answers.
    """

    template: str
    answers: tuple[str, ...]
    prefix: str = ''

    def __post_init__(self) -> None:
        if (
            self.template.count('{task}') != 1
            or not self.images
            or len({*self.answers} - {''}) != max(2, len(self.answers))
        ):
            raise ValueError(
                f'the template {self.template!r} with the answers {self.answers}; expected '
                '"{task}" once, "{image}" at least once, and two or more different answers'
            )

    @property
    def images(self) -> int:
        return self.template.count('{image}')

    def ask(self, task: str, images: Sequence[torch.Tensor]) -> list[Part]:
        """Return the text and images, uint8 (H, W, 3), of a turn; fields in the task stay text.

        Raises TaskError as `check_task`, ValueError for another number of images.
        """
        if len(images) != self.images:
            raise ValueError(f'{len(images)} images; expected {self.images} for this question')
        task, following = check_task(task), iter(images)
        parts: list[Part] = []
        for piece in re.split(r'(\{task\}|\{image\})', self.template):
            parts.append(
                next(following) if piece == '{image}' else task if piece == '{task}' else piece
            )
        return parts


COMPLETION = FrameQuestion(
    'A robot has this task: {task}\n\n'
    'This is what its camera sees now: {image}\n\n'
    'Is the task complete?\n'
    'Answer in this JSON format:\n'
    '{ "task_completed": "yes" or "no" }',
    ('yes', 'no'),
    '{ "task_completed": "',
)

LEVELS = tuple(k / 10 for k in range(11))
PROCESS = FrameQuestion(
    'A robot has this task: {task}\n\n'
    'This is what its camera sees now: {image}\n\n'
    'How far has the task come? Choose one of these values:\n'
    f'[{", ".join(map(str, LEVELS))}]\n'
    '0.0 means that it has just begun, 1.0 that it is finished.\n'
    'Answer in this JSON format:\n'
    '{ "completion_progress": value }',
    tuple(map(str, LEVELS)),
    '{ "completion_progress": ',
)

CONTRAST = FrameQuestion(
    'A robot has this task: {task}\n\n'
    'Its camera has taken two images.\n'
    'Image A: {image}\n'
    'Image B: {image}\n\n'
    'Which of them is closer to the completed task?\n'
    'Answer in this JSON format:\n'
    '{ "more_complete_image": "ImageA" or "ImageB" }',
    ('A', 'B'),
    '{ "more_complete_image": "Image',
)
