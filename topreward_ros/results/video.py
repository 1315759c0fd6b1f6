# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write frames as a video file or a bag."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from topreward_ros.files import whole_file
from topreward_ros.recordings.video import import_av
from topreward_ros.scoring.sampling import NANOSECONDS

from .bag_writer import QOS_TASK, BagWriter


def write_video(file: Path, frames: Iterable[np.ndarray], fps: float) -> int:
    """Write uint8 RGB frames (H, W, 3) as MP4 (H.264); return their number.

    The file appears when it is complete. Odd heights and widths are cropped by one pixel, as the
    format requires even ones. Raises ValueError without frames.
    """
    from fractions import Fraction

    av = import_av()
    count = 0
    with whole_file(file) as part, av.open(str(part), 'w', format='mp4') as container:
        stream = container.add_stream('libx264', rate=Fraction(fps).limit_denominator(1000))
        stream.pix_fmt = 'yuv420p'
        for image in frames:
            even = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
            if not count:
                stream.height, stream.width = even.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format='rgb24')
            container.mux(stream.encode(frame))
            count += 1
        if not count:
            raise ValueError('no frames to write; expected at least one')
        container.mux(stream.encode())
    return count


def write_image_bag(
    folder: Path,
    frames: Iterable[np.ndarray],
    fps: float,
    task: str,
    topic: str = '/camera/image_raw',
) -> int:
    """Write uint8 RGB frames (H, W, 3) and the task into an MCAP bag; return the frame count."""
    count = 0
    with BagWriter(folder) as bag:
        bag.add_topic(topic, 'sensor_msgs/msg/Image')
        bag.add_topic('/topreward/task', 'std_msgs/msg/String', [QOS_TASK])
        bag.write('/topreward/task', 0, bag.serialise('std_msgs/msg/String', data=task))
        for count, image in enumerate(frames, start=1):
            stamp = round((count - 1) * NANOSECONDS / fps)
            bag.write(topic, stamp, bag.serialise_image(image, stamp, 'camera'))
    return count
