# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read a video file as a clip, with PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .clip import Clip, ClipError


def open_video(path: Path, fps: float) -> Clip:
    """Open the first video stream; fps [1/s], unless 0, replaces its own rate.

    Raises ClipError for a file that is no video, or has no frame rate.
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
            if not count:  # streamed recordings have no count in their header
                count, own_fps = _count_frames(container, own_fps)
    except ClipError:
        raise
    except Exception as error:  # PyAV raises its own errors, and others on broken files
        raise ClipError(f'{path} cannot be read as a video: {error}') from error
    if own_fps <= 0:
        raise ClipError(f'{path} has no frame rate: convert it, for example with ffmpeg')
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
        except Exception as error:  # as above
            raise ClipError(f'{path} cannot be read to its end: {error}') from error

    return Clip(path.stem, rate, count / rate, frames)


def rgb(frame: Any) -> np.ndarray:
    """Return a decoded frame in display orientation, uint8 RGB (H, W, 3)."""
    image = frame.to_ndarray(format='rgb24')
    # Counterclockwise, in the metadata of phone videos; PyAV gives it from version 13 on
    quarters = round(getattr(frame, 'rotation', 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image


def import_av():  # type: ignore[no-untyped-def]
    """Import PyAV; raises ClipError with what to do where it is missing."""
    try:
        import av
    except ImportError as error:
        raise ClipError('video files need PyAV: pip install av') from error
    return av


def _count_frames(container: Any, fps: float) -> tuple[int, float]:
    """Count the frames, and return their mean rate from the packets, else fps."""
    packets = [packet for packet in container.demux(video=0) if packet.size]
    times = [packet.pts * packet.time_base for packet in packets if packet.pts is not None]
    span = float(max(times) - min(times)) if times else 0.0
    return len(packets), (len(times) - 1) / span if span else fps
