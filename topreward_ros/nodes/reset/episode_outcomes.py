# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How episodes have ended: each is logged with its reset, and what they say of the scene."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone

from rclpy.node import Node

from .episode_log import EpisodeLog, EpisodeRecord
from .running_episode import LOOKED_FINISHED, RunningEpisode

SCENE_NOT_RESET = (
    '{} in a row looked finished from their start: is the scene reset? See to the steps of the '
    'parameter reset, or to the success threshold'
)


class EpisodeOutcomes:
    """Keeps an episode that has ended until the result of its reset is known, and then logs it.

    suspicious is the number of episodes in a row that looked finished from their start; one that
    looked unfinished ends the row.
    """

    def __init__(self, node: Node, log: EpisodeLog | None, suspicious_resets: int) -> None:
        self._node = node
        self._log = log
        self._limit = suspicious_resets
        self._ended: EpisodeRecord | None = None
        self.suspicious = 0

    def end(self, episode: RunningEpisode, outcome: str, task: str, seconds: float) -> None:
        """Take an episode that has ended after this time [s]."""
        if outcome == LOOKED_FINISHED:
            self.suspicious += 1
        elif episode.was_unfinished:
            self.suspicious = 0
        self._ended = EpisodeRecord(
            ended=datetime.now(timezone.utc).isoformat(timespec='milliseconds'),
            task=task or episode.task,
            outcome=outcome,
            seconds=seconds,
            progress=episode.progress,
        )
        self._node.get_logger().info(
            f'the episode ended after {seconds:.1f} s ({outcome}, progress {episode.progress:.2f})'
        )

    def problem(self) -> str:
        """Return why no further episode makes sense; empty if one does."""
        if not self._limit or self.suspicious < self._limit:
            return ''
        episodes = f'{self.suspicious} episodes' if self.suspicious > 1 else 'an episode'
        return SCENE_NOT_RESET.format(episodes)

    def write(self, reset: str, seconds: float) -> None:
        """Log the episode that has ended, if any, with the result and duration [s] of its reset."""
        ended, self._ended = self._ended, None
        if self._log is None or ended is None:
            return
        try:
            self._log.write(dataclasses.replace(ended, reset=reset, reset_seconds=seconds))
        except (OSError, ValueError) as error:
            self._node.get_logger().error(f'the episode could not be logged: {error}')

    def facts(self) -> dict[str, object]:
        """Return the values for /diagnostics."""
        return {
            'episodes': self._log.count if self._log else 'not logged',
            'successes': self._log.successes if self._log else 'not logged',
            'looked finished in a row': self.suspicious,
        }
