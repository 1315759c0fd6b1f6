# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A lifecycle node whose transitions may take their time while its executor goes on."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import rclpy
from lifecycle_msgs.msg import Transition
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.exceptions import NameValidationException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNodeMixin, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from topreward_ros.errors import TopRewardError

from .rclpy_versions import BAD_ARGUMENTS, StateMachine
from .signals import ends_with_terminal

SUCCESS = TransitionCallbackReturn.SUCCESS
FAILURE = TransitionCallbackReturn.FAILURE
ERROR = TransitionCallbackReturn.ERROR
SIGNAL_PERIOD = 0.2  # in which a signal is noticed [s]
SHUTDOWNS = {
    'unconfigured': Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,
    'inactive': Transition.TRANSITION_INACTIVE_SHUTDOWN,
    'active': Transition.TRANSITION_ACTIVE_SHUTDOWN,
}


class ManagedNode(LifecycleNodeMixin, Node):
    """Subclasses override `configure`, `activate`, `deactivate`, `cleanup` and `release`.

    A TopRewardError, ValueError or bad name raised there is a failure: the node stays in the state
    it was in. Any other exception is an error: everything is released and the node is unconfigured.
    Both are logged with their reason.
    """

    def __init__(self, name: str, **options: Any) -> None:
        Node.__init__(self, name, **options)
        # Reentrant: the state is told while a transition is still going on.
        LifecycleNodeMixin.__init__(self, callback_group=ReentrantCallbackGroup())
        self._machine = StateMachine(self)
        self.autostart_failed = False
        self._steps: dict[str, Callable[[], Awaitable[None]]] = {
            'configuring': self.configure,
            'activating': self.activate,
            'deactivating': self.deactivate,
            'cleaningup': self.cleanup,
            'shuttingdown': self._shut_down,
        }

    @property
    def state(self) -> str:
        """unconfigured, inactive, active, finalized, or the name of a transition under way."""
        return self._machine.state

    async def configure(self) -> None:
        pass

    async def activate(self) -> None:
        pass

    async def deactivate(self) -> None:
        pass

    async def cleanup(self) -> None:
        pass

    async def release(self) -> None:
        """Give back everything, whatever the state was; called on errors and at shutdown."""

    async def change_state(self, transition: int) -> bool:
        """Go through a transition; whether it succeeded."""
        before = self.state
        # While a step is awaited, the arrows that end it are legal too, and not a client's to take.
        if before not in SHUTDOWNS or not self._machine.begin(transition):
            self.get_logger().error(f'transition {transition} is not possible from {before}')
            return False
        result = await self._step(self.state)
        self._machine.finish(result)
        if result == ERROR:
            self._machine.finish(await self._attempt('error processing', self.release))
        return bool(result == SUCCESS)

    async def shut_down(self) -> bool:
        """Go to finalized from any state that is none of a transition."""
        transition = SHUTDOWNS.get(self.state)
        return transition is not None and await self.change_state(transition)

    async def start_by_itself(self) -> None:
        """Configure and activate; end the process where that fails."""
        if not (
            await self.change_state(Transition.TRANSITION_CONFIGURE)
            and await self.change_state(Transition.TRANSITION_ACTIVATE)
        ):
            self.autostart_failed = True
            self.context.try_shutdown()

    def close(self) -> None:
        """End everything at once; the node is of no use afterwards."""

    async def _step(self, state: str) -> TransitionCallbackReturn:
        return await self._attempt(state, self._steps[state])

    async def _attempt(
        self, what: str, step: Callable[[], Awaitable[None]]
    ) -> TransitionCallbackReturn:
        try:
            await step()
        except (TopRewardError, ValueError, NameValidationException) as error:
            self.get_logger().error(f'{what} failed: {error}')
            return FAILURE
        except Exception as error:
            self.get_logger().error(f'{what} failed: {error!r}\n{traceback.format_exc()}')
            return ERROR
        return SUCCESS

    async def _shut_down(self) -> None:
        await self.release()

    async def _LifecycleNodeMixin__on_change_state(  # noqa: N802
        self, request: Any, response: Any
    ) -> Any:
        """Answer ~/change_state in rclpy's stead, which would block the executor."""
        transition = request.transition.id
        if request.transition.label:
            transition = self._machine.find(request.transition.label)
        response.success = transition is not None and await self.change_state(transition)
        return response


def run(
    make_nodes: Sequence[Callable[[], ManagedNode]],
    args: list[str] | None,
    *,
    last_words: bool = False,
    interrupted: int = 0,
) -> int:
    """Run nodes until they are interrupted and return `interrupted`; 1 if one could not start.

    A node starts by itself where its parameter `autostart` says so. With last_words they can still
    publish when they are closed; rclpy's own handling of signals shuts the middleware before.
    """
    signals: list[int] = []
    ends = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if ends_with_terminal() else [])]
    for number in ends if last_words else ():
        # Only noted: an exception would come up anywhere, in the midst of a stop too.
        signal.signal(number, lambda number, _: signals.append(number))
    handlers = SignalHandlerOptions.NO if last_words else SignalHandlerOptions.ALL
    nodes: list[ManagedNode] = []
    try:
        rclpy.init(args=args, signal_handler_options=handlers)
        executor = SingleThreadedExecutor()
        for make_node in make_nodes:
            nodes.append(make_node())
            executor.add_node(nodes[-1])
    except BAD_ARGUMENTS as error:
        print(f'{Path(sys.argv[0]).stem}: {error}', file=sys.stderr)
        _close(nodes)
        return 1
    for node in nodes:
        if node.get_parameter('autostart').value:
            executor.create_task(node.start_by_itself)
    try:
        while last_words and not signals and rclpy.ok():
            executor.spin_once(timeout_sec=SIGNAL_PERIOD)
        if not last_words:
            executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        _close(nodes)
    return 1 if any(node.autostart_failed for node in nodes) else interrupted


def _close(nodes: Sequence[ManagedNode]) -> None:
    for node in nodes:
        node.close()
        node.destroy_node()
    rclpy.try_shutdown()
