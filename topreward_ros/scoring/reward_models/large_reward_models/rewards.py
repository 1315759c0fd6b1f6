# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The rewards of Large Reward Models (arXiv 2603.16065), from a stock model.

Three questions about the newest frame: is the task complete, how far has it come, and is this
frame closer to completion than an earlier one? Each value is computed from the probabilities of the
allowed answers. The reward is their mean with equal weights, evaluated every few frames and held in
between. The paper's contrast is -1, 0 or 1 for the better frame; here it is a probability.
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

# Steps between two queries, and between the compared frames, in the authors' configuration
AUTHORS_STEPS = 10


@dataclass(frozen=True)
class LrmScore:
    """The model's judgement of the newest frame, each value in [0, 1].

    completion: P(yes), normalised over yes and no. process: expected level, with probabilities
    normalised over all levels. contrast: probability that this frame is closer to completion than
    the one `steps_back` frames before; 0.5 while there is none. combined: mean of the three.
    coverage: least probability mass of the allowed answers in any of the questions; near 0 the
    model does not answer in the requested format, and the other values mean little. frames: number
    of frames when the questions were asked.
    """

    completion: float
    process: float
    contrast: float
    combined: float
    coverage: float
    frames: int


class LargeRewardModel:
    """Asks a Qwen3-VL every `every` frames, with the contrast to `steps_back` frames before.

    completion, process and contrast replace the questions; the answers to process are numbers of
    0 or more, scaled by the largest. Raises ValueError for steps below 1 or unsuitable questions.
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
        """Raises ModelError where the tokens of one answer begin with those of another."""
        if every < 1 or steps_back < 1:
            raise ValueError(f'every is {every} and steps_back is {steps_back}; expected 1 or more')
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
        """Start an episode; raises TaskError for an invalid task text."""
        return LrmEpisode(self, check_task(task))

    def completion(self, task: str, image: torch.Tensor) -> tuple[float, float]:
        """Return P(yes), normalised over yes and no, and the probability mass of both.

        Images are uint8 (H, W, 3), resized to the size given by the model's geometry.
        """
        yes, no = self._ask(self._completion, task, [image])
        return logistic(yes - no), _mass([yes, no])

    def process(self, task: str, image: torch.Tensor) -> tuple[float, float]:
        """Return the expected level, and the probability mass of all levels."""
        log_probs = self._ask(self._process, task, [image])
        return expectation(self._levels, log_probs), _mass(log_probs)

    def contrast(self, task: str, now: torch.Tensor, before: torch.Tensor) -> tuple[float, float]:
        """Return the probability that `now` is closer to completion, and the answers' mass.

        Both orders are asked and their log-odds averaged, which cancels a preference for the first
        or second image: contrast(a, b) = 1 - contrast(b, a).
        """
        first = self._ask(self._contrast, task, [now, before])
        second = self._ask(self._contrast, task, [before, now])
        odds = (first[0] - first[1]) - (second[0] - second[1])
        return logistic(odds / 2), min(_mass(first), _mass(second))

    def _ask(
        self, question: FrameQuestion, task: str, images: Sequence[torch.Tensor]
    ) -> list[float]:
        return self.model.log_probs(question.ask(task, images), question.answers, question.prefix)


class LrmEpisode:
    """One attempt at one task; it stores only the frames that the contrast still needs."""

    def __init__(self, rewards: LargeRewardModel, task: str) -> None:
        self.task = task
        self.frames = 0
        self._rewards = rewards
        self._recent: deque[torch.Tensor] = deque(maxlen=rewards.steps_back + 1)
        self._size: tuple[int, int] | None = None
        self._last_time = -math.inf
        self._score: LrmScore | None = None

    def append(self, frame: np.ndarray, time: float) -> None:
        """Add a frame, uint8 RGB (H, W, 3), at a time [s], as `score.Episode`."""
        check_frame(frame)
        self._last_time = check_time(time, self._last_time)
        if self._size is None:
            self._size = self._rewards.model.geometry.fit_size(*frame.shape[:2])
        self._recent.append(fit(frame, self._size))
        self.frames += 1

    def reward(self) -> LrmScore:
        """Return the score of the newest query, asking the model first if a query is due.

        Queries are due after frames 1, 1 + every, 1 + 2 every, ...; a late call asks about the
        newest frame. Raises ValueError before the first frame, ModelError for values that are not
        numbers.
        """
        if not self.frames:
            raise ValueError('an episode without frames has no reward: append one first')
        every = self._rewards.every
        score = self._score
        if score is None or (score.frames - 1) // every < (self.frames - 1) // every:
            score = self._score = self._ask()
        return score

    def close(self) -> None:
        """Release the memory; the episode cannot be used afterwards."""
        self._recent.clear()

    def _ask(self) -> LrmScore:
        now = self._recent[-1]
        completion, completion_mass = self._rewards.completion(self.task, now)
        process, process_mass = self._rewards.process(self.task, now)
        contrast, contrast_mass = 0.5, 1.0
        if self.frames > self._rewards.steps_back:
            contrast, contrast_mass = self._rewards.contrast(self.task, now, self._recent[0])
        combined = (completion + process + contrast) / 3
        coverage = min(completion_mass, process_mass, contrast_mass)
        return LrmScore(completion, process, contrast, combined, coverage, self.frames)


def logistic(odds: float) -> float:
    """Return the probability of log-odds [nat]; logistic(-x) is exactly 1 - logistic(x)."""
    likelier = 1 / (1 + math.exp(-abs(odds)))
    return likelier if odds >= 0 else 1 - likelier


def expectation(values: Sequence[float], log_probs: Sequence[float]) -> float:
    """Return the mean of values, weighted by probabilities normalised to a sum of 1."""
    largest = max(log_probs)
    weights = [math.exp(log_prob - largest) for log_prob in log_probs]
    mean = math.fsum(w * v for w, v in zip(weights, values, strict=True)) / math.fsum(weights)
    return min(max(mean, min(values)), max(values))


def _mass(log_probs: Sequence[float]) -> float:
    return min(1.0, math.fsum(map(math.exp, log_probs)))


def _levels(question: FrameQuestion) -> tuple[float, ...]:
    """Convert answers to numbers, divided by the largest: "0" to "9" become 0 to 1."""
    try:
        levels = [float(answer) for answer in question.answers]
    except ValueError as error:
        raise ValueError(f'levels are {question.answers}; expected numbers') from error
    if not all(map(math.isfinite, levels)) or min(levels) < 0:
        raise ValueError(f'levels are {question.answers}; expected finite numbers, 0 or more')
    return tuple(level / max(levels) for level in levels)
