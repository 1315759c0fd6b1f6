# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The topic ~/stop."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node
from std_msgs.msg import Bool

from ..common.qos import QOS_STOP, QOS_STOP_BEST_EFFORT
from ..common.rclpy_versions import on_incompatible_qos


class StopSubscription:
    """Calls on_stop for every true on ~/stop; false changes nothing.

    Two subscriptions: a reliable one does not receive from best-effort publishers, and a
    best-effort one may lose the message of a reliable one.
    """

    def __init__(self, node: Node, on_stop: Callable[[], object]) -> None:
        self._on_stop = on_stop
        for qos in (QOS_STOP, QOS_STOP_BEST_EFFORT):
            node.create_subscription(
                Bool,
                '~/stop',
                self._take,
                qos,
                # rclpy would say that best-effort messages do not arrive; the other receives them.
                event_callbacks=on_incompatible_qos(lambda: None),
            )

    def _take(self, message: Bool) -> None:
        if message.data:
            self._on_stop()
