# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How well a demo model answers the three questions of Large Reward Models."""

from __future__ import annotations

import numpy as np
from rich.progress import track

from topreward_ros.demo.tasks import KINDS, known_tasks
from topreward_ros.reward.metrics import correlation, roc_auc
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.reward_models.large_reward_models.rewards import STEPS_BACK

from .held_out import (
    FIRST_SEED,
    Conditions,
    DemoEvaluation,
    HeldOutMetric,
    episodes_of,
    mixed,
    true_progress,
)

APART = 0.1  # in true progress, from which on the contrast has to be right


def about_pictures(model: str, count: int) -> list[HeldOutMetric]:
    """Return metrics of each question on `count` successes, and as many failures."""
    scorer = load_scorer(LoadOptions(model, reward_model='large_reward_model'))
    evaluation, conditions, tasks = DemoEvaluation(scorer), Conditions(), mixed(known_tasks())
    failures = [kind for kind in KINDS if kind != 'success']
    finals: dict[bool, list[float]] = {True: [], False: []}
    errors, correlations, right = [], [], []
    for kind in ('success', *failures):
        share = count if kind == 'success' else count // len(failures)
        for episode in track(episodes_of(kind, share, tasks, FIRST_SEED + 90_000), kind):
            rows = evaluation.scores(episode, conditions, [episode.task])
            truth = true_progress(episode, conditions.frames)
            parts = {
                name: np.array([row[0].parts[name] for row in rows]) for name in rows[0][0].parts
            }
            finals[episode.is_success].append(float(parts['completion'][-1]))
            errors.append(float(np.abs(parts['process'] - truth).mean()))
            if episode.is_success:
                correlations.append(correlation(parts['process'], truth))
            gained = truth[STEPS_BACK:] - truth[:-STEPS_BACK]
            clear = np.abs(gained) > APART
            right += ((parts['contrast'][STEPS_BACK:] > 0.5) == (gained > 0))[clear].tolist()
    return [
        HeldOutMetric(
            'completion: ROC-AUC at the end', roc_auc(finals[True], finals[False]), ('≥', 0.99)
        ),
        HeldOutMetric('completion of success at the end, mean', float(np.mean(finals[True]))),
        HeldOutMetric('completion of failures at the end, mean', float(np.mean(finals[False]))),
        HeldOutMetric(
            'process: correlation with progress, mean', float(np.mean(correlations)), ('≥', 0.98)
        ),
        HeldOutMetric('process: absolute error, mean', float(np.mean(errors)), ('≤', 0.05)),
        HeldOutMetric(
            f'contrast: share right where progress is {APART} apart',
            float(np.mean(right)),
            ('≥', 0.97),
        ),
    ]
