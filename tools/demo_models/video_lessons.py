# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lessons of TOPReward's question: is the task that a video shows complete?

The label is progress since the video's first frame, so the length of a video alone has no meaning.
"""

from __future__ import annotations

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


class VideoLessons:
    """Asks about prefixes of clips."""

    def __init__(self, trainer: Trainer, folder: Path) -> None:
        """folder: of the checkpoint, for its tokenizer."""
        self._trainer = trainer
        layout = PromptLayout(PromptTokens.of(folder), TOPREWARD)
        self._trees = TreeModel(trainer.forward, layout)

    def ask(self, clips: int, short: bool) -> tuple[torch.Tensor, dict[str, float]]:
        """Return loss and facts of clips of two moments, twice each, with ten questions."""
        episodes = self._trainer.clips(clips, scrambled=0.8)
        firsts, lasts = self._trainer.random.integers(0, FRAMES, (2, clips))
        maps = np.stack([firsts, firsts, lasts, lasts], axis=1)
        return self._answer((episodes, maps), [4], questions=10, short=short, seeing=0.3)

    def score(
        self, polish: bool = False, relative: float | None = None
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Return loss and facts of prefixes of clips of 2 to 32 frames.

        Polishing has more unscrambled clips that begin at the start of an episode. relative: weight
        of the error of log P; None: little, more in polishing.
        """
        if relative is None:
            relative = 0.4 if polish else 0.03
        trainer, random = self._trainer, self._trainer.random
        many = random.random() < 0.2
        blocks = int(random.integers(9, 17) if many else random.integers(1, 9))
        clips, frames = 8 if many else 16, 2 * blocks
        from_start, static = (0.7, 0.35) if polish else (0.5, 0.25)
        maps = np.stack([trainer.time_map(frames, from_start, static) for _ in range(clips)])
        episodes = trainer.clips(clips, scrambled=0.05 if polish else 0.15)
        # Every episode has a short prefix, in which start and present are hard to distinguish.
        beginning = int(random.integers(1, 4))
        prefixes = sorted({min(beginning, frames), int(random.integers(1, frames)), frames})
        return self._answer(
            (episodes, maps),
            prefixes,
            questions=4,
            short=False,
            seeing=0.1,
            relative=relative,
        )

    def _answer(
        self,
        clips: tuple[np.ndarray, np.ndarray],
        prefixes: list[int],
        *,
        questions: int,
        short: bool,
        seeing: float,
        relative: float = 0.0,
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Return loss and facts; clips are episodes (n) and the frames shown of each (n, frames).

        seeing: weight of the auxiliary losses; relative: weight of the error of log P, as the
        divergence is insensitive to a P of 0.05 instead of 0.03.
        """
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
        shown = maps[:, [pair[1] for pair in tree.pairs]]
        points = trainer.places[episodes[:, None], shown].flatten(0, 1)
        seeing_loss = trainer.seeing_loss(features, points)
        named = torch.from_numpy(np.stack(things)).float().view(*target.shape, 6, 2)
        pointing_loss = trainer.pointing_loss(self._trees.pointing_states, named)
        p_true = log_probs[..., 0].detach().exp()
        pair = torch.stack([p_true.ravel(), target.ravel()])
        facts = {
            'divergence': loss.item(),
            'error': (p_true - target).abs().mean().item(),
            'correlation': float(torch.corrcoef(pair)[0, 1]),
            'seeing': seeing_loss.item(),
            'pointing': pointing_loss.item(),
        }
        if relative:
            error = log_probs[..., 0] - target.log()
            loss = loss + relative * torch.nn.functional.huber_loss(error, 0 * error, delta=0.5)
        return loss + seeing * (seeing_loss + pointing_loss), facts


def divergence(log_probs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the Kullback-Leibler divergence of the answer from (target, 1 - target) [nat]."""
    both = torch.stack([target, 1 - target], dim=-1)
    return (both * (both.log() - log_probs)).sum(-1).mean()
