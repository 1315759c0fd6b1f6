# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Clone policies from demonstrations of mixed quality, weighted by progress that a model sees.

    python -m examples.learning.offline FOLDER --seeds 0 1 2 3 4

Their pictures are scored as by `topreward score`; weights are those of TOPReward's TOP-AWR (arXiv
2602.19313) and of LeRobot's RA-BC (arXiv 2509.25358). Paired by seed: the same demonstrations,
batches and tables. Each run leaves a file in FOLDER and is not repeated.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from topreward_ros.commands.arguments import whole
from topreward_ros.commands.score.clip_scores import Plan, score_clip
from topreward_ros.files import whole_folder, write_text
from topreward_ros.recordings.source_options import SourceOptions
from topreward_ros.recordings.sources import open_source
from topreward_ros.recordings.suffixes import MANIFEST
from topreward_ros.results.score_table import read_rows, write_rows
from topreward_ros.reward.progress import min_max
from topreward_ros.reward.values import between
from topreward_ros.reward.weights import advantage_weights, rabc_weights
from topreward_ros.scoring import Scorer
from topreward_ros.scoring.sampling import ANCHORS

from .demonstrations import MIXED, Demonstration, demonstrations
from .episodes import TABLES, success
from .policy import CLONING_STEPS, clone
from .report import report_offline
from .runs import begin, once, results_of, seed_of
from .worlds import MODELS, TABLE, WORLDS, blind, closed_at_the_end, models_of, one_of, scorer_of

CHUNK = 4  # frames over which the progress gained is taken

Curves = Sequence[np.ndarray]  # progress of each demonstration's frames, (steps + 1,)


def top_awr(curves: Curves) -> list[np.ndarray]:
    """Return TOP-AWR's weights in (0, 2]; progress is relative to each file, as in the paper."""
    relative = [np.nan_to_num(min_max(curve)) for curve in curves]  # nothing gained if it is flat
    return [advantage_weights(curve, CHUNK) for curve in relative]


def ra_bc(curves: Curves) -> list[np.ndarray]:
    """Return RA-BC's weights in [0, 1]."""
    return rabc_weights(curves, CHUNK)


FORMULAS: dict[str, Callable[[Curves], list[np.ndarray]]] = {'TOP-AWR': top_awr, 'RA-BC': ra_bc}
PLAIN, TRUTH, ONLY_GOOD = 'plain', 'the truth', 'only good ones'


def write_recordings(folder: Path, shown: Sequence[Demonstration]) -> None:
    """Write demonstrations as folders of pictures, with their tasks and truth in curves.json."""
    clips = []
    with whole_folder(folder) as part:
        for number, each in enumerate(shown):
            own = part / f'{number:03d}'
            own.mkdir()
            for k, picture in enumerate(each.pictures):
                Image.fromarray(picture).save(own / f'{k:02d}.png')
            truth = {'success': bool(each.is_done), 'ground_truth': each.progress.tolist()}
            clips.append({'file': own.name, 'task': each.task, 'kind': each.kind, **truth})
        write_text(part / MANIFEST, json.dumps({'clips': clips}))


def scored(
    folder: Path, save: Path, scorer: Callable[[], Scorer], seconds: float
) -> list[np.ndarray]:
    """Score recordings as `topreward score` does; return the progress of every frame.

    seconds are between two frames. Its tables are in the folder `save`, and kept; without the
    command's plots, which take longer.
    """
    curves = []
    source = open_source(str(folder), SourceOptions(folder_fps=1 / seconds))
    with contextlib.closing(source):
        for recording in source.recordings:
            file = save / recording.name / 'scores.csv'
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                plan = Plan(anchors=ANCHORS, to_the_end=True)
                rows = score_clip(scorer(), recording.clip, recording.task, plan, _unwatched)
                write_rows(file, rows)
            rows = read_rows(file)
            frames = np.array([round(row.time / seconds) for row in rows])
            progress = np.array([row.progress for row in rows])
            curves.append(between(frames, progress, int(frames[-1]) + 1))
    return curves


def _unwatched(frames: Iterable[np.ndarray], _count: int) -> Iterable[np.ndarray]:
    return frames


def names(reward_model: str) -> list[str]:
    """Return what weights are by."""
    by = [f'{who}, {formula}' for who in (reward_model, TRUTH) for formula in FORMULAS]
    return [PLAIN, *by, ONLY_GOOD]


class Experiment:
    """The demonstrations of a seed, and policies cloned from them."""

    def __init__(self, seed: int, options: argparse.Namespace) -> None:
        self.seed, self._options = seed, options

    @cached_property
    def shown(self) -> list[Demonstration]:
        return demonstrations(
            self.seed, self._options.demonstrations, MIXED, look=True, world=self._options.world
        )

    def weights(self, name: str) -> list[np.ndarray]:
        """Return the weights of each demonstration's frames, of one of `names`."""
        if name == PLAIN:
            return [np.ones(len(each.progress)) for each in self.shown]
        if name == ONLY_GOOD:
            return [np.full(len(each.progress), float(each.is_done)) for each in self.shown]
        who, formula = name.split(', ')
        curves = [each.progress for each in self.shown] if who == TRUTH else self.curves
        return FORMULAS[formula](curves)

    @cached_property
    def curves(self) -> list[np.ndarray]:
        """The progress that the model sees."""
        folder = self._options.folder / f'demonstrations-{self.seed}'
        if not folder.exists():
            write_recordings(folder, self.shown)
        name, world = self._options.reward_model, self._options.world
        return scored(
            folder,
            self._options.folder / f'scores-{name}',
            lambda: scorer_of(world, name),
            one_of(world).seconds,
        )

    def run(self, name: str) -> dict[str, Any]:
        """Clone a policy with the weights of this name; return what came of it."""
        began = time.monotonic()
        weights = self.weights(name)
        policy = clone(
            self.seed,
            np.concatenate([each.observations for each in self.shown]),
            np.concatenate([each.actions for each in self.shown]),
            np.concatenate([each[:-1] for each in weights]),
            self._options.cloning_steps,
        )
        kinds = np.array([each.kind for each in self.shown])
        means = np.array([each[:-1].mean() for each in weights])
        return {
            'weighting': name,
            'seed': self.seed,
            'success': success(policy, self._options.tables, self._options.world),
            'good': float(np.mean([each.is_done for each in self.shown])),
            'weights': {kind: float(means[kinds == kind].mean()) for kind in sorted(set(kinds))},
            'seconds': round(time.monotonic() - began, 1),
        }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.reward_model not in models_of(options.world):
        parser.error(blind(options.world, options.reward_model))
    torch.set_num_threads(1)  # the models are small
    begin(options.folder, options)
    with closed_at_the_end(options.world):
        for seed in options.seeds:
            experiment = Experiment(seed, options)
            for name in names(options.reward_model):
                file = options.folder / f'{name.replace(", ", "-").replace(" ", "_")}-{seed}.json'
                once(file, options, partial(experiment.run, name))
    report_offline(results_of(options.folder, 'weighting'))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('folder', type=Path, help='of the results')
    parser.add_argument('--world', choices=WORLDS, default=TABLE)
    parser.add_argument('--reward-model', choices=MODELS, default='robometer')
    parser.add_argument('--seeds', nargs='+', type=seed_of, default=[0, 1, 2, 3, 4])
    parser.add_argument('--demonstrations', type=whole, default=200)
    parser.add_argument('--tables', type=whole, default=TABLES, help='on which success is judged')
    parser.add_argument('--cloning-steps', type=whole, default=CLONING_STEPS)
    return parser


if __name__ == '__main__':
    main()
