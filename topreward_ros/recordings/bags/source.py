# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A rosbag as a source of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..recording import Recording, clip_notes, state_of
from ..source_options import SourceOptions
from .episodes import BagEpisode, bag_episodes
from .reader import Bag


@dataclass(frozen=True)
class BagSource:
    """An open bag, its episodes, and a recording of each."""

    name: str
    recordings: tuple[Recording, ...]
    bag: Bag
    episodes: tuple[BagEpisode, ...]

    @property
    def warnings(self) -> Sequence[str]:
        notes = [*clip_notes(self.recordings), *self.bag.warnings]
        if self.bag.skipped:
            count, reason = self.bag.skipped, self.bag.skip_reason
            notes.append(f'{self.name}: {count} images were skipped; the last one: {reason}')
        return notes

    def release(self) -> None:
        self.bag.release()

    def close(self) -> None:
        self.bag.close()


def open_bag(text: str, name: str, options: SourceOptions) -> BagSource:
    """Open a bag and find its episodes; raises a BagError or TaskError."""
    path = Path(text).expanduser()
    bag = Bag(path, options.image_topic)
    episodes = tuple(bag_episodes(bag, options))
    bag.release()  # until it is scored
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
    return BagSource(name, recordings, bag, episodes)
