# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trains the demo's model on the small world: python tools/train_demo_model.py FOLDER

Three phases, each a harder task on the same weights:

1. see: the vision tower alone; a throw-away linear head reads from each of its tokens which things
   are in that patch, and where. Without it the model stays at a constant answer: nothing tells it
   to bind colour to place. The loss stays on with a small weight to the end.
2. ask: two frames of a scrambled table, ten questions to each, the task alone first. Another
   throw-away head reads from the middle of the model where the things that the task names were
   and are. It knows of things, not of pairs, so that words can be put together anew.
3. score: the prompt as it is scored, 2 to 32 frames at any rate, played forwards, backwards or
   standing still; several prefixes, several questions to each. Then once more, to polish.

The label is progress since the clip's first frame, so a longer video by itself means nothing.
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
from demo_batches import TreeModel
from demo_pool import FRAMES, THINGS, Pool, make_pool

from topreward_ros.demo.checkpoint_files import new_model, save_weights, whole_folder
from topreward_ros.demo.model import PATCH, SHAPE, SIDE
from topreward_ros.demo.tasks import MORE_WORDINGS, UNREAD_WORDINGS, WORDINGS, Task, all_tasks
from topreward_ros.scoring.engine.geometry import Geometry
from topreward_ros.scoring.engine.prompt import PromptTokens
from topreward_ros.scoring.reward_models.topreward.layout import TOPREWARD, PromptLayout

READ_WORDINGS = (*WORDINGS, *MORE_WORDINGS)
RATES = (1.0, 2.0, 4.0, 5.0, 10.0)
LEARNING_RATE = 2e-3
STEPS = {'see': 4000, 'ask briefly': 700, 'ask': 200, 'score': 900, 'polish': 1600}
LONGEST_STEP = 5  # frames of the pool from one frame of a clip to the next


class Trainer:
    """The model, the vision head, the optimisers and the pool they learn from."""

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
        self.began = time.monotonic()

    def _set_weights(self) -> None:
        for name, weight in self.model.named_parameters():
            if 'pos_embed' in name:
                torch.nn.init.normal_(weight, std=0.3)
            elif weight.ndim > 1:
                torch.nn.init.normal_(weight, std=SHAPE['std'])

    def _optimisers(self) -> list[torch.optim.Optimizer]:
        """Muon for the matrices within the layers, AdamW for the rest."""
        named = dict(self.model.named_parameters())
        inner = {
            name: weight
            for name, weight in named.items()
            if weight.ndim == 2 and 'embed' not in name and 'lm_head' not in name
        }
        rest = [weight for name, weight in named.items() if name not in inner]
        muon = torch.optim.Muon(
            inner.values(), weight_decay=0.01, momentum=0.95, adjust_lr_fn='match_rms_adamw'
        )
        adamw = torch.optim.AdamW([*rest, *self.heads], weight_decay=0.01, betas=(0.9, 0.98))
        return [muon, adamw]

    # Phases

    def run(
        self, name: str, rates: tuple[float, float], step: Callable[[], tuple[torch.Tensor, Any]]
    ) -> None:
        """Take the steps of a phase; the learning rate falls along half a cosine."""
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
                told = '  '.join(f'{key} {value:.4f}' for key, value in smooth.items())
                seconds = time.monotonic() - self.began
                print(f'{seconds:6.0f} s  {name}  {k + 1}/{steps}  {told}', flush=True)

    def see(self) -> tuple[torch.Tensor, Any]:
        episodes, frames = self._clips(64, scrambled=0.5), self.random.integers(0, FRAMES, 64)
        before = np.maximum(frames - self.random.integers(0, 2, 64), 0)
        pairs = torch.stack([self.pool.frames[episodes, f] for f in (before, frames)], dim=1)
        loss = self._seeing_loss(self.trees.see(pairs), self.places[episodes, frames])
        return loss, {'seeing': loss.item()}

    def ask(self, clips: int, short: bool) -> tuple[torch.Tensor, Any]:
        """Two moments, twice each; ten questions."""
        episodes = self._clips(clips, scrambled=0.8)
        firsts, lasts = self.random.integers(0, FRAMES, (2, clips))
        maps = np.stack([firsts, firsts, lasts, lasts], axis=1)
        return self._answer((episodes, maps), [4], questions=10, short=short, seeing=0.3)

    def score(self, polish: bool = False) -> tuple[torch.Tensor, Any]:
        """Prefixes of clips of 2 to 32 frames; to polish, more of them as they will be scored."""
        many = self.random.random() < 0.2
        blocks = int(self.random.integers(9, 17) if many else self.random.integers(1, 9))
        clips, frames = 8 if many else 16, 2 * blocks
        maps = np.stack([self._time_map(frames, 0.75 if polish else 0.5) for _ in range(clips)])
        episodes = self._clips(clips, scrambled=0.05 if polish else 0.15)
        # The first few frames are met in every episode, and little there tells start from now.
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
        """Which frames of an episode to show: forwards mostly, backwards, or one alone."""
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
        most = LONGEST_STEP * (frames - 1)
        last = np.clip(last, first - most, first + most)
        return np.round(np.linspace(first, last, frames)).astype(int)

    def _clips(self, count: int, scrambled: float) -> np.ndarray:
        """Clips of the pool, of which this share is scrambled."""
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
        """Loss and facts; clips are episodes (n) and which of their frames are shown (n, frames).

        seeing is the weight of the heads' losses, relative that of errors of log P itself: the
        divergence hardly feels how a P of 0.03 comes to be one of 0.05.
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
        wanted = torch.from_numpy(np.stack(labels)).float().view(log_probs.shape[:-1])
        loss = _divergence(log_probs, wanted)
        shown = maps[:, [pair[1] for pair in tree.pairs]]
        seen = self._seeing_loss(features, self.places[episodes[:, None], shown].flatten(0, 1))
        named = torch.from_numpy(np.stack(things)).float().view(*wanted.shape, 6, 2)
        pointed = self._pointing_loss(named)
        said = log_probs[..., 0].detach().exp()
        facts = {
            'divergence': loss.item(),
            'error': (said - wanted).abs().mean().item(),
            'correlation': float(torch.corrcoef(torch.stack([said.ravel(), wanted.ravel()]))[0, 1]),
            'seeing': seen.item(),
            'pointing': pointed.item(),
        }
        if relative:
            off = log_probs[..., 0] - wanted.log()
            loss = loss + relative * torch.nn.functional.huber_loss(off, 0 * off, delta=0.5)
        return loss + seeing * (seen + pointed), facts

    def _tasks(self, possible: list[Task], episode: int, count: int) -> list[Task]:
        """Tasks to ask: what the arm does, twice; neighbours by object and target; any others."""
        if episode >= self.pool.episodes:
            order = self.random.permutation(len(possible))
            return [possible[k] for k in np.resize(order, count)]
        done = self.pool.tasks[episode]

        def pick(tasks: Iterator[Task]) -> list[Task]:
            found = list(tasks)
            return [found[self.random.integers(len(found))]] if found else []

        chosen = [
            *2 * pick(task for task in possible if task == done),
            *pick(t for t in possible if t.object == done.object and t != done),
            *pick(t for t in possible if t.target == done.target and t != done),
        ]
        order = self.random.permutation(len(possible))
        rest = [possible[k] for k in order if possible[k] not in chosen]
        chosen = [*chosen, *rest][:count]
        while len(chosen) < count:
            chosen.append(possible[self.random.integers(len(possible))])
        return [chosen[k] for k in self.random.permutation(count)]

    def _seeing_loss(self, features: list[torch.Tensor], points: torch.Tensor) -> torch.Tensor:
        """How wrong the head is, patch by patch, about which things are there and where."""
        said = self.seeing(torch.cat(features, dim=-1)).unflatten(-1, (len(THINGS), 3))
        side = SIDE // PATCH
        cells = (points.nan_to_num(-1) * side).floor().long()  # of columns, rows
        inside = ((cells >= 0) & (cells < side)).all(-1)
        cell = (cells[..., 1] * side + cells[..., 0]).where(inside, 0)
        there = torch.nn.functional.one_hot(cell, side * side) * inside[..., None]
        there = there.transpose(1, 2).bool()  # (pairs, patches, things)
        away = said[..., :2] - 4 * (points[:, None].nan_to_num() - 0.5)
        where = (away**2).sum(-1)[there].mean()
        which = torch.nn.functional.binary_cross_entropy_with_logits(said[..., 2], there.float())
        return where + 4 * which

    def _pointing_loss(self, things: torch.Tensor) -> torch.Tensor:
        """How wrong the other head is about where the things are that a question names."""
        said = self.pointing(self.trees.thought).unflatten(-1, (6, 2))
        return ((said - 4 * (things - 0.5)) ** 2).sum(-1).mean()


def _divergence(log_probs: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler divergence of the answer from (wanted, 1 - wanted) [nat]."""
    both = torch.stack([wanted, 1 - wanted], dim=-1)
    return (both * (both.log() - log_probs)).sum(-1).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, help='a new one, for the checkpoint')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--episodes', type=int, default=2400, help='in the pool')
    parser.add_argument('--scrambled', type=int, default=1200, help='more clips in the pool')
    parser.add_argument('--share', type=float, default=1.0, help='of the steps, to try it out')
    parser.add_argument('--threads', type=int, default=2)
    options = parser.parse_args()
    if options.folder.exists():
        parser.error(f'{options.folder} is there already: choose another folder')
    torch.set_num_threads(options.threads)
    began = time.monotonic()
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
    minutes, busy = (time.monotonic() - began) / 60, time.process_time() / 60
    print(f'{options.folder}: {minutes:.1f} minutes, {busy:.1f} minutes of processor time')


if __name__ == '__main__':
    main()
