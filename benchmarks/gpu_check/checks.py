# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The checks of a live step and of curves, on one model."""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import torch

from benchmarks import curve, floor, live_step, many_episodes, models, precision
from topreward_ros.errors import ModelError
from topreward_ros.scoring.engine.fused import states
from topreward_ros.scoring.loading.float8 import check_float8, use_float8
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer

from .attention import attention_ways
from .results import Results

Main = Callable[[Sequence[str]], None]


class Checks:
    """The checks by name, most important first, each with its limit [s].

    lengths are the frames of a short and a long episode; small asks for as little as shows that a
    check runs.
    """

    def __init__(self, results: Results, options: argparse.Namespace) -> None:
        self._results = results
        self._options = options
        self._small = options.device == 'cpu'
        self._lengths = (4, 8) if self._small else (16, 64)
        self._scorer: StreamingScorer | None = None
        self._floor_ms = math.nan  # of a long episode
        self.all: dict[str, tuple[float, Callable[[], None]]] = {
            'load': (90, self.load),
            'floor': (60, self.floor),
            'eager': (45, self.eager),
            'recompute': (90, self.recompute),
            'thinning': (40, self.thinning),
            'many episodes': (60, self.many_episodes),
            'curve': (45, self.curve),
            'attention': (45, self.attention),
            'compiled': (60, self.compiled),
            'float8': (40, self.float8),
            'precision': (80, self.precision),
        }

    def load(self) -> None:
        """What it costs to load and to configure, in time and memory."""
        began = time.monotonic()
        scorer = self._warm()
        self._results.tell(
            'load', seconds=round(time.monotonic() - began, 1), mode=scorer.mode, **self._memory()
        )
        if scorer.recorded is not None:
            self._results.tell(
                'recorded', steps=scorer.recorded.count, attention_ms=dict(scorer.recorded.times)
            )
            self._results.tell('functions', **states())

    def floor(self) -> None:
        rows = self._benchmark(floor.main, '--lengths', *self._lengths, '--repeats', 3)
        self._floor_ms = rows[-1]['floor_ms']
        for row in rows:
            text = f'a live score over its floor, {row["frames"]} frames'
            self._results.demand(text, 2.0, row['ratio'])

    def eager(self) -> None:
        """The same steps one kernel at a time, and the first score against later ones."""
        scorer = self._warm()
        recorded, values = self._walk(scorer, self._lengths[1])
        again, _ = self._walk(scorer, self._lengths[1])
        kept, scorer.recorded = scorer.recorded, None
        try:
            plain, same = self._walk(scorer, self._lengths[0])
        finally:
            scorer.recorded = kept
        difference = max(abs(a - b) for a, b in zip(values, same, strict=False))
        self._results.tell(
            'eager', recorded_ms=recorded, again_ms=again, eager_ms=plain, difference=difference
        )
        later = median(again[2:6])
        self._results.demand('the first score over later ones', 1.2, recorded[0] / later)

    def recompute(self) -> None:
        lengths = self._lengths
        rows = self._benchmark(live_step.main, '--lengths', *lengths, '--repeats', 1)
        ratio = rows[-1]['streaming_ms'] / rows[-1]['recompute_ms']
        self._results.demand(f'a live score over the recompute, {lengths[-1]} frames', 0.1, ratio)

    def thinning(self) -> None:
        """The score after an episode was thinned against the one before, prepared or not."""
        scorer, count = self._warm(), self._lengths[1]
        for prepared in (False, True):
            episode = scorer.start(models.TASK)
            for k, frame in enumerate(self._clip(count)):
                episode.append(frame, k / models.FPS)
            episode.score()
            taken = [self._timed(episode.score)]
            while prepared and episode.prepare_thinning():
                pass
            taken.append(self._timed(episode.thin))
            for k, frame in enumerate(self._clip(3), count):
                episode.append(frame, k / models.FPS)
                taken.append(self._timed(episode.score))
            episode.close()
            self._results.tell('thinning', prepared=prepared, before_thin_and_after_ms=taken)
        ratio = (taken[1] + taken[2]) / taken[3]
        self._results.demand('a thinning and its score over the next one', 1.5, ratio)

    def many_episodes(self) -> None:
        episodes, length = (12, 4) if self._small else (1000, 2)
        rows = self._benchmark(many_episodes.main, '--episodes', episodes, '--frames', length)
        after = next(row for row in rows if row['episodes'] == 10)
        self._results.demand(
            f'growth of memory, episode 10 to {episodes} [MiB]', 8.0, rows[-1]['mib'] - after['mib']
        )

    def curve(self) -> None:
        self._benchmark(curve.main, '--lengths', self._lengths[1], '--repeats', 1)

    def attention(self) -> None:
        for result in attention_ways(self._warm().engine, self._lengths, small=self._small):
            self._results.tell('attention', **result)

    def compiled(self) -> None:
        """Attention that needs a compiler, which the engine does not use."""
        if self._small:
            self._results.tell('compiled', skipped='not on a CPU')
            return
        for result in attention_ways(self._warm().engine, self._lengths, small=False, flex=True):
            self._results.tell('compiled', **result)

    def float8(self) -> None:
        """A step with the decoder in 8-bit floats, over the floor in bfloat16.

        The weights are replaced, so no later check can use them.
        """
        checkpoint = models.load(self._options)
        device = next(checkpoint.model.parameters()).device
        try:
            check_float8(device)
        except ModelError as error:
            self._results.tell('float8', skipped=str(error))
            return
        self._scorer = None
        layers = use_float8(checkpoint.model)
        scorer = StreamingScorer(checkpoint)
        width, height = self._options.size
        scorer.warm_up(height, width, self._lengths[1])
        self._walk(scorer, self._lengths[1])
        taken, _ = self._walk(scorer, self._lengths[1])
        self._results.tell('float8', layers=layers, mode=scorer.mode, ms=taken, **self._memory())
        if not math.isnan(self._floor_ms):
            ratio = fmean(taken[-2:]) / self._floor_ms
            self._results.demand('float8 over the floor of bfloat16', 1.5, ratio)

    def precision(self) -> None:
        """bfloat16 against float32; last, as it needs the weights in float32."""
        self._scorer = None
        models.forget()
        few = (4, 4) if self._small else (32, 16)
        rows = self._benchmark(
            precision.main,
            *('--prefixes', few[0], '--frames', few[1], '--dtype', 'bfloat16', '--float8'),
        )
        models.forget()
        errors = {row['way']: row['mean_nat'] for row in rows}
        ratio = errors['streaming'] / max(errors['recompute'], 1e-9)
        self._results.demand('error of bfloat16: streaming over recompute', 1.1, ratio)

    # What they share

    def _arguments(self) -> list[str]:
        options = self._options
        return [
            *('--shape', options.shape, '--device', options.device),
            *('--size', '{}x{}'.format(*options.size), '--frame-fit', options.frame_fit),
            *(('--model', options.model) if options.model else ()),
            *('--dtype', options.dtype),
        ]

    def _warm(self) -> StreamingScorer:
        if self._scorer is None:
            self._scorer = models.streaming_scorer(self._options, self._lengths[1])
        return self._scorer

    def _benchmark(self, main: Main, *arguments: object) -> list[dict[str, Any]]:
        """Run a benchmark as it is; write and return its rows."""
        name = main.__module__.rpartition('.')[2]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, 'rows.json')
            main([*self._arguments(), *map(str, arguments), '--json', str(file)])
            content = json.loads(file.read_text(encoding='utf-8'))
        self._results.tell(name, **content)
        return list(content['rows'])

    def _clip(self, count: int) -> list[np.ndarray]:
        """Return the first frames of one and the same clip."""
        return models.frames(self._lengths[1], *self._options.size)[:count]

    def _walk(self, scorer: StreamingScorer, count: int) -> tuple[list[float], list[float]]:
        """Return the time [ms] of every score of an episode, and the scores."""
        episode = scorer.start(models.TASK)
        taken, values = [], []
        for k, frame in enumerate(self._clip(count)):
            episode.append(frame, k / models.FPS)
            taken.append(self._timed(lambda: values.append(episode.score().value)))
        episode.close()
        return taken, values

    def _timed(self, call: Callable[[], object]) -> float:
        models.synchronize()
        began = time.perf_counter()
        call()
        models.synchronize()
        return round(1000 * (time.perf_counter() - began), 3)

    def _memory(self) -> dict[str, int]:
        if not torch.cuda.is_initialized():
            return {}
        free, total = torch.cuda.mem_get_info()
        return {
            'in_use': total - free,
            'allocated': torch.cuda.memory_allocated(),
            'reserved': torch.cuda.memory_reserved(),
        }
