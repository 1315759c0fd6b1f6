# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Controls a reward node in another process over DDS: lifecycle, parameters, images, tasks."""

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
    """A reward node in its own process, with its output in `log`.

    command is the module to run, and its arguments before those of ROS.
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

    def output(self) -> str:
        return self.log.read_text(encoding='utf-8')

    def interrupt(self) -> int:
        """Interrupt the process and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=30)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._stream.close()


class Harness:
    """A client of every topic and service of one reward node."""

    def __init__(self, process: NodeProcess, name: str = '/topreward', camera: str = '/image'):
        self.process = process
        self._output_start = len(process.output())
        self.name = name
        self.camera = camera
        self.origin = float(int(time.time()))  # of the stamps; 0 for simulated time
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
        self._is_discovered = False

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()

    def output(self) -> str:
        """Return what the node has logged since the creation of this harness."""
        return self.process.output()[self._output_start :]

    # Waiting

    def until(self, condition: Callable[[], Any], seconds: float = 60.0) -> Any:
        """Spin until the condition holds; fail the test with the node's log after a timeout."""
        end = time.monotonic() + seconds
        while not (result := condition()):
            self.executor.spin_once(timeout_sec=0.05)
            assert time.monotonic() < end, f'waited {seconds} s in vain:\n{self.output()}'
            assert self.process.process.poll() is None, self.process.output()
        return result

    def spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.02)

    def meet(self) -> None:
        """Wait until the node has discovered all endpoints that this harness has created.

        Messages of an endpoint that is not yet discovered are lost. Endpoints are discovered in the
        order of their creation, so a node that responds to a new client knows all earlier ones.
        """
        client = self.node.create_client(GetState, f'{self.name}/get_state')
        self.until(client.service_is_ready)
        futures: list[Any] = []
        call_time = -1.0

        def has_responded() -> bool:
            nonlocal call_time
            if time.monotonic() - call_time > 1.0:
                call_time = time.monotonic()
                futures.append(client.call_async(GetState.Request()))
            return any(future.done() for future in futures)

        self.until(has_responded)
        self.node.destroy_client(client)
        self._is_discovered = True

    def call(self, kind: Any, request: Any = None, seconds: float = 60.0) -> Any:
        if not self._is_discovered:
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
        """Set parameters; return the reason of a refusal, or an empty text."""
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
        """Create the camera's publisher; return when no image of it will be lost."""
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
        """Publish an rgb8 image stamped so long after the origin [s].

        fields replace those of the message.
        """
        if pixels is None:
            pixels = np.random.default_rng(int(seconds * 1000) % 2**32).integers(
                0, 256, (48, 64, 3), dtype=np.uint8
            )
        height, width = pixels.shape[:2]
        message = Image(height=height, width=width, encoding='rgb8', step=3 * width)
        message.data = pixels.tobytes()
        message.header.frame_id = 'eye'
        stamp = message.header.stamp
        stamp.sec, stamp.nanosec = divmod(round((self.origin + seconds) * SECOND), SECOND)
        for name, value in fields.items():
            setattr(message, name, value)
        self.images.publish(message)
        return message

    def score(self, seconds: float, **fields: Any) -> Progress:
        """Publish an image and wait for its score."""

        def scored() -> Progress | None:
            nonlocal shown, stamp
            # Repeated, as an image is lost until both sides have discovered each other; an image
            # that arrives twice is kept once.
            if time.monotonic() - shown > 1.0:
                shown, stamp = time.monotonic(), self.show(seconds, **fields).header.stamp
            return next((p for p in self.progress if p.header.stamp == stamp), None)

        shown, stamp = -1.0, None
        return self.until(scored)

    def ask(self, task: str = TASK_TEXT) -> None:
        """Publish a task and wait until the diagnostics show it."""
        self.tasks.publish(String(data=task))
        self.until(lambda: self.fact('task') == task)

    # Diagnostics

    def fact(self, key: str) -> str:
        values = self.health[-1].values if self.health else []
        return next((str(pair.value) for pair in values if pair.key == key), '')

    def diagnosis(self, text: str, level: bytes, seconds: float = 10.0) -> str:
        """Wait for a status of this level whose message contains the text; return the message."""

        def matching() -> str | None:
            status = self.health[-1] if self.health else None
            matches = status is not None and status.level == level and text in status.message
            return str(status.message) if matches else None

        self.health.clear()
        return str(self.until(matching, seconds))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        self.health += [s for s in message.status if s.name == f'{self.name}: reward']
