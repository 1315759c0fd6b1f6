# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A rosbag as a source of recordings."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..recording import Recording, clip_notes, state_of
from ..source_options import SourceOptions
from .episodes import BagEpisode, bag_episodes
from .reader import Bag


@dataclass(frozen=True)
class BagSource:
    """An open bag, its episodes, and a recording of each.

    What is wrong with the bag stands in the notes of its first clip, where everybody looks.
    """

    name: str
    recordings: tuple[Recording, ...]
    bag: Bag
    episodes: tuple[BagEpisode, ...]

    @property
    def warnings(self) -> Sequence[str]:
        self.recordings[0].clip.release()  # which brings its notes up to date
        return clip_notes(self.recordings)

    def release(self) -> None:
        self.recordings[0].clip.release()

    def close(self) -> None:
        self.bag.close()


def open_bag(text: str, name: str, options: SourceOptions) -> BagSource:
    """Open a bag and find its episodes; raises a BagError or TaskError."""
    path = Path(text).expanduser()
    bag = Bag(path, options.image_topic)
    episodes = tuple(bag_episodes(bag, options))
    notes = episodes[0].clip.notes
    own = tuple(notes)

    def release() -> None:
        notes[:] = [*own, *_warnings(name, bag)]
        bag.release()

    release()  # until it is scored
    state = {**state_of(path), 'topic': bag.image_topic}
    recordings = tuple(
        Recording(
            each.clip.name,
            dataclasses.replace(each.clip, release=release),
            each.task,
            origin={**state, 'first stamp': each.first_stamp, 'seconds': each.clip.seconds},
        )
        for each in episodes
    )
    return BagSource(name, recordings, bag, episodes)


def _warnings(name: str, bag: Bag) -> list[str]:
    skipped = f'{name}: {bag.skipped} images were skipped; the last one: {bag.skip_reason}'
    return [*bag.warnings, *([skipped] if bag.skipped and not bag.is_undecodable else [])]
