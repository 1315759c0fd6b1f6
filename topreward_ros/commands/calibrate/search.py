# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Search the settings that separate success from failure best: rate, fit, wording and value."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from topreward_ros.recordings.recording import Recording
from topreward_ros.results.calibration_file import CalibrationError
from topreward_ros.reward.calibration import DIFFERENCE, TASK, TRUE, check_wording, worded
from topreward_ros.reward.fit_scale import Attempt
from topreward_ros.reward.metrics import held_mean
from topreward_ros.reward.pair_selection import LEAST, Selection, select
from topreward_ros.scoring.loading.memory import release_memory
from topreward_ros.scoring.questions import check_task
from topreward_ros.scoring.sampling import Sampling
from topreward_ros.scoring.score import Identity, Scorer

from ..score.clip_scores import Plan
from ..score.episode import EpisodeScoring
from .attempts import attempts_of

LoadWith = Callable[[str], Scorer]  # takes the frame fit


@dataclass(frozen=True)
class Setting:
    """One of the settings that are tried; value is one of `calibration.VALUES`."""

    fps: float
    frame_fit: str
    wording: str = TASK
    value: str = TRUE

    @property
    def label(self) -> str:
        value = 'true minus false' if self.value == DIFFERENCE else 'true'
        return f'{self.fps:g} fps, {self.frame_fit}, "{self.wording}", {value}'


@dataclass(frozen=True)
class Choices:
    """The values to try of each setting, the default first."""

    fps: Sequence[float]
    frame_fits: Sequence[str]
    wordings: Sequence[str] = (TASK,)
    values: Sequence[str] = (TRUE,)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A setting with the attempts that were scored by it, in the order of the recordings."""

    setting: Setting
    identity: Identity
    attempts: Sequence[Attempt]

    def held(self, is_success: bool, window: int, hold: int) -> list[float]:
        """Return the value that success is judged by, of each attempt of a kind."""
        return [
            held_mean(each.of(self.setting.value).log_probs, window, hold)
            for each in self.attempts
            if each.is_success is is_success
        ]


@dataclass(frozen=True, eq=False)
class Searched:
    """All candidates, the default first, over the same recordings, and what was chosen."""

    recordings: Sequence[Recording]
    candidates: Sequence[Candidate]
    selection: Selection

    @property
    def kept(self) -> Candidate:
        """The chosen one if it is better than the default on recordings held out."""
        return self.candidates[self.selection.chosen if self.selection.is_better else 0]


@dataclass(frozen=True)
class Search:
    """Scores recordings by every setting; scores are kept in a folder, and found again.

    window and hold are those of the success rule, max_frames and history of the sampling.
    """

    choices: Choices
    folder: Path
    window: int
    hold: int
    max_frames: int
    console: Console
    history: str = Sampling.history

    def run(self, load: LoadWith, recordings: Sequence[Recording]) -> Searched:
        """Score and choose; CalibrationError where the recordings are too few to choose by.

        Recordings that the default cannot use are left out, and then settings that cannot use one
        of the others: all are judged by the same ones.
        """
        found = self._candidates(load, recordings)
        default, used = next(found)
        failures = sum(each.is_success is False for each in used)
        check_enough(len(used) - failures, failures)
        candidates = [default, *(candidate for candidate, _ in found)]
        rule = self.window, self.hold
        held = [[each.held(kind, *rule) for each in candidates] for kind in (True, False)]
        return Searched(used, candidates, select(*held))

    def _candidates(
        self, load: LoadWith, recordings: Sequence[Recording]
    ) -> Iterator[tuple[Candidate, Sequence[Recording]]]:
        """Yield each candidate with the recordings that it, and all before it, can use."""
        layouts: dict[str, str] = {}
        number = 0
        for frame_fit in self.choices.frame_fits:
            scorer = load(frame_fit)
            identity = scorer.identity
            if (same := layouts.setdefault(identity.layout, frame_fit)) != frame_fit:
                self._tell(f'frame_fit {frame_fit} is not tried: this model scores as with {same}')
                continue
            for fps in self.choices.fps:
                for wording in self.choices.wordings:
                    setting = Setting(fps, frame_fit, wording)
                    number += 1
                    attempts = self._attempts(scorer, setting, recordings, number)
                    usable = [recording for recording, _ in attempts]
                    if number > 1 and len(usable) < len(recordings):
                        self._tell(
                            f'{setting.label}: left out, as it cannot use every recording that the '
                            'default can'
                        )
                        continue
                    recordings = usable
                    for each in self._valued(setting, identity, [one for _, one in attempts]):
                        yield each, recordings
            del scorer
            release_memory()

    def _valued(
        self, setting: Setting, identity: Identity, attempts: Sequence[Attempt]
    ) -> Iterator[Candidate]:
        has_false = all(each.log_probs_false is not None for each in attempts)
        for value in self.choices.values:
            if value == TRUE or has_false:
                own = dataclasses.replace(setting, value=value)
                yield Candidate(own, identity, attempts)

    def _attempts(
        self, scorer: Scorer, setting: Setting, recordings: Sequence[Recording], number: int
    ) -> list[tuple[Recording, Attempt]]:
        plan = Plan(setting.fps, None, self.max_frames, history=self.history)
        choices = self.choices
        total = len(choices.fps) * len(choices.frame_fits) * len(choices.wordings)
        return attempts_of(
            scorer,
            recordings,
            EpisodeScoring(scorer.identity, plan, wording=setting.wording),
            self.folder if number == 1 else self.folder / 'search' / folder_name(setting),
            console=self.console,
            least=self.window + self.hold - 1,
            title=f'setting {number} of {total}',
            with_false=DIFFERENCE in self.choices.values,
        )

    def _tell(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


def folder_name(setting: Setting) -> str:
    """Return a name for the scores of a setting; true and true minus false share them."""
    digest = hashlib.sha256(setting.wording.encode()).hexdigest()[:8]
    wording = '' if setting.wording == TASK else f'_{digest}'
    return f'{setting.fps:g}_fps_{setting.frame_fit}{wording}'


def check_enough(successes: int, failures: int) -> None:
    """Raise CalibrationError where so many recordings are too few to choose by."""
    if min(successes, failures) < LEAST:
        raise CalibrationError(
            f'--search holds out a success and a failure at a time and chooses by the others: it '
            f'takes at least {LEAST} of each, and there are {successes} successes and {failures} '
            'failures: record more'
        )


def read_wordings(file: Path) -> list[str]:
    """Return the wordings of a file, one a line; blank lines and those that begin with # are none.

    Raises CalibrationError for a file that cannot be read or a line that is no wording.
    """
    try:
        lines = file.expanduser().read_text(encoding='utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or 'it is not UTF-8'
        raise CalibrationError(f'{file} cannot be read: {reason}') from error
    wordings = []
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith('#'):
            continue
        try:
            wordings.append(check_wording(line))
        except ValueError as error:
            raise CalibrationError(f'{file}, line {number}: {error}') from error
    if not wordings:
        raise CalibrationError(f'{file} has no wording: expected a line such as "{TASK}"')
    return wordings


def choices_of(options: argparse.Namespace, frame_fit: str) -> Choices:
    """Return what the options list, with the default of each first; raises CalibrationError."""
    wordings = read_wordings(options.search_wordings) if options.search_wordings else []
    return Choices(
        list(dict.fromkeys([options.fps, *options.search_fps])),
        list(dict.fromkeys([frame_fit, *options.search_frame_fits])),
        list(dict.fromkeys([TASK, *wordings])),
        list(dict.fromkeys([TRUE, *options.search_values])),
    )


def check_texts(wordings: Sequence[str], recordings: Sequence[Recording]) -> None:
    """Raise TaskError for a task that is too long in one of the wordings."""
    for recording in recordings:
        for wording in wordings:
            if not recording.clip.broken:
                check_task(worded(wording, recording.task))


def pair_shares(pairs: np.ndarray, names: Sequence[str], axis: int) -> Mapping[str, float]:
    """Return by recording the share of its pairs that are in the right order."""
    return {
        name: float(share) for name, share in zip(names, pairs.mean(axis=1 - axis), strict=True)
    }
