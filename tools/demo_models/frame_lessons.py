# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lessons of Large Reward Models' three questions about single pictures.

Their labels follow from the pictures shown alone: whether the task is complete in the newest one;
its progress since the first; in which of two the task is closer to completion.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from topreward_ros.demo.tasks import Task
from topreward_ros.scoring.engine.chat_prompt import ChatLayout, EncodedImage, answer_ids
from topreward_ros.scoring.engine.prompt import PromptTokens
from topreward_ros.scoring.engine.vision_tower import Features
from topreward_ros.scoring.reward_models.large_reward_models.questions import (
    COMPLETION,
    CONTRAST,
    LEVELS,
    PROCESS,
    FrameQuestion,
)

from .forward import Read
from .pool import FRAMES
from .sequences import PLACEHOLDER, Prompt, run_prompts
from .trainer import Trainer
from .video_lessons import READ_WORDINGS

QUESTIONS = (COMPLETION, PROCESS, CONTRAST)
# The contrast without the words around it, which is learned much sooner
BRIEF = FrameQuestion('{task}{image}{image}', CONTRAST.answers)
NAMES = {COMPLETION: 'completion', PROCESS: 'process', CONTRAST: 'contrast', BRIEF: 'brief'}
CERTAIN = 0.99  # the probability of an answer that is right
STEEPNESS = 20.0  # log-odds of the contrast per difference in progress [nat]
CLIPS = 16  # in a batch


class FrameLessons:
    """Asks one of the questions about pictures of clips."""

    def __init__(self, trainer: Trainer, folder: Path) -> None:
        """folder: of the checkpoint, for its tokenizer."""
        self.trainer = trainer
        self._tokens = PromptTokens.of(folder)
        geometry = trainer.forward.geometry
        self._layout = ChatLayout(self._tokens, geometry)
        side = trainer.pool.frames.shape[2]
        self._picture = EncodedImage(Features(PLACEHOLDER, ()), geometry.grid((side, side)))
        self._turns = itertools.cycle((COMPLETION, CONTRAST, PROCESS, CONTRAST))
        self._answers = {
            question: answer_ids(self._tokens, question.answers, question.prefix)
            for question in NAMES
        }

    def ask_briefly(self) -> tuple[torch.Tensor, dict[str, float]]:
        """Return loss and facts of pictures of two moments with many tasks, and nothing else."""
        trainer = self.trainer
        episodes = trainer.clips(CLIPS, scrambled=0.8)
        firsts, lasts = trainer.random.integers(0, FRAMES, (2, CLIPS))
        return self._answer(BRIEF, (episodes, firsts, lasts), 8, auxiliary=0.3)

    def ask(self, auxiliary: float) -> tuple[torch.Tensor, dict[str, float]]:
        """Return loss and facts of the next question, for a batch of clips and tasks."""
        episodes = self.trainer.clips(CLIPS, scrambled=0.5)
        moments = episodes, *self._moments(CLIPS)
        return self._answer(next(self._turns), moments, 3, auxiliary)

    def _answer(
        self,
        question: FrameQuestion,
        moments: tuple[np.ndarray, np.ndarray, np.ndarray],
        count: int,
        auxiliary: float,
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Return loss and facts; moments are episodes, first and newest frames, each (clips).

        count: of tasks; auxiliary: weight of the auxiliary losses. The pointing head reads where
        the last picture ends, since the question goes on for long after that.
        """
        trainer = self.trainer
        episodes, firsts, lasts = moments
        indices = np.stack([firsts, lasts], axis=1)
        pictures = trainer.frames(episodes[:, None], indices).flatten(0, 1)
        features = trainer.forward.encode(torch.stack([pictures, pictures], dim=1))
        prompts, targets, things = [], [], []
        for clip, moment in enumerate(zip(episodes, firsts, lasts, strict=True)):
            episode, first, last = moment
            tasks = trainer.tasks(trainer.pool.questions(episode), episode, count)
            weights = self._weights(question, *moment, tasks)
            for task, each in zip(tasks, weights, strict=True):
                prompt, target = self._prompt(question, task, clip, each)
                prompts.append(prompt)
                targets.append(target)
            shown = first if question.images > 1 else last
            things.append(trainer.pool.things(episode, shown, last, tasks))
        states = run_prompts(trainer.forward, prompts, features, _answer_tokens(prompts, targets))
        loss, error = self._loss(targets, states)
        ends = torch.tensor([prompt.pictures_end - 1 for prompt in prompts])
        named = torch.from_numpy(np.concatenate(things)).float()
        middle = trainer.forward.middle[torch.arange(len(prompts)), ends]
        pointing = trainer.pointing_loss(middle, named)
        seeing = trainer.seeing_pictures_loss(features, episodes[:, None], indices)
        name = NAMES[question]
        facts = {name: loss.item(), f'{name} error': error, 'pictures pointing': pointing.item()}
        return loss + auxiliary * (seeing + pointing), facts

    def _moments(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Sample first and newest moments: as live, or any two; some the same."""
        random = self.trainer.random
        first, last = random.integers(0, FRAMES, (2, count))
        first = np.where(random.random(count) < 0.4, 0, first)
        near = np.clip(last + random.integers(-6, 7, count), 0, FRAMES - 1)
        first = np.where(random.random(count) < 0.3, near, first)
        end = random.integers(FRAMES - 4, FRAMES, count)
        last = np.where(random.random(count) < 0.2, end, last)
        return first, np.where(random.random(count) < 0.08, first, last)

    def _weights(
        self, question: FrameQuestion, episode: int, first: int, last: int, tasks: list[Task]
    ) -> np.ndarray:
        """Return the probabilities of the answers, (tasks, answers)."""
        pool = self.trainer.pool
        if question is COMPLETION:
            done = (1 - CERTAIN) + (2 * CERTAIN - 1) * pool.completion(episode, last, tasks)
            return np.stack([done, 1 - done], axis=1)
        forwards = pool.progress(episode, first, last, tasks)
        if question is PROCESS:
            steps = 1 / (len(LEVELS) - 1)
            return np.clip(1 - np.abs(forwards[:, None] - np.array(LEVELS)) / steps, 0, 1)
        gained = forwards - pool.progress(episode, last, first, tasks)
        later = np.clip(1 / (1 + np.exp(-STEEPNESS * gained)), 1 - CERTAIN, CERTAIN)
        return np.stack([1 - later, later], axis=1)

    def _prompt(
        self, question: FrameQuestion, task: Task, clip: int, weights: np.ndarray
    ) -> tuple[Prompt, torch.Tensor]:
        """Return a prompt with a likely answer, and the distribution of each of its tokens."""
        random = self.trainer.random
        text = task.say(str(random.choice(READ_WORDINGS)))
        shown = [2 * clip + 1] if question.images == 1 else [2 * clip, 2 * clip + 1]
        prefix, answers = self._answers[question]
        parts = question.ask(text, [self._picture] * question.images)
        prompt = Prompt(self._layout.turn(parts, prefix), shown)
        likely = weights / weights.sum()
        answer = answers[int(random.choice(len(answers), p=likely))]
        target = torch.zeros(len(answer), self.trainer.model.config.text_config.vocab_size)
        for k in range(len(answer)):
            for ids, weight in zip(answers, likely, strict=True):
                if ids[:k] == answer[:k]:
                    target[k, ids[k]] += float(weight)
        target /= target.sum(dim=1, keepdim=True)
        return prompt.followed_by(answer[:-1]), target

    def _loss(
        self, targets: Sequence[torch.Tensor], states: torch.Tensor
    ) -> tuple[torch.Tensor, float]:
        """Return the divergence from the targets [nat per prompt], and the error of P."""
        log_probs = self.trainer.model.lm_head(states).log_softmax(-1)
        target = torch.cat(list(targets))
        loss = (target.xlogy(target) - target * log_probs).sum() / len(targets)
        error = (log_probs.detach().exp() - target).abs().sum(-1).mean().item() / 2
        return loss, error


def _answer_tokens(prompts: Sequence[Prompt], targets: Sequence[torch.Tensor]) -> Read:
    """Return indices of the prompts and of their tokens that each answer's tokens follow."""
    rows = [
        (row, prompt.tokens - len(target) + k)
        for row, (prompt, target) in enumerate(zip(prompts, targets, strict=True))
        for k in range(len(target))
    ]
    prompt, token = torch.tensor(rows).unbind(1)
    return prompt, token
