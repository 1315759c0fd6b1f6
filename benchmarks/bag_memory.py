# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Peak memory of reading a bag, by its length.

Writes bags of JPEG images (sensor_msgs/CompressedImage, 640x480 at 30 Hz) of the given lengths, and
reads each in a separate process: all images of its episodes, decoded. The figure is the peak of
that process's resident memory; at 0 minutes, of a process that only imports the reader.

    python -m benchmarks.bag_memory --minutes 1 10
"""

from __future__ import annotations

import argparse
import io
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from benchmarks.machine import machine, show_facts, write_json

RATE = 30
SIZE = (480, 640)
PICTURES = 16  # different images, repeated
TOPIC_IMAGE = '/camera/image_raw/compressed'
TYPE_IMAGE = 'sensor_msgs/msg/CompressedImage'


def write(folder: Path, minutes: float, storage: StoragePlugin) -> None:
    """Write a bag of smooth images with some noise."""
    types: Any = get_typestore(Stores.ROS2_JAZZY)
    random = np.random.default_rng(0)
    height, width = SIZE
    pictures = []
    for _ in range(PICTURES):
        coarse = random.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
        smooth = np.asarray(
            Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        )
        noisy = np.clip(smooth + random.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(noisy).save(file, 'JPEG', quality=90)
        pictures.append(np.frombuffer(file.getvalue(), np.uint8))
    with Writer(folder, version=9, storage_plugin=storage) as writer:
        connection = writer.add_connection(TOPIC_IMAGE, TYPE_IMAGE, typestore=types)
        for k in range(round(minutes * 60 * RATE)):
            stamp = k * 1_000_000_000 // RATE
            seconds, nanoseconds = divmod(stamp, 1_000_000_000)
            moment = types.types['builtin_interfaces/msg/Time'](sec=seconds, nanosec=nanoseconds)
            header = types.types['std_msgs/msg/Header'](stamp=moment, frame_id='camera')
            message = types.types[TYPE_IMAGE](
                header=header, format='jpeg', data=pictures[k % PICTURES]
            )
            writer.write(connection, stamp, types.serialize_cdr(message, TYPE_IMAGE))


def read(folder: str) -> None:
    """Read a bag in this process; print the number of images and the peak memory [MiB]."""
    from topreward_ros.recordings.bags.episodes import bag_episodes
    from topreward_ros.recordings.bags.reader import Bag
    from topreward_ros.recordings.source_options import SourceOptions

    count = 0
    if folder:
        with Bag(folder) as bag:
            for episode in bag_episodes(bag, SourceOptions(task='Do it.')):
                count += sum(1 for _ in episode.clip.frames())
    print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measure(folder: str) -> tuple[int, float]:
    """Return the images read in a separate process, and its peak [MiB]; no folder: only imports."""
    command = [sys.executable, '-m', 'benchmarks.bag_memory', '--read', folder]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    count, peak = result.stdout.split()
    return int(count), float(peak)


def main() -> None:
    options = _parser().parse_args()
    if options.read is not None:
        read(options.read)
        return
    facts = {**machine(), 'memory': 'peak of the resident set'}
    rows: list[dict[str, Any]] = [{'minutes': 0.0, 'images': 0, 'bag_mib': 0.0}]
    rows[0]['peak_mib'] = measure('')[1]
    for minutes in options.minutes:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / 'bag'
            write(folder, minutes, StoragePlugin[options.storage.upper()])
            size = sum(file.stat().st_size for file in folder.iterdir()) / 2**20
            images, peak = measure(str(folder))
        rows.append({'minutes': minutes, 'images': images, 'bag_mib': size, 'peak_mib': peak})
    _show(facts, rows)
    write_json(options.json, facts, rows)


def _show(facts: dict[str, str], rows: list[dict[str, Any]]) -> None:
    console = Console(markup=False)
    show_facts(console, facts)
    table = Table('minutes', title='Peak memory of reading a bag')
    for column in ('images', 'bag [MiB]', 'peak [MiB]'):
        table.add_column(column, justify='right')
    for row in rows:
        cells = (f'{row[name]:.0f}' for name in ('bag_mib', 'peak_mib'))
        table.add_row(f'{row["minutes"]:g}', str(row['images']), *cells)
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description='Peak memory of reading a bag, by its length.')
    parser.add_argument(
        '--minutes', type=float, nargs='+', default=[1.0, 10.0], help='lengths of the bags'
    )
    parser.add_argument('--storage', choices=['mcap', 'sqlite3'], default='mcap')
    parser.add_argument('--json', type=Path, help='file for the numbers')
    parser.add_argument('--read', help=argparse.SUPPRESS)
    return parser


if __name__ == '__main__':
    main()
