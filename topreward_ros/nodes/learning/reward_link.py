# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Shows pictures to a running reward node and hears what it says of each, by its stamp."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import rclpy
from rcl_interfaces.srv import GetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from sensor_msgs.msg import Image
from std_msgs.msg import String

from topreward_ros.errors import NoRewardError
from topreward_ros.msg import Progress, SuccessDetected
from topreward_ros.scoring.sampling import Sampling

from ..cameras.image_messages import nanoseconds_of, raw_message
from ..common.process import spin_for
from ..common.qos import QOS_CAMERA_OFFERED, QOS_RESULT, QOS_TASK
from ..common.rclpy_versions import init_rclpy
from ..reset.episode_start import EpisodeStart

REPEAT_PERIOD = 0.25  # of a picture that nothing was said of: images may be lost [s]
SUCCESS_TIME = 0.1  # in which a success comes after the Progress that it was judged from [s]
FRAME_ID = 'environment'
T = TypeVar('T')


class RewardLink(Node):
    """A camera of one reward node, which waits for the Progress of its pictures.

    It has an executor of its own and spins only while it waits.
    """

    def __init__(self, reward_node: str, image_topic: str, **options: Any) -> None:
        """reward_node: its full name, such as /topreward; image_topic: where it looks."""
        super().__init__('topreward_learner', **options)
        self._name, self._image_topic = reward_node.rstrip('/'), image_topic
        self._images = self.create_publisher(Image, image_topic, QOS_CAMERA_OFFERED)
        self._tasks = self.create_publisher(String, f'{self._name}/task', QOS_TASK)
        self.create_subscription(Progress, f'{self._name}/progress', self._on_progress, QOS_RESULT)
        self.create_subscription(
            SuccessDetected, f'{self._name}/success_detected', self._on_success, QOS_RESULT
        )
        self._parameters: Any = self.create_client(GetParameters, f'{self._name}/get_parameters')
        self._start = EpisodeStart(self, self._name)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._is_closed, self.ends_middleware = False, False
        self._task, self._episode = '', 0
        self._heard: dict[int, Progress] = {}  # of this episode, by stamp
        self._succeeded_at: int | None = None
        self.from_elsewhere = 0  # of this episode, for pictures that were not shown here

    def sampling(self, timeout: float) -> Sampling:
        """Return how the node samples; NoRewardError if it does not tell within the time [s]."""
        names = ('fps', 'max_frames', 'max_gap', 'history')
        end = time.monotonic() + timeout
        if not self._wait(lambda: self._parameters.service_is_ready() or None, timeout):
            raise NoRewardError(self._absent(timeout))
        asked = self._parameters.call_async(GetParameters.Request(names=names))
        if not self._wait(lambda: asked.done() or None, end - time.monotonic()):
            raise NoRewardError(self._absent(timeout))
        values = [parameter_value_to_python(value) for value in asked.result().values]
        if len(values) != len(names):
            raise NoRewardError(f'{self._name} has no {", ".join(names)}: is it a reward node?')
        named: dict[str, Any] = dict(zip(names, values, strict=True))
        return Sampling(**named)

    def begin(self, task: str, timeout: float) -> None:
        """Begin an episode of this task; NoRewardError if it has not within the time [s]."""
        self._tasks.publish(String(data=task))
        self._task, self._episode = task, 0
        self._heard.clear()
        self._succeeded_at, self.from_elsewhere = None, 0
        episode = self._wait(self._start.poll, timeout)
        problem = self._start.problem or self._absent(timeout)
        self._start.cancel()
        if episode is None:
            raise NoRewardError(problem)
        self._episode = episode

    def show(self, picture: np.ndarray, stamp: int, timeout: float) -> Progress | None:
        """Show a picture; return the Progress of its stamp [ns], None if there is none in time [s].

        It is shown again until then: images may be lost, and the task may arrive after them.
        """
        message, shown = raw_message(picture, stamp, FRAME_ID), 0.0

        def heard() -> Progress | None:
            nonlocal shown
            if time.monotonic() - shown > REPEAT_PERIOD:
                self._images.publish(message)
                shown = time.monotonic()
            return self._heard.pop(stamp, None)

        progress = self._wait(heard, timeout)
        # What was said of earlier pictures is known now, or will never be asked for
        self.from_elsewhere += sum(other > stamp for other in self._heard)
        self._heard.clear()
        return progress

    def has_succeeded(self, progress: Progress) -> bool:
        """Whether success was detected up to this Progress, whose success may be on its way."""
        stamp = nanoseconds_of(progress.header.stamp)

        def succeeded() -> bool | None:
            return self._succeeded_at is not None or None

        if progress.scene == Progress.SCENE_FINISHED:
            self._wait(succeeded, SUCCESS_TIME)
        return self._succeeded_at is not None and self._succeeded_at <= stamp

    def close(self) -> None:
        """Leave the middleware; further calls do nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        self._start.close()
        self._executor.remove_node(self)
        self._executor.shutdown()
        self.destroy_node()
        if self.ends_middleware:
            rclpy.try_shutdown()

    def _wait(self, ask: Callable[[], T | None], timeout: float) -> T | None:
        """Spin until an answer that is not None is there, at most for this time [s]."""
        end = time.monotonic() + timeout
        while (answer := ask()) is None and time.monotonic() < end:
            spin_for(self._executor, 0.0)
        return answer

    def _on_progress(self, message: Progress) -> None:
        if self._is_ours(message):
            self._heard[nanoseconds_of(message.header.stamp)] = message

    def _on_success(self, message: SuccessDetected) -> None:
        if self._is_ours(message) and self._succeeded_at is None:
            self._succeeded_at = nanoseconds_of(message.header.stamp)

    def _is_ours(self, message: Progress | SuccessDetected) -> bool:
        is_current = self._episode and message.episode >= self._episode
        return bool(is_current and message.task == self._task)

    def _absent(self, timeout: float) -> str:
        return (
            f'{self._name} did not answer within {timeout} s: is the reward node running and '
            f'active, and does it look at {self._image_topic}?'
        )


def open_link(reward_node: str, image_topic: str) -> RewardLink:
    """Return a link, in a middleware that ends with it unless there is one already."""
    ends_middleware = not rclpy.ok()
    if ends_middleware:
        init_rclpy(None)
    link = RewardLink(reward_node, image_topic)
    link.ends_middleware = ends_middleware
    return link
