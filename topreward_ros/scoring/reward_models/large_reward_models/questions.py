# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Questions about single frames of a robot's camera, and the answers they may have.

They are the three of Large Reward Models (arXiv 2603.16065). What is asked and the form of an
answer, a JSON object of one key, follow what its authors have published with their code and
adapters; the words are this package's own. The beginning of the object is put into the model's
mouth, so that its next words are the answer. Where the authors let the model reason before it
compares two images, it is asked for the answer at once: a probability is read, not a text.
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
    """template holds "{task}" once and "{image}" once for each image; prefix is how the answer
    begins and answers are the ways in which it may go on.

    ValueError for a template without them, or answers that are not two or more different ones.
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
        """Text and images, uint8 (3, H, W), in their order; the task is data, whatever it spells.

        Raises TaskError as `check_task`, ValueError for another number of images.
        """
        if len(images) != self.images:
            raise ValueError(f'{len(images)} images for a question about {self.images}')
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
