# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The small world as a camera: an arm tries its task, and `~/reset` sets the table anew."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger

from ..demo.drawing import Camera
from ..demo.scene import KINDS, Episode
from ..scoring.window import NANOSECONDS
from .camera_main import run_camera
from .descriptors import describe
from .image_messages import raw_message
from .qos import OFFERED_CAMERA, TASK

PARAMETERS: tuple[tuple[str, object, str, tuple[float, float] | None], ...] = (
    ('fps', 10.0, 'Images per second [1/s].', (0.1, 120.0)),
    ('width', 480, 'Of the images [px].', (16, 4096)),
    ('height', 480, 'Of the images [px].', (16, 4096)),
    ('kinds', list(KINDS), 'Kinds of the episodes, in turn.', None),
    ('seed', 0, 'Seed of the first episode; the next ones count on.', (0, 2**31 - 1)),
    ('speed', 1.0, 'How fast the arm moves; 1 is its own pace.', (0.01, 100.0)),
    ('rest', 1.0, 'Before the arm begins to move [s].', (0.0, 3600.0)),
    (
        'wait_for_running',
        False,
        'The arm begins to move when `running` (std_msgs/Bool) says so, and then rests no more.',
        None,
    ),
)


@dataclass
class Shown:
    """An episode, the stamp [ns] of the image that its arm began to move at, and when it was reset
    (0 while it is not).
    """

    episode: Episode
    began: int
    ended: int = 0


class SceneCamera(Node):
    """Publishes images on `image_raw` and the task in words on `task`.

    episode is the one on the table; shown are those whose arm has moved, the last of which may
    still be moving. After the last episode of a programme the scene stays as it is, and is_over.
    """

    def __init__(self, programme: Iterable[Episode] | None = None, **options: Any) -> None:
        """Raises ValueError for an unknown kind of episode."""
        super().__init__('scene', **options)
        for name, default, text, allowed in PARAMETERS:
            self.declare_parameter(name, default, describe(default, text, True, range=allowed))
        self._programme: Iterator[Episode] = iter(programme or self._endless())
        self.shown: list[Shown] = []
        self.is_over = False
        self._images = self.create_publisher(Image, 'image_raw', OFFERED_CAMERA)
        self._tasks = self.create_publisher(String, 'task', TASK)
        self.create_service(Trigger, '~/reset', self._on_reset)
        if self._value('wait_for_running'):
            self.create_subscription(Bool, 'running', self._on_running, TASK)
        self._set_up(next(self._programme))
        self.create_timer(1.0 / self._value('fps'), self._take)

    def picture(self, time: float) -> np.ndarray:
        """The scene a time [s] after the arm began, uint8 RGB (height, width, 3)."""
        return self._camera.take(self.episode.state(max(0.0, time * self._value('speed'))))

    def _endless(self) -> Iterator[Episode]:
        kinds, seed = list(self._value('kinds')), self._value('seed')
        for kind in kinds:
            Episode(seed, kind)  # an unknown one is refused now
        return (Episode(seed + k, kinds[k % len(kinds)]) for k in itertools.count())

    def _set_up(self, episode: Episode) -> None:
        self.episode = episode
        self._camera = Camera(self._value('height'), self._value('width'), episode.appearance)
        waits = self._value('wait_for_running')
        rest = round(self._value('rest') * NANOSECONDS)
        self._begins: int | None = None if waits else self._now() + rest
        self._tasks.publish(String(data=episode.task.say()))
        self.get_logger().info(f'{episode.task.say()} (kind: {episode.kind})')

    def _take(self) -> None:
        now = self._now()
        moves = self._begins is not None and now >= self._begins
        if moves and (not self.shown or self.shown[-1].episode is not self.episode):
            self.shown.append(Shown(self.episode, now))
        time = (now - self.shown[-1].began) / NANOSECONDS if moves else 0.0
        self._images.publish(raw_message(self.picture(time), now, 'scene'))

    def _on_running(self, message: Bool) -> None:
        if message.data and self._begins is None:
            self._begins = self._now()

    def _on_reset(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self.shown and not self.shown[-1].ended:
            self.shown[-1].ended = self._now()
        episode = next(self._programme, None)
        if episode is None:
            self.is_over = True
        else:
            self._set_up(episode)
        response.success = True
        response.message = 'the table is set' if episode else 'that was the last episode'
        return response

    def _now(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value


def main(args: list[str] | None = None, **options: Any) -> int:
    """Show episodes until interrupted; 1 for a parameter that is wrong."""
    return run_camera(SceneCamera, lambda _, executor: executor.spin(), args, **options)


if __name__ == '__main__':
    sys.exit(main())
