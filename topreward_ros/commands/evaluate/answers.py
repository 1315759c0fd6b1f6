# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compare a model's progress and success with what its authors published for the same frames."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from topreward_ros.files import StoredResults
from topreward_ros.recordings.published_answers import (
    PublishedAnswers,
    has_answers,
    read_answers,
    unclaimed,
)
from topreward_ros.recordings.recording import Recording
from topreward_ros.reward.metrics import correlation
from topreward_ros.scoring.clip_curve import curve
from topreward_ros.scoring.score import Scorer

from .tables import cell_text

NOT_COMPARED = 'Not compared:'


@dataclass(frozen=True)
class Difference:
    """How far our values are from the published ones: greatest, mean and correlation.

    The correlation is NaN where one of them is flat.
    """

    greatest: float
    mean: float
    correlation: float


@dataclass(frozen=True)
class Agreement:
    """A recording compared: success is None for a model that does not give it."""

    answers: int
    progress: Difference
    success: Difference | None


@dataclass
class AnswerCheck:
    """Compares the recordings that have published answers beside them; scores are kept in a folder.

    agreements and failed are by the recording's name; failed says why one could not be compared.
    """

    scorer: Scorer
    folder: Path
    agreements: dict[str, Agreement] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @cached_property
    def _gives_progress(self) -> bool:
        blank = np.zeros((64, 64, 3), np.uint8)
        ((score,),) = curve(self.scorer, [blank], [0.0], 'none')
        return score.progress is not None

    def notes(self, recordings: Sequence[Recording]) -> list[str]:
        """Return why answers are not compared that lie in the folders of these videos."""
        folders = dict.fromkeys(each.file.parent for each in recordings if each.file is not None)
        beside = [folder for folder in folders if has_answers(folder)]
        if beside and not self._gives_progress:
            return [
                f'the published answers in {beside[0].name} are not compared, as '
                f'{self.scorer.reward_model} gives no progress of its own: choose the reward model '
                'that they are of, such as --reward-model robometer'
            ]
        return [
            f'{folder.name}: the published answers of {name} are not compared, as they are of no '
            'video there'
            for folder in beside
            for name in unclaimed(folder)
        ]

    def __call__(self, recording: Recording) -> None:
        """Compare a recording, if it has answers; raises AnswersError, and as a scorer."""
        if recording.file is None or recording.clip.broken or not self._gives_progress:
            return
        answers = read_answers(recording.file)
        if answers is None:
            return
        progress, success = self._ours(recording, answers)
        self.agreements[recording.name] = Agreement(
            len(answers.progress),
            _difference(np.array(progress), answers.progress),
            None if success is None else _difference(np.array(success), answers.success),
        )

    def _ours(
        self, recording: Recording, answers: PublishedAnswers
    ) -> tuple[list[float], list[float] | None]:
        """Return our progress and success after the published frames; None without success."""
        asked = {
            'task': recording.task,
            'of': dict(recording.origin),
            'answers': len(answers.progress),
            **dataclasses.asdict(self.scorer.identity),
        }
        stored = StoredResults(self.folder / f'{recording.name}.json', asked)
        content = stored.read()
        if content is None:
            content = self._scored(recording, answers)
            stored.finish(content)
        return content['progress'], content['success']

    def _scored(self, recording: Recording, answers: PublishedAnswers) -> dict[str, Any]:
        times = [time for time, _ in recording.clip.undecoded()]
        numbers = answers.frames(len(times))
        shown = set(numbers)
        images = (
            picture()
            for number, (_, picture) in enumerate(recording.clip.undecoded())
            if number in shown
        )
        rows = curve(self.scorer, images, (times[number] for number in numbers), recording.task)
        scores = [row[0] for row in rows]
        progress = [each.progress for each in scores]
        success = [each.success for each in scores]
        return {
            'frames': numbers,
            'progress': progress,
            'success': None if None in success else success,
            'published progress': answers.progress.tolist(),
            'published success': answers.success.tolist(),
        }


def _difference(ours: np.ndarray, published: np.ndarray) -> Difference:
    gaps = np.abs(ours - published)
    return Difference(float(gaps.max()), float(gaps.mean()), correlation(ours, published))


def answers_section(agreements: Mapping[str, Agreement], failed: Mapping[str, str]) -> list[str]:
    """Return the lines of the report; none where nothing was to be compared."""
    if not agreements and not failed:
        return []
    lines = [
        "## Agreement with a published model's own answers",
        '',
        'Progress and the probability of success after the very frames that answers lie beside the '
        'videos for: the greatest and the mean absolute difference, and the correlation. The same '
        'weights, asked alike, differ by rounding alone.',
        '',
    ]
    if agreements:
        columns = [
            f'{kind}: {part}'
            for kind in ('progress', 'success')
            for part in ('greatest', 'mean', 'correlation')
        ]
        lines += [
            f'| recording | answers | {" | ".join(columns)} |',
            f'|---|{"---:|" * (1 + len(columns))}',
        ]
    for name, each in agreements.items():
        cells = [*_cells(each.progress), *_cells(each.success)]
        lines.append(f'| {cell_text(name)} | {each.answers} | {" | ".join(cells)} |')
    if failed:
        lines += ['', NOT_COMPARED, '', *(f'- {name}: {why}' for name, why in failed.items())]
    return [*lines, '']


def _cells(difference: Difference | None) -> list[str]:
    if difference is None:
        return ['-', '-', '-']
    flat = math.isnan(difference.correlation)
    return [
        f'{difference.greatest:.4f}',
        f'{difference.mean:.4f}',
        'flat' if flat else f'{difference.correlation:.4f}',
    ]
