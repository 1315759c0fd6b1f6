# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Options of reading a source."""

from __future__ import annotations

from dataclasses import dataclass, field

from topreward_ros.scoring.sampling import Sampling

from .spans import Span

TOPIC_TASK = '/topreward/task'
TOPIC_RUNNING = '/episode_reset/running'


# What a user may choose for some formats only, by the field, and the flag of the command
CHOICES = {
    'camera': '--camera',
    'image_topic': '--image-topic',
    'folder_fps': '--folder-fps',
    'spans': '--episodes START:END',
    'episodes': '--episodes NUMBER',
    'max_gap': '--max-gap',
}


@dataclass(frozen=True)
class SourceOptions:
    """How to read a source; those of other formats have no effect, see `sources.check_options`.

    task replaces the source's own task. folder_fps [1/s] is the rate of a folder of images (0:
    unknown). camera selects a camera of a dataset, image_topic a topic of a bag. spans [s since
    the first image] replace the episodes that the task and running topics of a bag define. episodes
    are those of a dataset to read, by their numbers; empty: all. sampling is used for bags: a stamp
    step that the node would treat as a jump begins an episode.
    """

    task: str = ''
    folder_fps: float = 0.0
    camera: str | None = None
    image_topic: str | None = None
    spans: tuple[Span, ...] = ()
    episodes: tuple[range, ...] = ()
    task_topic: str = TOPIC_TASK
    running_topic: str = TOPIC_RUNNING
    sampling: Sampling = field(default_factory=Sampling)

    @property
    def max_gap(self) -> float | None:
        """The largest gap of the sampling [s]; None: the default."""
        return self.sampling.max_gap if self.sampling.max_gap != Sampling.max_gap else None

    def given(self) -> dict[str, str]:
        """Return the flags of the choices that are not the defaults, by field."""
        return {field: flag for field, flag in CHOICES.items() if getattr(self, field)}
