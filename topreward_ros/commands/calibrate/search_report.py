# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tell what a search has found, in words and as JSON."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from topreward_ros.files import write_json
from topreward_ros.reward.pair_selection import pair_interval

from ..evaluate.intervals import LEAST
from .search import Searched, Setting, pair_shares

SHOWN = 10  # settings in the list
REPORT = 'search.json'


def search_lines(searched: Searched) -> list[str]:
    """Return what was tried, what was chosen, and how it does on recordings held out."""
    selection, candidates = searched.selection, searched.candidates
    successes, failures = _names(searched)
    order = np.argsort(-selection.aucs, kind='stable')
    chosen, default = candidates[selection.chosen].setting, candidates[0].setting
    lines = [
        f'{len(candidates)} settings, by their ROC-AUC over {len(successes)} successes and '
        f'{len(failures)} failures:',
        *(f'  {selection.aucs[k]:.3f}  {candidates[k].setting.label}' for k in order[:SHOWN]),
    ]
    if len(order) > SHOWN:
        lines.append(f'  and {len(order) - SHOWN} others (all in {REPORT})')
    lines += [
        f'chosen: {chosen.label}; ROC-AUC {selection.aucs[selection.chosen]:.3f} on the recordings '
        'that it was chosen by, which flatters it',
        'held out (each success and failure by the setting that is chosen without them): ROC-AUC '
        + _figure(selection.held_out, searched),
        f'the default, {default.label}: ROC-AUC ' + _figure(selection.default, searched),
    ]
    if selection.is_better:
        return [*lines, f'kept: {chosen.label}']
    reason = (
        'no setting separates these recordings better'
        if selection.chosen == 0
        else 'choosing does no better on recordings held out'
    )
    return [*lines, f'kept: the default, as {reason}']


def _names(searched: Searched) -> tuple[list[str], list[str]]:
    """Return the names of the successes and of the failures."""
    named = [(each.name, each.is_success is not False) for each in searched.recordings]
    return [name for name, good in named if good], [name for name, good in named if not good]


def _figure(pairs: np.ndarray, searched: Searched) -> str:
    """Return the share of pairs in the right order, with its interval or the values behind it."""
    value = f'{pairs.mean():.3f}'
    if min(pairs.shape) >= LEAST:
        low, high = pair_interval(pairs)
        return f'{value} ({low:.3f} to {high:.3f})'
    parts = [
        f'{kind} {", ".join(f"{name} {share:.2f}" for name, share in shares.items())}'
        for kind, shares in _shares(pairs, searched).items()
    ]
    return (
        f'{value} (fewer than {LEAST} of a kind make no interval; share of the pairs of each in '
        f'the right order: {"; ".join(parts)})'
    )


def _shares(pairs: np.ndarray, searched: Searched) -> dict[str, dict[str, float]]:
    successes, failures = _names(searched)
    return {
        'successes': dict(pair_shares(pairs, successes, axis=0)),
        'failures': dict(pair_shares(pairs, failures, axis=1)),
    }


def write_search(folder: Path, searched: Searched, kept: Setting) -> None:
    """Write search.json: settings with their ROC-AUC, what is chosen and kept, what is held out."""
    selection, candidates = searched.selection, searched.candidates

    def judged(pairs: np.ndarray) -> dict[str, Any]:
        interval = pair_interval(pairs) if min(pairs.shape) >= LEAST else None
        shares = _shares(pairs, searched)
        return {'roc_auc': float(pairs.mean()), 'interval': interval, 'shares of pairs': shares}

    counts = np.bincount(selection.choices.ravel(), minlength=len(candidates))
    write_json(
        folder / REPORT,
        {
            'settings': [
                {
                    **dataclasses.asdict(each.setting),
                    'roc_auc': float(auc),
                    'chosen for pairs': int(count),
                }
                for each, auc, count in zip(candidates, selection.aucs, counts, strict=True)
            ],
            'chosen': dataclasses.asdict(candidates[selection.chosen].setting),
            'kept': dataclasses.asdict(kept),
            'held out': judged(selection.held_out),
            'default': judged(selection.default),
        },
    )


def node_parameters(kept: Setting, default: Setting) -> str:
    """Return the parameters of the node that a kept setting needs beside its calibration."""
    needed = {'fps': f'{kept.fps:g}', 'frame_fit': kept.frame_fit}
    return ''.join(f', {name}: {value}' for name, value in needed.items() if kept != default)
