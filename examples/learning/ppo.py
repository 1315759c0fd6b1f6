# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Proximal policy optimization (arXiv 1707.06347) of a small policy, on whole episodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .policy import Policy

DISCOUNT, TRACE = 0.97, 0.95
CLIP, EPOCHS, ENTROPY = 0.15, 6, 0.003
RATE = 5e-4


@dataclass(frozen=True)
class Batch:
    """Episodes of as many steps: observations (n, steps, 8), actions (n, steps, 3), rewards."""

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray


class Learner:
    """A policy and its optimiser."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._optimiser = torch.optim.Adam(policy.parameters(), RATE)

    def learn(self, batch: Batch) -> None:
        """Take EPOCHS steps on a batch of the policy's own episodes."""
        episodes, steps = batch.rewards.shape
        observations = torch.from_numpy(batch.observations).flatten(0, 1)
        actions = torch.from_numpy(batch.actions).flatten(0, 1)
        times = torch.linspace(0, 1, steps + 1)[:-1].repeat(episodes)
        with torch.no_grad():
            values = self.policy.value(observations, times).view(episodes, steps).numpy()
            before = self.policy.log_prob(observations, actions)
        advantages = advantages_of(batch.rewards, values)
        targets = torch.from_numpy((advantages + values).ravel()).float()
        gains = torch.from_numpy(advantages.ravel()).float()
        gains = (gains - gains.mean()) / (gains.std() + 1e-6)
        for _ in range(EPOCHS):
            ratio = (self.policy.log_prob(observations, actions) - before).exp()
            clipped = ratio.clamp(1 - CLIP, 1 + CLIP)
            movement, _ = self.policy.distributions(observations)
            error = (self.policy.value(observations, times) - targets) ** 2
            loss = -torch.min(ratio * gains, clipped * gains).mean() + 0.5 * error.mean()
            loss = loss - ENTROPY * movement.entropy().sum(1).mean()
            self._optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.policy.parameters(), 0.5)
            self._optimiser.step()


def advantages_of(rewards: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return generalized advantages (arXiv 1506.02438) of episodes that end, (n, steps)."""
    result, trace = np.zeros_like(rewards), np.zeros(len(rewards))
    for k in reversed(range(rewards.shape[1])):
        following = values[:, k + 1] if k + 1 < rewards.shape[1] else 0.0
        trace = rewards[:, k] + DISCOUNT * following - values[:, k] + DISCOUNT * TRACE * trace
        result[:, k] = trace
    return result
