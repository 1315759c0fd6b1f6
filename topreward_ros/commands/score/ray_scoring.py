# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score many recordings on many machines: episodes are Ray Data tasks, each actor has a model.

The sources and the output folder have to be on storage shared by all machines. Finished recordings
are complete, so an interrupted run can be continued, with Ray or without.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from topreward_ros.errors import TopRewardError
from topreward_ros.recordings.recording import BAD_RECORDING, Source
from topreward_ros.recordings.sources import open_source
from topreward_ros.results.score_table import Row, read_rows
from topreward_ros.scoring.families import MakeScorer, maker_of
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.score import Identity, Scorer

from .episode import ScoreError
from .run import (
    Report,
    ScoreOptions,
    absolute,
    finish,
    open_all,
    raise_errors,
)

Job = dict[str, Any]


@dataclass(frozen=True)
class RayOptions:
    """The model of each actor, Ray's address ('' starts Ray here), and the number of actors."""

    load: LoadOptions
    address: str = ''
    workers: int = 0  # 0: one per GPU, else per two cores

    def anywhere(self) -> RayOptions:
        """Return the same options with absolute paths."""
        load = dataclasses.replace(self.load, model=absolute(self.load.model))
        if load.adapter is not None:
            load = dataclasses.replace(load, adapter=absolute(load.adapter))
        return dataclasses.replace(self, load=load)


def score_with_ray(options: ScoreOptions, ray_options: RayOptions) -> None:
    """Do the same as `score_files`, in Ray actors.

    Raises TopRewardError where Ray is not installed, cannot be reached or fails.
    """
    ray = _import_ray()
    ray_options = ray_options.anywhere()
    make_scorer = maker_of(ray_options.load)  # fails here rather than in every actor
    sources = open_all(options)
    opened = sources.opened
    texts = [text for text in options.sources if text not in sources.errors]
    jobs = [
        {'source': text, 'number': number}
        for text, source in zip(texts, opened, strict=True)
        for number in range(len(source.recordings))
    ]
    started = not ray.is_initialized()
    with sources.report() as report:
        for name, error in sources.errors.items():
            report.failed(name, error)
        try:
            if started:
                ray.init(address=ray_options.address or None, log_to_driver=False)
            results = _act(ray, jobs, options, ray_options, make_scorer) if jobs else ()
            _collect(results, dict(zip(texts, opened, strict=True)), options, report)
        except (ray.exceptions.RayError, ConnectionError) as error:
            reason = str(error).strip().splitlines()
            raise TopRewardError(f'Ray failed: {reason[-1] if reason else error!r}') from error
        finally:
            for source in opened:
                source.close()
            if started:
                ray.shutdown()
    raise_errors(report)


def _act(
    ray: Any,
    jobs: Sequence[Job],
    options: ScoreOptions,
    ray_options: RayOptions,
    make_scorer: MakeScorer,
) -> Any:
    """Yield the results of the actors, a row per job, as they finish."""
    ray.data.DataContext.get_current().enable_progress_bars = False  # the report has one
    workers, needs = _share(ray, ray_options.workers)
    results = ray.data.from_items(list(jobs), override_num_blocks=len(jobs)).map(
        EpisodeActor,
        fn_constructor_args=(options, partial(make_scorer, ray_options.load)),
        concurrency=min(workers, len(jobs)),
        **needs,
    )
    return results.iter_rows()


def _collect(
    results: Iterable[Mapping[str, Any]],
    sources: Mapping[str, Source],
    options: ScoreOptions,
    report: Report,
) -> None:
    """Report results as they arrive, and write the outputs of whole sources."""
    scores: dict[str, dict[str, list[Row]]] = {text: {} for text in sources}
    identity: Identity | None = None
    for row in results:
        recording = sources[row['source']].recordings[row['number']]
        report.advance(recording.clip.seconds)
        if row['error']:
            report.failed(recording.name, ScoreError(row['error'], int(row['exit_code'])))
            continue
        folder = options.save / recording.name
        rows = scores[row['source']][recording.name] = read_rows(folder / 'scores.csv')
        report.scored(folder, rows, bool(row['found_before']))
        identity = Identity(*row['identity'])
    for text, source in sources.items():
        outputs = options.scoring(identity).outputs if identity is not None else ()
        finish(source, scores[text], outputs, options, report)


class EpisodeActor:
    """A Ray actor with its own model, which scores one recording at a time."""

    def __init__(self, options: ScoreOptions, load_scorer: Callable[[], Scorer]) -> None:
        self._options = options
        self._scorer = load_scorer()
        options.check_scorer(self._scorer)
        self._scoring = options.scoring(self._scorer.identity)
        self._sources: dict[str, Source] = {}

    def __call__(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Score the recording of a job; return the job with its error ('' for none)."""
        text = str(job['source'])
        result = {
            **job,
            'identity': list(dataclasses.astuple(self._scorer.identity)),
            'found_before': False,
            'error': '',
            'exit_code': 0,
        }
        try:
            if text not in self._sources:
                self._sources[text] = open_source(text, self._options.read)
            for other, source in self._sources.items():
                if other != text:
                    source.release()
            recording = self._sources[text].recordings[int(job['number'])]
            folder = self._options.save / recording.name
            _, found_before = self._scoring.run(
                self._scorer, recording, folder, lambda frames, _: frames
            )
        except BAD_RECORDING as error:
            code = getattr(error, 'exit_code', 1)
            return {**result, 'error': str(error) or type(error).__name__, 'exit_code': code}
        return {**result, 'found_before': found_before}


def _share(ray: Any, workers: int) -> tuple[int, dict[str, float]]:
    """Return the number of actors, and the resources that each one reserves."""
    resources = ray.cluster_resources()
    gpus, cores = int(resources.get('GPU', 0)), int(resources.get('CPU', 1))
    if gpus:
        return workers or gpus, {'num_gpus': 1}
    workers = workers or max(1, cores // 2)
    return workers, {'num_cpus': max(1, cores // workers)}


def _import_ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise TopRewardError("--ray needs Ray: pip install 'topreward_ros[ray]'") from error
    return ray
