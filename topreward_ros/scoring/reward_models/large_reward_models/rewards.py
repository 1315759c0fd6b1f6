# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The rewards of Large Reward Models (arXiv 2603.16065), from a stock model.

Three questions about the newest frame: is the task complete, how far has it come, and is this
frame closer to completion than one of before? Each answer is read from the probabilities of the
answers allowed; the reward is their mean with equal weights, asked for every few frames and held
between. The paper's own contrast is -1, 0 or 1 for the better frame; here it is a probability.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ...engine.chat_model import ChatModel
from ...engine.video import fit
from ...frames import check_frame, check_time
from ...questions import check_task
from .questions import COMPLETION, CONTRAST, PROCESS, FrameQuestion

# Steps between two queries, and between the frames compared, in the authors' configuration
AUTHORS_STEPS = 10


@dataclass(frozen=True)
class LrmScore:
    """What the model says of the newest frame, each in [0, 1].

    completion: P(yes) among yes and no. process: the mean of the levels, by their probabilities
    among each other. contrast: the probability that this frame is closer to completion than the
    one `steps_back` frames before; 0.5 while there is none. combined: the mean of the three.
    coverage: the least share of probability that the allowed answers had in any of the questions;
    near 0 the model does not answer in the form it was asked for and the rest means little.
    frames is how many there were when it was asked.
    """

    completion: float
    process: float
    contrast: float
    combined: float
    coverage: float
    frames: int


class LargeRewardModel:
    """Asks a Qwen3-VL. Every `every` frames; the contrast is with `steps_back` frames ago.

    completion, process and contrast replace the questions; the answers of the second are numbers
    of [0, 1]. ValueError for steps below 1 or questions of another kind.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        every: int = AUTHORS_STEPS,
        steps_back: int = AUTHORS_STEPS,
        completion: FrameQuestion = COMPLETION,
        process: FrameQuestion = PROCESS,
        contrast: FrameQuestion = CONTRAST,
    ) -> None:
        """Raises ModelError where the tokenizer cannot tell the answers apart."""
        if every < 1 or steps_back < 1:
            raise ValueError(f'every {every} frames, {steps_back} back; expected 1 or more')
        pairs = (completion, 1), (process, 1), (contrast, 2)
        if any(question.images != images for question, images in pairs):
            raise ValueError('completion and process are about one image, contrast is about two')
        if len(completion.answers) != 2 or len(contrast.answers) != 2:
            raise ValueError('completion and contrast have two answers: yes and no, A and B')
        self.every, self.steps_back = every, steps_back
        self.model = model
        self._levels = _levels(process)
        self._completion, self._process, self._contrast = completion, process, contrast
        for question, _ in pairs:
            self.model.answer_ids(question.answers, question.prefix)

    def start(self, task: str) -> LrmEpisode:
        """Begin an episode; raises TaskError for a text that cannot be asked about."""
        return LrmEpisode(self, check_task(task))

    def completion(self, task: str, image: torch.Tensor) -> tuple[float, float]:
        """P(yes) among yes and no, and the share of probability that both had.

        Images are uint8 (3, H, W), their size fitted by the model's geometry.
        """
        yes, no = self._ask(self._completion, task, [image])
        return logistic(yes - no), _share([yes, no])

    def process(self, task: str, image: torch.Tensor) -> tuple[float, float]:
        """The expected level, and the share of probability that all levels had."""
        log_probs = self._ask(self._process, task, [image])
        return expectation(self._levels, log_probs), _share(log_probs)

    def contrast(self, task: str, now: torch.Tensor, before: torch.Tensor) -> tuple[float, float]:
        """The probability that `now` is closer to completion, and the share of both answers.

        Asked in both orders; the log-odds are averaged, so that a liking for the first or the
        second place cancels: contrast(a, b) = 1 - contrast(b, a).
        """
        first = self._ask(self._contrast, task, [now, before])
        second = self._ask(self._contrast, task, [before, now])
        odds = (first[0] - first[1]) - (second[0] - second[1])
        return logistic(odds / 2), min(_share(first), _share(second))

    def _ask(
        self, question: FrameQuestion, task: str, images: Sequence[torch.Tensor]
    ) -> list[float]:
        return self.model.log_probs(question.ask(task, images), question.answers, question.prefix)


class LrmEpisode:
    """One attempt at one task; it keeps no frame that it will not ask about."""

    def __init__(self, rewards: LargeRewardModel, task: str) -> None:
        self.task = task
        self.frames = 0
        self._rewards = rewards
        self._kept: deque[torch.Tensor] = deque(maxlen=rewards.steps_back + 1)
        self._size: tuple[int, int] | None = None
        self._last_time = -math.inf
        self._score: LrmScore | None = None

    def append(self, frame: np.ndarray, time: float) -> None:
        """Add a frame, as `score.Episode`: uint8 RGB (H, W, 3), time [s], never falling."""
        check_frame(frame)
        self._last_time = check_time(time, self._last_time)
        if self._size is None:
            self._size = self._rewards.model.geometry.fit_size(*frame.shape[:2])
        self._kept.append(fit(frame, self._size))
        self.frames += 1

    def reward(self) -> LrmScore:
        """The model is asked after frames 1, 1 + every, 1 + 2 every, ...; or, where the call came
        later than that, about the newest frame. Between, the last answer holds.

        ValueError before the first frame; ModelError for answers that are not numbers.
        """
        if not self.frames:
            raise ValueError('an episode without frames has no reward: append one first')
        every = self._rewards.every
        held = self._score
        if held is None or (held.frames - 1) // every < (self.frames - 1) // every:
            held = self._score = self._ask()
        return held

    def close(self) -> None:
        """Give back the memory; the episode cannot be used afterwards."""
        self._kept.clear()

    def _ask(self) -> LrmScore:
        now = self._kept[-1]
        completion, one = self._rewards.completion(self.task, now)
        process, two = self._rewards.process(self.task, now)
        contrast, three = 0.5, 1.0
        if self.frames > self._rewards.steps_back:
            contrast, three = self._rewards.contrast(self.task, now, self._kept[0])
        combined = (completion + process + contrast) / 3
        return LrmScore(completion, process, contrast, combined, min(one, two, three), self.frames)


def logistic(odds: float) -> float:
    """The probability of these log-odds [nat]; logistic(-x) is exactly 1 - logistic(x)."""
    likelier = 1 / (1 + math.exp(-abs(odds)))
    return likelier if odds >= 0 else 1 - likelier


def expectation(values: Sequence[float], log_probs: Sequence[float]) -> float:
    """The mean of values by probabilities that are made to add up to 1."""
    most = max(log_probs)
    weights = [math.exp(log_prob - most) for log_prob in log_probs]
    mean = math.fsum(w * v for w, v in zip(weights, values, strict=True)) / math.fsum(weights)
    return min(max(mean, min(values)), max(values))


def _share(log_probs: Sequence[float]) -> float:
    return min(1.0, math.fsum(map(math.exp, log_probs)))


def _levels(question: FrameQuestion) -> tuple[float, ...]:
    """Answers as numbers, divided by the largest: "0" to "9" are 0 to 1."""
    try:
        levels = [float(answer) for answer in question.answers]
    except ValueError as error:
        raise ValueError(f'levels are numbers, not {question.answers}') from error
    if not all(map(math.isfinite, levels)) or min(levels) < 0:
        raise ValueError(f'levels are finite and 0 or more, not {question.answers}')
    return tuple(level / max(levels) for level in levels)
