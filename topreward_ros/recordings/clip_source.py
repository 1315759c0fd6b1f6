# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sources of plain clips: a video file, a folder of videos, or a folder of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topreward_ros.demo import example

from .clip import Clip, ClipError, paced
from .folders import content_of, open_folder, passed_over
from .recording import (
    BAD_RECORDING,
    Recording,
    broken_recording,
    clip_notes,
    safe_name,
    state_of,
)
from .source_options import SourceOptions
from .suffixes import AMBIGUOUS_SUFFIXES, IMAGE_SUFFIXES, VIDEO_SUFFIXES
from .video import open_video

SERIES = 3  # images that are a recording, not thumbnails


@dataclass(frozen=True)
class ClipSource:
    """The clips of a folder, or a single one."""

    name: str
    recordings: tuple[Recording, ...]

    @property
    def warnings(self) -> Sequence[str]:
        return clip_notes(self.recordings)

    def release(self) -> None:
        pass

    def close(self) -> None:
        pass


def open_clips(text: str, name: str, options: SourceOptions) -> ClipSource:
    """Open a video file, all videos of a folder, or a folder of images; raises ClipError.

    A broken video among others is a recording that raises when it is read.
    """
    path = Path(text).expanduser()
    videos = videos_in(path)
    if not videos:
        clip, origin = open_one(path, options)
        file = path if path.is_file() else None
        return ClipSource(name, (Recording(name, clip, options.task, origin=origin, file=file),))
    stems = [video.stem for video in videos]
    # The full file name where stems collide, such as a.mp4 and a.mkv
    names = [v.stem if stems.count(v.stem) == 1 else v.name for v in videos]
    recordings, errors = [], []
    for each, video in zip(names, videos, strict=True):
        own_name = f'{name}/{safe_name(each)}'
        try:
            clip, origin = open_one(video, options)
        except BAD_RECORDING as error:
            errors.append(error)
            recordings.append(broken_recording(own_name, options.task, error))
        else:
            recordings.append(Recording(own_name, clip, options.task, origin=origin, file=video))
    if len(errors) == len(videos):
        raise errors[0]
    recordings[0].clip.notes[:0] = passed_over(path, videos)
    return ClipSource(name, tuple(recordings))


def open_one(path: Path, options: SourceOptions) -> tuple[Clip, dict[str, Any]]:
    """Open a video file or a folder of images; return the clip and its `Recording.origin`.

    `folder_fps` is also the rate of a video stream without times.
    """
    if path.is_dir():
        clip = open_clip(path, options.folder_fps)
        return clip, {**state_of(path), 'fps': clip.fps}
    clip = open_clip(path, untimed_fps=options.folder_fps)
    return clip, {**state_of(path), 'fps': clip.fps}


def open_clip(source: str | Path | None, fps: float = 0.0, untimed_fps: float = 0.0) -> Clip:
    """Open a video file, a folder of images ordered by the numbers in their names, or the example.

    The example (source None) is an episode of the small simulated world. fps [1/s], unless 0,
    replaces the file's own rate (30 for a folder); untimed_fps [1/s] is that of a video stream
    without times. Raises ClipError for a source that does not exist, is no video, or is empty.
    """
    if not source:
        rate = fps or example.FPS
        return Clip('example', rate, example.COUNT / rate, lambda: paced(example.example(), rate))
    path = Path(source).expanduser()
    if path.is_dir():
        return open_folder(path, fps)
    if path.is_file():
        return open_video(path, fps, untimed_fps)
    raise ClipError(f'{path} does not exist: expected a video file or a folder of images')


def videos_in(folder: Path) -> list[Path]:
    """Return the videos that are the recordings of a folder, ordered by name.

    None if it holds a series of images, beside which a .gif is a thumbnail, and a .ts may be a
    text. Raises ClipError for a series of images beside other videos.
    """
    if not folder.is_dir():
        return []
    content = content_of(folder)
    videos = [file for file in content if file.suffix.lower() in VIDEO_SUFFIXES]
    stems = {video.stem for video in videos}  # of which an image is a thumbnail
    images = [file for file in content if file.suffix.lower() in IMAGE_SUFFIXES]
    if len([image for image in images if image.stem not in stems]) < SERIES:
        return videos
    if others := [video for video in videos if video.suffix.lower() not in AMBIGUOUS_SUFFIXES]:
        raise ClipError(
            f'{folder} holds {len(images)} images and {others[0].name}: give images and videos '
            'folders of their own'
        )
    return []
