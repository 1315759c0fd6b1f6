# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A reset by a service of the scene or the robot."""

from __future__ import annotations

import math
import time
from typing import Any

from rclpy.node import Node
from std_srvs.srv import Trigger

from .reset import ResetError
from .settings import ResetSettings

RETURN_TIME = 3.0  # for a service that is not available to return, as its node may respawn [s]


class TriggerReset:
    """Calls a Trigger service; its response decides whether the reset succeeded.

    A response that does not come within the time limit may be lost, or its node be starting anew:
    the service is called again, up to `reset_retries` times. Only the response to the newest call
    counts, as the scene may still be busy with it when an earlier one responds. Timed by the steady
    clock: a simulator may pause while it resets.
    """

    distance = math.nan

    def __init__(self, node: Node, settings: ResetSettings) -> None:
        self._node = node
        self._settings = settings
        self._name = node.resolve_service_name(settings.trigger_service)
        self._client: Any = node.create_client(Trigger, settings.trigger_service)
        self._response: Any = None
        self._attempts = 0
        self._limit = self._deadline = self._not_before = 0.0

    @property
    def phase(self) -> str:
        return f'{"waiting for" if self._response is None else "calling"} {self._name}'

    def begin(self, _task: str) -> None:
        self.stop()
        self._attempts, self._not_before = 0, 0.0
        self._attempt()
        if self._response is None:
            self._node.get_logger().warning(f'service {self._name} is not available: waiting')

    def is_done(self) -> bool:
        if self._response is None:
            self._call()
        elif self._response.done():
            response, self._response = self._response.result(), None
            if response.success:
                return True
            self._take_refusal(f'{self._name} reports: {response.message or "no success"}')
        if time.monotonic() > self._deadline:
            problem = self._problem()
            self.stop()
            if self._attempts > self._settings.reset_retries:
                raise ResetError(problem)
            self._node.get_logger().warning(f'{problem}; trying again')
            self._attempt()
        return False

    def stop(self) -> str:
        if self._response is not None:
            self._client.remove_pending_request(self._response)
            self._response = None
        return ''

    def close(self) -> None:
        self.stop()
        self._node.destroy_client(self._client)

    def _take_refusal(self, problem: str) -> None:
        """Raise ResetError, or call again later: a repeat may meet the call that was late."""
        if self._attempts == 1 or self._attempts > self._settings.reset_retries:
            raise ResetError(problem)
        self._node.get_logger().warning(f'{problem}; trying again in {RETURN_TIME:g} s')
        self._attempts += 1
        self._not_before = time.monotonic() + RETURN_TIME
        self._set_limit(2 * RETURN_TIME)

    def _attempt(self) -> None:
        self._attempts += 1
        self._set_limit(min(RETURN_TIME, self._settings.reset_time_limit))
        self._call()

    def _call(self) -> None:
        if time.monotonic() >= self._not_before and self._client.service_is_ready():
            self._set_limit(self._settings.reset_time_limit)
            self._response = self._client.call_async(Trigger.Request())

    def _set_limit(self, seconds: float) -> None:
        self._limit, self._deadline = seconds, time.monotonic() + seconds

    def _problem(self) -> str:
        tries = f' ({self._attempts} tries)' if self._attempts > 1 else ''
        if self._response is not None:
            return f'{self._name} did not respond within {self._limit} s{tries}'
        return (
            f'service {self._name} is not available{tries}; start its node, or set '
            'trigger_service to another service'
        )
