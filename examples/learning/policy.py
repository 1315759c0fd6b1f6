# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small policy, and its cloning from demonstrations."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

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
    def act(self, observations: np.ndarray) -> np.ndarray:
        """Sample actions (n, 3) for observations (n, 8)."""
        movement, closing = self.distributions(torch.from_numpy(observations))
        grip = closing.sample()[:, None] * 2 - 1
        return torch.cat([movement.sample(), grip], dim=1).numpy()


def clone(
    seed: int,
    observations: np.ndarray,
    actions: np.ndarray,
    weights: np.ndarray | None = None,
    steps: int = CLONING_STEPS,
) -> Policy:
    """Return a policy that imitates actions (n, 3) at observations (n, 8), each by its weight (n).

    Weights are relative to their mean. Raises ValueError where all are 0.
    """
    weights = np.ones(len(actions)) if weights is None else weights
    if not weights.sum() > 0:
        raise ValueError('all weights are 0: expected some frames to imitate')
    torch.manual_seed(seed)
    observed, acted = torch.from_numpy(observations), torch.from_numpy(actions)
    relative = torch.from_numpy(weights / weights.mean()).float()
    policy = Policy()
    optimiser = torch.optim.Adam(policy.parameters(), 1e-3, fused=True)
    for _ in range(steps):
        batch = torch.randint(len(observed), (256,))
        loss = -(relative[batch] * policy.log_prob(observed[batch], acted[batch])).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return policy
