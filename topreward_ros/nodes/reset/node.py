# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The episode reset node: ends an episode on success or timeout, resets and starts the next."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.duration import Duration
from rclpy.task import Future
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from topreward_ros import interrupts

from ..common.diagnostics import LEVEL_OK, diagnostic_array
from ..common.lifecycle_node import AsyncLifecycleNode, run
from ..common.parameters import Parameters
from ..common.process import is_ending
from ..common.qos import QOS_RESULT, QOS_TASK
from ..common.rclpy_versions import steady_clock
from ..common.usage import read_arguments
from .episode_log import EpisodeLog
from .episode_loop import EpisodeLoop
from .reset_action import ResetAction
from .reset_steps import ResetSteps
from .settings import ResetSettings
from .stop_subscription import StopSubscription

NODE_NAME = 'episode_reset'
STOPPED = 'stopped by ~/stop'
ENDING = 'the node is ending'


class EpisodeResetNode(AsyncLifecycleNode):
    """A lifecycle node; configuring opens the log, and nothing moves before activation."""

    def __init__(self, **options: Any) -> None:
        """Raises ValueError or an exception of rclpy for invalid parameters."""
        super().__init__(NODE_NAME, **options)
        self._read_settings = Parameters(self, ResetSettings, lambda: self.state).read
        settings = self._read_settings()
        self._log: EpisodeLog | None = None
        self._reset: tuple[ResetSettings, ResetSteps] | None = None
        self._loop: EpisodeLoop | None = None
        self._halted = ''  # why, until a reset is asked for
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', QOS_RESULT)
        self._running = self.create_publisher(Bool, '~/running', QOS_TASK)
        # Reentrant: a call is answered when its reset is over, and further calls at once.
        self.create_service(
            Trigger, '~/reset', self._on_reset, callback_group=ReentrantCallbackGroup()
        )
        self.create_service(Trigger, '~/stop', self._on_stop)
        self._stop_subscription = StopSubscription(self, self._halt)
        self._action = ResetAction(self, self._request_reset, lambda: self._loop, self._halt)
        self.create_timer(settings.diagnostics_period, self._diagnose, clock=steady_clock())

    async def configure(self) -> None:
        settings = self._read_settings()
        self.resolve_service_name(f'{settings.reward_node}/start_episode')  # raises if invalid
        self._open_log(settings.log_file)
        try:
            # Subscribes from now on, so that joint states are available at activation.
            self._set_reset(settings)
        except Exception:  # leave nothing open
            self._release()
            raise
        self.get_logger().info(
            f'reset: {settings.reset}; log: '
            + (f'{settings.log_file}, {self._log.count} episodes so far' if self._log else 'none')
        )

    async def activate(self) -> None:
        settings = self._read_settings()
        self._open_log(settings.log_file)
        reset = self._set_reset(settings)
        self._loop = EpisodeLoop(
            self,
            settings,
            reset,
            self._log,
            self._publish_running,
            halted=self._halted,
        )

    async def deactivate(self) -> None:
        self._stop()

    async def cleanup(self) -> None:
        self._release()

    async def release(self) -> None:
        self._release()

    def close(self) -> None:
        self._release()

    def destroy_node(self) -> None:
        self._action.close()
        super().destroy_node()

    def _release(self) -> None:
        self._stop()
        if self._reset is not None:
            self._reset[1].close()
        self._reset = None
        self._open_log('')

    def _stop(self) -> None:
        if self._loop is not None:
            self._loop.close()
            self._loop = None
            self._running.wait_for_all_acked(Duration(seconds=0.5))

    def _open_log(self, file: str) -> None:
        """Replace the log by one with this file, or by none; ValueError if it cannot be used."""
        if self._log is not None:
            self._log.close()
            self._log = None
        try:
            self._log = EpisodeLog(Path(file).expanduser()) if file else None
        except (OSError, RuntimeError, ValueError) as error:
            raise ValueError(f'log_file cannot be used: {error}') from error

    def _set_reset(self, settings: ResetSettings) -> ResetSteps:
        """Return the reset for these settings; a new one if they have changed."""
        if self._reset is not None and self._reset[0] != settings:
            self._reset[1].close()
            self._reset = None
        if self._reset is None:
            self._reset = settings, ResetSteps(self, settings)
        return self._reset[1]

    def _publish_running(self, running: bool) -> None:
        self._running.publish(Bool(data=running))

    async def _on_reset(
        self, _request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        response.success, response.message = await self._request_reset()
        return response

    async def _request_reset(self) -> tuple[bool, str]:
        """Reset, and return whether that succeeded and a message when it is over."""
        if self._loop is None:
            return False, ENDING if is_ending() else f'the node is {self.state}, not active'
        self._halted = ''
        result: Future[Any] = Future(executor=self.executor)
        self._loop.request_reset(lambda success, message: result.set_result((success, message)))
        with self.answering():
            return await result  # type: ignore[return-value, unused-ignore]

    def _on_stop(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        problem = self._halt(STOPPED)
        response.success = not problem
        response.message = problem or 'stopped; nothing moves before a reset is asked for'
        return response

    def _halt(self, reason: str = STOPPED) -> str:
        """Stop everything until a reset is asked for; see `EpisodeLoop.halt`."""
        self._halted = reason
        return self._loop.halt(reason) if self._loop is not None else ''

    def _diagnose(self) -> None:
        level, message = LEVEL_OK, self.state
        values: dict[str, object] = {'state': self.state}
        if self._loop is not None:
            level, message = self._loop.health()
            values |= self._loop.facts()
        stamp, name = self.get_clock().now().to_msg(), f'{self.get_fully_qualified_name()}: reset'
        self._diagnostics.publish(diagnostic_array(stamp, name, level, message, values))


def main(args: list[str] | None = None, **options: Any) -> int:
    """Run the node until it is interrupted; 1 if it could not start. options are a Node's."""
    read_arguments(args, __doc__, ResetSettings)
    return run([partial(EpisodeResetNode, **options)], args)


if __name__ == '__main__':
    interrupts.leave(main())
