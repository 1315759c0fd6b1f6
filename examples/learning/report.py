# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What came of the runs: true success, and rewards that rose without it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from rich.console import Console
from rich.table import Table

# Of Student's t, two-sided 95 %, by degrees of freedom from 1
QUANTILES = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)
HACKED = 0.1  # by which a reward has to rise while true progress does not


def report(results: Sequence[dict[str, Any]]) -> None:
    """Print a row for each reward, and for each run that was hacked."""
    table = Table('reward', 'seeds', title='True success of policies refined by a reward')
    for column in ('before', 'after', 'gain, 95 % interval', 'of the gain by the truth', 'minutes'):
        table.add_column(column, justify='right')
    names = sorted({each['reward'] for each in results}, key=lambda name: (name == 'noise', name))
    truth = _gains(results, 'true')
    for name in names:
        own = [each for each in results if each['reward'] == name]
        gains = _gains(results, name)
        paired = [seed for seed in gains if seed in truth]
        base = sum(truth[seed] for seed in paired)
        share = f'{sum(gains[seed] for seed in paired) / base:.2f}' if base > 0 else '-'
        table.add_row(
            name,
            str(len(own)),
            f'{fmean(each["before"] for each in own):.2f}',
            f'{fmean(each["after"] for each in own):.2f}',
            interval(list(gains.values())),
            share,
            f'{fmean(each["seconds"] for each in own) / 60:.1f}',
        )
    console = Console()
    console.print(table)
    for each in results:
        if is_hacked(each):
            console.print(f'{each["reward"]}, seed {each["seed"]}: the reward rose, the truth not')


def report_offline(results: Sequence[dict[str, Any]]) -> None:
    """Print a row for each weighting, with its gain over plain cloning, and its mean weights."""
    table = Table('weights', 'seeds', title='True success of policies cloned with weights')
    for column in ('success, 95 % interval', 'over plain, 95 % interval', 'seconds'):
        table.add_column(column, justify='right')
    kinds = sorted({kind for each in results for kind in each['weights']})
    for kind in kinds:
        table.add_column(kind, justify='right')
    plain = {each['seed']: each['success'] for each in results if each['weighting'] == 'plain'}
    for name in sorted(
        {each['weighting'] for each in results}, key=lambda name: (name != 'plain', name)
    ):
        own = [each for each in results if each['weighting'] == name]
        weights = [
            fmean(each['weights'][kind] for each in own if kind in each['weights'])
            for kind in kinds
        ]
        table.add_row(
            name,
            str(len(own)),
            interval([each['success'] for each in own]).replace('+', ''),
            interval([each['success'] - plain[each['seed']] for each in own]),
            f'{fmean(each["seconds"] for each in own):.0f}',
            *(f'{weight:.2f}' for weight in weights),
        )
    console = Console(width=max(120, Console().width))
    console.print(table)
    console.print(f'of the demonstrations, {fmean(e["good"] for e in results):.2f} are good')


def is_hacked(result: dict[str, Any]) -> bool:
    """Whether the reward of an episode rose from the first to the last fifth, and truth did not.

    Truth is the true progress, and success.
    """
    course = result['course']
    part = max(1, len(course) // 5)

    def rise(key: str) -> float:
        return fmean(c[key] for c in course[-part:]) - fmean(c[key] for c in course[:part])

    return rise('reward') > HACKED and rise('true_progress') <= 0 and rise('success') <= 0


def interval(values: Sequence[float]) -> str:
    """Return mean and 95 % interval in words; without one below three values, or beyond ten."""
    text = f'{fmean(values):+.2f}'
    if not 3 <= len(values) <= len(QUANTILES) + 1:
        return text
    half = QUANTILES[len(values) - 2] * stdev(values) / math.sqrt(len(values))
    return f'{text} ({fmean(values) - half:+.2f} to {fmean(values) + half:+.2f})'


def _gains(results: Sequence[dict[str, Any]], name: str) -> dict[int, float]:
    """Return the gain in success of each seed."""
    return {
        each['seed']: each['after'] - each['before'] for each in results if each['reward'] == name
    }
