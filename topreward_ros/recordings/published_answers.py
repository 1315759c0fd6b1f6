# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a published model said about a video, in files beside it.

`NAME_rewards.npy` is progress and `NAME_rewards_success_probs.npy` the probability of success, as
Robometer's authors write them: a value for each frame `np.linspace(0, total - 1, n, dtype=int)`, of
what it said after that frame. NAME is the video's, or the longest whole part of it that any has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from topreward_ros.errors import TopRewardError, first_line

from .folders import content_of
from .suffixes import PROGRESS_ANSWERS, SUCCESS_ANSWERS, VIDEO_SUFFIXES

MOST = 100_000  # answers of a video
ROUNDING = 1e-6  # by which a sum of probabilities may leave [0, 1]
FORM = 'expected a .npy file with a list of numbers from 0 to 1, float16, float32 or float64'
# Of the examples that Robometer's authors publish, beside which no task lies
TASKS = {
    'berkeley_rpt_stack_cup': 'Pick up the yellow cup and stack it on the other cup',
    'jaco_play_pick_up_green_cup': 'Pick up the green cup',
    'soar_put_green_stick_in_brown_bowl': 'Put green stick in brown bowl',
}


class AnswersError(TopRewardError):
    """Published answers that cannot be read, or that belong to no single video."""


@dataclass(frozen=True, eq=False)
class PublishedAnswers:
    """Progress (n,) and the probability of success (n,) that were published of a video."""

    progress: np.ndarray
    success: np.ndarray

    def frames(self, total: int) -> list[int]:
        """Return the numbers of the frames that they were given for, of so many in the video.

        Raises AnswersError for fewer frames than answers.
        """
        count = len(self.progress)
        if count > total:
            raise AnswersError(
                f'{count} answers are published, and the video has {total} frames: they belong to '
                'another video, or this one was cut'
            )
        return [int(number) for number in np.linspace(0, total - 1, count, dtype=int)]


def read_answers(video: Path) -> PublishedAnswers | None:
    """Return the answers beside a video; None where there are none.

    Raises AnswersError where it is not clear whose they are, one of the files is missing, or they
    are not as expected.
    """
    name = _name_of(video)
    if name is None:
        return None
    files = _names(video.parent)[name]
    for suffixes in (PROGRESS_ANSWERS, SUCCESS_ANSWERS):
        if suffixes not in files:
            (other,) = files.values()
            raise AnswersError(
                f'{other.name} lies without {name}{suffixes[0]}: expected both, or none'
            )
    answers = PublishedAnswers(_values(files[PROGRESS_ANSWERS]), _values(files[SUCCESS_ANSWERS]))
    counts = len(answers.progress), len(answers.success)
    if counts[0] != counts[1]:
        raise AnswersError(
            f'{files[PROGRESS_ANSWERS].name} has {counts[0]} answers and '
            f'{files[SUCCESS_ANSWERS].name} {counts[1]}: expected as many'
        )
    return answers


def task_of_example(video: Path) -> str:
    """Return the task of a published example with its answers beside it; empty for another."""
    task = TASKS.get(video.stem, '')
    return task if task and _candidates(video.stem, list(_names(video.parent))) else ''


def _names(folder: Path) -> dict[str, dict[tuple[str, ...], Path]]:
    """Return the files with answers in a folder, by the name before their endings, and these."""
    found: dict[str, dict[tuple[str, ...], Path]] = {}
    for file in content_of(folder):
        for suffixes in (SUCCESS_ANSWERS, PROGRESS_ANSWERS):
            ending = next((each for each in suffixes if file.name.endswith(each)), None)
            if ending is not None and (name := file.name.removesuffix(ending)):
                found.setdefault(name, {})[suffixes] = file
                break
    return found


def _name_of(video: Path) -> str | None:
    """Return the name of the answers that are a video's; AnswersError where that is not clear."""
    names = list(_names(video.parent))
    best = _candidates(video.stem, names)
    if len(best) > 1:
        raise AnswersError(
            f'the answers of {best[0]} and of {best[1]} could be those of {video.name}: rename the '
            'ones that are, so that they begin as the video does'
        )
    if not best or best == [video.stem]:
        return best[0] if best else None
    others = [
        each
        for each in content_of(video.parent)
        if each.suffix.lower() in VIDEO_SUFFIXES and _candidates(each.stem, names) == best
    ]
    if any(each.stem == best[0] for each in others):  # they are that one's
        return None
    if len(others) > 1:
        listed = ' or '.join(each.name for each in others)
        raise AnswersError(
            f'the answers of {best[0]} could be those of {listed}: rename them, so that they begin '
            'as the video does'
        )
    return best[0]


def _candidates(stem: str, names: list[str]) -> list[str]:
    """Return the longest of the names that are whole parts of a video's, such as b_c of a_b_c."""
    fitting = [
        name for name in names if re.search(rf'(?:^|[\W_]){re.escape(name)}(?:$|[\W_])', stem)
    ]
    longest = max(map(len, fitting), default=0)
    return [name for name in fitting if len(name) == longest]


def _values(file: Path) -> np.ndarray:
    """Return (n,) float64; AnswersError for a file that is not as expected."""
    try:
        # Mapped, as a header may claim any size; a file of objects, which could run code, is none
        content: Any = np.load(file, mmap_mode='r', allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise AnswersError(f'{file.name} cannot be read ({first_line(error)}): {FORM}') from error
    if not isinstance(content, np.ndarray):
        content.close()
        raise AnswersError(f'{file.name} is an archive: {FORM}')
    if content.dtype.kind != 'f' or content.ndim != 1 or not 1 <= len(content) <= MOST:
        raise AnswersError(f'{file.name} is {content.dtype} of shape {content.shape}: {FORM}')
    values = np.array(content, dtype=np.float64)
    if np.isnan(values).any():
        raise AnswersError(f'{file.name}: value {int(np.isnan(values).argmax())} is NaN: {FORM}')
    outside = (values < -ROUNDING) | (values > 1 + ROUNDING)
    if outside.any():
        number = int(outside.argmax())
        raise AnswersError(f'{file.name}: value {number} is {values[number]:g}: {FORM}')
    return values


def has_answers(folder: Path) -> bool:
    """Return whether there are files with published answers in a folder."""
    return bool(_names(folder))


def unclaimed(folder: Path) -> list[str]:
    """Return the names of answers in a folder that are of no video there."""
    names = list(_names(folder))
    claimed = {
        name
        for file in content_of(folder)
        if file.suffix.lower() in VIDEO_SUFFIXES
        for name in _candidates(file.stem, names)
    }
    return [name for name in names if name not in claimed]
