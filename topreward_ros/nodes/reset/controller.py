# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The controller of the arm: a trajectory topic, or control_msgs' action where it is installed."""

from __future__ import annotations

import uuid
from typing import Any

from action_msgs.srv import CancelGoal
from rclpy.action.client import ActionClient
from rclpy.duration import Duration
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory
from unique_identifier_msgs.msg import UUID

from ..common.qos import QOS_COMMAND
from .reset import ResetError
from .settings import ResetSettings

try:  # not among the wheels
    from control_msgs.action import FollowJointTrajectory
except ImportError:
    FollowJointTrajectory = None

DELIVERY_TIME = 1.0  # for a stop to reach the controller before the publisher is destroyed [s]


class Controller:
    """Sends trajectories to a controller: by its action if it offers one, else by its topic."""

    def __init__(self, node: Node, settings: ResetSettings) -> None:
        self._node = node
        self._publisher = node.create_publisher(
            JointTrajectory, settings.trajectory_topic, QOS_COMMAND
        )
        self._action: TrajectoryAction | None = None
        if FollowJointTrajectory is not None and settings.trajectory_action:
            self._action = TrajectoryAction(node, settings.trajectory_action)

    def check(self) -> None:
        """Raise ResetError if no controller listens."""
        if not self._publisher.get_subscription_count() and not self._has_action():
            raise ResetError(
                f'no controller subscribes to {self._publisher.topic_name}; start it, or set '
                'trajectory_topic to its topic'
            )

    def send(self, trajectory: JointTrajectory) -> None:
        """Start a motion."""
        if self._action is not None and self._has_action():
            self._action.send(trajectory)
        else:
            self._publisher.publish(trajectory)

    def problem(self) -> str:
        """Return why the controller does not follow the newest motion; empty as far as known."""
        return self._action.problem if self._action is not None else ''

    def stop(self, trajectory: JointTrajectory | None) -> bool:
        """End the motion at once: with a trajectory that comes to rest or, without one, by
        cancelling the action. Return False if neither is possible.
        """
        cancelled = self._action is not None and self._action.cancel()
        if trajectory is not None:
            # With the action, too: at the end of the process only a message is known to arrive.
            self._publisher.publish(trajectory)
            self._publisher.wait_for_all_acked(Duration(seconds=DELIVERY_TIME))
        return cancelled or trajectory is not None

    def close(self) -> None:
        if self._action is not None:
            self._action.close()
        self._node.destroy_publisher(self._publisher)

    def _has_action(self) -> bool:
        return self._action is not None and self._action.is_offered()


class TrajectoryAction:
    """A client of FollowJointTrajectory with one goal at a time.

    problem is why the newest goal was not followed to its end; empty if it was, or is still.
    """

    def __init__(self, node: Node, name: str) -> None:
        self._node = node
        self._name = node.resolve_service_name(name)
        self._client: Any = ActionClient(node, FollowJointTrajectory, self._name)
        # By the goal's id: a goal can then be cancelled before it is known to be accepted.
        self._cancel: Any = node.create_client(CancelGoal, f'{self._name}/_action/cancel_goal')
        self._goal: UUID | None = None
        self.problem = ''

    def is_offered(self) -> bool:
        return bool(self._client.server_is_ready())

    def send(self, trajectory: JointTrajectory) -> None:
        self.problem = ''
        self._goal = goal = UUID(uuid=list(uuid.uuid4().bytes))
        sent = self._client.send_goal_async(
            FollowJointTrajectory.Goal(trajectory=trajectory), goal_uuid=goal
        )
        sent.add_done_callback(lambda future: self._on_response(goal, future.result()))

    def cancel(self) -> bool:
        """Cancel the goal; return whether there was one."""
        goal, self._goal = self._goal, None
        if goal is not None:
            self._cancel_goal(goal)
        return goal is not None

    def close(self) -> None:
        self.cancel()
        self._node.destroy_client(self._cancel)
        self._client.destroy()

    def _cancel_goal(self, goal: UUID) -> None:
        request = CancelGoal.Request()
        request.goal_info.goal_id = goal
        self._cancel.call_async(request)

    def _on_response(self, goal: UUID, handle: Any) -> None:
        if not handle.accepted:
            if goal is self._goal:
                self._goal, self.problem = None, f'{self._name} does not accept the motion'
        elif goal is not self._goal:  # cancelled in the meantime, perhaps before it arrived
            self._cancel_goal(goal)
        else:
            result = handle.get_result_async()
            result.add_done_callback(lambda future: self._on_result(goal, future.result().result))

    def _on_result(self, goal: UUID, result: Any) -> None:
        if goal is not self._goal:
            return
        self._goal = None
        if result.error_code != FollowJointTrajectory.Result.SUCCESSFUL:
            self.problem = (
                f'{self._name} ended the motion with error {result.error_code}: '
                f'{result.error_string or "no reason given"}'
            )
