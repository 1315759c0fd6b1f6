# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Held-out episodes of the small world, scored by a model like a camera's frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.progress import track

from topreward_ros.demo.drawing import SENSOR_NOISE, SceneRenderer
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.demo.tasks import WORDINGS, Task
from topreward_ros.reward.metrics import correlation, value_order_correlation
from topreward_ros.scoring.score import Score, Scorer

MARKS = '<!-- figures: tools/demo_models/evaluate.py -->\n', '<!-- end of figures -->\n'
FIRST_SEED = 100_000
FRAMES = 16
STATIC_FRAMES = 32
OWN_PROGRESS = ('robometer', 'large_reward_model')  # reward models whose value is a progress


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
        """Return the value of all prefixes and tasks, (frames, tasks), for frame times [s].

        It is log P("True"), or the model's own progress.
        """
        rows = self.scores(episode, conditions, tasks, times)
        return np.array([[score.value for score in row] for row in rows])

    def scores(
        self,
        episode: SceneEpisode,
        conditions: Conditions,
        tasks: Sequence[Task],
        times: np.ndarray | None = None,
    ) -> list[tuple[Score, ...]]:
        """Return the scores of all prefixes, a row for each, as `curves`."""
        words = conditions.wording or WORDINGS[episode.seed % len(WORDINGS)]
        camera = SceneRenderer(
            conditions.height, conditions.width, episode.appearance, conditions.noise
        )
        times = episode.times(conditions.frames) if times is None else times
        attempt = self._scorer.start([task.say(words) for task in tasks])
        rows: list[tuple[Score, ...]] = []
        for time in times:
            attempt.append(camera.take(episode.state(float(time))), float(time))
            rows.append(attempt.scores())
        attempt.close()
        return rows

    @property
    def reward_model(self) -> str:
        return self._scorer.reward_model

    @property
    def unit(self) -> str:
        """What the values are."""
        return 'progress' if self.reward_model in OWN_PROGRESS else 'log P [nat]'

    def share(self, values: np.ndarray) -> np.ndarray:
        """Return values as shares of the task in [0, 1]: P("True"), or progress as it is."""
        return values if self.reward_model in OWN_PROGRESS else np.exp(values)

    def successes(
        self, conditions: Conditions, episodes: Sequence[SceneEpisode], name: str
    ) -> list[HeldOutMetric]:
        """Return VOC, correlation, error and final P of these episodes, without targets."""
        agreements, finals = [], []
        for episode in track(episodes, name):
            curve = self.curves(episode, conditions, [episode.task])[:, 0]
            truth = true_progress(episode, conditions.frames)
            agreements.append(agreement(curve, self.share(curve), truth))
            finals.append(self.share(curve)[-1])
        orders, correlations, errors = zip(*agreements, strict=True)
        return [
            HeldOutMetric(f'{name}: VOC, mean', float(np.mean(orders))),
            HeldOutMetric(f'{name}: correlation with progress, mean', float(np.mean(correlations))),
            HeldOutMetric(f'{name}: absolute error, mean', float(np.mean(errors))),
            HeldOutMetric(f'{name}: final share, mean', float(np.mean(finals))),
        ]


def agreement(
    curve: np.ndarray, shares: np.ndarray, truth: np.ndarray
) -> tuple[float, float, float]:
    """Return VOC of the values, and of their shares correlation with the truth and mean error."""
    error = float(np.abs(shares - truth).mean())
    return value_order_correlation(curve), correlation(shares, truth), error


def true_progress(episode: SceneEpisode, frames: int) -> np.ndarray:
    return np.array([episode.progress(float(time)) for time in episode.times(frames)])


def episodes_of(
    kind: str, count: int, tasks: Sequence[Task], first: int = FIRST_SEED
) -> list[SceneEpisode]:
    seeds = range(first, first + count)
    return [SceneEpisode(seed, kind, tasks[k % len(tasks)]) for k, seed in enumerate(seeds)]


def static_moves(evaluation: DemoEvaluation, count: int, tasks_of: Sequence[Task]) -> list[float]:
    """Return the range of the value over each of `count` static clips."""
    moves = []
    episodes = episodes_of('success', count, tasks_of, FIRST_SEED + 50_000)
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


def mixed(tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks in a fixed random order, so that the first few are of every kind."""
    order = np.random.default_rng(0).permutation(len(tasks))
    return [tasks[k] for k in order]


def table(figures: Sequence[HeldOutMetric]) -> str:
    head = '| held out | value | asked | met |\n|---|---|---|---|\n'
    return head + ''.join(f'{figure.row()}\n' for figure in figures)


def tell(parts: Mapping[str, Sequence[HeldOutMetric]], folder: Path | None) -> int:
    """Print tables by their titles, and write them into the model card of a folder.

    Returns an exit code, 1 where a metric misses its target.
    """
    text = '\n'.join(f'**{title}**\n\n{table(figures)}' for title, figures in parts.items())
    print(text)
    if folder:
        card = folder / 'README.md'
        before, remaining = card.read_text(encoding='utf-8').split(MARKS[0])
        _, after = remaining.split(MARKS[1])
        card.write_text(f'{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}', encoding='utf-8')
    missed = [figure.what for figures in parts.values() for figure in figures if not figure.is_met]
    print(f'{len(missed)} targets missed: {missed}' if missed else 'all targets met')
    return int(bool(missed))
