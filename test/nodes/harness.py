# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Drives a reward node in another process over DDS: lifecycle, parameters, images, tasks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import DescribeParameters, SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String
from std_srvs.srv import Trigger

from topreward_ros.msg import Progress, SuccessDetected
from topreward_ros.nodes.common.qos import QOS_RESULT, QOS_TASK

SECOND = 1_000_000_000
TASK_TEXT = 'Put the block into the cup.'
TRANSITIONS = {
    'configure': Transition.TRANSITION_CONFIGURE,
    'activate': Transition.TRANSITION_ACTIVATE,
    'deactivate': Transition.TRANSITION_DEACTIVATE,
    'cleanup': Transition.TRANSITION_CLEANUP,
}


class NodeProcess:
    """A reward node of its own process; its output is in `log`.

    command is the module and its arguments before those of ROS, where it is another.
    """

    def __init__(
        self,
        log: Path,
        *arguments: str,
        faults: dict[str, Any] | None = None,
        command: Sequence[str] = ('topreward_ros.nodes.reward.node', '--ros-args'),
        **environ: str,
    ) -> None:
        if faults is not None:
            command = ('test.nodes.faulty_reward_node', '--ros-args')
            environ['FAULTS'] = json.dumps(faults)
        self.log = log
        self._stream = log.open('w', encoding='utf-8')
        self.process = subprocess.Popen(
            [sys.executable, '-m', *command, *arguments],
            stdout=self._stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environ},
            cwd=Path(__file__).parents[2],
        )

    def said(self) -> str:
        return self.log.read_text(encoding='utf-8')

    def interrupt(self) -> int:
        """Its exit code after an interrupt from the keyboard."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=30)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._stream.close()


class Harness:
    """The other side of every topic and service of one reward node."""

    def __init__(self, process: NodeProcess, name: str = '/topreward', camera: str = '/image'):
        self.process = process
        self._heard = len(process.said())
        self.name = name
        self.camera = camera
        self.node = Node('harness')
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.progress: list[Progress] = []
        self.successes: list[SuccessDetected] = []
        self.health: list[Any] = []
        node = self.node
        node.create_subscription(Progress, f'{name}/progress', self.progress.append, QOS_RESULT)
        node.create_subscription(
            SuccessDetected, f'{name}/success_detected', self.successes.append, QOS_RESULT
        )
        node.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, QOS_RESULT)
        self.tasks = node.create_publisher(String, f'{name}/task', QOS_TASK)
        self.images: Any = None
        self._clients = {
            kind: node.create_client(kind, f'{name}/{service}')
            for kind, service in (
                (ChangeState, 'change_state'),
                (SetParameters, 'set_parameters'),
                (DescribeParameters, 'describe_parameters'),
                (Trigger, 'start_episode'),
                (GetState, 'get_state'),
            )
        }
        self._met = False

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()

    def said(self) -> str:
        """What the node has logged since this harness was made."""
        return self.process.said()[self._heard :]

    # Waiting

    def until(self, condition: Callable[[], Any], seconds: float = 20.0) -> Any:
        """Spin until the condition holds; fails the test with the node's log when it does not."""
        end = time.monotonic() + seconds
        while not (result := condition()):
            self.executor.spin_once(timeout_sec=0.05)
            assert time.monotonic() < end, f'waited {seconds} s in vain:\n{self.said()}'
            assert self.process.process.poll() is None, self.process.said()
        return result

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.02)

    def meet(self) -> None:
        """Wait until the node knows everything that this harness has made so far.

        Either side loses what it is sent by an endpoint it has not yet discovered. Endpoints
        become known in the order of their creation, so a node that is asked and answers through a
        new client knows of all those before it.
        """
        client = self.node.create_client(GetState, f'{self.name}/get_state')
        self.until(client.service_is_ready)
        answers: list[Any] = []
        asked = -1.0

        def answered() -> bool:
            nonlocal asked
            if time.monotonic() - asked > 1.0:
                asked = time.monotonic()
                answers.append(client.call_async(GetState.Request()))
            return any(answer.done() for answer in answers)

        self.until(answered)
        self.node.destroy_client(client)
        self._met = True

    def call(self, kind: Any, request: Any = None, seconds: float = 20.0) -> Any:
        if not self._met:
            self.meet()
        client = self._clients[kind]
        self.until(client.service_is_ready)
        future = client.call_async(request or kind.Request())
        self.until(future.done, seconds)
        return future.result()

    # Lifecycle and parameters

    def state(self) -> str:
        return str(self.call(GetState).current_state.label)

    def change(self, transition: str) -> bool:
        request = ChangeState.Request()
        if transition in TRANSITIONS:
            request.transition.id = TRANSITIONS[transition]
        else:
            request.transition.label = transition
        return bool(self.call(ChangeState, request).success)

    def set(self, **values: Any) -> str:
        """Set parameters; why it was refused, or an empty text."""
        request = SetParameters.Request(
            parameters=[
                Parameter(name, value=value).to_parameter_msg() for name, value in values.items()
            ]
        )
        results = self.call(SetParameters, request).results
        return ' '.join(result.reason for result in results if not result.successful)

    def start_episode(self) -> Trigger.Response:
        return self.call(Trigger)

    # Camera and task

    def open_camera(self, compressed: bool = False) -> None:
        """Begin to publish on the camera's topic; returns when no image of it will be lost."""
        self.images = self.node.create_publisher(
            CompressedImage if compressed else Image, self.camera, 10
        )
        self.until(self.images.get_subscription_count)
        self.meet()

    def close_camera(self) -> None:
        if self.images is not None:
            self.node.destroy_publisher(self.images)
            self.images = None

    def show(self, seconds: float, pixels: np.ndarray | None = None, **fields: Any) -> Image:
        """Publish an rgb8 image stamped so; fields replace those of the message."""
        if pixels is None:
            pixels = np.random.default_rng(int(seconds * 1000) % 2**32).integers(
                0, 256, (48, 64, 3), dtype=np.uint8
            )
        height, width = pixels.shape[:2]
        message = Image(height=height, width=width, encoding='rgb8', step=3 * width)
        message.data = pixels.tobytes()
        message.header.frame_id = 'eye'
        message.header.stamp.sec, rest = divmod(round(seconds * SECOND), SECOND)
        message.header.stamp.nanosec = rest
        for name, value in fields.items():
            setattr(message, name, value)
        self.images.publish(message)
        return message

    def score(self, seconds: float, **fields: Any) -> Progress:
        """Publish an image and wait for the score of it."""

        def scored() -> Progress | None:
            nonlocal shown, stamp
            # Again now and then: one sent while the two sides still find each other is lost, and
            # one that repeats is kept once.
            if time.monotonic() - shown > 1.0:
                shown, stamp = time.monotonic(), self.show(seconds, **fields).header.stamp
            return next((p for p in self.progress if p.header.stamp == stamp), None)

        shown, stamp = -1.0, None
        return self.until(scored)

    def ask(self, task: str = TASK_TEXT) -> None:
        """Publish a task and wait until the node says that it is the one."""
        self.tasks.publish(String(data=task))
        self.until(lambda: self.fact('task') == task)

    # Diagnostics

    def fact(self, key: str) -> str:
        values = self.health[-1].values if self.health else []
        return next((str(pair.value) for pair in values if pair.key == key), '')

    def diagnosis(self, text: str, level: bytes, seconds: float = 10.0) -> str:
        """Wait for a status of this level whose message holds the text; the message."""

        def found() -> str | None:
            status = self.health[-1] if self.health else None
            right = status is not None and status.level == level and text in status.message
            return str(status.message) if right else None

        self.health.clear()
        return str(self.until(found, seconds))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.health += [s for s in message.status if s.name == f'{self.name}: reward']
