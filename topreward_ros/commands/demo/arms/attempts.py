# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Attempts of a simulated arm, what was published about them, and whether that was right."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from topreward_ros.demo.tasks import KIND_NAMES
from topreward_ros.nodes.reset.episode_log import EpisodeRecord

NAMES = {**KIND_NAMES, 'dropped': 'drops the block'}
FAILURES = tuple(kind for kind in NAMES if kind != 'success')
JUDGED = ('success', 'time is up')  # outcomes of an episode that was judged to its end
SEEDS = 500_000  # from here on, of tables that the demo's model has not seen
SEEDS_PER_RUN = 100
ONE_WRONG_OF = 20
SAME_TIME = 1e-6  # [s]


@dataclass(frozen=True)
class Moment:
    """The truth at the stamp of an image [s]: progress, and whether the task is done."""

    time: float
    progress: float
    success: bool


@dataclass
class Attempt:
    """An attempt at a task; times are stamps [s], and inf for what has not happened.

    first and last are pictures of its beginning and its end, uint8 RGB (H, W, 3).
    """

    kind: str
    task: str
    began: float
    stopped: float = float('inf')
    ended: float = float('inf')
    truth: list[Moment] = field(default_factory=list)
    first: np.ndarray | None = None
    last: np.ndarray | None = None

    def has(self, time: float) -> bool:
        """Whether a stamp [s] is of this attempt: until it was stopped."""
        return self.began - SAME_TIME <= time <= self.stopped + SAME_TIME

    def was_done(self, time: float) -> bool:
        """Whether the task was done at a stamp [s], by the truth."""
        known = [moment for moment in self.truth if moment.time <= time + SAME_TIME]
        return bool(known) and known[-1].success


@dataclass(frozen=True)
class Judgement:
    """What was published about an attempt; times [s] since it began.

    detected is the time of the image at which success was detected; None without a success.
    outcome is the reset node's.
    """

    attempt: Attempt
    times: list[float]
    progress: list[float]
    detected: float | None = None
    outcome: str = ''

    @property
    def was_done(self) -> bool:
        """The truth when success was detected, or else when the attempt was stopped."""
        end = self.attempt.stopped
        return self.attempt.was_done(
            end if self.detected is None else self.attempt.began + self.detected
        )

    @property
    def is_right(self) -> bool:
        """Whether success was detected exactly if the task was done."""
        is_judged = bool(self.times) and self.outcome in JUDGED
        return is_judged and self.was_done == (self.detected is not None)


def plan(seed: int, count: int) -> list[tuple[int, str]]:
    """Return seed and kind of each attempt: half are successes, and failures are of all kinds."""
    random = np.random.default_rng([seed, 21])
    failures = [str(kind) for kind in random.permutation(FAILURES)]
    wanted = [failures[k % len(failures)] for k in range(count // 2)]
    kinds = random.permutation(['success'] * (count - len(wanted)) + wanted)
    first = SEEDS + SEEDS_PER_RUN * seed
    return [(first + k, str(kind)) for k, kind in enumerate(kinds)]


def judge(
    attempts: Sequence[Attempt],
    scores: Sequence[tuple[float, float]],
    successes: Sequence[float],
    log: Sequence[EpisodeRecord] = (),
) -> list[Judgement]:
    """Return what was published about each attempt, by the stamps of the images.

    scores are stamps [s] with their progress, successes the stamps of successes; attempts follow
    each other.
    """
    of_scores = _numbers(attempts, [time for time, _ in scores])
    mine: list[list[tuple[float, float]]] = [[] for _ in attempts]
    for number, score in zip(of_scores, scores, strict=True):
        if number is not None:
            mine[number].append(score)
    detected: dict[int | None, float] = {}
    for number, time in zip(_numbers(attempts, successes), successes, strict=True):
        detected.setdefault(number, time)
    return [
        Judgement(
            attempt,
            [time - attempt.began for time, _ in mine[k]],
            [progress for _, progress in mine[k]],
            detected[k] - attempt.began if k in detected else None,
            log[k].outcome if k < len(log) else '',
        )
        for k, attempt in enumerate(attempts)
    ]


def strays(attempts: Sequence[Attempt], successes: Sequence[float]) -> list[float]:
    """Return the stamps [s] of successes in a scene in which nothing was being attempted."""
    numbers = _numbers(attempts, successes)
    return [time for time, number in zip(successes, numbers, strict=True) if number is None]


def _numbers(attempts: Sequence[Attempt], times: Sequence[float]) -> list[int | None]:
    """Return for each stamp [s] which attempt it is of, from 0; None: of none."""
    starts = [attempt.began - SAME_TIME for attempt in attempts]
    newest = [bisect_right(starts, time) - 1 for time in times]
    return [
        number if number >= 0 and attempts[number].has(time) else None
        for number, time in zip(newest, times, strict=True)
    ]


def problem(judged: Sequence[Judgement], stray: Sequence[float], count: int) -> str:
    """Return why a run of `count` episodes has failed; empty if one in twenty or less is wrong."""
    if stray:
        return (
            f'success was reported {len(stray)} times where nothing was being attempted, first at '
            f'{stray[0]:.1f} s: the scene had been left finished, or looked so'
        )
    wrong = count - sum(one.is_right for one in judged)
    allowed = count // ONE_WRONG_OF
    if wrong <= allowed:
        return ''
    return f'{wrong} of {count} episodes were judged wrongly; {allowed or "none"} may be'


def verdict_table(judged: Sequence[Judgement]) -> Table:
    """Return a table of the attempts: the truth, the final progress, when success was detected."""
    table = Table(box=SIMPLE_HEAD)
    for name in ('', 'task', 'attempt', 'truth', 'progress', 'success', 'verdict'):
        is_number = name in ('', 'progress', 'success')
        is_long = name in ('task', 'attempt')
        table.add_column(name, justify='right' if is_number else 'left', no_wrap=not is_long)
    for number, one in enumerate(judged, start=1):
        table.add_row(
            str(number),
            one.attempt.task,
            NAMES[one.attempt.kind],
            'done' if one.was_done else 'not done',
            f'{one.progress[-1]:.2f}' if one.progress else 'none',
            f'{one.detected:.1f} s' if one.detected is not None else 'no',
            '[green]right[/green]' if one.is_right else '[bold red]wrong[/bold red]',
        )
    return table
