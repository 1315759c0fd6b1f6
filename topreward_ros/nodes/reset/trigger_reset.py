# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A reset by a service of the scene or the robot."""

from __future__ import annotations

import time
from typing import Any

from rclpy.node import Node
from std_srvs.srv import Trigger

from .reset import ResetError
from .settings import ResetSettings


class TriggerReset:
    """Calls a Trigger service; its response decides whether the reset succeeded.

    The time limit is measured by the steady clock: a simulator may pause while it resets.
    """

    def __init__(self, node: Node, settings: ResetSettings) -> None:
        self._node = node
        self._settings = settings
        self._name = node.resolve_service_name(settings.trigger_service)
        self._client: Any = node.create_client(Trigger, settings.trigger_service)
        self._response: Any = None
        self._deadline = 0.0

    def begin(self) -> None:
        if not self._client.service_is_ready():
            raise ResetError(
                f'service {self._name} is not available; start its node, or set trigger_service to '
                'another service'
            )
        self._deadline = time.monotonic() + self._settings.reset_time_limit
        self._response = self._client.call_async(Trigger.Request())

    def is_done(self) -> bool:
        if self._response is None:
            raise ResetError(f'{self._name} was not called')
        if self._response.done():
            response = self._response.result()
            self._response = None
            if not response.success:
                raise ResetError(f'{self._name} reports: {response.message or "no success"}')
            return True
        if time.monotonic() > self._deadline:
            self.stop()
            raise ResetError(
                f'{self._name} did not respond within {self._settings.reset_time_limit} s'
            )
        return False

    def stop(self) -> None:
        if self._response is not None:
            self._client.remove_pending_request(self._response)
            self._response = None

    def close(self) -> None:
        self.stop()
        self._node.destroy_client(self._client)
