# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which part of a video holds an episode of a LeRobot dataset."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from .episodes import Record, own_place, place
from .files import DatasetError
from .info import Info, is_number
from .templates import fill


@dataclass(frozen=True)
class VideoPart:
    """The part of a video that holds an episode, from start to end [s].

    all_frames is the number of frames of all episodes in the video, and before the numbers of those
    before this one, in the order of their starts and in that of their indices.
    """

    file: str
    start: float = 0.0
    end: float = math.inf
    before: tuple[int, ...] = (0,)
    all_frames: int = 0


class VideoParts:
    """The parts of a camera's videos that hold these episodes."""

    def __init__(self, info: Info, records: Sequence[Record], camera: str) -> None:
        self._info = info
        self._records = records
        self.camera = camera

    def of(self, record: Record) -> VideoPart:
        """Return an episode's part; raises DatasetError where it is also that of another episode.

        Of two parts that overlap, the one that begins where another ends is right.
        """
        own = self._read(record)
        others = self._by_file[own.file]
        for other, part in others:
            overlap = min(own.end, part.end) - max(own.start, part.start)
            if other is record or overlap <= self._half:
                continue
            if self._follows(part) or not (self._follows(own) or self._is_in_place(record, own)):
                raise DatasetError(
                    f'{self._info.name}: episode {record.index} begins at {own.start:.4f} s of '
                    f'{own.file} and overlaps by {overlap:.4f} s with episode {other.index}'
                )
        every = sum(other.frames for other, _ in others)
        return VideoPart(own.file, own.start, own.end, self._before(record, own), every)

    def _before(self, record: Record, own: VideoPart) -> tuple[int, int]:
        """Return the numbers of frames before an episode, by the starts and by the indices."""
        others = self._by_file[own.file]
        by_start = sum(other.frames for other, part in others if part.start < own.start)
        return by_start, sum(other.frames for other, _ in others if other.index < record.index)

    def _is_in_place(self, record: Record, own: VideoPart) -> bool:
        """Return whether a part begins after as many frames as the episodes before it have."""
        starts = [count / self._info.fps for count in self._before(record, own)]
        return any(abs(own.start - start) <= self._half for start in starts)

    @property
    def _half(self) -> float:
        """Half a frame [s]: smaller deviations are found between each frame and the video."""
        return 0.5 / self._info.fps

    def _follows(self, part: VideoPart) -> bool:
        """Return whether a part begins where its video does, or where another part ends."""
        ends = [0.0, *(other.end for _, other in self._by_file[part.file])]
        return any(abs(part.start - end) <= self._half for end in ends)

    @cached_property
    def _by_file(self) -> dict[str, list[tuple[Record, VideoPart]]]:
        """The episodes with a valid part, by video."""
        by_file: dict[str, list[tuple[Record, VideoPart]]] = {}
        for record in self._records:
            try:
                part = self._read(record)
            except DatasetError:  # raised when that episode is read
                continue
            by_file.setdefault(part.file, []).append((record, part))
        return by_file

    def _read(self, record: Record) -> VideoPart:
        """Return an episode's part by its metadata alone; raises DatasetError."""
        if not self._info.shares_files:
            return VideoPart(self._file(own_place(self._info, record)))
        key = f'videos/{self.camera}'
        file = self._file(place(self._info, record, key))
        start, end = (record.row.get(f'{key}/{side}_timestamp') for side in ('from', 'to'))
        if not (is_number(start) and is_number(end) and 0 <= start <= end):
            raise DatasetError(
                f'{self._info.name}: the metadata of episode {record.index} gives no valid part of '
                f'{file}: from {reprlib.repr(start)} s to {reprlib.repr(end)} s'
            )
        return VideoPart(file, float(start), float(end))

    def _file(self, place_of_it: dict[str, int]) -> str:
        return fill(self._info.video_path, {**place_of_it, 'video_key': self.camera})
