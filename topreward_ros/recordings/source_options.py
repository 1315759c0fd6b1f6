# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How to read a source."""

from __future__ import annotations

from dataclasses import dataclass, field

from topreward_ros.scoring.sampling import Sampling

from .spans import Span

TOPIC_TASK = '/topreward/task'
TOPIC_RUNNING = '/episode_reset/running'


@dataclass(frozen=True)
class SourceOptions:
    """How to read a source; what does not concern its kind is left aside.

    task replaces the source's own; folder_fps [1/s] is of a folder of images (0: not known);
    camera is one of a dataset's; image_topic one of a bag's. spans [s since the first image]
    replace the episodes that a bag itself tells on its task and running topics; there sampling is
    the node's: a step of the stamps that it would take for a jump begins an episode.
    """

    task: str = ''
    folder_fps: float = 0.0
    camera: str | None = None
    image_topic: str | None = None
    spans: tuple[Span, ...] = ()
    task_topic: str = TOPIC_TASK
    running_topic: str = TOPIC_RUNNING
    sampling: Sampling = field(default_factory=Sampling)
