# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the promises of `topreward calibrate` are kept in the demo's world.

    python -m tools.check_guarantee FOLDER [--per-kind 200] [--draws 100]

Episodes that the demo's model was not trained on are scored once, as by the node at 4 frames a
second, and their scores kept in FOLDER. Then calibration episodes and new ones are drawn from them,
disjoint in each draw; draws share the pool. Exit code 1 where fewer than 95 of 100 draws keep their
promise within the sampling error of the new episodes.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from topreward_ros.demo.drawing import film
from topreward_ros.demo.model import FOLDER
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.demo.tasks import KINDS, Task, known_tasks
from topreward_ros.files import write_json
from topreward_ros.reward.calibration import LengthBias
from topreward_ros.reward.fit_guarantee import (
    WithoutSuccess,
    beginning,
    guaranteed_threshold,
    progress_band,
    progress_error,
)
from topreward_ros.reward.fit_scale import ROUNDING, Attempt, make_scale
from topreward_ros.reward.metrics import held_mean
from topreward_ros.scoring.clip_curve import curve
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.score import Scorer

FIRST_SEED = 300_000  # not of the training, the model card or the tests
FPS, SIDE = 4.0, 96
OTHER_TASK = 'other_task'
NEW = 400  # episodes in a draw
SCALE_FROM = 6  # successes
LEAST_PER_KIND = 180  # for disjoint calibration and new episodes
SAMPLING_ERROR = 1.645  # standard errors, of which a share is over 5 % of the time
NO_BIAS = LengthBias()


@dataclass(frozen=True)
class Row:
    """A line of the result: draws that kept the promise strictly, and within sampling error."""

    what: str
    strictly: int
    within: int
    mean: float

    def text(self) -> str:
        return f'| {self.what} | {self.strictly} | {self.within} | {self.mean:.3f} |'


def score(scorer: Scorer, seed: int, kind: str) -> Attempt:
    """Score every prefix of an episode; one of another task is a success at its own."""
    tasks = known_tasks()
    task = tasks[seed % len(tasks)]
    episode = SceneEpisode(seed, 'success' if kind == OTHER_TASK else kind, task)
    asked = episode.task if kind != OTHER_TASK else _other(tasks, task, seed)
    images = list(film(episode, FPS, SIDE, SIDE))
    times = [k / FPS for k in range(len(images))]
    rows = curve(scorer, images, times, asked.say())
    log_probs = np.array([row[0].value for row in rows])
    count = len(log_probs)
    return Attempt(
        log_probs, np.array(times), np.arange(1, count + 1), np.zeros(1), kind == 'success'
    )


def _other(tasks: Sequence[Task], task: Task, seed: int) -> Task:
    others = [each for each in tasks if each != task]
    return others[int(np.random.default_rng(seed).integers(len(others)))]


def pool(folder: Path, per_kind: int) -> dict[str, list[Attempt]]:
    """Return attempts by kind, from the folder's file or scored now; 2.5 times as many successes,
    which are new ones for the band, too.
    """
    file = folder / f'pool_{per_kind}.json'
    counts = {kind: per_kind for kind in (*KINDS, OTHER_TASK)} | {'success': 5 * per_kind // 2}
    if not file.is_file():
        scorer = load_scorer(str(FOLDER))
        content = {}
        for number, (kind, count) in enumerate(counts.items()):
            first = FIRST_SEED + 10_000 * number
            scored = (score(scorer, first + k, kind) for k in track(range(count), kind))
            content[kind] = [
                {'log_probs': each.log_probs.tolist(), 'times': each.times.tolist()}
                for each in scored
            ]
        folder.mkdir(parents=True, exist_ok=True)
        write_json(file, content)
    stored = json.loads(file.read_text(encoding='utf-8'))
    return {
        kind: [
            Attempt(
                np.array(each['log_probs']),
                np.array(each['times']),
                np.arange(1, len(each['times']) + 1),
                np.zeros(1),
                kind == 'success',
            )
            for each in stored[kind]
        ]
        for kind in counts
    }


def draws(count: int, calibration: int, number: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield indices of calibration episodes and of NEW others, from `count`, for each draw."""
    for seed in range(number):
        order = np.random.default_rng([seed, calibration]).permutation(count)
        yield order[:calibration], order[calibration : calibration + NEW]


def row(what: str, share: float, rates: Sequence[float]) -> Row:
    """Return how many rates are at most the share, strictly and within their sampling error."""
    error = SAMPLING_ERROR * math.sqrt(share * (1 - share) / NEW)
    over = np.array(rates)
    return Row(
        what, int((over <= share).sum()), int((over <= share + error).sum()), float(over.mean())
    )


def false_alarms(attempts: dict[str, list[Attempt]], per_kind: int, number: int) -> list[Row]:
    """Draw calibration episodes of all kinds without success, in the pool's proportions."""
    episodes = [
        *((each, 'failed') for kind in KINDS if kind != 'success' for each in attempts[kind]),
        *((each, 'other_tasks') for each in attempts[OTHER_TASK]),
        *((beginning(each), 'beginnings') for each in attempts['success'][:per_kind]),
    ]
    held = np.array([held_mean(each.log_probs) for each, _ in episodes])
    print(f'{len(episodes)} episodes without success')
    rows = []
    for calibration, share in ((20, 0.2), (59, 0.05), (100, 0.2)):
        rates, naive = [], []
        for chosen, new in draws(len(episodes), calibration, number):
            drawn = [episodes[k] for k in chosen]
            kinds = WithoutSuccess(
                **{
                    name: [each for each, kind in drawn if kind == name]
                    for name in ('failed', 'other_tasks', 'beginnings')
                }
            )
            threshold, _ = guaranteed_threshold(kinds, NO_BIAS, share)
            rates.append(float(np.mean(held[new] >= threshold)))
            quantile = float(np.quantile(held[chosen], 1 - share)) + ROUNDING
            naive.append(float(np.mean(held[new] >= quantile)))
        what = f'false alarms at most {share:.0%}, {calibration} episodes'
        rows += [row(what, share, rates), row(f'{what}: their quantile, no promise', share, naive)]
    return rows


def bands(successes: Sequence[Attempt], number: int) -> list[Row]:
    """Draw successes for a scale, others for its band, and new ones."""
    rates = []
    for chosen, new in draws(len(successes), SCALE_FROM + 20, number):
        scale = make_scale([successes[k] for k in chosen[:SCALE_FROM]], NO_BIAS)
        held_out = [successes[k] for k in chosen[SCALE_FROM:]]
        band = progress_band(scale, NO_BIAS, held_out, 0.2)
        errors = np.array([progress_error(scale, NO_BIAS, successes[k]) for k in new])
        rates.append(float(np.mean(errors > band.width)))
    return [row('outside the band at most 20%, 20 successes', 0.2, rates)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, help='folder of the scores')
    parser.add_argument('--per-kind', type=int, default=200, help='episodes of each kind')
    parser.add_argument('--draws', type=int, default=100)
    options = parser.parse_args()
    if options.per_kind < LEAST_PER_KIND:
        parser.error(f'--per-kind is {options.per_kind}; expected {LEAST_PER_KIND} or more')
    torch.set_num_threads(1)  # more threads are slower for such a small model
    attempts = pool(options.folder, options.per_kind)
    rows = [
        *false_alarms(attempts, options.per_kind, options.draws),
        *bands(attempts['success'], options.draws),
    ]
    print(
        f'| {options.draws} draws, {NEW} new episodes each | kept | within sampling error | mean |'
    )
    print('|---|---:|---:|---:|')
    for each in rows:
        print(each.text())
    promised = [each for each in rows if 'no promise' not in each.what]
    return int(any(each.within < 0.95 * options.draws for each in promised))


if __name__ == '__main__':
    sys.exit(main())
