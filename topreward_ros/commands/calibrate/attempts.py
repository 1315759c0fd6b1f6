# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score the recordings to calibrate on, and store the scores for later runs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from topreward_ros.files import StoredResults
from topreward_ros.recordings.clip_sampling import sampled
from topreward_ros.recordings.recording import BAD_RECORDING, Recording
from topreward_ros.results.calibration_file import CalibrationError
from topreward_ros.reward.fit_scale import Attempt
from topreward_ros.scoring.clip_curve import curve
from topreward_ros.scoring.score import Scorer

from ..failures import named
from ..score.clip_scores import Plan, score_clip
from ..score.episode import EpisodeScoring
from ..score.published import Watch

ARRAYS = ('log_probs', 'times', 'frames', 'static')


def attempts_of(
    scorer: Scorer,
    recordings: Sequence[Recording],
    scoring: EpisodeScoring,
    folder: Path,
    *,
    console: Console,
    least: int = 1,
) -> list[tuple[Recording, Attempt]]:
    """Score the recordings, and print why some cannot be used or have fewer than `least` scores.

    Scores are stored in the folder, where an interrupted run and a later one with more recordings
    find them.
    """
    attempts = []
    for recording in track(recordings, 'recordings', console=console):
        stored = StoredResults(folder / f'{recording.name}.json', scoring.asked(recording))
        try:
            if (content := stored.read()) is not None:
                arrays = {name: np.array(content[name]) for name in ARRAYS}
                scored = Attempt(**arrays, is_success=recording.is_success is not False)
            else:
                scored = attempt(scorer, recording, scoring.plan, lambda frames, _: frames)
                stored.finish({name: getattr(scored, name).tolist() for name in ARRAYS})
            if len(scored.log_probs) < least:
                raise CalibrationError(
                    f'skipped: it has {len(scored.log_probs)} scores and success needs {least}: '
                    'raise --fps'
                )
            attempts.append((recording, scored))
        except BAD_RECORDING as error:
            console.print(named(recording.name, error), highlight=False, markup=False)
        finally:
            recording.clip.release()
    if left_out := len(recordings) - len(attempts):
        text = f'{left_out} of {len(recordings)} recordings could not be used'
        console.print(text, highlight=False)
    return attempts


def attempt(scorer: Scorer, recording: Recording, plan: Plan, watch: Watch) -> Attempt:
    """Score every prefix of a recording, and of its first frame repeated.

    A recording without a label counts as a success. Raises as `score_clip`.
    """
    rows = score_clip(scorer, recording.clip, recording.task, plan, watch)
    count = max(row.score.frames for row in rows)
    _, _, first = next(sampled(recording.clip, plan.window()))
    return Attempt(
        log_probs=np.array([row.score.value for row in rows]),
        times=np.array([row.time for row in rows]),
        frames=np.array([row.score.frames for row in rows]),
        static=static_curve(scorer, first, count, recording.task, plan.fps),
        is_success=recording.is_success is not False,
    )


def static_curve(
    scorer: Scorer, image: np.ndarray, count: int, task: str, fps: float
) -> np.ndarray:
    """Return log P("True") of 1 to `count` repetitions of an image, (count,) [nat]."""
    times = (k / fps for k in range(count))
    rows = curve(scorer, itertools.repeat(image, count), times, task)
    return np.array([row[0].value for row in rows])
