# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An arm in MuJoCo as a ROS 2 robot: cameras, joint states, a trajectory controller, a clock."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Bool, Float64, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from topreward_ros.errors import TopRewardError
from topreward_ros.nodes.cameras.image_messages import jpeg_message, raw_message, time_message
from topreward_ros.nodes.cameras.process import programmed, run_camera
from topreward_ros.nodes.common.parameter_table import Change, parameter
from topreward_ros.nodes.common.parameters import Parameters
from topreward_ros.nodes.common.process import spin
from topreward_ros.nodes.common.qos import QOS_CAMERA_OFFERED, QOS_COMMAND, QOS_RESULT, QOS_TASK

from .messages import joint_state, nanoseconds, trajectory_of
from .operator import KINDS
from .rendering import Cameras
from .truth import Truth
from .world import CONTROL_STEP, World

TICK = 0.01  # of the wall clock [s]
STATE_PERIOD = 0.02  # between joint states, and between clocks, in simulated time [s]
MOST_AT_ONCE = 0.1  # simulated in one tick: a machine that is too slow slows the time down [s]


@dataclass(frozen=True)
class ArmSettings:
    """The values of the parameters."""

    fps: float = parameter(
        10.0, 'Images per second of simulated time [1/s].', Change.NEVER, range=(0.1, 60.0)
    )
    width: int = parameter(256, 'Width of the images [px].', Change.NEVER, range=(16, 2048))
    height: int = parameter(256, 'Height of the images [px].', Change.NEVER, range=(16, 2048))
    real_time_factor: float = parameter(
        1.0,
        'Simulated seconds per second, as far as the machine can; 0 for as fast as it can.',
        Change.NEVER,
        range=(0.0, 100.0),
    )
    operator: bool = parameter(
        True, 'A scripted operator attempts the task; false leaves the arm to you.', Change.NEVER
    )
    kinds: tuple[str, ...] = parameter(
        KINDS, "Kinds of the operator's attempts, used in turn.", Change.NEVER
    )
    seed: int = parameter(
        0,
        'Seed of the first episode; it increases by 1 with every reset.',
        Change.NEVER,
        range=(0, 2**31 - 1),
    )
    rest: float = parameter(
        1.0, 'Time before the operator starts [s].', Change.NEVER, range=(0.0, 3600.0)
    )
    wait_for_running: bool = parameter(
        False,
        'Start the operator when `running` (std_msgs/Bool) is true, instead of after the time'
        ' `rest`; it lets go when it is false.',
        Change.NEVER,
    )


@dataclass
class SimulatedEpisode:
    """Seed and kind of an episode, and the stamps [ns] of its operator's start and its reset.

    stopped is the stamp at which `running` became false. A stamp is 0 for what has not happened.
    truth is the newest one.
    """

    seed: int
    kind: str
    task: str = ''
    began: int = 0
    stopped: int = 0
    ended: int = 0
    truth: Truth | None = None


Watch = Callable[[SimulatedEpisode, int], object]


class ArmNode(Node):
    """Simulates an arm and its table; episodes has them all, the last one is going on.

    After the last episode of a programme the scene stays as it is, and is_over is true.
    """

    def __init__(
        self,
        arm: str,
        programme: Iterable[SimulatedEpisode] | None = None,
        watch: Watch = lambda _episode, _stamp: None,
        **options: Any,
    ) -> None:
        """Set up the first episode; raises ArmError for an arm that is not there.

        watch is called with the episode and the stamp [ns] of each image, which has its truth.
        """
        self._closing = ExitStack()
        self._watch = watch
        super().__init__('arm_sim', **options)
        self._settings = Parameters(self, ArmSettings).read()
        self.world = World(arm)
        self._cameras = Cameras(self.world, self._settings.height, self._settings.width)
        self._closing.callback(self._cameras.close)
        self._programme: Iterator[SimulatedEpisode] = iter(programme or self._endless())
        self.episodes: list[SimulatedEpisode] = []
        self.is_over = False
        self._make_publishers()
        description = self.world.arm
        for topic in (description.trajectory_topic, description.gripper_topic):
            self.create_subscription(JointTrajectory, topic, self._on_trajectory, QOS_COMMAND)
        self.create_subscription(Bool, 'running', self._on_running, QOS_TASK)
        self.create_service(Trigger, '~/reset', self._on_reset)
        self._set_up(next(self._programme))
        self._next_image = self._next_state = 0.0
        self._origin = (time.monotonic(), self.world.time)
        # By the steady clock: this node makes the simulated one
        self.create_timer(TICK, self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def destroy_node(self) -> None:
        self._closing.close()
        super().destroy_node()

    def _endless(self) -> Iterator[SimulatedEpisode]:
        kinds, seed = list(self._settings.kinds), self._settings.seed
        if unknown := [kind for kind in kinds if kind not in KINDS]:
            raise ValueError(f'kind is {unknown[0]!r}; expected one of {", ".join(KINDS)}')
        return (SimulatedEpisode(seed + k, kinds[k % len(kinds)]) for k in itertools.count())

    def _make_publishers(self) -> None:
        topic = self.world.arm.joint_states_topic
        self._clock_out = self.create_publisher(ClockMessage, '/clock', QOS_RESULT)
        self._states = self.create_publisher(JointState, topic, QOS_RESULT)
        self._tasks = self.create_publisher(String, 'task', QOS_TASK)
        self._progress = self.create_publisher(Float64, '~/true_progress', QOS_RESULT)
        self._success = self.create_publisher(Bool, '~/true_success', QOS_RESULT)
        self._raw = {
            name: self.create_publisher(Image, f'{name}/image_raw', QOS_CAMERA_OFFERED)
            for name in self._cameras.names
        }
        self._compressed = {
            name: self.create_publisher(
                CompressedImage, f'{name}/image_raw/compressed', QOS_CAMERA_OFFERED
            )
            for name in self._cameras.names
        }

    # Episodes

    def _set_up(self, episode: SimulatedEpisode) -> None:
        self.world.reset(episode.seed)
        episode.task = self.world.task.say()
        self.episodes.append(episode)
        self._taken_over = False
        waits = self._settings.wait_for_running
        self._start_time = None if waits else self.world.time + self._settings.rest
        self._tasks.publish(String(data=episode.task))
        self.get_logger().info(f'{episode.task} (kind: {episode.kind}, seed: {episode.seed})')

    def _start_operator(self) -> None:
        episode = self.episodes[-1]
        due = self._start_time is not None and self.world.time >= self._start_time
        if due and not episode.began and not self._taken_over and not episode.ended:
            episode.began = nanoseconds(self.world)
            if self._settings.operator:
                self.world.operate(episode.kind, episode.seed)

    def _on_running(self, message: Bool) -> None:
        if not self._settings.wait_for_running:
            return
        if message.data and self._start_time is None:
            self._start_time = self.world.time
        elif not message.data:
            self._stop()

    def _stop(self) -> None:
        episode = self.episodes[-1]
        if episode.began and not episode.stopped:
            episode.stopped = nanoseconds(self.world)
        if self.world.operator is not None:
            self.world.stop_operator()

    def _on_reset(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        episode = next(self._programme, None)
        self.episodes[-1].ended = self.episodes[-1].ended or nanoseconds(self.world)
        if episode is None:
            self.is_over = True
            response.success, response.message = True, 'that was the last episode'
            return response
        if self.world.operator is not None:
            self.world.stop_operator()
        try:
            self._set_up(episode)
        except TopRewardError as error:
            self._programme = itertools.chain([episode], self._programme)
            response.success, response.message = False, str(error)
            return response
        response.success, response.message = True, 'the next episode is set up'
        return response

    def _on_trajectory(self, message: JointTrajectory) -> None:
        """Follow a trajectory from outside, in place of the operator; say why if it is refused."""
        try:
            self.world.check(trajectory := trajectory_of(message))
        except TopRewardError as error:
            self.get_logger().error(f'the trajectory is refused, and nothing changes: {error}')
            return
        if self.world.operator is not None:
            self.world.stop_operator()
        self._taken_over = True
        self.world.command(trajectory)

    # Time

    def _tick(self) -> None:
        world, factor = self.world, self._settings.real_time_factor
        wall, simulated = self._origin
        end = simulated + factor * (time.monotonic() - wall)
        if not factor or end > world.time + MOST_AT_ONCE:
            end = world.time + MOST_AT_ONCE
            self._origin = (time.monotonic(), end)
        while world.time + CONTROL_STEP <= end + 1e-9:
            self._start_operator()
            world.step()
            if world.time >= self._next_state:
                self._next_state = world.time + STATE_PERIOD - CONTROL_STEP / 2
                self._publish_state()
            if world.time >= self._next_image:
                self._next_image = world.time + 1 / self._settings.fps - CONTROL_STEP / 2
                self._publish_images()

    def _publish_state(self) -> None:
        stamp = time_message(nanoseconds(self.world))
        self._clock_out.publish(ClockMessage(clock=stamp))
        self._states.publish(joint_state(self.world))

    def _publish_images(self) -> None:
        """Publish the truth, and the images that somebody subscribes to."""
        stamp = nanoseconds(self.world)
        truth = self.episodes[-1].truth = self.world.truth()
        self._progress.publish(Float64(data=truth.progress))
        self._success.publish(Bool(data=truth.success))
        self._watch(self.episodes[-1], stamp)
        for name in self._cameras.names:
            raw, compressed = self._raw[name], self._compressed[name]
            wanted = [p for p in (raw, compressed) if p.get_subscription_count()]
            if not wanted:
                continue
            image = self._cameras.take(name)
            if raw in wanted:
                raw.publish(raw_message(image, stamp, name))
            if compressed in wanted:
                compressed.publish(jpeg_message(image, stamp, name))


def make_arm(
    arm: str,
    programme: Iterable[SimulatedEpisode],
    watch: Watch,
    *,
    namespace: str,
    remappings: Mapping[str, str],
    parameters: Mapping[str, Any],
) -> ArmNode:
    """Return an arm with a programme of episodes, for a process that spins it."""
    return ArmNode(arm, programme, watch, **programmed(namespace, remappings, parameters))


def run_node(arm: str, args: list[str] | None) -> int:
    """Simulate an arm until interrupted; return 1 for an invalid parameter or arm."""

    def simulate(_node: ArmNode, executor: SingleThreadedExecutor) -> None:
        spin(executor)

    return run_camera(ArmNode, simulate, args, arm=arm)
