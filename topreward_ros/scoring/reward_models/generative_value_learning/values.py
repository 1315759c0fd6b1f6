# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Generative Value Learning (arXiv 2411.04549), the baseline that TOPReward is compared with.

Frames of a clip are shown in random order behind its first one, which is told to be at 0 %, and
the model writes a percentage for each. Without the shuffle a model would just count upwards. The
parts of the prompt and the form of an answer are those of the paper's appendix A, without its
examples of other episodes; the words are this package's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from ...engine.chat_prompt import Part
from ...engine.geometry import Geometry
from ...engine.video import fit
from ...frames import check_frame
from ...questions import check_task
from .percentages import parse_percentages

FRAMES = 20
# Enough for a description of a sentence or two
TOKENS_PER_FRAME = 100


class Generator(Protocol):
    """What writes the answers: a `ChatModel`, or one that stands in for it."""

    @property
    def geometry(self) -> Geometry: ...

    def generate(self, parts: Sequence[Part], limit: int) -> str: ...


@dataclass(frozen=True)
class GenerativeValues:
    """What the model wrote of a clip's frames, in the order of time.

    values (n,) float64 in [0, 1]; NaN where the answer could not be read; the first is 0, as the
    model was told. indices (n,) are the frames' places in the clip. unparsable counts the NaNs;
    text is the answer.
    """

    values: np.ndarray
    indices: np.ndarray
    unparsable: int
    text: str


def generative_values(
    model: Generator,
    frames: Sequence[np.ndarray],
    task: str,
    count: int = FRAMES,
    *,
    seed: int = 0,
    tokens_per_frame: int = TOKENS_PER_FRAME,
) -> GenerativeValues:
    """Values of `count` frames, evenly spaced from the first to the last of a clip.

    frames are uint8 RGB (H, W, 3); a clip of fewer than `count` is taken whole. The order is
    shuffled by the seed. Raises FrameError and TaskError for what cannot be shown or asked, and
    ValueError for fewer than two frames.
    """
    if min(len(frames), count) < 2:
        raise ValueError(f'{min(len(frames), count)} frames have no order; expected 2 or more')
    task = check_task(task)
    indices = np.unique(np.linspace(0, len(frames) - 1, count).round().astype(int))
    size = model.geometry.fit_size(*check_frame(frames[0]).shape[:2])
    images = [fit(check_frame(frames[k]), size) for k in indices]
    # order[k] is which of the images, the first one aside, is shown as frame k + 1
    order = np.random.default_rng(seed).permutation(len(images) - 1)
    shown = [images[1 + k] for k in order]
    text = model.generate(prompt(task, images[0], shown), tokens_per_frame * len(shown))
    values = np.zeros(len(images))
    values[1 + order] = parse_percentages(text, len(shown)) / 100
    return GenerativeValues(values, indices, int(np.isnan(values).sum()), text)


def prompt(task: str, first: torch.Tensor, shown: Sequence[torch.Tensor]) -> list[Part]:
    """The turn: what is asked, the first frame, and the others in the order in which they come."""
    parts: list[Part] = [
        'You are an expert in robotics and judge how far a robot has come with a task, frame by '
        f'frame. The task: {task}\n'
        'You answer in percentages of task completion between 0 and 100; at 100 the task is '
        'complete. The frames come in random order: look at each one by itself.\n\n'
        'Initial robot scene: ',
        first,
        '\nIn the initial robot scene, the task completion percentage is 0.\n\n'
        f'These are {len(shown)} further frames of the same task, in random order. Answer with one '
        'line for each of them, in this form:\n'
        'Frame {i}: Frame Description: {what it shows}, Task Completion Percentage: {number}%\n',
    ]
    for number, image in enumerate(shown, start=1):
        parts += [f'\nFrame {number}: ', image]
    return parts
