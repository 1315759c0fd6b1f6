# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Held-out metrics of the demo's model: python -m tools.evaluate_demo_model [FOLDER] [--card]

Episodes have seeds that are not in the training set, and are scored like a camera's frames.
Exit code 1 where a metric misses its target.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from topreward_ros.demo.drawing import SENSOR_NOISE, SceneRenderer
from topreward_ros.demo.model import FOLDER
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.demo.table import others
from topreward_ros.demo.tasks import (
    HELD_OUT_PAIRS,
    KINDS,
    UNREAD_WORDINGS,
    WORDINGS,
    Task,
    known_tasks,
)
from topreward_ros.reward.metrics import correlation, roc_auc, value_order_correlation
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.score import Scorer

FIRST_SEED = 100_000
FRAMES = 16
STATIC_FRAMES = 32
MARKS = '<!-- figures: tools/evaluate_demo_model.py -->\n', '<!-- end of figures -->\n'


@dataclass(frozen=True)
class Conditions:
    """How an episode is rendered and asked about."""

    width: int = 240
    height: int = 240
    noise: float = SENSOR_NOISE
    wording: str | None = None  # None: the demo's three in turn
    frames: int = FRAMES


@dataclass(frozen=True)
class HeldOutMetric:
    """A row of the table; limit is the target of the value, if it has one."""

    what: str
    value: float
    limit: tuple[str, float] | None = None

    @property
    def is_met(self) -> bool:
        if self.limit is None:
            return True
        sign, limit = self.limit
        return self.value >= limit if sign == '≥' else self.value <= limit

    def row(self) -> str:
        asked = '' if self.limit is None else f'{self.limit[0]} {self.limit[1]:g}'
        verdict = '' if self.limit is None else ('yes' if self.is_met else '**no**')
        return f'| {self.what} | {self.value:.3f} | {asked} | {verdict} |'


class DemoEvaluation:
    """Scores episodes with one model."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def curves(
        self,
        episode: SceneEpisode,
        conditions: Conditions,
        tasks: Sequence[Task],
        times: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return log P("True") of all prefixes and tasks, (frames, tasks), for frame times [s]."""
        words = conditions.wording or WORDINGS[episode.seed % len(WORDINGS)]
        camera = SceneRenderer(
            conditions.height, conditions.width, episode.appearance, conditions.noise
        )
        times = episode.times(conditions.frames) if times is None else times
        attempt = self._scorer.start([task.say(words) for task in tasks])
        rows = []
        for time in times:
            attempt.append(camera.take(episode.state(float(time))), float(time))
            rows.append([score.value for score in attempt.scores()])
        attempt.close()
        return np.array(rows)

    def successes(
        self, conditions: Conditions, episodes: Sequence[SceneEpisode], name: str
    ) -> list[HeldOutMetric]:
        """Return VOC, correlation, error and final P of these episodes, without targets."""
        agreements, finals = [], []
        for episode in track(episodes, name):
            curve = self.curves(episode, conditions, [episode.task])[:, 0]
            truth = _truth(episode, conditions.frames)
            agreements.append(agreement(curve, truth))
            finals.append(np.exp(curve[-1]))
        orders, correlations, errors = zip(*agreements, strict=True)
        return [
            HeldOutMetric(f'{name}: VOC, mean', float(np.mean(orders))),
            HeldOutMetric(f'{name}: correlation with progress, mean', float(np.mean(correlations))),
            HeldOutMetric(f'{name}: absolute error, mean', float(np.mean(errors))),
            HeldOutMetric(f'{name}: final P, mean', float(np.mean(finals))),
        ]


def agreement(curve: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    """Return VOC of log P, correlation of P with true progress, and mean absolute error of P."""
    p_true = np.exp(curve)
    error = float(np.abs(p_true - truth).mean())
    return value_order_correlation(curve), correlation(p_true, truth), error


def _truth(episode: SceneEpisode, frames: int) -> np.ndarray:
    return np.array([episode.progress(float(time)) for time in episode.times(frames)])


def _episodes(
    kind: str, count: int, tasks: Sequence[Task], first: int = FIRST_SEED
) -> list[SceneEpisode]:
    seeds = range(first, first + count)
    return [SceneEpisode(seed, kind, tasks[k % len(tasks)]) for k, seed in enumerate(seeds)]


def held_out(
    evaluation: DemoEvaluation, count: int, tasks_of: Sequence[Task]
) -> list[HeldOutMetric]:
    """Return the metrics with targets, on episodes of these tasks."""
    conditions, known = Conditions(), known_tasks()
    agreements, last_three = [], []
    wrong: dict[str, list[float]] = {'object': [], 'target': []}
    failures: dict[str, list[float]] = {}
    for episode in track(_episodes('success', count, tasks_of), 'success'):
        alternatives = [
            (what, task) for what, task in others(episode.task, episode.start) if task in known
        ]
        tasks = [episode.task, *(task for _, task in alternatives)]
        curves = evaluation.curves(episode, conditions, tasks)
        curve, truth = curves[:, 0], _truth(episode, conditions.frames)
        agreements.append(agreement(curve, truth))
        last_three.append(float(curve[-3:].mean()))
        for (what, _), other in zip(alternatives, curves[:, 1:].T, strict=True):
            wrong[what].append(float(np.exp(other[-1])))
    ends: dict[str, list[tuple[float, float, float]]] = {}
    for kind in [kind for kind in KINDS if kind != 'success']:
        for episode in track(_episodes(kind, count // 2, tasks_of), kind):
            curve = evaluation.curves(episode, conditions, [episode.task])[:, 0]
            failures.setdefault(kind, []).append(float(curve[-3:].mean()))
            final, peak = float(np.exp(curve[-1])), float(np.exp(curve.max()))
            ends.setdefault(kind, []).append((final, peak, float(_truth(episode, FRAMES)[-1])))
    orders, correlations, errors = zip(*agreements, strict=True)
    moves = _static(evaluation, count // 2, tasks_of)
    undone = [final / peak for final, peak, _ in ends['undone']]
    short = [abs(final - truth) for final, _, truth in ends['short']]
    everything = [score for scores in failures.values() for score in scores]
    return [
        HeldOutMetric('success: VOC, mean', float(np.mean(orders)), ('≥', 0.98)),
        HeldOutMetric('success: VOC, worst', min(orders)),
        HeldOutMetric(
            'success: correlation with progress, mean', float(np.mean(correlations)), ('≥', 0.98)
        ),
        HeldOutMetric('success: absolute error of P, mean', float(np.mean(errors)), ('≤', 0.04)),
        HeldOutMetric(
            'wrong target named: share with final P < 0.2',
            float(np.mean(np.array(wrong['target']) < 0.2)),
            ('≥', 0.98),
        ),
        HeldOutMetric(
            'wrong object named: share with final P < 0.2',
            float(np.mean(np.array(wrong['object']) < 0.2)),
            ('≥', 0.98),
        ),
        HeldOutMetric(
            f'static, {STATIC_FRAMES} frames: log P moves by, worst [nat]', max(moves), ('≤', 0.3)
        ),
        HeldOutMetric('static: log P moves by, mean [nat]', float(np.mean(moves))),
        HeldOutMetric('undone at the end: final over peak, worst', max(undone), ('≤', 0.5)),
        HeldOutMetric(
            'stopping short: final P against truth, mean', float(np.mean(short)), ('≤', 0.1)
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
    ]


def _static(evaluation: DemoEvaluation, count: int, tasks_of: Sequence[Task]) -> list[float]:
    """Return the range of log P [nat] over each of `count` static clips."""
    moves = []
    episodes = _episodes('success', count, tasks_of, FIRST_SEED + 50_000)
    for k, episode in enumerate(track(episodes, 'static')):
        random = np.random.default_rng(k)
        moment = float(random.uniform(0, episode.seconds)) if k % 2 else 0.0
        frozen = _StaticEpisode(episode, moment)
        curve = evaluation.curves(
            frozen, Conditions(), [episode.task], np.arange(STATIC_FRAMES) / 4
        )
        moves.append(float(np.ptp(curve)))
    return moves


class _StaticEpisode(SceneEpisode):
    """One moment of an episode, held."""

    def __init__(self, episode: SceneEpisode, moment: float) -> None:
        self.__dict__.update(episode.__dict__)
        self._state = episode.state(moment)

    def state(self, time: float):  # type: ignore[no-untyped-def]
        return self._state


def elsewhere(evaluation: DemoEvaluation, count: int) -> list[HeldOutMetric]:
    """Return metrics out of the training distribution, without targets."""
    known = _episodes('success', count, _mixed(known_tasks()), FIRST_SEED + 70_000)
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
    unknown = _episodes('success', count, held_out_tasks, FIRST_SEED + 80_000)
    return figures + evaluation.successes(Conditions(), unknown, 'pairs never asked about')


def _mixed(tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks in a fixed random order, so that the first few are of every kind."""
    order = np.random.default_rng(0).permutation(len(tasks))
    return [tasks[k] for k in order]


def table(figures: Sequence[HeldOutMetric]) -> str:
    head = '| held out | value | asked | met |\n|---|---|---|---|\n'
    return head + ''.join(f'{figure.row()}\n' for figure in figures)


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
    parser.add_argument('--card', action='store_true', help='write the table into the model card')
    options = parser.parse_args()
    torch.set_num_threads(1)  # more threads are slower for such a small model
    scorer = load_scorer(str(options.folder))
    print(scorer.summary)
    evaluation = DemoEvaluation(scorer)
    onto = held_out(evaluation, options.episodes, [t for t in known_tasks() if not t.is_relational])
    beside = held_out(evaluation, options.episodes, [t for t in known_tasks() if t.is_relational])
    parts = {
        'A block onto a place.': onto,
        'A block next to another block.': beside,
        'Beyond what was trained.': elsewhere(evaluation, options.episodes // 2),
    }
    text = '\n'.join(f'**{title}**\n\n{table(figures)}' for title, figures in parts.items())
    with_targets = [*onto, *beside]
    print(text)
    if options.card:
        card = options.folder / 'README.md'
        before, remaining = card.read_text(encoding='utf-8').split(MARKS[0])
        _, after = remaining.split(MARKS[1])
        card.write_text(f'{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}', encoding='utf-8')
    missed = [figure.what for figure in with_targets if not figure.is_met]
    print(f'{len(missed)} targets missed: {missed}' if missed else 'all targets met')
    return int(bool(missed))


if __name__ == '__main__':
    sys.exit(main())
