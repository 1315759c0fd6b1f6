# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Held-out metrics of the demo's models: python -m tools.demo_models.evaluate [FOLDER] [--card]

Episodes have seeds that are not in the training set, and are scored like a camera's frames. The
reward model is that of the folder. Exit code 1 where a metric misses its target.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from topreward_ros.demo.model import FOLDER
from topreward_ros.demo.table import others
from topreward_ros.demo.tasks import HELD_OUT_PAIRS, KINDS, UNREAD_WORDINGS, Task, known_tasks
from topreward_ros.reward.metrics import roc_auc
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.options import LoadOptions

from .held_out import (
    FIRST_SEED,
    FRAMES,
    STATIC_FRAMES,
    Conditions,
    DemoEvaluation,
    HeldOutMetric,
    agreement,
    episodes_of,
    mixed,
    static_moves,
    tell,
    true_progress,
)
from .held_out_pictures import about_pictures

# How much a static clip may move the value: log P [nat], or a progress
STATIC_LIMITS = {'topreward': 0.3, 'robometer': 0.05}


def held_out(
    evaluation: DemoEvaluation, count: int, tasks_of: Sequence[Task]
) -> list[HeldOutMetric]:
    """Return the metrics with targets, on episodes of these tasks."""
    conditions, known, share = Conditions(), known_tasks(), evaluation.share
    unit, limit = evaluation.unit, STATIC_LIMITS[evaluation.reward_model]
    agreements, last_three, successes, failed = [], [], [], []
    wrong: dict[str, list[float]] = {'object': [], 'target': []}
    failures: dict[str, list[float]] = {}
    for episode in track(episodes_of('success', count, tasks_of), 'success'):
        alternatives = [
            (what, task) for what, task in others(episode.task, episode.start) if task in known
        ]
        tasks = [episode.task, *(task for _, task in alternatives)]
        rows = evaluation.scores(episode, conditions, tasks)
        curves = np.array([[score.value for score in row] for row in rows])
        successes.append(rows[-1][0].success)
        curve, truth = curves[:, 0], true_progress(episode, conditions.frames)
        agreements.append(agreement(curve, share(curve), truth))
        last_three.append(float(curve[-3:].mean()))
        for (what, _), other in zip(alternatives, curves[:, 1:].T, strict=True):
            wrong[what].append(float(share(other)[-1]))
    ends: dict[str, list[tuple[float, float, float]]] = {}
    for kind in [kind for kind in KINDS if kind != 'success']:
        for episode in track(episodes_of(kind, count // 2, tasks_of), kind):
            rows = evaluation.scores(episode, conditions, [episode.task])
            curve = np.array([row[0].value for row in rows])
            failed.append(rows[-1][0].success)
            failures.setdefault(kind, []).append(float(curve[-3:].mean()))
            final, peak = float(share(curve)[-1]), float(share(curve).max())
            ends.setdefault(kind, []).append(
                (final, peak, float(true_progress(episode, FRAMES)[-1]))
            )
    orders, correlations, errors = zip(*agreements, strict=True)
    moves = static_moves(evaluation, count // 2, tasks_of)
    undone = [final / peak for final, peak, _ in ends['undone']]
    short = [abs(final - truth) for final, _, truth in ends['short']]
    everything = [score for scores in failures.values() for score in scores]
    return [
        HeldOutMetric('success: VOC, mean', float(np.mean(orders)), ('≥', 0.98)),
        HeldOutMetric('success: VOC, worst', min(orders)),
        HeldOutMetric(
            'success: correlation with progress, mean', float(np.mean(correlations)), ('≥', 0.98)
        ),
        HeldOutMetric(
            'success: absolute error of the share, mean', float(np.mean(errors)), ('≤', 0.04)
        ),
        HeldOutMetric(
            'wrong target named: share of clips that end below 0.2',
            float(np.mean(np.array(wrong['target']) < 0.2)),
            ('≥', 0.98),
        ),
        HeldOutMetric(
            'wrong object named: share of clips that end below 0.2',
            float(np.mean(np.array(wrong['object']) < 0.2)),
            ('≥', 0.98),
        ),
        HeldOutMetric(
            f'static, {STATIC_FRAMES} frames: {unit} moves by, worst', max(moves), ('≤', limit)
        ),
        HeldOutMetric(f'static: {unit} moves by, mean', float(np.mean(moves))),
        HeldOutMetric('undone at the end: final over peak, worst', max(undone), ('≤', 0.5)),
        HeldOutMetric(
            'stopping short: final share against truth, mean', float(np.mean(short)), ('≤', 0.1)
        ),
        HeldOutMetric('stopping short: share within 0.1', float(np.mean(np.array(short) <= 0.1))),
        HeldOutMetric('stopping short: worst', max(short)),
        HeldOutMetric(
            'success against all failures: ROC-AUC', roc_auc(last_three, everything), ('≥', 0.99)
        ),
        *(
            HeldOutMetric(f'success against {kind}: ROC-AUC', roc_auc(last_three, scores))
            for kind, scores in failures.items()
        ),
        *certain(successes, failed),
    ]


def certain(
    successes: Sequence[float | None], failed: Sequence[float | None]
) -> list[HeldOutMetric]:
    """Return metrics of the probability of success at the end, where the model has one."""
    good, bad = ([each for each in values if each is not None] for values in (successes, failed))
    if not good:
        return []
    return [
        HeldOutMetric('success: its probability at the end, least', min(good)),
        HeldOutMetric('failures: the probability of success at the end, greatest', max(bad)),
        HeldOutMetric(
            'success against all failures by it: ROC-AUC', roc_auc(good, bad), ('≥', 0.99)
        ),
    ]


def elsewhere(evaluation: DemoEvaluation, count: int) -> list[HeldOutMetric]:
    """Return metrics out of the training distribution, without targets."""
    known = episodes_of('success', count, mixed(known_tasks()), FIRST_SEED + 70_000)
    figures = []
    for name, conditions in {
        'camera of 96x96': Conditions(96, 96),
        'camera of 640x480': Conditions(640, 480),
        'noise of 12 levels': Conditions(noise=12.0),
        '32 frames': Conditions(frames=32),
        '8 frames': Conditions(frames=8),
        **{f'unread: "{words}"': Conditions(wording=words) for words in UNREAD_WORDINGS},
    }.items():
        figures += evaluation.successes(conditions, known, name)
    held_out_tasks = [Task(*pair) for pair in HELD_OUT_PAIRS]
    unknown = episodes_of('success', count, held_out_tasks, FIRST_SEED + 80_000)
    return figures + evaluation.successes(Conditions(), unknown, 'pairs never asked about')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'folder', type=Path, nargs='?', default=FOLDER, help='folder of the checkpoint'
    )
    parser.add_argument(
        '--episodes',
        type=int,
        default=60,
        help='successful episodes per group of tasks; half as many of each kind of failure',
    )
    parser.add_argument(
        '--reward-model', default='auto', help='as in `topreward score`; default: of the folder'
    )
    parser.add_argument(
        '--questions', action='store_true', help="also Large Reward Models' three questions"
    )
    parser.add_argument('--card', action='store_true', help='write the table into the model card')
    options = parser.parse_args()
    torch.set_num_threads(1)  # more threads are slower for such a small model
    scorer = load_scorer(LoadOptions(str(options.folder), reward_model=options.reward_model))
    print(scorer.summary)
    evaluation = DemoEvaluation(scorer)
    onto = held_out(evaluation, options.episodes, [t for t in known_tasks() if not t.is_relational])
    beside = held_out(evaluation, options.episodes, [t for t in known_tasks() if t.is_relational])
    parts = {
        'A block onto a place.': onto,
        'A block next to another block.': beside,
        'Beyond what was trained.': elsewhere(evaluation, options.episodes // 2),
    }
    if options.questions:
        parts['The questions of Large Reward Models.'] = about_pictures(
            str(options.folder), options.episodes
        )
    return tell(parts, options.folder if options.card else None)


if __name__ == '__main__':
    sys.exit(main())
