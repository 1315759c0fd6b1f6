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

from ..calibrate.promises import promised
from .answers import AnswerCheck, answers_section
from .detection import COLUMNS, DONE, OTHERS, detection, within_band
from .figures import ANSWERED, CALIBRATED_NAMES, FAILED, errors, order, published, success
from .intervals import LEAST
from .measuring import CONTROLS, REAL, Measurement, PrefixSampling
from .plot import plot_curves, plot_success
from .ranking import BETTER, GAP, TAU, gaps, ranking
from .tables import Table, cell_text, table_lines

NOT_MEASURED = '## Not measured'  # the last section
HIGH = 0.8  # VOC that would pass for a success


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The settings of an evaluation; failed: why recordings could not be measured, by name."""

    identity: Identity
    sampling: PrefixSampling
    calibration: Calibration | None
    notes: Sequence[str]
    failed: Mapping[str, str]
    answers: AnswerCheck | None = None


def write_report(folder: Path, measured: Sequence[Measurement], evaluation: Evaluation) -> Path:
    """Write report.md, report.json, curves.png and success.png; return the path of report.md."""
    tables: dict[str, Any] = {
        'order': order(measured),
        'ranking': ranking(measured),
        'success': success(measured) if _has_both(measured) else {},
        'gap': gaps(measured, evaluation.calibration) if _has_both(measured) else {},
        'detection': detection(measured, evaluation.calibration),
        'progress': errors(measured, evaluation.calibration),
        'published': published(measured),
    }
    if (answers := evaluation.answers) is not None and (answers.agreements or answers.failed):
        tables['answers'] = answers.agreements
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
        'not compared': dict(answers.failed) if answers is not None else {},
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
    lines = [*_introduction(measured, evaluation)]
    if (answers := evaluation.answers) is not None:
        lines += answers_section(answers.agreements, answers.failed)
    lines += _order_section(tables['order'])
    if tables['ranking']:
        lines += _ranking_section(tables['ranking'])
    if tables['success']:
        lines += _success_section(tables['success'], tables['gap'])
    if tables['detection']:
        lines += _detection_section(tables['detection'], measured, evaluation)
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
        'evaluated. In brackets: 95 % intervals over recordings, bootstrap or, of shares, exact. '
        f'Fewer than {LEAST} recordings of a kind make no interval: their values are given. An '
        'interval without width says that all values are alike, not that others will be.',
        '',
        *(line for note in evaluation.notes for line in (f'**{note}**', '')),
        '![Progress of the recordings](curves.png)',
        '',
    ]


def _order_section(table: Table) -> list[str]:
    columns = [REAL, *CONTROLS, FAILED, ANSWERED]
    failed = [(name, row) for name, row in table.items() if row[FAILED].count]
    if not any(row[FAILED].of for row in table.values()):
        columns.remove(FAILED)
    lines = [
        '## Order in time',
        '',
        'VOC: Spearman correlation of values and time, averaged over the recordings that did not '
        'fail. The other columns are controls: the first frame repeated, the frames shuffled, and '
        'another task. VOC is meaningful as far as it exceeds its controls. A flat curve has no '
        'order; "flat" means that all curves were flat. Answered: the fraction of answers in the '
        'requested form.',
        '',
    ]
    if failed:
        name, figure = failed[0][0], failed[0][1][FAILED]
        high = sum(value >= HIGH for values in figure.values.values() for value in values)
        lines += [
            '**VOC tells whether values rise with time, not whether the task was done**: '
            f'{high} of {figure.count} failed recordings have a VOC of {HIGH:g} or more with '
            f'{name}, and {figure.value:.3f} on average.',
            '',
        ]
    return [*lines, *table_lines('method', columns, table)]


def _ranking_section(table: Table) -> list[str]:
    return [
        '## Better against worse attempts at the same task',
        '',
        "Kendall's tau: of all pairs of a better and a worse attempt at one task, the share in "
        'which the better one scores higher minus the share in which it scores lower. 1 is '
        'perfect, 0 is chance. Score: the mean of the last three values. Better: a true final '
        f'progress that is higher by more than {BETTER:g}, or, where it is not known of all '
        'attempts at the task, success against failure.',
        '',
        *table_lines('method', (TAU,), table),
    ]


def _success_section(table: Table, gap: Table) -> list[str]:
    rules = list(next(iter(table.values())))
    return [
        '## Success against failure',
        '',
        'ROC-AUC of the score of an attempt: the mean of its last three values (the rule of '
        'the paper), and the best mean of three in a row held twice (the rule of the live '
        'node, over these prefixes). 0.5 is chance.',
        '',
        *table_lines('method', rules, table),
        '![Scores of successes and failures](success.png)',
        '',
        'How much further successes end than failures: difference of the mean of the last three '
        'values of progress in [0, 1].',
        '',
        *table_lines('mapping to progress', (GAP,), gap),
    ]


def _detection_section(
    table: Table, measured: Sequence[Measurement], evaluation: Evaluation
) -> list[str]:
    lines = [
        '## Detection of success at a threshold',
        '',
        'By the rule of the live node. False alarms: the share of failures that are called a '
        'success. Misses: the share of successes that are not. F1 of failures: of calling an '
        'attempt a failure, which is one without a detected success. Seconds to detection: from '
        f'the true end of a success (when its true progress first reaches {DONE:g} of its highest) '
        'to its detection, below 0 if detected early; of those detected whose true progress is '
        f'known. "{OTHERS[0].upper()}{OTHERS[1:]}": the one that tells the other recordings apart '
        'best, as these methods have no calibration.',
        '',
    ]
    longest = max(measured, key=lambda each: each.lengths[-1])
    if longest.lengths[-1] > len(longest.lengths):
        lines += [
            f'**Detection is over {len(longest.lengths)} prefixes of up to {longest.lengths[-1]} '
            'frames, and the node scores every frame: measure it with --dense.**',
            '',
        ]
    return [
        *lines,
        *_promise_section(measured, evaluation),
        *table_lines('method and threshold', COLUMNS, table),
    ]


def _promise_section(measured: Sequence[Measurement], evaluation: Evaluation) -> list[str]:
    """Return what the calibration promises, and how often these recordings keep to its bands."""
    if (calibration := evaluation.calibration) is None:
        return []
    scales = {'none': calibration.plain, 'static': calibration.static}
    lines = [
        f'- {name}: {promised(scale.guarantee)}'
        for bias, name in CALIBRATED_NAMES.items()
        if (scale := scales[bias]) is not None and scale.guarantee is not None
    ]
    for name, (width, inside) in within_band(measured, calibration).items():
        lines.append(
            f'- {name}: progress of {sum(inside)} of {len(inside)} successes stays within '
            f'{width:.3f} of the share of the time passed'
        )
    return ['The calibration promises:', '', *lines, ''] if lines else []


def _progress_section(table: Table) -> list[str]:
    return [
        '## Progress against the truth',
        '',
        'Mean absolute error of progress in [0, 1], and its correlation with the truth. "Min-max '
        'of the episode" needs the whole episode and maps its highest value to 1, even in a '
        'failure; the other mappings can be used live.',
        '',
        *table_lines('mapping to progress', ('successes', 'failures', 'correlation'), table),
    ]


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
                f'| {cell_text(name)} | {method} | {values["difference"]:.3f} | '
                f'{values["correlation"]:.3f} | {"-" if math.isnan(own) else f"{own:.3f}"} |'
            )
    return [*lines, '']


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
