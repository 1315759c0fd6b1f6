# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A LeRobot dataset as a source of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..recording import Recording, clip_notes
from ..source_options import SourceOptions
from .dataset import Dataset, episode_name, open_dataset


@dataclass(frozen=True)
class DatasetSource:
    """An open dataset, with a recording of each episode in order."""

    name: str
    recordings: tuple[Recording, ...]
    dataset: Dataset

    @property
    def warnings(self) -> Sequence[str]:
        return clip_notes(self.recordings)

    def release(self) -> None:
        pass

    def close(self) -> None:
        pass


def open_dataset_source(text: str, name: str, options: SourceOptions) -> DatasetSource:
    """Open a dataset from a folder or the hub; raises DatasetError."""
    dataset = open_dataset(text, options.camera, task=options.task, chosen=options.episodes)
    recordings = []
    for episode in dataset.episodes:
        origin = {
            'dataset': dataset.name,
            'camera': dataset.camera,
            'frames': episode.frames,
            **episode.origin,
        }
        recordings.append(
            Recording(
                f'{name}/{episode_name(episode.index, episode.part)}',
                episode.clip,
                episode.task,
                episode.success,
                origin=origin,
            )
        )
    return DatasetSource(name, tuple(recordings), dataset)
