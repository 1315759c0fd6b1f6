# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write the report of an evaluation: Markdown with plots, and JSON."""

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

NOT_MEASURED = '## Not measured'  # the last section
Table = Mapping[str, Mapping[str, Figure]]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The settings of an evaluation; failed: why recordings could not be measured, by name."""

    identity: Identity
    sampling: PrefixSampling
    calibration: Calibration | None
    notes: Sequence[str]
    failed: Mapping[str, str]


def write_report(folder: Path, measured: Sequence[Measurement], evaluation: Evaluation) -> Path:
    """Write report.md, report.json, curves.png and success.png; return the path of report.md."""
    tables: dict[str, Any] = {
        'order': order(measured),
        'success': success(measured) if _has_both(measured) else {},
        'progress': errors(measured, evaluation.calibration),
        'published': published(measured),
    }
    folder.mkdir(parents=True, exist_ok=True)
    plot_curves(folder / 'curves.png', measured, evaluation.calibration)
    if _has_both(measured):
        plot_success(folder / 'success.png', measured)
    settings = {
        **dataclasses.asdict(evaluation.identity),
        **dataclasses.asdict(evaluation.sampling),
        'calibrated': evaluation.calibration is not None,
        'notes': list(evaluation.notes),
        'failed': dict(evaluation.failed),
        'recordings': len(measured),
    }
    write_json(folder / 'report.json', _finite({**settings, 'figures': _plain(tables)}))
    text = '\n'.join(_markdown(measured, evaluation, tables))
    write_text(folder / 'report.md', text)
    return folder / 'report.md'


def _has_both(measured: Sequence[Measurement]) -> bool:
    return {True, False} <= {each.is_success for each in measured}


def _markdown(
    measured: Sequence[Measurement], evaluation: Evaluation, tables: Mapping[str, Any]
) -> Sequence[str]:
    lines = [*_introduction(measured, evaluation), *_order_section(tables['order'])]
    if tables['success']:
        lines += _success_section(tables['success'])
    if tables['progress']:
        lines += _progress_section(tables['progress'])
    if tables['published']:
        lines += ['## Comparison with published curves', '', *_published(tables['published'])]
    if evaluation.failed:
        lines += [NOT_MEASURED, '']
        lines += [f'- {name}: {reason}' for name, reason in evaluation.failed.items()] + ['']
    return lines


def _introduction(measured: Sequence[Measurement], evaluation: Evaluation) -> list[str]:
    counts = [sum(each.is_success is kind for each in measured) for kind in (True, False, None)]
    identity, sampling = evaluation.identity, evaluation.sampling
    return [
        '# Evaluation of progress and success',
        '',
        f'{len(measured)} recordings: {counts[0]} successes, {counts[1]} failures, {counts[2]} '
        f'without a label. Model: {identity.model} (fingerprint {identity.fingerprint}, '
        f'prompt layout {identity.layout}). {sampling.fps:g} frames per second, at most '
        f'{sampling.max_frames} per recording; {sampling.anchors} prefixes of each recording are '
        'evaluated. In brackets: 95 % bootstrap intervals over recordings.',
        '',
        *(line for note in evaluation.notes for line in (f'**{note}**', '')),
        '![Progress of the recordings](curves.png)',
        '',
    ]


def _order_section(table: Table) -> list[str]:
    return [
        '## Order in time',
        '',
        'VOC: Spearman correlation of values and time, averaged over the recordings that did not '
        'fail. The other columns are controls: the first frame repeated, the frames shuffled, and '
        'another task. VOC is meaningful as far as it exceeds its controls. A flat curve has no '
        'order; "flat" means that all curves were flat. Answered: the fraction of answers in the '
        'requested form.',
        '',
        *_table('method', (REAL, *CONTROLS, ANSWERED), table),
    ]


def _success_section(table: Table) -> list[str]:
    rules = list(next(iter(table.values())))
    return [
        '## Success against failure',
        '',
        'ROC-AUC of the score of an attempt: the mean of its last three values (the rule of '
        'the paper), and the best mean of three in a row held twice (the rule of the live '
        'node, over these prefixes). 0.5 is chance.',
        '',
        *_table('method', rules, table),
        '![Scores of successes and failures](success.png)',
        '',
    ]


def _progress_section(table: Table) -> list[str]:
    return [
        '## Progress against the truth',
        '',
        'Mean absolute error of progress in [0, 1], and its correlation with the truth. "Min-max '
        'of the episode" needs the whole episode and maps its highest value to 1, even in a '
        'failure; the other mappings can be used live.',
        '',
        *_table('mapping to progress', ('successes', 'failures', 'correlation'), table),
    ]


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
        'TOPReward (min-max of the episode) of this package against curves published for the same '
        'recordings: mean absolute difference and correlation. The published curves were made with '
        "the authors' model; those of another model may differ.",
        '',
        '| recording | published | difference | correlation | its own error against the truth |',
        '|---|---|---:|---:|---:|',
    ]
    for name, row in table.items():
        for method, values in row.items():
            own = values.get('its own error', math.nan)
            lines.append(
                f'| {_cell_text(name)} | {method} | {values["difference"]:.3f} | '
                f'{values["correlation"]:.3f} | {"-" if math.isnan(own) else f"{own:.3f}"} |'
            )
    return [*lines, '']


def _cell_text(name: str) -> str:
    """Return a name as it can stand in a cell of a table."""
    return ' '.join(name.replace('|', '\\|').split())


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value  # type: ignore[arg-type]


def _finite(value: Any) -> Any:
    """Replace NaN and infinities by None, as JSON has none."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
