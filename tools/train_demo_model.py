# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trains the demo's model on the small world: python -m tools.train_demo_model FOLDER

Three phases, each a harder task on the same weights:

1. see: the vision tower alone; an auxiliary linear head predicts from each token which things are
   in that patch, and where. Without it the model stays at a constant answer, as nothing else makes
   it bind color to place. This loss continues with a small weight to the end.
2. ask: two frames of a scrambled table, ten questions each, at first the task without the rest of
   the question. Another auxiliary head predicts, from the middle of the model, the positions in
   both frames of the things that the task names. It knows things, not pairs, which helps the model
   to generalise to new pairs.
3. score: the prompt of scoring, 2 to 32 frames at any rate, forwards, backwards or static; several
   prefixes with several questions each. Then the same again with other settings, to polish.

The label is progress since the clip's first frame, so the length of a video alone has no meaning.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tools.demo_batches import TreeModel
from tools.demo_pool import FRAMES, THINGS, Pool, make_pool
from topreward_ros.demo.checkpoint_files import new_model, save_weights
from topreward_ros.demo.model import PATCH, SHAPE, SIDE
from topreward_ros.demo.tasks import MORE_WORDINGS, UNREAD_WORDINGS, WORDINGS, Task, all_tasks
from topreward_ros.files import whole_folder
from topreward_ros.scoring.engine.geometry import Geometry
from topreward_ros.scoring.engine.prompt import PromptTokens
from topreward_ros.scoring.reward_models.topreward.layout import TOPREWARD, PromptLayout

READ_WORDINGS = (*WORDINGS, *MORE_WORDINGS)
RATES = (1.0, 2.0, 4.0, 5.0, 10.0)
LEARNING_RATE = 2e-3
STEPS = {'see': 4000, 'ask briefly': 700, 'ask': 200, 'score': 900, 'polish': 1600}
MAX_STEP = 5  # frames of the pool from one frame of a clip to the next


class Trainer:
    """The model with its auxiliary heads, the optimisers and the pool of clips."""

    def __init__(self, folder: Path, pool: Pool, seed: int, share: float) -> None:
        torch.manual_seed(seed)
        words = [task.say(words) for task in all_tasks() for words in READ_WORDINGS]
        words += [f' {words}' for words in (*words, *UNREAD_WORDINGS)]
        self.folder = folder
        self.model = new_model(folder, SHAPE, words).train()
        self._set_weights()
        layout = PromptLayout(PromptTokens(folder / 'tokenizer.json'), TOPREWARD)
        self.trees = TreeModel(self.model, layout, Geometry(PATCH, SHAPE['merge']))
        self.pool = pool
        self.share = share
        self.random = np.random.default_rng(seed)
        hidden = SHAPE['text']['hidden_size']
        self.seeing = torch.nn.Linear(hidden * (1 + len(SHAPE['deepstack'])), 3 * len(THINGS))
        self.pointing = torch.nn.Linear(hidden, 12)
        self.heads = [*self.seeing.parameters(), *self.pointing.parameters()]
        self.optimisers = self._optimisers()
        self.places = torch.from_numpy(pool.points)
        self.start_time = time.monotonic()

    def _set_weights(self) -> None:
        for name, weight in self.model.named_parameters():
            if 'pos_embed' in name:
                torch.nn.init.normal_(weight, std=0.3)
            elif weight.ndim > 1:
                torch.nn.init.normal_(weight, std=SHAPE['std'])

    def _optimisers(self) -> list[torch.optim.Optimizer]:
        """Return Muon for the matrices within the layers, AdamW for all other parameters."""
        named = dict(self.model.named_parameters())
        inner = {
            name: weight
            for name, weight in named.items()
            if weight.ndim == 2 and 'embed' not in name and 'lm_head' not in name
        }
        outer = [weight for name, weight in named.items() if name not in inner]
        muon = torch.optim.Muon(
            inner.values(), weight_decay=0.01, momentum=0.95, adjust_lr_fn='match_rms_adamw'
        )
        adamw = torch.optim.AdamW([*outer, *self.heads], weight_decay=0.01, betas=(0.9, 0.98))
        return [muon, adamw]

    # Phases

    def run(
        self, name: str, rates: tuple[float, float], step: Callable[[], tuple[torch.Tensor, Any]]
    ) -> None:
        """Run the steps of a phase; the learning rate decays along half a cosine."""
        first, last = rates
        steps = max(1, round(STEPS[name] * self.share))
        smooth: dict[str, float] = {}
        for k in range(steps):
            rate = last + (first - last) * (1 + math.cos(math.pi * k / steps)) / 2
            for optimiser in self.optimisers:
                for group in optimiser.param_groups:
                    group['lr'] = rate * min(1.0, (k + 1) / 30)
                optimiser.zero_grad()
            loss, facts = step()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([*self.model.parameters(), *self.heads], 1)
            for optimiser in self.optimisers:
                optimiser.step()
            for key, value in facts.items():
                smooth[key] = value if key not in smooth else 0.96 * smooth[key] + 0.04 * value
            if (k + 1) % 50 == 0 or k + 1 == steps:
                values = '  '.join(f'{key} {value:.4f}' for key, value in smooth.items())
                seconds = time.monotonic() - self.start_time
                print(f'{seconds:6.0f} s  {name}  {k + 1}/{steps}  {values}', flush=True)

    def see(self) -> tuple[torch.Tensor, Any]:
        """Return loss and facts of a batch of frames, for the vision tower alone."""
        episodes, frames = self._clips(64, scrambled=0.5), self.random.integers(0, FRAMES, 64)
        before = np.maximum(frames - self.random.integers(0, 2, 64), 0)
        pairs = torch.stack([self.pool.frames[episodes, f] for f in (before, frames)], dim=1)
        loss = self._seeing_loss(self.trees.encode(pairs), self.places[episodes, frames])
        return loss, {'seeing': loss.item()}

    def ask(self, clips: int, short: bool) -> tuple[torch.Tensor, Any]:
        """Return loss and facts of clips of two moments, twice each, with ten questions."""
        episodes = self._clips(clips, scrambled=0.8)
        firsts, lasts = self.random.integers(0, FRAMES, (2, clips))
        maps = np.stack([firsts, firsts, lasts, lasts], axis=1)
        return self._answer((episodes, maps), [4], questions=10, short=short, seeing=0.3)

    def score(self, polish: bool = False) -> tuple[torch.Tensor, Any]:
        """Return loss and facts of prefixes of clips of 2 to 32 frames.

        Polishing has more unscrambled clips that begin at the start of an episode.
        """
        many = self.random.random() < 0.2
        blocks = int(self.random.integers(9, 17) if many else self.random.integers(1, 9))
        clips, frames = 8 if many else 16, 2 * blocks
        maps = np.stack([self._time_map(frames, 0.75 if polish else 0.5) for _ in range(clips)])
        episodes = self._clips(clips, scrambled=0.05 if polish else 0.15)
        # Every episode has a short prefix, in which start and present are hard to distinguish.
        beginning = int(self.random.integers(1, 4))
        prefixes = sorted({min(beginning, frames), int(self.random.integers(1, frames)), frames})
        return self._answer(
            (episodes, maps),
            prefixes,
            questions=4,
            short=False,
            seeing=0.1,
            relative=0.3 if polish else 0.03,
        )

    def _time_map(self, frames: int, from_start: float) -> np.ndarray:
        """Return the frames of an episode to show: mostly forwards, backwards, or one only."""
        first, last = self.random.integers(0, FRAMES, 2)
        if self.random.random() < from_start:
            first = 0
        still = self.random.random()
        if still < 0.1:
            last = first
        elif still < 0.25:
            first = last
        elif first > last and self.random.random() < 0.6:
            first, last = last, first
        most = MAX_STEP * (frames - 1)
        last = np.clip(last, first - most, first + most)
        return np.round(np.linspace(first, last, frames)).astype(int)

    def _clips(self, count: int, scrambled: float) -> np.ndarray:
        """Sample clips of the pool, of which this share is scrambled."""
        pool = self.pool
        return np.where(
            self.random.random(count) < scrambled,
            self.random.integers(pool.episodes, len(pool.tasks), count),
            self.random.integers(0, pool.episodes, count),
        )

    # Losses

    def _answer(
        self,
        clips: tuple[np.ndarray, np.ndarray],
        prefixes: list[int],
        *,
        questions: int,
        short: bool,
        seeing: float,
        relative: float = 0.0,
    ) -> tuple[torch.Tensor, Any]:
        """Return loss and facts; clips are episodes (n) and the frames shown of each (n, frames).

        seeing: weight of the auxiliary losses; relative: weight of the error of log P, as the
        divergence is insensitive to a P of 0.05 instead of 0.03.
        """
        episodes, maps = clips
        rate = float(self.random.choice(RATES))
        tails, labels, things = [], [], []
        for episode, shown in zip(episodes, maps, strict=True):
            row = []
            for prefix in prefixes:
                tasks = self._tasks(self.pool.questions(episode), episode, questions)
                words = self.random.choice(READ_WORDINGS, questions)
                asked = zip(tasks, words, strict=True)
                row += [self.trees.tail(task.say(words), short) for task, words in asked]
                moment = episode, shown[0], shown[prefix - 1]
                labels.append(self.pool.labels(*moment, tasks))
                things.append(self.pool.things(*moment, tasks))
            tails.append(row)
        times = [k / rate for k in range(maps.shape[1])]
        longest = max(len(tail) for row in tails for tail in row)
        tree = self.trees.tree(times, prefixes, questions, longest, short)
        frames = self.pool.frames[episodes[:, None], maps]
        log_probs, features = self.trees.forward(tree, frames, tails)
        target = torch.from_numpy(np.stack(labels)).float().view(log_probs.shape[:-1])
        loss = _divergence(log_probs, target)
        shown = maps[:, [pair[1] for pair in tree.pairs]]
        points = self.places[episodes[:, None], shown].flatten(0, 1)
        seeing_loss = self._seeing_loss(features, points)
        named = torch.from_numpy(np.stack(things)).float().view(*target.shape, 6, 2)
        pointing_loss = self._pointing_loss(named)
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

    def _tasks(self, possible: list[Task], episode: int, count: int) -> list[Task]:
        """Sample tasks: the one done, twice; one with its object, one with its target; others."""
        if episode >= self.pool.episodes:
            order = self.random.permutation(len(possible))
            return [possible[k] for k in np.resize(order, count)]
        done = self.pool.tasks[episode]

        def pick(tasks: Iterator[Task]) -> list[Task]:
            candidates = list(tasks)
            return [candidates[self.random.integers(len(candidates))]] if candidates else []

        chosen = [
            *2 * pick(task for task in possible if task == done),
            *pick(t for t in possible if t.object == done.object and t != done),
            *pick(t for t in possible if t.target == done.target and t != done),
        ]
        order = self.random.permutation(len(possible))
        remaining = [possible[k] for k in order if possible[k] not in chosen]
        chosen = [*chosen, *remaining][:count]
        while len(chosen) < count:
            chosen.append(possible[self.random.integers(len(possible))])
        return [chosen[k] for k in self.random.permutation(count)]

    def _seeing_loss(self, features: list[torch.Tensor], points: torch.Tensor) -> torch.Tensor:
        """Return the loss of the vision head: which things are in each patch, and where."""
        predicted = self.seeing(torch.cat(features, dim=-1)).unflatten(-1, (len(THINGS), 3))
        side = SIDE // PATCH
        cells = (points.nan_to_num(-1) * side).floor().long()  # of columns, rows
        inside = ((cells >= 0) & (cells < side)).all(-1)
        cell = (cells[..., 1] * side + cells[..., 0]).where(inside, 0)
        present = torch.nn.functional.one_hot(cell, side * side) * inside[..., None]
        present = present.transpose(1, 2).bool()  # (pairs, patches, things)
        error = predicted[..., :2] - 4 * (points[:, None].nan_to_num() - 0.5)
        position_loss = (error**2).sum(-1)[present].mean()
        presence_loss = torch.nn.functional.binary_cross_entropy_with_logits(
            predicted[..., 2], present.float()
        )
        return position_loss + 4 * presence_loss

    def _pointing_loss(self, things: torch.Tensor) -> torch.Tensor:
        """Return the loss of the pointing head: positions of the things that a question names."""
        predicted = self.pointing(self.trees.pointing_states).unflatten(-1, (6, 2))
        return ((predicted - 4 * (things - 0.5)) ** 2).sum(-1).mean()


def _divergence(log_probs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the Kullback-Leibler divergence of the answer from (target, 1 - target) [nat]."""
    both = torch.stack([target, 1 - target], dim=-1)
    return (both * (both.log() - log_probs)).sum(-1).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, help='new folder for the checkpoint')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--episodes', type=int, default=2400, help='episodes in the pool')
    parser.add_argument(
        '--scrambled', type=int, default=1200, help='scrambled clips in the pool, besides episodes'
    )
    parser.add_argument(
        '--share', type=float, default=1.0, help='share of the training steps, for a short trial'
    )
    parser.add_argument('--threads', type=int, default=2)
    options = parser.parse_args()
    if options.folder.exists():
        parser.error(f'{options.folder} exists: choose another folder')
    torch.set_num_threads(options.threads)
    start_time = time.monotonic()
    pool = make_pool(options.episodes, options.scrambled, options.seed, options.threads)
    with whole_folder(options.folder) as part:
        trainer = Trainer(part, pool, options.seed, options.share)
        count = sum(weight.numel() for weight in trainer.model.parameters())
        print(f'{count / 1e6:.2f} million parameters')
        fast = LEARNING_RATE
        trainer.run('see', (fast, 0.1 * fast), trainer.see)
        trainer.run('ask briefly', (fast, 0.5 * fast), lambda: trainer.ask(32, short=True))
        trainer.run('ask', (0.75 * fast, 0.5 * fast), lambda: trainer.ask(16, short=False))
        trainer.run('score', (0.75 * fast, 0.02 * fast), trainer.score)
        trainer.run('polish', (0.6 * fast, 0.005 * fast), lambda: trainer.score(polish=True))
        trainer.model.eval()
        save_weights(part, trainer.model)
    minutes, busy = (time.monotonic() - start_time) / 60, time.process_time() / 60
    print(f'{options.folder}: {minutes:.1f} minutes, {busy:.1f} minutes of processor time')


if __name__ == '__main__':
    main()
