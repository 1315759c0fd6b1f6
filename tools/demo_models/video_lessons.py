# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lessons of TOPReward's question: is the task that a video shows complete?

The label is progress since the video's first frame, so the length of a video alone has no meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from topreward_ros.demo.tasks import MORE_WORDINGS, WORDINGS
from topreward_ros.scoring.engine.prompt import PromptTokens
from topreward_ros.scoring.reward_models.topreward.layout import TOPREWARD, PromptLayout

from .pool import FRAMES
from .trainer import Trainer
from .trees import TreeModel

READ_WORDINGS = (*WORDINGS, *MORE_WORDINGS)
RATES = (1.0, 2.0, 4.0, 5.0, 10.0)


@dataclass(frozen=True)
class Manner:
    """How clips are chosen, as shares of them, and what the parts of the loss weigh.

    videos: share of the steps that are of videos, not of pictures; auxiliary: both auxiliary
    losses; relative and absolute: the errors of log P and of P, as the divergence is insensitive to
    a P of 0.05 instead of 0.03, and to one that is off by a little.
    """

    auxiliary: float
    relative: float = 0.0
    absolute: float = 0.0
    from_start: float = 0.0
    static: float = 0.0
    scrambled: float = 0.8
    videos: float = 0.5


ASKING = Manner(0.3)
SCORING = Manner(0.1, 0.03, from_start=0.5, static=0.25, scrambled=0.15)
POLISHING = Manner(0.06, 1.0, 1.0, from_start=0.7, static=0.35, scrambled=0.05, videos=0.6)
SETTLING = Manner(0.06, 2.0, 1.0, from_start=0.7, static=0.5, scrambled=0.05)


class VideoLessons:
    """Asks about prefixes of clips."""

    def __init__(self, trainer: Trainer, folder: Path) -> None:
        """folder: of the checkpoint, for its tokenizer."""
        self._trainer = trainer
        layout = PromptLayout(PromptTokens.of(folder), TOPREWARD)
        self._trees = TreeModel(trainer.forward, layout)

    def ask(self, clips: int, short: bool) -> tuple[torch.Tensor, dict[str, float]]:
        """Return loss and facts of clips of two moments, twice each, with ten questions."""
        episodes = self._trainer.clips(clips, ASKING.scrambled)
        firsts, lasts = self._trainer.random.integers(0, FRAMES, (2, clips))
        maps = np.stack([firsts, firsts, lasts, lasts], axis=1)
        return self._answer((episodes, maps), [4], 10, ASKING, short=short)

    def score(self, manner: Manner) -> tuple[torch.Tensor, dict[str, float]]:
        """Return loss and facts of prefixes of clips of 2 to 32 frames."""
        trainer, random = self._trainer, self._trainer.random
        many = random.random() < 0.25
        blocks = int(random.integers(9, 17) if many else random.integers(1, 9))
        clips, frames = 8 if many else 16, 2 * blocks
        starts = manner.from_start, manner.static
        maps = np.stack([trainer.time_map(frames, *starts) for _ in range(clips)])
        episodes = trainer.clips(clips, manner.scrambled)
        # Every episode has a short prefix, in which start and present are hard to distinguish:
        # most of all where both are in one block.
        beginning = int(random.choice((1, 2, 2, 3)))
        prefixes = sorted({min(beginning, frames), int(random.integers(1, frames)), frames})
        return self._answer((episodes, maps), prefixes, 4, manner)

    def _answer(
        self,
        clips: tuple[np.ndarray, np.ndarray],
        prefixes: list[int],
        questions: int,
        manner: Manner,
        *,
        short: bool = False,
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Return loss and facts; clips are episodes (n) and the frames of each (n, frames)."""
        trainer, pool = self._trainer, self._trainer.pool
        episodes, maps = clips
        rate = float(trainer.random.choice(RATES))
        tails, labels, things = [], [], []
        for episode, shown in zip(episodes, maps, strict=True):
            row = []
            for prefix in prefixes:
                tasks = trainer.tasks(pool.questions(episode), episode, questions)
                words = trainer.random.choice(READ_WORDINGS, questions)
                asked = zip(tasks, words, strict=True)
                row += [self._trees.tail(task.say(words), short) for task, words in asked]
                moment = episode, shown[0], shown[prefix - 1]
                labels.append(pool.labels(*moment, tasks))
                things.append(pool.things(*moment, tasks))
            tails.append(row)
        times = [k / rate for k in range(maps.shape[1])]
        longest = max(len(tail) for row in tails for tail in row)
        tree = self._trees.tree(times, prefixes, questions, longest, short)
        frames = trainer.frames(episodes[:, None], maps)
        log_probs, features = self._trees.forward(tree, frames, tails)
        target = torch.from_numpy(np.stack(labels)).float().view(log_probs.shape[:-1])
        loss = divergence(log_probs, target)
        shown = maps[:, np.array(tree.pairs)]  # (clips, blocks, 2)
        points = trainer.places[episodes[:, None, None], shown].flatten(0, 1)
        seeing_loss = trainer.seeing_loss(features, points)
        named = torch.from_numpy(np.stack(things)).float().view(*target.shape, 6, 2)
        pointing_loss = trainer.pointing_loss(self._trees.pointing_states, named)
        p_true = log_probs[..., 0].exp()
        error = (p_true - target).abs().mean()
        pair = torch.stack([p_true.detach().ravel(), target.ravel()])
        facts = {
            'divergence': loss.item(),
            'error': error.item(),
            'correlation': float(torch.corrcoef(pair)[0, 1]),
            'seeing': seeing_loss.item(),
            'pointing': pointing_loss.item(),
        }
        log_error = torch.nn.functional.huber_loss(log_probs[..., 0], target.log(), delta=0.5)
        loss = loss + manner.relative * log_error + manner.absolute * error
        return loss + manner.auxiliary * (seeing_loss + pointing_loss), facts


def divergence(log_probs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the Kullback-Leibler divergence of the answer from (target, 1 - target) [nat]."""
    both = torch.stack([target, 1 - target], dim=-1)
    return (both * (both.log() - log_probs)).sum(-1).mean()
