# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score the recordings to calibrate on, and store the scores for later runs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from topreward_ros.files import StoredResults
from topreward_ros.recordings.clip_sampling import sampled
from topreward_ros.recordings.recording import BAD_RECORDING, Recording
from topreward_ros.results.calibration_file import CalibrationError
from topreward_ros.reward.fit_scale import Attempt
from topreward_ros.scoring.clip_curve import curve
from topreward_ros.scoring.score import Score, Scorer

from ..failures import named
from ..score.clip_scores import Plan, score_clip
from ..score.episode import EpisodeScoring
from ..score.published import Watch

ARRAYS = ('log_probs', 'times', 'frames', 'static')
FALSE = ('log_probs_false', 'static_false')  # absent in the scores of earlier versions


def attempts_of(
    scorer: Scorer,
    recordings: Sequence[Recording],
    scoring: EpisodeScoring,
    folder: Path,
    *,
    console: Console,
    least: int = 1,
    title: str = 'recordings',
    with_false: bool = False,
) -> list[tuple[Recording, Attempt]]:
    """Score the recordings, and print why some cannot be used or have fewer than `least` scores.

    Scores are stored in the folder, where an interrupted run and a later one with more recordings
    find them; with_false scores those anew that do not tell of " False". title is of the bar.
    """
    attempts = []
    for recording in track(recordings, title, console=console):
        stored = StoredResults(folder / f'{recording.name}.json', scoring.asked(recording))
        try:
            content = stored.read()
            if content is None or (with_false and FALSE[0] not in content):
                asked = scoring.worded(recording)
                scored = attempt(scorer, asked, scoring.plan, lambda frames, _: frames)
                stored.finish(_lists(scored))
            else:
                scored = _attempt(content, recording.is_success is not False)
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


def _lists(scored: Attempt) -> dict[str, list[float] | None]:
    arrays = {name: getattr(scored, name) for name in (*ARRAYS, *FALSE)}
    return {name: None if each is None else each.tolist() for name, each in arrays.items()}


def _attempt(content: Mapping[str, Any], is_success: bool) -> Attempt:
    arrays = {name: np.array(content[name]) for name in ARRAYS}
    arrays |= {name: np.array(content[name]) for name in FALSE if content.get(name) is not None}
    return Attempt(**arrays, is_success=is_success)


def attempt(scorer: Scorer, recording: Recording, plan: Plan, watch: Watch) -> Attempt:
    """Score every prefix of a recording, and of its first frame repeated.

    A recording without a label counts as a success. Raises as `score_clip`.
    """
    rows = score_clip(scorer, recording.clip, recording.task, plan, watch)
    count = max(row.score.frames for row in rows)
    _, _, first = next(sampled(recording.clip, plan.window()))
    still = static_scores(scorer, first, count, recording.task, plan.fps)
    scores = [row.score for row in rows]
    return Attempt(
        log_probs=np.array([score.value for score in scores]),
        times=np.array([row.time for row in rows]),
        frames=np.array([score.frames for score in scores]),
        static=np.array([score.value for score in still]),
        is_success=recording.is_success is not False,
        log_probs_false=_false(scores),
        static_false=_false(still),
    )


def _false(scores: Sequence[Score]) -> np.ndarray | None:
    values = [score.log_prob_false for score in scores if score.log_prob is not None]
    return np.array(values) if len(values) == len(scores) and None not in values else None


def static_scores(
    scorer: Scorer, image: np.ndarray, count: int, task: str, fps: float
) -> list[Score]:
    """Return the scores of 1 to `count` repetitions of an image."""
    times = (k / fps for k in range(count))
    rows = curve(scorer, itertools.repeat(image, count), times, task)
    return [row[0] for row in rows]
