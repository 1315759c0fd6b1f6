# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A camera of the small world: an arm attempts its task, and `~/reset` sets up the next episode."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy import task
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.exceptions import InvalidHandle
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger

from topreward_ros import interrupts
from topreward_ros.demo.drawing import SceneRenderer
from topreward_ros.demo.scene import SceneEpisode, check_kind
from topreward_ros.demo.tasks import KINDS
from topreward_ros.scoring.sampling import NANOSECONDS

from ..common.parameter_table import Change, parameter
from ..common.parameters import Parameters
from ..common.process import spin
from ..common.qos import QOS_CAMERA_OFFERED, QOS_TASK
from ..common.usage import read_arguments
from .image_messages import raw_message
from .process import programmed, run_camera


@dataclass(frozen=True)
class SceneSettings:
    """The values of the parameters."""

    fps: float = parameter(10.0, 'Images per second [1/s].', Change.NEVER, range=(0.1, 120.0))
    width: int = parameter(480, 'Width of the images [px].', Change.NEVER, range=(16, 4096))
    height: int = parameter(480, 'Height of the images [px].', Change.NEVER, range=(16, 4096))
    kinds: tuple[str, ...] = parameter(KINDS, 'Kinds of the episodes, used in turn.', Change.NEVER)
    seed: int = parameter(
        0,
        'Seed of the first episode; it increases by 1 with every episode.',
        Change.NEVER,
        range=(0, 2**31 - 1),
    )
    speed: float = parameter(
        1.0, 'Speed of the arm; 1 is its normal speed.', Change.NEVER, range=(0.01, 100.0)
    )
    rest: float = parameter(
        1.0, 'Time before the arm starts to move [s].', Change.NEVER, range=(0.0, 3600.0)
    )
    wait_for_running: bool = parameter(
        False,
        'Start the arm when `running` (std_msgs/Bool) is true, instead of after the time `rest`.',
        Change.NEVER,
    )


@dataclass
class StagedEpisode:
    """An episode, the stamp [ns] at which its arm started to move, and that of its reset, or 0."""

    episode: SceneEpisode
    began: int
    ended: int = 0


class SceneCamera(Node):
    """Publishes images on `image_raw` and the task in words on `task`.

    episode is the current one, None until the first is set up; shown are the episodes whose arm has
    moved, of which the last may still be running. After the last episode of a programme the scene
    stays as it is, and is_over is true.

    The next episode is made in a thread of its own, as a table may take seconds to find.
    """

    def __init__(self, programme: Iterable[SceneEpisode] | None = None, **options: Any) -> None:
        """Make the first episode; raises ValueError for an unknown kind of episode."""
        super().__init__('scene', **options)
        self._settings = Parameters(self, SceneSettings).read()
        self._programme: Iterator[SceneEpisode] = iter(programme or self._endless())
        self.episode: SceneEpisode | None = None
        self.shown: list[StagedEpisode] = []
        self.is_over = False
        self._images = self.create_publisher(Image, 'image_raw', QOS_CAMERA_OFFERED)
        self._tasks = self.create_publisher(String, 'task', QOS_TASK)
        self._waiting: task.Future[None] | None = None  # a reset, for the next episode
        # Reentrant: images are published while a reset waits.
        group = ReentrantCallbackGroup()
        self.create_service(Trigger, '~/reset', self._on_reset, callback_group=group)
        if self._settings.wait_for_running:
            self.create_subscription(Bool, 'running', self._on_running, QOS_TASK)
        self._wake = self.create_guard_condition(self._on_made)
        self._next = self._make_next()
        self.create_timer(1.0 / self._settings.fps, self._publish_image)

    def picture(self, time: float) -> np.ndarray:
        """Return the scene at a time [s] after the arm's start, uint8 RGB (height, width, 3)."""
        assert self.episode is not None
        return self._camera.take(self.episode.state(max(0.0, time * self._settings.speed)))

    def _endless(self) -> Iterator[SceneEpisode]:
        kinds, seed = list(self._settings.kinds), self._settings.seed
        for kind in kinds:
            check_kind(kind)
        # Not a generator, which an error would end
        return map(lambda k: SceneEpisode(seed + k, kinds[k % len(kinds)]), itertools.count())

    def _make_next(self) -> Future[SceneEpisode | None]:
        """Make the next episode in a thread; None after the last one."""
        made: Future[SceneEpisode | None] = Future()

        def make() -> None:
            try:
                made.set_result(next(self._programme, None))
            except Exception as error:
                made.set_exception(error)
            with contextlib.suppress(InvalidHandle):  # the node has been destroyed
                self._wake.trigger()

        threading.Thread(target=make, daemon=True).start()
        return made

    def _on_made(self) -> None:
        if not self._next.done():
            return
        if self.episode is None:
            if (episode := self._next.result()) is not None:
                self._set_up(episode)
            self._next = self._make_next()
        elif self._waiting is not None:
            self._waiting.set_result(None)

    def _set_up(self, episode: SceneEpisode) -> None:
        self.episode = episode
        self._camera = SceneRenderer(
            self._settings.height, self._settings.width, episode.appearance
        )
        waits = self._settings.wait_for_running
        delay = round(self._settings.rest * NANOSECONDS)
        self._start_time: int | None = None if waits else self._now() + delay
        self._tasks.publish(String(data=episode.task.say()))
        self.get_logger().info(f'{episode.task.say()} (kind: {episode.kind})')

    def _publish_image(self) -> None:
        if self.episode is None:
            return
        now = self._now()
        moves = self._start_time is not None and now >= self._start_time
        if moves and (not self.shown or self.shown[-1].episode is not self.episode):
            self.shown.append(StagedEpisode(self.episode, now))
        time = (now - self.shown[-1].began) / NANOSECONDS if moves else 0.0
        self._images.publish(raw_message(self.picture(time), now, 'scene'))

    def _on_running(self, message: Bool) -> None:
        if message.data and self._start_time is None:
            self._start_time = self._now()

    async def _on_reset(
        self, _request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        if self._waiting is not None:
            response.success, response.message = False, 'a reset is already in progress'
            return response
        if self.shown and not self.shown[-1].ended:
            self.shown[-1].ended = self._now()
        if self.episode is None or not self._next.done():
            self._waiting = task.Future(executor=self.executor)
            await self._waiting
            self._waiting = None
        made, self._next = self._next, self._make_next()
        if error := made.exception():
            response.success, response.message = False, f'no episode could be made: {error}'
            return response
        episode = made.result()
        if episode is None:
            self.is_over = True
        else:
            self._set_up(episode)
        response.success = True
        response.message = 'the next episode is set up' if episode else 'that was the last episode'
        return response

    def _now(self) -> int:
        return int(self.get_clock().now().nanoseconds)


def make_scene(
    programme: Iterable[SceneEpisode],
    *,
    namespace: str,
    remappings: Mapping[str, str],
    parameters: Mapping[str, Any],
) -> SceneCamera:
    """Return a scene with a programme of episodes, for a process that spins it."""
    return SceneCamera(programme, **programmed(namespace, remappings, parameters))


def run_node(
    args: list[str] | None,
    parameters: Mapping[str, Any] | None = None,
    **options: Any,
) -> int:
    """Show episodes until interrupted; return 1 for an invalid parameter."""

    def show(_node: SceneCamera, executor: SingleThreadedExecutor) -> None:
        spin(executor)

    return run_camera(SceneCamera, show, args, parameters, **options)


def main(args: list[str] | None = None) -> int:
    """Run the node as an executable."""
    read_arguments(args, __doc__, SceneSettings)
    return run_node(args)


if __name__ == '__main__':
    interrupts.leave(main())
