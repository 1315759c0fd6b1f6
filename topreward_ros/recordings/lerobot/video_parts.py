# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which part of a video holds an episode of a LeRobot dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from .episodes import Record, own_place, place
from .files import DatasetError
from .info import Info, is_number
from .templates import fill


@dataclass(frozen=True)
class VideoPart:
    """The part of a video that holds an episode, from start to end [s]; end None: to its end.

    frames_before and all_frames are the numbers of frames of the episodes before it in the video,
    and of all its episodes.
    """

    file: str
    start: float = 0.0
    end: float | None = None
    frames_before: int = 0
    all_frames: int = 0


class VideoParts:
    """The parts of a camera's videos that hold these episodes."""

    def __init__(self, info: Info, records: Sequence[Record], camera: str) -> None:
        self._info = info
        self._records = records
        self.camera = camera

    def of(self, record: Record) -> VideoPart:
        """Return an episode's part; raises DatasetError where it reaches into another one's."""
        if not self._info.shares_files:
            return VideoPart(self._file(own_place(self._info, record)))
        part = self._read(record)
        assert part.end is not None
        others = self._by_file[part.file]
        earlier = [each for each in others if (each[1], each[0].index) < (part.start, record.index)]
        # Half a frame: smaller deviations are those of each frame from the video
        latest = max(earlier, key=lambda each: each[2], default=None)
        if latest and latest[2] - part.start > 0.5 / self._info.fps:
            raise DatasetError(
                f'{self._info.name}: episode {record.index} begins at {part.start:.4f} s of '
                f'{part.file}, {latest[2] - part.start:.4f} s before episode {latest[0].index} ends'
            )
        before, frames = (sum(other.frames for other, _, _ in each) for each in (earlier, others))
        return VideoPart(part.file, part.start, part.end, before, frames)

    @cached_property
    def _by_file(self) -> dict[str, list[tuple[Record, float, float]]]:
        """The episodes with a valid part, by video, with start and end [s]."""
        by_file: dict[str, list[tuple[Record, float, float]]] = {}
        for record in self._records:
            try:
                part = self._read(record)
            except DatasetError:  # raised when that episode is read
                continue
            if part.end is not None:
                by_file.setdefault(part.file, []).append((record, part.start, part.end))
        return by_file

    def _read(self, record: Record) -> VideoPart:
        key = f'videos/{self.camera}'
        file = self._file(place(self._info, record, key))
        start, end = (record.row.get(f'{key}/{side}_timestamp') for side in ('from', 'to'))
        if not (is_number(start) and is_number(end) and 0 <= start <= end):
            raise DatasetError(
                f'{self._info.name}: the metadata of episode {record.index} gives no valid part of '
                f'{file}: from {start} s to {end} s'
            )
        return VideoPart(file, float(start), float(end))

    def _file(self, place_of_it: dict[str, int]) -> str:
        return fill(self._info.video_path, {**place_of_it, 'video_key': self.camera})
