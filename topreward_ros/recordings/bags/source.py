# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A rosbag as a source of recordings."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..recording import Recording, state_of
from ..source_options import SourceOptions
from .episodes import BagEpisode, bag_episodes
from .reader import Bag


@dataclass(frozen=True)
class BagSource:
    """An open bag, its episodes, and a recording of each.

    The first recording's clip has the warnings of opening the bag in its note, so that they are
    told wherever recordings are read.
    """

    name: str
    recordings: tuple[Recording, ...]
    bag: Bag
    episodes: tuple[BagEpisode, ...]

    @property
    def warnings(self) -> Sequence[str]:
        notes = [each.clip.note for each in self.episodes if each.clip.note]
        return [*notes, *_warnings(self.name, self.bag)]

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
    notes = [[each.clip.note] for each in episodes]
    notes[0] += _warnings(name, bag)
    state = {**state_of(path), 'topic': bag.image_topic}
    recordings = tuple(
        Recording(
            each.clip.name,
            dataclasses.replace(each.clip, note='\n'.join(filter(None, note))),
            each.task,
            origin={**state, 'first stamp': each.first_stamp, 'seconds': each.clip.seconds},
        )
        for each, note in zip(episodes, notes, strict=True)
    )
    return BagSource(name, recordings, bag, episodes)


def _warnings(name: str, bag: Bag) -> list[str]:
    skipped = f'{name}: {bag.skipped} images were skipped; the last one: {bag.skip_reason}'
    return [*bag.warnings, *([skipped] if bag.skipped else [])]
