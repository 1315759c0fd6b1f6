# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write episodes of the small world as LeRobot datasets, in the layouts of versions 2.1 and 3.0.

Every picture of the camera TOP carries its episode and frame number as black and white cells, so
that a frame taken for its neighbour is seen, whatever the codec does.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from topreward_ros.demo.drawing import film
from topreward_ros.demo.scene import SceneEpisode

FPS = 10
HEIGHT, WIDTH = 64, 96
CELL = 12  # eight of them are as wide as the image
GOP = 12
TOP, WRIST, DEPTH = (f'observation.images.{name}' for name in ('top', 'wrist', 'depth'))
KINDS = ('success', 'short', 'still', 'success', 'undone')
FEATURES: dict[str, Any] = {
    TOP: {'dtype': 'video', 'shape': [HEIGHT, WIDTH, 3], 'names': ['height', 'width', 'channels']},
    WRIST: {'dtype': 'image', 'shape': [HEIGHT, WIDTH, 3], 'names': None},
    DEPTH: {'dtype': 'video', 'shape': [HEIGHT, WIDTH, 1], 'info': {'video.is_depth_map': True}},
    'next.success': {'dtype': 'bool', 'shape': [1], 'names': None},
    'timestamp': {'dtype': 'float32', 'shape': [1], 'names': None},
}


@dataclass(frozen=True)
class DrawnEpisode:
    """The contents of an episode: the marked images of TOP, and those of WRIST."""

    task: str
    is_success: bool
    top: list[np.ndarray]
    wrist: list[np.ndarray]

    @property
    def frames(self) -> int:
        return len(self.top)


def draw() -> list[DrawnEpisode]:
    """Five episodes of different tasks and lengths."""
    written = []
    for number, kind in enumerate(KINDS):
        episode = SceneEpisode(number, kind)
        pictures = list(film(episode, FPS, HEIGHT, WIDTH))
        top = [stamp(picture, number, k) for k, picture in enumerate(pictures)]
        wrist = [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures]
        written.append(DrawnEpisode(episode.task.say(), episode.is_success, top, wrist))
    return written


def marked(frames: Sequence[int], tasks: Sequence[str]) -> list[DrawnEpisode]:
    """Return episodes of these numbers of frames, of which every second one is a success."""
    grey = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    episodes = []
    for number, (count, task) in enumerate(zip(frames, tasks, strict=True)):
        pictures = [stamp(grey, number, k) for k in range(count)]
        episodes.append(DrawnEpisode(task, number % 2 == 0, pictures, pictures))
    return episodes


def stamp(picture: np.ndarray, episode: int, frame: int) -> np.ndarray:
    """Return the image with two rows of cells that encode both numbers."""
    stamped = picture.copy()
    for row, number in enumerate((episode, frame)):
        for bit in range(8):
            cell = np.s_[row * CELL : (row + 1) * CELL, bit * CELL : (bit + 1) * CELL]
            stamped[cell] = 255 * (number >> bit & 1)
    return stamped


def read_stamp(picture: np.ndarray) -> tuple[int, int]:
    """Decode the episode and the frame number of an image."""
    cells = picture[: 2 * CELL].reshape(2, CELL, 8, CELL, 3).mean(axis=(1, 3, 4)) > 128
    episode, frame = (int((row << np.arange(8)).sum()) for row in cells.astype(int))
    return episode, frame


def encode(file: Path, pictures: Sequence[np.ndarray], codec: str = 'libx264') -> None:
    """A video with few keyframes and, in H.264, frames that are decoded out of order."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), 'w') as container:
        options = {'preset': '12'} if codec == 'libsvtav1' else {}
        stream = container.add_stream(codec, rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, 'yuv420p'
        stream.codec_context.gop_size = GOP
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')))
        container.mux(stream.encode())


def write_v21(folder: Path, episodes: Sequence[DrawnEpisode], codec: str = 'libx264') -> None:
    """Write a data file and a video per episode."""
    _write_info(
        folder,
        'v2.1',
        len(episodes),
        data_path='data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet',
        video_path='videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4',
    )
    tasks = sorted({episode.task for episode in episodes})
    write_lines(
        folder / 'meta/tasks.jsonl', [{'task_index': k, 'task': t} for k, t in enumerate(tasks)]
    )
    rows, stats, first = [], [], 0
    for k, episode in enumerate(episodes):
        rows.append({'episode_index': k, 'tasks': [episode.task], 'length': episode.frames})
        success = {'min': [False], 'max': [episode.is_success], 'count': [episode.frames]}
        stats.append({'episode_index': k, 'stats': {'next.success': success}})
        write_table(
            folder / f'data/chunk-000/episode_{k:06d}.parquet', data(episode, k, first, tasks)
        )
        encode(folder / f'videos/chunk-000/{TOP}/episode_{k:06d}.mp4', episode.top, codec)
        first += episode.frames
    write_lines(folder / 'meta/episodes.jsonl', rows)
    write_lines(folder / 'meta/episodes_stats.jsonl', stats)


def write_v30(
    folder: Path, episodes: Sequence[DrawnEpisode], codec: str = 'libx264', per_file: int = 3
) -> None:
    """Write data files, videos and tables of `per_file` episodes, beginning between keyframes."""
    _write_info(
        folder,
        'v3.0',
        len(episodes),
        data_path='data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet',
        video_path='videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4',
    )
    tasks = sorted({episode.task for episode in episodes})
    # As pandas writes texts that are an unnamed index
    table = {'task_index': range(len(tasks)), '__index_level_0__': tasks}
    write_table(folder / 'meta/tasks.parquet', pa.table({k: list(v) for k, v in table.items()}))
    first = 0
    for number in range(0, len(episodes), per_file):
        file = number // per_file
        some = episodes[number : number + per_file]
        rows, tables, begin = [], [], 0
        for k, episode in enumerate(some, start=number):
            rows.append(_row(episode, k, file, first, begin))
            tables.append(data(episode, k, first, tasks))
            first += episode.frames
            begin += episode.frames
        write_table(
            folder / f'meta/episodes/chunk-000/file-{file:03d}.parquet', pa.Table.from_pylist(rows)
        )
        write_table(folder / f'data/chunk-000/file-{file:03d}.parquet', pa.concat_tables(tables))
        pictures = [picture for episode in some for picture in episode.top]
        encode(folder / f'videos/{TOP}/chunk-000/file-{file:03d}.mp4', pictures, codec)


def _row(episode: DrawnEpisode, index: int, file: int, first: int, begin: int) -> dict[str, Any]:
    """Return a row of meta/episodes; begin: number of the first frame in the video."""
    return {
        'episode_index': index,
        'tasks': [episode.task],
        'length': episode.frames,
        'dataset_from_index': first,
        'dataset_to_index': first + episode.frames,
        'data/chunk_index': 0,
        'data/file_index': file,
        f'videos/{TOP}/chunk_index': 0,
        f'videos/{TOP}/file_index': file,
        f'videos/{TOP}/from_timestamp': begin / FPS,
        f'videos/{TOP}/to_timestamp': (begin + episode.frames) / FPS,
        'stats/next.success/max': [episode.is_success],
        'stats/timestamp/max': [(episode.frames - 1) / FPS],
        # There is no arm, so the action is the observation
        'stats/action/mean': [float(np.mean(episode.top))],
    }


def data(episode: DrawnEpisode, index: int, first: int, tasks: list[str]) -> pa.Table:
    """Return the rows of an episode's frames."""
    count = episode.frames
    success = [episode.is_success and k >= count - 2 for k in range(count)]
    return pa.table(
        {
            WRIST: [
                {'bytes': png(picture), 'path': f'{k}.png'}
                for k, picture in enumerate(episode.wrist)
            ],
            'next.success': success,
            'timestamp': np.arange(count, dtype=np.float32) / np.float32(FPS),
            'frame_index': np.arange(count),
            'episode_index': np.full(count, index),
            'index': np.arange(first, first + count),
            'task_index': np.full(count, tasks.index(episode.task)),
        }
    )


def png(picture: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, 'png', compress_level=1)
    return stream.getvalue()


def write_table(file: Path, table: pa.Table) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)


def write_lines(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    file.write_text(''.join(json.dumps(row) + '\n' for row in rows), encoding='utf-8')


def _write_info(folder: Path, version: str, episodes: int, **paths: str) -> None:
    info = {
        'codebase_version': version,
        'robot_type': 'demo',
        'total_episodes': episodes,
        'fps': FPS,
        'chunks_size': 1000,
        **paths,
        'features': FEATURES,
    }
    (folder / 'meta').mkdir(parents=True)
    (folder / 'meta/info.json').write_text(json.dumps(info), encoding='utf-8')
