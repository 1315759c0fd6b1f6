# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The three questions of Large Reward Models (arXiv 2603.16065) about single camera frames.

An answer is a JSON object with one key. The prompt ends with the beginning of that object, so the
next tokens are the answer. The authors let the model reason before it compares two images; here the
answer follows at once, as its probability is read instead of a text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...engine.chat_prompt import Image, Part
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

    def ask(self, task: str, images: Sequence[Image]) -> list[Part]:
        """Return the text and images of a turn; fields in the task stay text.

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


# The wording is the input format that the authors' adapters were trained with, so it is theirs to
# the letter: vlm_reward/vlm_reward_server.py of
# github.com/physical-superintelligence-lab/Large-Reward-Models, at 5845ab0. So are the missing
# blanks around the image of COMPLETION, and that CONTRAST calls both images later observations.
COMPLETION = FrameQuestion(
    'Task: Whether the task has been completed.\n\n'
    'The task is: {task}\n\n'
    'You are given:\n'
    '- Current observation:{image}'
    'Has the task been completed?\n'
    'Output your answer in the following JSON format:\n'
    '{ "task_completed": "yes" or "no" }',
    ('yes', 'no'),
    '{ "task_completed": "',
)

LEVELS = tuple(k / 10 for k in range(11))
PROCESS = FrameQuestion(
    'Task: Estimate the completion progress.\n'
    'The task is: {task}\n'
    'You are given:\n'
    '- Initial observation: {image}\n'
    '- Current observation: {image}\n\n'
    'Question: Based on the task description, estimate the completion progress as a value between '
    '0.0 and 1.0.\n'
    'Select one value from the following list:\n'
    f'[{", ".join(map(str, LEVELS))}]\n\n'
    'Definitions:\n'
    '- 0.0: Task has just started.\n'
    '- 0.1 - 0.9: Intermediate progress steps (assess how close to completion).\n'
    '- 1.0: Task is Finished.\n'
    'Output your answer in the following JSON format:\n'
    '{ "completion_progress": selected_value }',
    tuple(map(str, LEVELS)),
    '{ "completion_progress": ',
)

CONTRAST = FrameQuestion(
    'Task: Compare the completion progress.\n\n'
    'The task is: {task}.\n\n'
    'You are given:\n'
    '- Later observation (Image A): {image}\n'
    '- Later observation (Image B): {image}\n\n'
    'Question: Which of Image A or Image B is closer to completing the task?\n'
    'Select one value from the following list:\n'
    '["ImageA", "ImageB"]\n\n'
    'Please provide a step-by-step visual analysis first, and then output your answer in the '
    'following JSON format:\n'
    '{ "more_complete_image": "selected_value" }',
    ('A', 'B'),
    '{ "more_complete_image": "Image',
)
