# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Merge the messages of several files, or of parts of a file, into one order of time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import NamedTuple

from rosbags.interfaces import Connection


class Stored(NamedTuple):
    """A message as stored; its connection's owner is the file. time [ns]."""

    connection: Connection
    time: int
    data: bytes


class Run(NamedTuple):
    """Messages in the order of time, none before start [ns]; they are read when they are due."""

    start: int
    read: Callable[[], Iterable[Stored]]


def in_time_order(runs: Iterable[Run]) -> Iterator[Stored]:
    """Yield the messages of all runs; those of one time in the order of the runs."""
    for _, message in heapq.merge(*map(_when_due, runs), key=itemgetter(0)):
        if message is not None:
            yield message


def _when_due(run: Run) -> Iterator[tuple[int, Stored | None]]:
    yield run.start, None  # so that merging does not read the first message of every run at once
    for message in run.read():
        yield message.time, message
