# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The reward of a running reward node, by its topics: what a robot's learner gets, too."""

from __future__ import annotations

import time
from typing import Any

import gymnasium
import numpy as np

from topreward_ros.errors import NoRewardError
from topreward_ros.scoring.sampling import NANOSECONDS, FrameWindow, Verdict

from .reward_wrapper import Reading, RewardWrapper, Task

ON_TIMEOUT = ('raise', 'zero')


class LiveReward(RewardWrapper):
    """Publishes each picture with a stamp and takes the reward from the Progress of that stamp.

    A Progress of another stamp is never taken for it: one of an earlier picture that comes late is
    passed over, as the next one tells all progress until then, and one of a later stamp, which only
    another camera can have brought, is counted in `from_elsewhere`. Pictures between the points of
    the node's sampling grid are not scored, and not waited for.

    Needs an active reward node that looks at `image_topic`, and no other camera there.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        task: Task,
        *,
        reward_node: str = '/topreward',
        image_topic: str = '/image',
        timeout: float = 10.0,
        on_timeout: str = 'raise',
        **options: Any,
    ) -> None:
        """timeout [s]: for a Progress, and for an episode to begin; options of `RewardWrapper`.

        Where no Progress comes in time, on_timeout says what happens: `raise` a NoRewardError, or
        `zero`: no reward for this picture, which the next Progress makes up for. Initialises rclpy
        unless it is. Raises NoRewardError where there is no reward node, ValueError for other
        values.
        """
        if on_timeout not in ON_TIMEOUT:
            raise ValueError(f'on_timeout is {on_timeout!r}; expected {" or ".join(ON_TIMEOUT)}')
        if not timeout > 0:
            raise ValueError(f'timeout is {timeout} s; expected more than 0')
        super().__init__(env, task, **options)
        from topreward_ros.nodes.learning.reward_link import open_link

        self._timeout, self._raises = timeout, on_timeout == 'raise'
        self._link = open_link(reward_node, image_topic)
        try:
            self._window: FrameWindow = self._link.sampling(timeout).window()
        except BaseException:
            self._link.close()
            raise
        self._now = time.time_ns()  # from here on stamps follow the steps, not the clock
        self.timeouts = 0

    @property
    def from_elsewhere(self) -> int:
        """Number of Progress messages, in this episode, of pictures that were not shown here."""
        return self._link.from_elsewhere

    def close(self) -> None:
        self._link.close()
        super().close()

    def _begin(self, task: str) -> None:
        self._link.begin(task, self._timeout)
        self._window.start()

    def _judge(self, picture: np.ndarray, stamp: int) -> Reading | None:
        if self._window.judge(stamp) is not Verdict.KEEP:
            self._window.skip(stamp)
            return None
        self._window.take(stamp)
        progress = self._link.show(picture, stamp, self._timeout)
        if progress is None:
            self.timeouts += 1
            if self._raises:
                raise NoRewardError(
                    f'no Progress of the picture stamped {stamp / NANOSECONDS:.3f} s came within '
                    f'{self._timeout} s: is the reward node active, and does it keep up?'
                )
            return None
        has_succeeded = self._link.has_succeeded(progress)
        return Reading(stamp, progress.progress, has_succeeded, progress.success, progress.scene)
