# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the trainings of the demo's models share: optimisers, phases, clips, auxiliary losses."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from topreward_ros.demo.model import CELL, MERGE, PATCH, SHAPE, SIDE
from topreward_ros.demo.tasks import Task
from topreward_ros.scoring.engine.geometry import Geometry

from .forward import GradientModel
from .pool import FRAMES, THINGS, Pool

LEARNING_RATE = 2e-3
MAX_STEP = 5  # frames of the pool from one frame of a clip to the next
NOISE = 1  # levels of 255 that differ from frame to frame, as a camera's do
Step = Callable[[], tuple[torch.Tensor, dict[str, float]]]


class Trainer:
    """A model with its auxiliary heads, the optimisers and the pool of clips."""

    def __init__(self, model: Any, pool: Pool, seed: int, share: float) -> None:
        """share: of the steps of each phase that are run."""
        torch.manual_seed(seed)
        self.forward = GradientModel(model.train(), Geometry(PATCH, MERGE))
        self.model = model
        self._set_weights()
        self.pool = pool
        self.places = torch.from_numpy(pool.points)
        self.random = np.random.default_rng(seed)
        hidden = SHAPE['text']['hidden_size']
        self.seeing = torch.nn.Linear(hidden * (1 + len(SHAPE['deepstack'])), 6 * len(THINGS))
        self.pointing = torch.nn.Linear(hidden, 12)
        self.heads = [*self.seeing.parameters(), *self.pointing.parameters()]
        self.optimisers: list[torch.optim.Optimizer] = []
        self._share = share
        self._start_time = time.monotonic()

    def _set_weights(self) -> None:
        for name, weight in self.model.named_parameters():
            if 'pos_embed' in name:
                torch.nn.init.normal_(weight, std=0.3)
            elif weight.ndim > 1:
                torch.nn.init.normal_(weight, std=SHAPE['std'])

    def _make_optimisers(self) -> list[torch.optim.Optimizer]:
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

    def run(self, name: str, steps: int, rates: tuple[float, float], step: Step) -> None:
        """Run the steps of a phase; the learning rate decays along half a cosine."""
        self.optimisers = self.optimisers or self._make_optimisers()
        first, last = rates
        steps = max(1, round(steps * self._share))
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
            known = {key: value for key, value in facts.items() if not math.isnan(value)}
            for key, value in known.items():
                smooth[key] = value if key not in smooth else 0.96 * smooth[key] + 0.04 * value
            if (k + 1) % 50 == 0 or k + 1 == steps:
                values = '  '.join(f'{key} {value:.4f}' for key, value in smooth.items())
                seconds = time.monotonic() - self._start_time
                print(f'{seconds:6.0f} s  {name}  {k + 1}/{steps}  {values}', flush=True)

    # What both kinds of models start with

    def see(self) -> tuple[torch.Tensor, dict[str, float]]:
        """Return loss and facts of a batch of frames, for the vision tower alone."""
        count = 48
        episodes, frames = self.clips(count, scrambled=0.5), self.random.integers(0, FRAMES, count)
        apart = self.random.integers(-MAX_STEP, MAX_STEP + 1, count)
        apart = np.where(self.random.random(count) < 0.3, 0, apart)
        pairs = np.stack([np.clip(frames - apart, 0, FRAMES - 1), frames], axis=1)
        features = self.forward.encode(self.frames(episodes[:, None], pairs))
        loss = self.seeing_loss(features, self.places[episodes[:, None], pairs])
        return loss, {'seeing': loss.item()}

    def save_seen(self, file: Path) -> None:
        """Write the vision tower, and the auxiliary head that it was trained with."""
        tensors = {f'visual.{k}': v for k, v in self.model.model.visual.state_dict().items()}
        tensors |= {f'seeing.{k}': v for k, v in self.seeing.state_dict().items()}
        save_file(tensors, file)

    def load_seen(self, file: Path) -> None:
        """Read what `save_seen` wrote."""
        tensors = load_file(file)
        for prefix, module in (('visual.', self.model.model.visual), ('seeing.', self.seeing)):
            own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            module.load_state_dict(own)

    # Clips

    def clips(self, count: int, scrambled: float) -> np.ndarray:
        """Sample clips of the pool, of which this share is scrambled."""
        pool = self.pool
        return np.where(
            self.random.random(count) < scrambled,
            self.random.integers(pool.episodes, len(pool.tasks), count),
            self.random.integers(0, pool.episodes, count),
        )

    def frames(self, episodes: np.ndarray, indices: np.ndarray) -> torch.Tensor:
        """Return frames of the pool, uint8 (..., H, W, 3), each with noise of its own."""
        shown = self.pool.frames[episodes, indices].to(torch.int16)
        noise = torch.randint(-NOISE, NOISE + 1, shown.shape, dtype=torch.int16)
        return (shown + noise).clamp(0, 255).to(torch.uint8)

    def time_map(self, frames: int, from_start: float, static: float) -> np.ndarray:
        """Return the frames of an episode to show: mostly forwards, backwards, or one only."""
        first, last = self.random.integers(0, FRAMES, 2)
        if self.random.random() < from_start:
            first = 0
        still = self.random.random()
        if still < 0.4 * static:
            last = first
        elif still < static:
            first = last
        elif first > last and self.random.random() < 0.6:
            first, last = last, first
        most = MAX_STEP * (frames - 1)
        last = np.clip(last, first - most, first + most)
        return np.round(np.linspace(first, last, frames)).astype(int)

    def tasks(self, possible: list[Task], episode: int, count: int) -> list[Task]:
        """Sample tasks: the one done, twice; one with its object, one with its target; others."""
        if episode >= self.pool.episodes:
            order = self.random.permutation(len(possible))
            return [possible[k] for k in np.resize(order, count)]
        done = self.pool.tasks[episode]

        def pick(tasks: Iterator[Task]) -> list[Task]:
            candidates = list(tasks)
            return [candidates[self.random.integers(len(candidates))]] if candidates else []

        chosen = [
            *(2 if count > 3 else 1) * pick(task for task in possible if task == done),
            *pick(t for t in possible if t.object == done.object and t != done),
            *pick(t for t in possible if t.target == done.target and t != done),
        ]
        order = self.random.permutation(len(possible))
        remaining = [possible[k] for k in order if possible[k] not in chosen]
        chosen = [*chosen, *remaining][:count]
        while len(chosen) < count:
            chosen.append(possible[self.random.integers(len(possible))])
        return [chosen[k] for k in self.random.permutation(count)]

    # Auxiliary losses

    def seeing_loss(self, features: list[torch.Tensor], points: torch.Tensor) -> torch.Tensor:
        """Return the loss of the vision head: which things are in each token's cell, and where.

        features: of pairs of frames, each (pairs, tokens, hidden); points: positions in both
        frames, (pairs, 2, things, 2). Both count: what a clip begins with is in its first frame.
        """
        points = points.flatten(1, 2)
        predicted = self.seeing(torch.cat(features, dim=-1)).unflatten(-1, (-1, 3))
        side = SIDE // CELL
        cells = (points.nan_to_num(-1) * side).floor().long()  # of columns, rows
        inside = ((cells >= 0) & (cells < side)).all(-1)
        cell = (cells[..., 1] * side + cells[..., 0]).where(inside, 0)
        present = torch.nn.functional.one_hot(cell, side * side) * inside[..., None]
        present = present.transpose(1, 2).bool()  # (pairs, cells, things)
        error = predicted[..., :2] - 4 * (points[:, None].nan_to_num() - 0.5)
        position_loss = (error**2).sum(-1)[present].mean()
        presence_loss = torch.nn.functional.binary_cross_entropy_with_logits(
            predicted[..., 2], present.float()
        )
        return position_loss + 4 * presence_loss

    def seeing_pictures_loss(
        self, features: list[torch.Tensor], episodes: np.ndarray, indices: np.ndarray
    ) -> torch.Tensor:
        """Return the same loss of pictures, each of which is a pair of the same frame twice."""
        points = self.places[episodes, indices].flatten(0, 1)
        return self.seeing_loss(features, torch.stack([points, points], dim=1))

    def pointing_loss(self, states: torch.Tensor, things: torch.Tensor) -> torch.Tensor:
        """Return the loss of the pointing head: positions of the things that a question names.

        states: hidden states in the middle of the model, (..., hidden); things (..., 6, 2).
        """
        predicted = self.pointing(states).unflatten(-1, (6, 2))
        return ((predicted - 4 * (things - 0.5)) ** 2).sum(-1).mean()
