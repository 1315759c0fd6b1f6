# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The messages of an episode's events."""

from __future__ import annotations

from typing import Any

from topreward_ros.msg import Event
from topreward_ros.results.messages import event_fields
from topreward_ros.reward.events import SUCCESS, EventOptions
from topreward_ros.reward.live import Step
from topreward_ros.scoring.sampling import NANOSECONDS

from ..cameras.image_messages import nanoseconds_of


class EpisodeEvents:
    """The events of one episode, whose time begins with its first score."""

    def __init__(self, options: EventOptions) -> None:
        self._detector = options.start()
        self._began: int | None = None  # stamp [ns]
        self.succeeded = False

    def messages(self, common: dict[str, Any], step: Step) -> list[Event]:
        """Return the messages for the next result; common are the fields of all messages."""
        time = nanoseconds_of(common['header'].stamp)
        self._began = time if self._began is None else self._began
        seconds = (time - self._began) / NANOSECONDS
        events = self._detector.update(step, seconds)
        self.succeeded |= SUCCESS in events
        highest = self._detector.highest
        return [
            Event(**common, **event_fields(event, step.progress, highest, seconds))
            for event in events
        ]
