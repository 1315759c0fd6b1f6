# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Asks the reward node for a new episode."""

from __future__ import annotations

import math
import re
import time
from typing import Any

from rclpy.node import Node
from std_srvs.srv import Trigger

RETRY_PERIOD = 1.0  # between two attempts [s]
RESPONSE_TIMEOUT = 5.0  # a response may be lost: the call is then repeated [s]
ANSWER = re.compile(r'episode (\d+)')


class EpisodeStart:
    """Calls ~/start_episode until the answer names the episode that has begun.

    problem says why there is none yet. Timed by the steady clock.
    """

    def __init__(self, node: Node, reward_node: str) -> None:
        self._node = node
        self._service = node.resolve_service_name(f'{reward_node.rstrip("/")}/start_episode')
        self._client: Any = node.create_client(Trigger, self._service)
        self._response: Any = None
        self._request_time = -math.inf
        self.problem = ''

    def poll(self) -> int | None:
        """Call, or call again, if it is time to; return the episode's number once it is known."""
        if self._response is not None and self._response.done():
            response, self._response = self._response.result(), None
            if response.success and (answer := ANSWER.fullmatch(response.message)):
                self.cancel()
                return int(answer[1])
            self.problem = f'the reward node did not start an episode: {response.message}'
        waited = time.monotonic() - self._request_time
        if waited > RESPONSE_TIMEOUT:
            self._forget_response()
        if self._response is None and waited > RETRY_PERIOD:
            self._request_time = time.monotonic()
            if self._client.service_is_ready():
                self._response = self._client.call_async(Trigger.Request())
            else:
                self.problem = (
                    f'service {self._service} is not available: is the reward node running?'
                )
        return None

    def cancel(self) -> None:
        """Forget a call without an answer; the next `poll` calls at once."""
        self._forget_response()
        self._request_time = -math.inf
        self.problem = ''

    def close(self) -> None:
        self.cancel()
        self._node.destroy_client(self._client)

    def _forget_response(self) -> None:
        if self._response is not None:
            self._client.remove_pending_request(self._response)
            self._response = None
