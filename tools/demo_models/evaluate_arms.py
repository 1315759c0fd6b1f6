# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Held-out metrics of the arms' model: python -m tools.demo_models.evaluate_arms [FOLDER] [--card]

Episodes of `examples/arm_sim` with seeds that are not in the training set, scored like a camera's
frames. Exit code 1 where a metric misses its target.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from examples.arm_sim.operator import KINDS
from examples.arm_sim.record import record_episode
from examples.arm_sim.rendering import Cameras
from examples.arm_sim.world import World
from topreward_ros.demo.model import FOLDER_ARMS
from topreward_ros.errors import ModelError
from topreward_ros.reward.metrics import roc_auc
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.score import Scorer

from .arm_pool import ARMS, PICTURE
from .held_out import FIRST_SEED, HeldOutMetric, agreement, tell

FPS = 2.0
NOISE = 2.0  # standard deviation of the camera's noise [levels of 255]
LAST = 3  # scores that are averaged at the end
SURE = 0.5  # probability from which success is detected, in the LAST scores


@dataclass(frozen=True)
class Attempt:
    """What a model said of an episode: values and probabilities per frame; and the truth."""

    values: np.ndarray
    success: np.ndarray
    truth: np.ndarray
    is_done: bool

    @property
    def final(self) -> float:
        return float(self.values[-LAST:].mean())

    @property
    def certainty(self) -> float:
        return float(self.success[-LAST:].mean())

    @property
    def is_judged_rightly(self) -> bool:
        """Whether success was detected, in LAST scores running, exactly if the task was done."""
        sure = np.convolve(self.success >= SURE, np.ones(LAST), 'valid') >= LAST
        return bool(sure.any()) == bool((self.truth >= 1).any())


class ArmEvaluation:
    """Scores episodes of one arm."""

    def __init__(self, arm: str, scorer: Scorer) -> None:
        self._world, self._scorer = World(arm), scorer
        self._cameras = Cameras(self._world, PICTURE, PICTURE)

    def close(self) -> None:
        self._cameras.close()

    def attempt(self, kind: str, seed: int) -> Attempt:
        random = np.random.default_rng(seed)
        frames, truth = record_episode(self._world, self._cameras, seed, kind, 1 / FPS)
        noisy = [frame + random.normal(0, NOISE, frame.shape) for frame in frames]
        shown = [frame.clip(0, 255).astype(np.uint8) for frame in noisy]
        is_done = self._world.truth().success
        return self._scored(shown, np.array(truth), is_done)

    def still(self, seed: int) -> float:
        """Return the range of the progress over a picture that stays as it is."""
        random = np.random.default_rng(seed)
        frames, _ = record_episode(self._world, self._cameras, seed, 'success', 1 / FPS)
        shown = [frames[random.integers(len(frames))]] * 16
        return float(np.ptp(self._scored(shown, np.zeros(16), False).values))

    def _scored(self, frames: Sequence[np.ndarray], truth: np.ndarray, is_done: bool) -> Attempt:
        episode = self._scorer.start([self._world.task.say()])
        values, success = [], []
        for k, frame in enumerate(frames):
            episode.append(frame, k / FPS)
            (score,) = episode.scores()
            values.append(score.value)
            if score.success is None:
                raise ModelError('the model gives no probability of success; expected a Robometer')
            success.append(score.success)
        episode.close()
        return Attempt(np.array(values), np.array(success), truth, is_done)


def held_out(evaluation: ArmEvaluation, arm: str, count: int) -> list[HeldOutMetric]:
    """Return the metrics of an arm: `count` successes, half as many of each wrong task."""
    attempts: dict[str, list[Attempt]] = {}
    for kind in KINDS:
        many = {'success': count, 'wrong_object': count // 2, 'wrong_target': count // 2}
        seeds = range(FIRST_SEED, FIRST_SEED + many.get(kind, count // 4))
        attempts[kind] = [evaluation.attempt(kind, seed) for seed in track(seeds, f'{arm}: {kind}')]
    everything = [each for found in attempts.values() for each in found]
    good = [each for each in attempts['success'] if each.is_done]
    done, failed = (
        [each for each in everything if each.is_done is is_done] for is_done in (True, False)
    )
    agreements = [agreement(each.values, each.values, each.truth) for each in good]
    orders, correlations, errors = zip(*agreements, strict=True)
    wrong = [each for kind in ('wrong_object', 'wrong_target') for each in attempts[kind]]
    below = np.mean([each.final < 0.3 for each in wrong if not each.is_done])
    stills = [evaluation.still(seed) for seed in range(FIRST_SEED, FIRST_SEED + count // 2)]
    finals = [[each.final for each in part] for part in (done, failed)]
    certain = [[each.certainty for each in part] for part in (done, failed)]
    judged = np.mean([each.is_judged_rightly for each in everything])
    return [
        HeldOutMetric('success: VOC, mean', float(np.mean(orders)), ('≥', 0.97)),
        HeldOutMetric('success: VOC, worst', min(orders)),
        HeldOutMetric('success: correlation with progress, mean', float(np.mean(correlations))),
        HeldOutMetric('success: absolute error of progress, mean', float(np.mean(errors))),
        HeldOutMetric('wrong object or target: share that end below 0.3', below, ('≥', 0.95)),
        HeldOutMetric(
            'success against failures, by progress: ROC-AUC', roc_auc(*finals), ('≥', 0.98)
        ),
        HeldOutMetric(
            'success against failures, by its probability: ROC-AUC', roc_auc(*certain), ('≥', 0.98)
        ),
        HeldOutMetric('all kinds: success detected exactly where it was, share', judged),
        HeldOutMetric('static: progress moves by, worst', max(stills)),
        HeldOutMetric('static: progress moves by, mean', float(np.mean(stills))),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'folder', type=Path, nargs='?', default=FOLDER_ARMS, help='folder of the checkpoint'
    )
    parser.add_argument(
        '--episodes',
        type=int,
        default=50,
        help='successes of each arm; half as many of each wrong task, a quarter of the others',
    )
    parser.add_argument('--card', action='store_true', help='write the table into the model card')
    options = parser.parse_args()
    torch.set_num_threads(1)  # more threads are slower for such a small model
    scorer = load_scorer(LoadOptions(str(options.folder)))
    print(scorer.summary)
    parts = {}
    for arm in ARMS:
        with closing(ArmEvaluation(arm, scorer)) as evaluation:
            parts[f'{arm}.'] = held_out(evaluation, arm, options.episodes)
    return tell(parts, options.folder if options.card else None)


if __name__ == '__main__':
    sys.exit(main())
