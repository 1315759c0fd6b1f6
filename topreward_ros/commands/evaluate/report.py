# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluation: Markdown with pictures for people, JSON for programs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from topreward_ros.files import write_json, write_text
from topreward_ros.reward.calibration import Calibration
from topreward_ros.scoring.score import Identity

from .figures import ANSWERED, Figure, errors, order, published, success
from .measuring import CONTROLS, REAL, Measurement, PrefixSampling
from .plot import plot_curves, plot_success

Table = Mapping[str, Mapping[str, Figure]]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What an evaluation was of; failed are recordings that could not be measured, and why."""

    identity: Identity
    sampling: PrefixSampling
    calibration: Calibration | None
    notes: Sequence[str]
    failed: Mapping[str, str]


def write_report(folder: Path, measured: Sequence[Measurement], of: Evaluation) -> Path:
    """report.md, report.json, curves.png and success.png; the report's file."""
    tables: dict[str, Any] = {
        'order': order(measured),
        'success': success(measured) if _has_both(measured) else {},
        'progress': errors(measured, of.calibration),
        'published': published(measured),
    }
    folder.mkdir(parents=True, exist_ok=True)
    plot_curves(folder / 'curves.png', measured, of.calibration)
    if _has_both(measured):
        plot_success(folder / 'success.png', measured)
    told = {
        **dataclasses.asdict(of.identity),
        **dataclasses.asdict(of.sampling),
        'calibrated': of.calibration is not None,
        'notes': list(of.notes),
        'failed': dict(of.failed),
        'recordings': len(measured),
    }
    write_json(folder / 'report.json', _finite({**told, 'figures': _plain(tables)}))
    text = '\n'.join(_markdown(measured, of, tables))
    write_text(folder / 'report.md', text)
    return folder / 'report.md'


def _has_both(measured: Sequence[Measurement]) -> bool:
    return {True, False} <= {each.is_success for each in measured}


def _markdown(
    measured: Sequence[Measurement], of: Evaluation, tables: Mapping[str, Any]
) -> Sequence[str]:
    counts = [sum(each.is_success is kind for each in measured) for kind in (True, False, None)]
    lines = [
        '# How well the progress of these recordings is read',
        '',
        f'{len(measured)} recordings: {counts[0]} successes, {counts[1]} failures, {counts[2]} '
        f'without a label. Model: {of.identity.model} (fingerprint {of.identity.fingerprint}, '
        f'prompt layout {of.identity.layout}). {of.sampling.fps:g} frames a second, at most '
        f'{of.sampling.max_frames}; {of.sampling.anchors} prefixes of each. In brackets: 95 % '
        'bootstrap intervals over recordings.',
        '',
        *(line for note in of.notes for line in (f'**{note}**', '')),
        '![Progress of the recordings](curves.png)',
        '',
        '## Order in time',
        '',
        'VOC: Spearman correlation of values and time, mean over what did not fail. Beside it the '
        'same with the first frame repeated, the frames shuffled, and another task named: '
        'a number means something as far as it is above these. A flat curve has no order; "flat" '
        'says that all were. Answered: the share of answers in the form that was asked for.',
        '',
        *_table('method', (REAL, *CONTROLS, ANSWERED), tables['order']),
    ]
    if tables['success']:
        rules = list(next(iter(tables['success'].values())))
        lines += [
            '## Success against failure',
            '',
            'ROC-AUC of the score of an attempt: the mean of its last three values (the rule of '
            'the paper), and the best mean of three in a row held twice (the rule of the live '
            'node, over these prefixes). 0.5 is chance.',
            '',
            *_table('method', rules, tables['success']),
            '![Scores of successes and failures](success.png)',
            '',
        ]
    if tables['progress']:
        columns = ('successes', 'failures', 'correlation')
        lines += [
            '## Progress against the truth',
            '',
            'Mean absolute error of progress in [0, 1], and its correlation with the truth. '
            'Min-max of the episode knows the end, and calls the best moment of any episode 1; the '
            'others are what a live node can say.',
            '',
            *_table('reading', columns, tables['progress']),
        ]
    if tables['published']:
        lines += ['## Against published curves', '', *_published(tables['published'])]
    if of.failed:
        lines += ['## Not measured', '']
        lines += [f'- {name}: {reason}' for name, reason in of.failed.items()] + ['']
    return lines


def _table(head: str, columns: Sequence[str], table: Table) -> list[str]:
    lines = [f'| {head} | {" | ".join(columns)} |', f'|---|{"---:|" * len(columns)}']
    for name, row in table.items():
        cells = [_cell(row[column]) for column in columns]
        lines.append(f'| {name} | {" | ".join(cells)} |')
    return [*lines, '']


def _cell(figure: Figure) -> str:
    if not figure.count or math.isnan(figure.value):
        return 'flat' if figure.of else '-'
    if math.isnan(figure.low):
        return f'{figure.value:.3f}'
    return f'{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})'


def _published(table: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    lines = [
        'Our TOPReward, min-max of the episode, against curves published for the same recordings: '
        'mean absolute difference and correlation. They were made with the model that their '
        'authors name; with another one they need not agree.',
        '',
        '| recording | published | difference | correlation | its own error against the truth |',
        '|---|---|---:|---:|---:|',
    ]
    for name, row in table.items():
        for method, values in row.items():
            own = values.get('its own error', math.nan)
            lines.append(
                f'| {name} | {method} | {values["difference"]:.3f} | {values["correlation"]:.3f} | '
                f'{"-" if math.isnan(own) else f"{own:.3f}"} |'
            )
    return [*lines, '']


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value  # type: ignore[arg-type]


def _finite(value: Any) -> Any:
    """JSON has no NaN: null."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
