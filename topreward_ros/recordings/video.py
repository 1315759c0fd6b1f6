# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read a video file as a clip, with PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .clip import Clip, ClipError, add_note
from .cut_mp4 import WholeFragments
from .recording import safe_name
from .video_scan import VideoScan, scan_video


def open_video(path: Path, fps: float = 0.0, untimed_fps: float = 0.0) -> Clip:
    """Open the first moving video stream of a file.

    fps [1/s], unless 0, replaces its own rate. untimed_fps [1/s] is the rate of a stream without
    times, such as raw H.264; if 0, the rate is assumed and the clip's notes say so. Raises
    ClipError for a file without a video that can be read.
    """
    try:
        with open_container(path) as container:
            scan = scan_video(container, path, untimed_fps)
    except ClipError as error:
        raise ClipError(f'{path} {error}') from error
    except broken_file() as error:
        raise ClipError(f'{path} cannot be read as a video: {_reason(path, error)}') from error
    rate = fps or scan.fps
    scale = scan.fps / rate
    notes = list(scan.notes)
    return Clip(
        name=safe_name(path.stem),
        fps=rate,
        seconds=scan.seconds * scale,
        frames=lambda: _frames(path, scan, scale, notes),
        notes=notes,
    )


def rgb(frame: Any) -> np.ndarray:
    """Return a decoded frame in display orientation, uint8 RGB (H, W, 3).

    The display matrix, in the metadata of phone videos, may turn and mirror a picture: point (x, y)
    is shown at (a x + c y, b x + d y). Angles between are taken to the nearest right one.
    """
    image = frame.to_ndarray(format='rgb24')
    matrix = _display_matrix(frame)
    if matrix is None:
        return image
    a, b, c, d = matrix
    if abs(a) + abs(d) >= abs(b) + abs(c):
        rows, columns = d, a
    else:
        image, rows, columns = image.swapaxes(0, 1), b, c
    return np.ascontiguousarray(image[:: -1 if rows < 0 else 1, :: -1 if columns < 0 else 1])


def open_container(path: Path) -> Any:
    """Open a media file with PyAV: only this file, whatever it refers to.

    Raises ClipError where PyAV is missing, and its errors for what is no media file.
    """
    name = str(path.absolute())  # a relative name with a colon would be a protocol
    try:
        name.encode()
        source: Any = f'file:{name}'
    except UnicodeEncodeError:  # PyAV takes names as UTF-8
        source = path.open('rb')
    av = import_av()
    # Metadata may be in any encoding, and a playlist must not open a host
    options = {'metadata_errors': 'replace', 'options': {'protocol_whitelist': 'file'}}
    try:
        return av.open(source, **options)
    except av.error.InvalidDataError as error:
        try:
            return av.open(WholeFragments(path), **options)
        except ValueError:
            raise error from None


def import_av():  # type: ignore[no-untyped-def]
    """Import PyAV; raises ClipError with what to do where it is missing."""
    try:
        import av
    except ImportError as error:
        raise ClipError('video files need PyAV: pip install av') from error
    return av


def broken_file() -> tuple[type[Exception], ...]:
    """Return what PyAV raises for a file that is not as it should be."""
    return (import_av().error.FFmpegError, OSError, ValueError, RuntimeError)


def _frames(
    path: Path, scan: VideoScan, scale: float, notes: list[str]
) -> Iterator[tuple[float, np.ndarray]]:
    """Yield time [s] and image of all frames that can be decoded; the others are noted."""
    first, count, damaged = None, 0, 0
    try:
        for frame in _decoded(path, scan.stream):
            if frame is None or frame.is_corrupt:
                damaged += 1
                continue
            time = frame.time if scan.is_timed and frame.time is not None else None
            time = (count + damaged) / scan.fps if time is None else time
            first = time if first is None else first
            if not count and _is_askew(frame):
                add_note(
                    notes, f'{path.name} is turned by an odd angle: the nearest right one is taken'
                )
            count += 1
            yield (time - first) * scale, rgb(frame)
    except broken_file() as error:
        raise ClipError(f'{path} cannot be read to its end: {error}') from error
    if not count:
        raise ClipError(f'{path} has no picture that can be decoded')
    if damaged:
        add_note(notes, f'{path.name}: {damaged} damaged pictures were skipped, {count} were read')


def _decoded(path: Path, stream: int) -> Iterator[Any]:
    """Yield the frames of a stream, and None for each packet that cannot be decoded."""
    errors = import_av().error
    with open_container(path) as container:
        packets = container.demux(container.streams[stream])
        while True:
            try:
                packet = next(packets, None)
                frames = packet.decode() if packet is not None else []
            except errors.InvalidDataError:  # damaged, or cut in the middle
                yield None
                continue
            if packet is None:
                return
            yield from frames


def _display_matrix(frame: Any) -> tuple[int, int, int, int] | None:
    """Return (a, b, c, d) of the display matrix [1/65536], or None where there is none."""
    for data in frame.side_data:
        if data.type.name == 'DISPLAYMATRIX':
            a, b, _, c, d, *_ = np.frombuffer(data, '<i4').tolist()
            return (a, b, c, d) if any((a, b, c, d)) else None
    return None


def _is_askew(frame: Any) -> bool:
    """Return whether the display matrix turns by anything but right angles."""
    parts = sorted(map(abs, _display_matrix(frame) or (0, 0, 1, 1)))
    return parts[1] > parts[2] / 100


def _reason(path: Path, error: Exception) -> str:
    text = getattr(error, 'strerror', None) or str(error)
    if not path.stat().st_size:
        return 'it is empty'
    if path.suffix.lower() in ('.mp4', '.mov', '.m4v', '.3gp', '.3g2', '.f4v'):
        text += ' (one that was cut while it was written has no index, and is lost)'
    return text
