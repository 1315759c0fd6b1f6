# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A reset that the scene or the robot does itself, when a service is called."""

from __future__ import annotations

import time
from typing import Any

from rclpy.node import Node
from std_srvs.srv import Trigger

from .reset import ResetError
from .settings import ResetSettings


class TriggerReset:
    """Calls a Trigger service of the scene or robot and believes its answer.

    It has its time by the steady clock: a simulator may stand still while it resets.
    """

    def __init__(self, node: Node, settings: ResetSettings) -> None:
        self._node = node
        self._settings = settings
        self._name = node.resolve_service_name(settings.trigger_service)
        self._client: Any = node.create_client(Trigger, settings.trigger_service)
        self._answer: Any = None
        self._until = 0.0

    def begin(self) -> None:
        if not self._client.service_is_ready():
            raise ResetError(
                f'service {self._name} is not available; start it, or set trigger_service to '
                'another'
            )
        self._until = time.monotonic() + self._settings.reset_time_limit
        self._answer = self._client.call_async(Trigger.Request())

    def is_done(self) -> bool:
        if self._answer is None:
            raise ResetError(f'{self._name} was not called')
        if self._answer.done():
            answer = self._answer.result()
            self._answer = None
            if not answer.success:
                raise ResetError(f'{self._name} says: {answer.message or "no success"}')
            return True
        if time.monotonic() > self._until:
            self.stop()
            raise ResetError(f'{self._name} gave no answer in {self._settings.reset_time_limit} s')
        return False

    def stop(self) -> None:
        if self._answer is not None:
            self._client.remove_pending_request(self._answer)
            self._answer = None

    def close(self) -> None:
        self.stop()
        self._node.destroy_client(self._client)
