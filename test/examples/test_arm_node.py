# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated arms as ROS 2 nodes, over DDS; driven home as the reset node does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip('rclpy', reason='ROS 2 is not available: pip install .[kilted,test]')

from examples.arm_sim.installed import SimulatorError, check_installed

try:
    check_installed()
except SimulatorError as _error:
    pytest.skip(str(_error), allow_module_level=True)

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Bool, Float64, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from examples.arm_sim.arm import ArmError, load_arm
from topreward_ros.nodes.common.qos import QOS_COMMAND, QOS_JOINT_STATES, QOS_RESULT, QOS_TASK
from topreward_ros.nodes.reset.home_motion import HomeMotion
from topreward_ros.nodes.reset.settings import ResetSettings

CONFIG = Path(__file__).parents[2] / 'config'
CONFIG_OF_ARM = {'so101': 'so101', 'panda': 'franka'}

pytestmark = pytest.mark.usefixtures('ros')


class ArmClient:
    """A simulated arm, and a node that subscribes to all of it."""

    def __init__(self, arm: str, **values: Any) -> None:
        from examples.arm_sim.node import ArmNode

        self.executor = SingleThreadedExecutor()
        values = {'width': 48, 'height': 32, 'real_time_factor': 0.0, **values}
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        self.arm = ArmNode(arm, parameter_overrides=overrides)
        use_sim_time = [Parameter('use_sim_time', value=True)]
        self.node = Node('arm_client', parameter_overrides=use_sim_time)
        for node in (self.arm, self.node):
            self.executor.add_node(node)
        self.seen: dict[str, list[Any]] = {}
        topic = load_arm(arm).joint_states_topic
        self.subscribe(JointState, topic, QOS_JOINT_STATES)
        self.states = self.seen[topic]
        self.subscribe(String, 'task', QOS_TASK)
        self.commands = self.node.create_publisher(
            JointTrajectory, load_arm(arm).trajectory_topic, QOS_COMMAND
        )

    def subscribe(self, kind: Any, topic: str, qos: Any = QOS_RESULT) -> None:
        self.seen[topic] = []
        self.node.create_subscription(kind, topic, self.seen[topic].append, qos)

    def until(self, condition: Callable[[], Any], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            self.executor.spin_once(timeout_sec=0.05)
            assert time.monotonic() < end, f'not true after {seconds} s'

    def wait(self, seconds: float) -> None:
        """Spin for a time [s] of the simulation."""
        end = self.arm.world.time + seconds
        self.until(lambda: self.arm.world.time >= end)

    def call_reset(self) -> Trigger.Response:
        client = self.node.create_client(Trigger, 'arm_sim/reset')
        self.until(client.service_is_ready)
        answer = client.call_async(Trigger.Request())
        self.until(answer.done)
        return answer.result()

    def close(self) -> None:
        self.executor.shutdown()
        self.arm.destroy_node()
        self.node.destroy_node()


@pytest.fixture
def start() -> Iterator[Callable[..., ArmClient]]:
    clients: list[ArmClient] = []

    def start_arm(arm: str, **values: Any) -> ArmClient:
        try:
            clients.append(ArmClient(arm, **values))
        except (ArmError, SimulatorError) as error:
            pytest.skip(str(error))
        return clients[-1]

    yield start_arm
    for client in clients:
        client.close()


def message(joints: list[str], position: float) -> JointTrajectory:
    point = JointTrajectoryPoint(positions=[position] * len(joints))
    point.time_from_start.sec = 1
    return JointTrajectory(joint_names=joints, points=[point])


@pytest.mark.parametrize('arm', CONFIG_OF_ARM)
def test_everything_a_robot_publishes_with_stamps_of_its_clock(
    arm: str, start: Callable[..., ArmClient]
) -> None:
    client = start(arm, kinds=['success'], rest=0.0)
    client.subscribe(Clock, '/clock')
    client.subscribe(Float64, 'arm_sim/true_progress')
    client.subscribe(Bool, 'arm_sim/true_success')
    for camera in ('top', 'wrist'):
        client.subscribe(Image, f'{camera}/image_raw')
        client.subscribe(CompressedImage, f'{camera}/image_raw/compressed')
    client.until(
        lambda: all(len(seen) >= 3 for name, seen in client.seen.items() if name != 'task')
    )
    assert client.seen['task'][0].data == client.arm.world.task.say()
    stamps = [m.header.stamp.sec + m.header.stamp.nanosec / 1e9 for m in client.states]
    steps = np.diff(stamps) / 0.02  # some may be missed: they come as fast as they can
    assert steps == pytest.approx(np.round(steps), abs=1e-6) and steps.min() > 0.99
    assert 0 < stamps[0] < 600
    assert stamps[-1] <= client.arm.world.time + 1e-6
    image = client.seen['top/image_raw'][-1]
    assert (image.height, image.width, image.encoding) == (32, 48, 'rgb8')
    assert image.header.frame_id == 'top' and len(set(bytes(image.data))) > 10
    names = client.states[-1].name
    assert names == [*load_arm(arm).joints, load_arm(arm).gripper.joint]


def test_a_bad_trajectory_is_refused_and_nothing_moves(start: Callable[..., ArmClient]) -> None:
    client = start('so101', operator=False)
    client.until(lambda: client.states and client.commands.get_subscription_count())
    joints = load_arm('so101').joints
    before = list(client.states[-1].position)
    backwards = message(joints, 0.2)
    backwards.points = [*backwards.points, *message(joints, 0.1).points]
    short = message(joints, 0.2)
    short.points[0].positions = [0.2]
    nan = message(joints, float('nan'))
    for bad in (message(['elbow', *joints[1:]], 0.0), backwards, short, nan, message(joints, 9.0)):
        client.commands.publish(bad)
        client.wait(0.5)
    assert list(client.states[-1].position) == pytest.approx(before, abs=0.01)
    client.commands.publish(message(joints, 0.2))
    client.wait(2.5)
    assert list(client.states[-1].position)[:5] == pytest.approx([0.2] * 5, abs=0.03)


@pytest.mark.parametrize('arm', CONFIG_OF_ARM)
def test_the_reset_node_s_home_motion_with_its_shipped_file(
    arm: str, start: Callable[..., ArmClient]
) -> None:
    """Home with the motion of the reset node, then the scene, then the next task."""
    file = CONFIG / f'{CONFIG_OF_ARM[arm]}.yaml'
    values = yaml.safe_load(file.read_text(encoding='utf-8'))['/**']['ros__parameters']
    lists = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    # The clock runs as fast as the machine allows, and joint states come by it
    settings = ResetSettings(**{**lists, 'joint_state_timeout': 5.0})
    client = start(arm, kinds=['short', 'still'], rest=0.0)
    motion = HomeMotion(client.node, settings)
    client.until(lambda: client.states and client.commands.get_subscription_count())
    client.wait(3.0)
    client.until(lambda: motion.distance > 0.2)
    motion.begin('')
    client.until(motion.is_done)
    assert motion.distance <= settings.tolerance
    assert client.arm.world.operator is None, 'a trajectory from outside takes over'
    motion.close()
    assert client.call_reset().success
    first, second = client.arm.episodes
    assert first.began and first.ended and not second.ended
    client.until(lambda: [m.data for m in client.seen['task']] == [first.task, second.task])


def test_the_operator_waits_for_running_and_lets_go(start: Callable[..., ArmClient]) -> None:
    client = start('so101', kinds=['success'], wait_for_running=True)
    running = client.node.create_publisher(Bool, 'running', QOS_TASK)
    client.wait(1.0)
    assert client.arm.world.operator is None and not client.arm.episodes[-1].began
    running.publish(Bool(data=True))
    client.until(lambda: client.arm.world.operator is not None)
    client.wait(1.0)
    running.publish(Bool(data=False))
    client.until(lambda: client.arm.world.operator is None)
    client.wait(0.5)
    still = client.arm.world.drive.positions()
    client.wait(0.5)
    assert client.arm.world.drive.positions() == pytest.approx(still, abs=0.01)


def test_an_arm_that_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    from examples.arm_sim.__main__ import main

    with pytest.raises(SystemExit):
        main(['--arm', 'ur5'])
    assert "invalid choice: 'ur5'" in capsys.readouterr().err
