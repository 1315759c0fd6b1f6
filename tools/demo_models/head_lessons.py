# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lessons of a Robometer (arXiv 2603.02115): progress and success after each picture of a clip."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch

from topreward_ros.demo.random_robometer import BINS
from topreward_ros.scoring.engine.prompt import PromptTokens
from topreward_ros.scoring.reward_models.robometer.heads import ValueHeads
from topreward_ros.scoring.reward_models.robometer.layout import RobometerLayout

from .pool import FRAMES
from .sequences import PLACEHOLDER, Prompt, run_prompts
from .trainer import Trainer
from .video_lessons import READ_WORDINGS

SUCCESS_FROM = 0.95  # of the progress: halfway through the release
CERTAIN = 0.99


class HeadLessons:
    """Asks for progress and success after each picture of clips."""

    def __init__(self, trainer: Trainer, folder: Path) -> None:
        """folder: of the checkpoint, for its tokenizer; it needs the added tokens."""
        self._trainer = trainer
        rows = trainer.model.config.text_config.vocab_size
        tokens = PromptTokens.of(folder)
        self._layout, self._brief = (RobometerLayout(tokens, rows) for _ in range(2))
        self._brief.instruction = '{task}'
        hidden = trainer.model.config.text_config.hidden_size
        self.weights = torch.nn.ParameterDict()  # by the names of the published files
        for name, outputs in (('progress_head', BINS), ('success_head', 1)):
            first, last = (
                torch.nn.Linear(hidden, hidden // 2),
                torch.nn.Linear(hidden // 2, outputs),
            )
            norm = torch.nn.LayerNorm(hidden // 2)
            for number, module in ((0, first), (1, norm), (4, last)):
                for part, weight in module.named_parameters():
                    self.weights[f'{name}.{number}.{part}'.replace('.', '/')] = weight
        trainer.heads += self.weights.values()

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the heads' weights by their published names."""
        return {name.replace('/', '.'): weight for name, weight in self.weights.items()}

    def bind(self, clips: int, tasks: int) -> tuple[torch.Tensor, dict[str, float]]:
        """Return loss and facts of two pictures of scrambled clips, of many tasks in brief."""
        maps = self._trainer.random.integers(0, FRAMES, (clips, 2))
        episodes = self._trainer.clips(clips, scrambled=0.8)
        return self._answer((episodes, maps), tasks, self._brief, auxiliary=0.3, absolute=0)

    def score(self, most: int, clips: int, polish: bool) -> tuple[torch.Tensor, dict[str, float]]:
        """Return loss and facts of clips of up to `most` pictures, all with the same number.

        Of shorter ones there are more than `clips`.
        """
        trainer = self._trainer
        count = int(trainer.random.integers(2, most + 1))
        clips = max(4, min(24, math.ceil(clips * most / (count + 4))))
        from_start, static = (0.8, 0.25) if polish else (0.5, 0.2)
        maps = np.stack([trainer.time_map(count, from_start, static) for _ in range(clips)])
        episodes = trainer.clips(clips, scrambled=0.05 if polish else 0.3)
        auxiliary, absolute = (0.1, 3.0) if polish else (0.3, 1.0)
        return self._answer((episodes, maps), 3, self._layout, auxiliary, absolute)

    def _answer(
        self,
        clips: tuple[np.ndarray, np.ndarray],
        count: int,
        layout: RobometerLayout,
        auxiliary: float,
        absolute: float,
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Return loss and facts; clips are episodes (n) and the frames shown of each (n, frames).

        count: of tasks; auxiliary: weight of the auxiliary losses; absolute: of progress' error.
        """
        trainer, pool = self._trainer, self._trainer.pool
        episodes, maps = clips
        pictures = trainer.frames(episodes[:, None], maps).flatten(0, 1)
        features = trainer.forward.encode(torch.stack([pictures, pictures], dim=1))
        prompts, progress, things = [], [], []
        for clip, (episode, shown) in enumerate(zip(episodes, maps, strict=True)):
            tasks = trainer.tasks(pool.questions(episode), episode, count)
            for task in tasks:
                text = task.say(str(trainer.random.choice(READ_WORDINGS)))
                prompts.append(self._prompt(layout, text, clip, maps.shape[1]))
            moments = [(episode, shown[0], now) for now in shown]
            progress.append(np.stack([pool.progress(*each, tasks) for each in moments], axis=1))
            things.append(np.stack([pool.things(*each, tasks) for each in moments], axis=1))
        rows = torch.tensor([prompt.ends for prompt in prompts]) - 1
        row = torch.arange(len(prompts))[:, None]
        states = run_prompts(trainer.forward, prompts, features, (row, rows))
        target = torch.from_numpy(np.concatenate(progress)).float()
        loss, facts = self._loss(states.flatten(0, 1), target.flatten(), absolute)
        named = torch.from_numpy(np.concatenate(things)).float()
        pointing = trainer.pointing_loss(trainer.forward.middle[row, rows], named)
        seeing = trainer.seeing_pictures_loss(features, episodes[:, None], maps)
        facts |= {'seeing': seeing.item(), 'pointing': pointing.item()}
        return loss + auxiliary * (seeing + pointing), facts

    def _prompt(self, layout: RobometerLayout, task: str, clip: int, count: int) -> Prompt:
        geometry, side = self._trainer.forward.geometry, self._trainer.pool.frames.shape[2]
        segments, start = [], 0
        for number in range(1, count + 1):
            segment = layout.picture(PLACEHOLDER, number, task, geometry.grid((side, side)), start)
            segments.append(segment)
            start = segment.next_position
        return Prompt(segments, [clip * count + k for k in range(count)])

    def _loss(
        self, hidden: torch.Tensor, target: torch.Tensor, absolute: float
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Return the loss of both heads; hidden states (n, hidden), target progress (n)."""
        heads = ValueHeads(self.tensors())
        log_bins, odds = heads.logits(hidden)
        centres = torch.linspace(0, 1, BINS)
        weights = (1 - (target[:, None] - centres).abs() * (BINS - 1)).clamp(0, 1)
        log_probs = log_bins.log_softmax(-1)
        bins = (weights.xlogy(weights) - weights * log_probs).sum(-1).mean()
        done = (1 - CERTAIN) + (2 * CERTAIN - 1) * (target > SUCCESS_FROM).float()
        success = torch.nn.functional.binary_cross_entropy_with_logits(odds, done)
        error = (log_probs.exp() * centres).sum(-1) - target
        facts = {
            'bins': bins.item(),
            'success': success.item(),
            'error': error.detach().abs().mean().item(),
            'correlation': float(
                torch.corrcoef(torch.stack([error.detach() + target, target]))[0, 1]
            ),
        }
        return bins + success + absolute * error.abs().mean(), facts
