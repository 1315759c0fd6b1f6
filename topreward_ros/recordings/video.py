# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A video file as a clip, by PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .clip import Clip, ClipError


def open_video(path: Path, fps: float) -> Clip:
    """The video's first stream; fps [1/s], where it is not 0, replaces its own rate.

    ClipError for what is no video, or says no rate.
    """
    av = import_av()
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ClipError(f'{path} holds no video')
            stream = container.streams.video[0]
            own_fps = float(stream.average_rate or stream.guessed_rate or 0)
            length = (container.duration or 0) / av.time_base
            count = stream.frames or round(length * own_fps)
            if not count:  # one that was recorded as it came: nobody went back to write it down
                count, own_fps = _counted(container, own_fps)
    except av.FFmpegError as error:
        raise ClipError(f'{path} is not a video that can be read: {error}') from error
    if own_fps <= 0:
        raise ClipError(f'{path} does not say its frame rate: give one')
    rate = fps or own_fps
    scale = own_fps / rate

    def frames() -> Iterator[tuple[float, np.ndarray]]:
        try:
            with av.open(str(path)) as container:
                first = None
                for k, frame in enumerate(container.decode(video=0)):
                    time = frame.time if frame.time is not None else k / own_fps
                    first = time if first is None else first
                    yield (time - first) * scale, rgb(frame)
        except av.FFmpegError as error:
            raise ClipError(f'{path} broke off: {error}') from error

    return Clip(path.stem, rate, count / rate, frames)


def rgb(frame: Any) -> np.ndarray:
    """A decoded frame as it is to be shown, uint8 RGB (H, W, 3)."""
    image = frame.to_ndarray(format='rgb24')
    # Counterclockwise; phones film sideways and say so. PyAV tells from version 13 on.
    quarters = round(getattr(frame, 'rotation', 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image


def import_av():  # type: ignore[no-untyped-def]
    """PyAV, or ClipError with what to do."""
    try:
        import av
    except ImportError as error:
        raise ClipError('video files need PyAV: pip install av') from error
    return av


def _counted(container: Any, fps: float) -> tuple[int, float]:
    """How many frames there are, and their mean rate, from the packets; fps where they say none."""
    packets = [packet for packet in container.demux(video=0) if packet.size]
    times = [packet.pts * packet.time_base for packet in packets if packet.pts is not None]
    span = float(max(times) - min(times)) if times else 0.0
    return len(packets), (len(times) - 1) / span if span else fps
