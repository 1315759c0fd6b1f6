# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small policy, cloned from imperfect demonstrations."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from .table_world import STEPS, TableWorld

DEMONSTRATIONS = 400
CLONING_STEPS = 4000


class Policy(nn.Module):
    """Actions from observations (n, 8), and values that also see the time in [0, 1], (n, 9)."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.mean, self.grip = nn.Linear(64, 2), nn.Linear(64, 1)
        self.log_deviation = nn.Parameter(torch.full((2,), -1.6))
        self.critic = nn.Sequential(nn.Linear(9, 64), nn.Tanh(), nn.Linear(64, 1))

    def distributions(
        self, observations: torch.Tensor
    ) -> tuple[torch.distributions.Normal, torch.distributions.Bernoulli]:
        """Return those of the movement (n, 2), and of closing the gripper (n)."""
        hidden = self.trunk(observations * 3)
        deviation = self.log_deviation.clamp(-2.5, 0).exp()
        movement = torch.distributions.Normal(self.mean(hidden), deviation)
        return movement, torch.distributions.Bernoulli(logits=self.grip(hidden)[:, 0])

    def log_prob(self, observations: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return that of actions (n, 3), (n)."""
        movement, closing = self.distributions(observations)
        return movement.log_prob(actions[:, :2]).sum(1) + closing.log_prob(
            (actions[:, 2] > 0).float()
        )

    def value(self, observations: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """Return the values (n) at times (n) in [0, 1]."""
        return self.critic(torch.cat([observations, times[:, None]], dim=1))[:, 0]

    @torch.no_grad()
    def act(self, observation: np.ndarray) -> np.ndarray:
        """Sample an action (3)."""
        movement, closing = self.distributions(torch.from_numpy(observation)[None])
        grip = 1.0 if closing.sample()[0] > 0 else -1.0
        return np.append(movement.sample()[0].numpy(), grip).astype(np.float32)


def clone(seed: int, demonstrations: int = DEMONSTRATIONS, steps: int = CLONING_STEPS) -> Policy:
    """Return a policy that imitates demonstrations, most of which release beside the place."""
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    observed, acted = _demonstrations(random, demonstrations)
    policy = Policy()
    optimiser = torch.optim.Adam(policy.parameters(), 1e-3)
    for _ in range(steps):
        batch = torch.randint(len(observed), (256,))
        loss = -policy.log_prob(observed[batch], acted[batch]).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return policy


def _demonstrations(random: np.random.Generator, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    world, observed, acted = TableWorld(), [], []
    for _ in range(count):
        observation, _ = world.reset(seed=int(random.integers(2**31)))
        offset = random.normal(0, 0.10, 2) if random.random() < 0.6 else np.zeros(2)
        tolerance = random.uniform(0.02, 0.05)
        for _ in range(STEPS):
            action = _operator(observation, offset, tolerance)
            action += np.append(random.normal(0, 0.15, 2), 0)
            observed.append(observation)
            acted.append(action.astype(np.float32))
            observation, *_ = world.step(acted[-1])
    return torch.from_numpy(np.array(observed)), torch.from_numpy(np.array(acted))


def _operator(observation: np.ndarray, offset: np.ndarray, tolerance: float) -> np.ndarray:
    """Return what a scripted operator does, who takes the place to be elsewhere by an offset."""
    to_block, block_to_place, to_place = observation[0:2], observation[2:4], observation[4:6]
    is_held, opening = observation[6] > 0, observation[7]
    if is_held:
        way = to_place + offset
        if np.linalg.norm(way) < tolerance:
            return np.array([0.0, 0.0, -1.0])
        return np.append(np.clip(way / 0.08, -1, 1), 1.0)
    if np.linalg.norm(block_to_place) < 0.16 and np.linalg.norm(to_block) < 0.3 and opening > 0.5:
        away = -to_block / (np.linalg.norm(to_block) + 1e-6)
        return np.append(np.clip(away, -1, 1), -1.0)
    if np.linalg.norm(to_block) < 0.035:
        return np.array([0.0, 0.0, 1.0])
    return np.append(np.clip(to_block / 0.08, -1, 1), -1.0)
