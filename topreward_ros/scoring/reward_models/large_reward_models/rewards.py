# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The rewards of Large Reward Models (arXiv 2603.16065).

Three questions about the newest picture: is the task complete, how far has it come since the first
picture, and is it closer to completion than an earlier one? Each value is computed from the
probabilities of the allowed answers, where the authors' code takes the likeliest answer. The reward
is their mean with equal weights. Prompts differ from their first words, so the questions share what
vision towers make of the pictures. The prompts of one question begin alike for all pictures of an
episode: that is run once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ...engine.chat_model import ChatModel
from ...engine.kept_turn import KeptTurn
from ...loading.fingerprint import identity_of
from ...questions import check_tasks
from ...score import Episode, Footprint, Identity, Score, Scorer
from .pictures import Picture, Pictures, picture_fitter
from .questions import COMPLETION, CONTRAST, PROCESS, FrameQuestion

# Must change with the prompts or how answers are read, as scores are then not comparable.
LAYOUT = 'large_reward_models-1'

# Frames between the compared ones: 2 s at the default of 2 frames a second, as the authors' ten
# steps of their robots (vlm_call_interval 10 at control_freq 5)
STEPS_BACK = 4


@dataclass(frozen=True)
class LrmScore:
    """The model's judgement of the newest picture, each value in [0, 1].

    completion: P(yes), normalised over yes and no. process: expected level, with probabilities
    normalised over all levels. contrast: probability that this picture is closer to completion than
    the one `steps_back` before; 0 while there is none, as by the authors. combined: mean of the
    three. coverage: least probability mass of the allowed answers in any of the questions; near 0
    the model does not answer in the requested format, and the other values mean little. frames:
    number of frames when the questions were asked.
    """

    completion: float
    process: float
    contrast: float
    combined: float
    coverage: float
    frames: int

    def score(self) -> Score:
        """Return it as what every scorer returns; completion is the probability of success."""
        parts = {name: getattr(self, name) for name in ('completion', 'process', 'contrast')}
        return Score(self.frames, progress=self.combined, success=self.completion, parts=parts)


class QuestionModels(NamedTuple):
    """The model that each question is put to; they may share weights."""

    completion: ChatModel
    process: ChatModel
    contrast: ChatModel


class KeptTurns(NamedTuple):
    """The last turn of each question about one task; None: it is not kept."""

    completion: KeptTurn | None = None
    process: KeptTurn | None = None
    contrast: KeptTurn | None = None

    def close(self) -> None:
        """Return the memory."""
        for each in self:
            if each is not None:
                each.close()


NOTHING_KEPT = KeptTurns()


class LargeRewardModel(Scorer):
    """Asks a Qwen3-VL, or one per question, about each picture and that of `steps_back` before.

    The contrast is asked with the earlier picture first, as the authors' adapters were trained;
    with both_orders in the other order, too, and the log-odds are averaged: this cancels a
    preference for the first or second picture at the cost of a fourth question.
    completion, process and contrast replace the questions; the answers to process are numbers of
    0 or more, scaled by the largest; process may be about the newest picture alone.
    """

    def __init__(
        self,
        model: ChatModel | QuestionModels,
        *,
        steps_back: int = STEPS_BACK,
        both_orders: bool = False,
        completion: FrameQuestion = COMPLETION,
        process: FrameQuestion = PROCESS,
        contrast: FrameQuestion = CONTRAST,
    ) -> None:
        """Raises ValueError for steps_back below 1 or unsuitable questions.

        Raises ModelError where the tokens of one answer begin with those of another.
        """
        if steps_back < 1:
            raise ValueError(f'steps_back is {steps_back}; expected 1 or more')
        if completion.images != 1 or process.images not in (1, 2) or contrast.images != 2:
            raise ValueError(
                'completion is about one image, process about one or two, and contrast about two'
            )
        if len(completion.answers) != 2 or len(contrast.answers) != 2:
            raise ValueError('completion and contrast have two answers: yes and no, A and B')
        self.steps_back, self.both_orders = steps_back, both_orders
        self.models = QuestionModels(model, model, model) if isinstance(model, ChatModel) else model
        self._levels = _levels(process)
        self._completion, self._process, self._contrast = completion, process, contrast
        for asked, question in zip(self.models, (completion, process, contrast), strict=True):
            asked.answer_ids(question.answers, question.prefix)

    @cached_property
    def identity(self) -> Identity:
        model = self.models.completion
        orders = ', both orders' if self.both_orders else ''
        layout = f'{LAYOUT}, {self.steps_back} back{orders}, {model.geometry.max_pixels} pixels'
        return identity_of(model.checkpoint, layout)

    @property
    def reward_model(self) -> str:
        return 'large_reward_model'

    @property
    def mode(self) -> str:
        from_scratch = ', from scratch' if self.models.completion.is_reference else ''
        return f'three questions about each picture{from_scratch}'

    @cached_property
    def summary(self) -> str:
        return self.models.completion.checkpoint.summary()

    @property
    def footprint(self) -> Footprint:
        engines = {model.engine for model in self.models}  # which share the weights
        reserved = sum(engine.reserved_bytes for engine in engines)
        return Footprint(self.models.completion.checkpoint.bytes, reserved)

    def fitter(self, height: int, width: int) -> Callable[[np.ndarray], np.ndarray]:
        return picture_fitter(self.models.completion.geometry, height, width)

    def start(self, tasks: str | Sequence[str]) -> LrmEpisode:
        return LrmEpisode(self, check_tasks(tasks))

    def chat_model(self) -> ChatModel:
        """Return the model, where the same one is asked all questions; else NoChatError."""
        if self.models.completion is self.models.process is self.models.contrast:
            return self.models.completion
        return super().chat_model()

    def kept_turns(self) -> KeptTurns:
        """Return places for the last turns about one task, for `judge`."""
        return KeptTurns(*(model.kept_turn() for model in self.models))

    def judge(self, task: str, pictures: Pictures, kept: KeptTurns = NOTHING_KEPT) -> LrmScore:
        """Ask all questions; ModelError for values that are not numbers."""
        now, earlier = pictures.newest, pictures.earlier
        completion, completion_mass = self.completion(task, now, kept)
        process, process_mass = self.process(task, pictures.initial, now, kept)
        contrast, contrast_mass = 0.0, 1.0
        if earlier is not None:
            contrast, contrast_mass = self.contrast(task, earlier, now, kept)
        combined = (completion + process + contrast) / 3
        coverage = min(completion_mass, process_mass, contrast_mass)
        return LrmScore(completion, process, contrast, combined, coverage, pictures.frames)

    def completion(
        self, task: str, now: Picture, kept: KeptTurns = NOTHING_KEPT
    ) -> tuple[float, float]:
        """Return P(yes), normalised over yes and no, and the probability mass of both."""
        model = self.models.completion
        yes, no = answers_about(model, self._completion, task, [now], kept.completion)
        return logistic(yes - no), _mass([yes, no])

    def process(
        self, task: str, initial: Picture, now: Picture, kept: KeptTurns = NOTHING_KEPT
    ) -> tuple[float, float]:
        """Return the expected level, and the probability mass of all levels."""
        shown = [initial, now] if self._process.images == 2 else [now]
        log_probs = answers_about(self.models.process, self._process, task, shown, kept.process)
        return expectation(self._levels, log_probs), _mass(log_probs)

    def contrast(
        self, task: str, earlier: Picture, now: Picture, kept: KeptTurns = NOTHING_KEPT
    ) -> tuple[float, float]:
        """Return the probability that `now` is closer to completion, and the answers' mass.

        With both orders, contrast(a, b) = 1 - contrast(b, a).
        """
        model, question = self.models.contrast, self._contrast
        a, b = answers_about(model, question, task, [earlier, now], kept.contrast)
        if not self.both_orders:
            return logistic(b - a), _mass([a, b])
        other_a, other_b = answers_about(model, question, task, [now, earlier], kept.contrast)
        odds = (b - a) - (other_b - other_a)
        return logistic(odds / 2), min(_mass([a, b]), _mass([other_a, other_b]))


class LrmEpisode(Episode):
    """One attempt at one task or several; it keeps only the pictures that are still needed."""

    def __init__(self, rewards: LargeRewardModel, tasks: tuple[str, ...]) -> None:
        self.tasks = tasks
        self._rewards = rewards
        geometry = rewards.models.completion.geometry
        self._pictures = Pictures(geometry, rewards.steps_back)
        self._kept = [rewards.kept_turns() for _ in tasks]

    @property
    def frames(self) -> int:
        return self._pictures.frames

    def append(self, frame: np.ndarray, time: float) -> None:
        self._pictures.append(frame, time)

    def rewards(self) -> tuple[LrmScore, ...]:
        """Ask about the newest picture; return a judgement per task, as `scores` does."""
        if not self.frames:
            raise ValueError('an episode without frames cannot be scored: append one first')
        return tuple(
            self._rewards.judge(task, self._pictures, kept)
            for task, kept in zip(self.tasks, self._kept, strict=True)
        )

    def scores(self) -> tuple[Score, ...]:
        return tuple(reward.score() for reward in self.rewards())

    def thin(self) -> None:
        """Drop every second picture; the contrast then reaches back twice as far in time."""
        self._pictures.thin()

    def keep_last(self, count: int) -> None:
        """As `Episode.keep_last`; the process question then compares with the oldest picture left.

        It has to be called before each frame from the first on, so that the pictures are kept:
        ValueError where it was not.
        """
        self._pictures.keep_last(count)

    def close(self) -> None:
        self._pictures.clear()
        for kept in self._kept:
            kept.close()


def answers_about(
    model: ChatModel,
    question: FrameQuestion,
    task: str,
    pictures: Sequence[Picture],
    kept: KeptTurn | None,
) -> list[float]:
    """Return log P [nat] of each answer to a question about these pictures."""
    images = [picture.encoded(model) for picture in pictures]
    parts = question.ask(task, images)
    return model.log_probs(parts, question.answers, question.prefix, kept)


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
