# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What can be scored: videos, image folders, bags and LeRobot datasets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .bags.episodes import BagEpisode, EpisodeOptions, bag_episodes
from .bags.reader import Bag
from .clip import Clip, ClipError, open_clip
from .image_files import IMAGE_SUFFIXES
from .lerobot.dataset import Dataset, DatasetEpisode, open_dataset
from .origin import state_of
from .recording import Recording

BAG_SUFFIXES = ('.mcap', '.db3')
VIDEO_SUFFIXES = ('.mp4', '.mov', '.mkv', '.webm', '.avi')


@dataclass(frozen=True)
class SourceOptions:
    """How to read a source; what does not concern its kind is left aside.

    task replaces the source's own; camera is one of a dataset's; folder_fps [1/s] is of a folder
    of images (0: not known).
    """

    task: str = ''
    folder_fps: float = 0.0
    camera: str | None = None
    bag: EpisodeOptions = field(default_factory=EpisodeOptions)
    image_topic: str | None = None


@dataclass(frozen=True)
class Source:
    """An opened source; bag and dataset are what it is, where it is one of these."""

    name: str
    recordings: tuple[Recording, ...]
    bag: Bag | None = None
    bag_episodes: tuple[BagEpisode, ...] = ()
    dataset: Dataset | None = None
    episodes: tuple[DatasetEpisode, ...] = ()

    def rest(self) -> None:
        """Keep no file open until it is read again."""
        if self.bag is not None:
            self.bag.rest()

    def close(self) -> None:
        """Its recordings cannot be read afterwards."""
        if self.bag is not None:
            self.bag.close()


def source_name(text: str) -> str:
    """The name of its results' folder."""
    path = Path(text).expanduser().resolve()
    return path.name if path.is_dir() or not path.exists() else path.stem


def open_source(text: str, options: SourceOptions) -> Source:
    """Open a path or the id of a dataset on the Hugging Face hub.

    Raises ClipError, or one of its kinds with what to do, for what is not there or cannot be read.
    """
    if not text.strip():
        raise ClipError('a source without a name: expected a path, or owner/name on the hub')
    path, name = Path(text).expanduser(), source_name(text)
    if _is_dataset(text, path):
        return _dataset(text, name, options)
    if _is_bag(path):
        return _bag(path, name, options)
    videos = videos_in(path)
    if videos:
        clips = [open_clip(video) for video in videos]
        stems = [video.stem for video in videos]
        # a.mp4 beside a.mkv
        each = [f'{name}/{v.stem if stems.count(v.stem) == 1 else v.name}' for v in videos]
        entries = zip(each, clips, videos, strict=True)
        recordings = [Recording(n, c, options.task, origin=state_of(v)) for n, c, v in entries]
        return Source(name, tuple(recordings))
    clip, origin = open_one(path, options)
    return Source(name, (Recording(name, clip, options.task, origin=origin),))


def open_one(path: Path, options: SourceOptions) -> tuple[Clip, dict[str, Any]]:
    """A video file or a folder of images, and what tells it from another of its name."""
    if path.is_dir():
        clip = open_clip(path, options.folder_fps)
        return clip, {**state_of(path), 'fps': clip.fps}
    return open_clip(path), state_of(path)


def videos_in(folder: Path) -> list[Path]:
    """The video files of a folder, by name."""
    if not folder.is_dir():
        return []
    return [file for file in sorted(folder.iterdir()) if file.suffix.lower() in VIDEO_SUFFIXES]


def _is_dataset(text: str, path: Path) -> bool:
    if path.exists():
        return (path / 'meta' / 'info.json').is_file()
    is_id = text.count('/') == 1 and not text.startswith(('.', '~', '/'))
    # A path that was mistyped is not to be asked of the network
    is_file = path.suffix.lower() in (*VIDEO_SUFFIXES, *BAG_SUFFIXES, *IMAGE_SUFFIXES)
    return is_id and not is_file and not path.parent.exists()


def _is_bag(path: Path) -> bool:
    if path.is_dir():
        files = {file.suffix for file in path.iterdir()}
        return (path / 'metadata.yaml').exists() or bool(files & set(BAG_SUFFIXES))
    return bool(set(path.suffixes) & set(BAG_SUFFIXES))


def _bag(path: Path, name: str, options: SourceOptions) -> Source:
    bag = Bag(path, options.image_topic)
    episodes = tuple(bag_episodes(bag, options.bag))
    bag.rest()  # until it is its turn
    state = {**state_of(path), 'topic': bag.image_topic}
    recordings = tuple(
        Recording(
            each.clip.name,
            each.clip,
            each.task,
            origin={**state, 'first stamp': each.first_stamp, 'seconds': each.clip.seconds},
        )
        for each in episodes
    )
    return Source(name, recordings, bag=bag, bag_episodes=episodes)


def _dataset(text: str, name: str, options: SourceOptions) -> Source:
    dataset = open_dataset(text, options.camera)
    episodes = tuple(dataset.episodes)
    recordings = []
    for episode in episodes:
        task = options.task or episode.task
        each = f'{name}/episode_{episode.index:06d}'
        origin = {
            'dataset': dataset.name,
            'camera': dataset.camera,
            'frames': episode.frames,
            **episode.origin,
        }
        recordings.append(Recording(each, episode.clip, task, episode.success, origin=origin))
    return Source(name, tuple(recordings), dataset=dataset, episodes=episodes)
