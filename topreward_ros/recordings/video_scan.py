# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a media file says of its video, from its packets: which stream, its rate and its length.

The header is not enough: Matroska tells the length of the longest stream, a raw stream no time at
all, and a file that was cut while it was written a length that is not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .clip import ClipError
from .file_ends import lacks_end
from .suffixes import RAW_VIDEO_SUFFIXES

NO_TIMESTAMPS = 0x80  # AVFMT_NOTIMESTAMPS: a raw stream
UNTIMED_FPS = 25.0
MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class VideoScan:
    """A video stream: its index in the file, rate [1/s], and length [s] to its last frame's end.

    Frames without times (is_timed false) follow each other at fps. notes are for the user.
    """

    stream: int
    fps: float
    seconds: float
    is_timed: bool
    notes: tuple[str, ...]


@dataclass
class _Packets:
    """The packets of a stream: times and durations [s]."""

    times: list[float] = field(default_factory=list)
    durations: list[float] = field(default_factory=list)
    count: int = 0
    listed: int = 0  # with those that are not shown

    @property
    def end(self) -> float:
        ends = [t + d for t, d in zip(self.times, self.durations, strict=True)]
        return max(ends, default=0.0)


def scan_video(container: Any, path: Path, untimed_fps: float = 0.0) -> VideoScan:
    """Read all packets of an open file and describe its first moving video stream.

    untimed_fps [1/s] is the rate of a stream without times; 0 assumes one and notes it. Raises
    ClipError, without the file's name, for a file without a video.
    """
    name, videos = path.name, container.streams.video
    if not videos:
        raise ClipError('holds no video')
    is_damaged, packets = _read_packets(container)
    is_damaged = is_damaged or container.size < path.stat().st_size  # whole fragments
    stream, notes = _choose(videos, packets, name)
    found = packets[stream.index]
    if not found.count:
        raise ClipError('holds no pictures')
    is_raw = bool(container.format.flags & NO_TIMESTAMPS)
    # AVI counts its pictures in the order of decoding, and has one rate
    is_counted = container.format.name == 'avi' and found.listed == found.count
    is_timed = not is_raw and not is_counted and len(found.times) == found.count
    if not is_timed:
        known = untimed_fps if is_raw else 0.0
        fps = known or float(stream.guessed_rate or stream.average_rate or UNTIMED_FPS)
        seconds = found.count / fps
        if is_raw and not known:
            notes.append(
                f'{name} is a stream without times, so {fps:g} fps is assumed: {_advice(path)}'
            )
    else:
        fps, seconds = _rate(stream, found)
    if not is_raw and found.count > 1 and _is_cut(container, stream, packets, 1 / fps, is_damaged):
        notes.append(
            f'{name} was cut while it was written, or is damaged: {seconds:.1f} s are read'
        )
    elif not is_raw and found.count > 1 and container.duration is None:
        notes.append(
            f'{name} does not tell its length, like one that was cut: {seconds:.1f} s are read'
        )
    elif found.count > 1 and lacks_end(path, container.format.name):
        notes.append(
            f'{name} lacks the end that most writers give it, like one that was cut: '
            f'{seconds:.1f} s are read'
        )
    return VideoScan(stream.index, fps, seconds, is_timed, tuple(notes))


def _advice(path: Path) -> str:
    is_raw = path.suffix.lower() in RAW_VIDEO_SUFFIXES
    return f'{"" if is_raw else "name it .h264 or as what it is, and "}set --folder-fps'


def _read_packets(container: Any) -> tuple[bool, dict[int, _Packets]]:
    """Return whether a packet is damaged, and the others by the index of their stream."""
    from av.error import FFmpegError

    packets = {stream.index: _Packets() for stream in container.streams}
    is_damaged = False
    try:
        for packet in container.demux():
            found = packets[packet.stream.index]
            time = packet.pts if packet.pts is not None else packet.dts
            found.listed += bool(packet.size) or time is not None
            is_damaged = is_damaged or packet.is_corrupt
            if not packet.size or packet.is_discard or packet.is_corrupt:
                continue
            found.count += 1
            if time is not None:
                found.times.append(float(time * packet.time_base))
                found.durations.append(float((packet.duration or 0) * packet.time_base))
    except FFmpegError:  # what came before it is there
        is_damaged = True
    return is_damaged, packets


def _choose(
    videos: Sequence[Any], packets: dict[int, _Packets], name: str
) -> tuple[Any, list[str]]:
    """Return the first video stream that moves, else the first one, and notes on the others."""
    moving = [stream for stream in videos if packets[stream.index].count > 1]
    if not moving:
        return videos[0], [f'{name} holds a single picture']
    notes = []
    if moving[0] is not videos[0]:
        notes.append(f'{name}: its first video stream is a still picture; the next one is read')
    if len(moving) > 1:
        notes.append(f'{name} holds {len(moving)} videos; the first is read')
    return moving[0], notes


def _rate(stream: Any, found: _Packets) -> tuple[float, float]:
    """Return the mean rate [1/s] and the length [s]."""
    times = sorted(found.times)
    span = times[-1] - times[0]
    declared = float(stream.average_rate or stream.guessed_rate or 0)
    fps = (len(times) - 1) / span if span > 0 else declared or UNTIMED_FPS
    if abs(declared - fps) <= fps / 100:
        fps = declared  # its times are rounded
    last = found.durations[found.times.index(times[-1])]
    return fps, span + (last or 1 / fps)


def _is_cut(
    container: Any, stream: Any, packets: dict[int, _Packets], interval: float, is_damaged: bool
) -> bool:
    """Return whether the file lacks a part of what its header tells."""
    if is_damaged or stream.frames > packets[stream.index].listed:
        return True
    if container.duration is None:
        return False
    own = packets[stream.index]
    last = 0.0 if any(own.durations) else interval  # where a packet does not tell its length
    there = max(own.end + last, *(found.end for found in packets.values()))
    if 'matroska' not in container.format.name:  # whose duration counts from 0
        there -= (container.start_time or 0) / MICROSECONDS
    # Of sounds, the end is told less exactly
    tolerance = 0.75 * interval if len(packets) == 1 else max(3 * interval, 0.25)
    return bool(container.duration / MICROSECONDS - there > max(tolerance, 0.05))
