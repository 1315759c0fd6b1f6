# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The action ~/reset: the service of that name, with feedback and cancel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from rclpy.action.server import ActionServer, CancelResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node

from topreward_ros.action import Reset

from ..common.rclpy_versions import steady_clock

FEEDBACK_PERIOD = 0.1  # [s]
CANCELLED = 'the reset was cancelled'


class Progressing(Protocol):
    """What feedback is about."""

    @property
    def phase(self) -> str: ...

    @property
    def distance(self) -> float: ...


class ResetAction:
    """Answers each goal when its reset is over; a cancel halts the node at once.

    A goal that cannot be done, as while another reset is in progress, is accepted and then aborted,
    as only a result says why.
    """

    def __init__(
        self,
        node: Node,
        request_reset: Callable[[], Awaitable[tuple[bool, str]]],
        progress: Callable[[], Progressing | None],
        halt: Callable[[str], object],
    ) -> None:
        self._node = node
        self._request_reset = request_reset
        self._progress = progress
        self._halt = halt
        self._goals: list[Any] = []
        self._server: Any = ActionServer(
            node,
            Reset,
            '~/reset',
            self._execute,
            cancel_callback=self._on_cancel,
            callback_group=ReentrantCallbackGroup(),
        )
        self._timer = node.create_timer(FEEDBACK_PERIOD, self._publish, clock=steady_clock())
        self._timer.cancel()

    def close(self) -> None:
        if self._server is not None:
            self._node.destroy_timer(self._timer)
            self._server.destroy()
            self._server = None

    async def _execute(self, goal: Any) -> Any:
        self._goals.append(goal)
        self._timer.reset()
        try:
            success, message = await self._request_reset()
        finally:
            self._goals.remove(goal)
            if not self._goals:
                self._timer.cancel()
        if success:
            goal.succeed()
        elif goal.is_cancel_requested:
            goal.canceled()
        else:
            goal.abort()
        return Reset.Result(success=success, message=message)

    def _on_cancel(self, _goal: Any) -> CancelResponse:
        self._halt(CANCELLED)
        return CancelResponse.ACCEPT

    def _publish(self) -> None:
        progress = self._progress()
        if progress is not None:
            feedback = Reset.Feedback(phase=progress.phase, distance=progress.distance)
            for goal in self._goals:
                goal.publish_feedback(feedback)
