# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A lifecycle node whose transitions are coroutines, so that its executor never blocks."""

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

from .rclpy_versions import ARGUMENT_ERRORS, StateMachine, init_rclpy, lost_interrupts
from .signals import ends_with_terminal

RESULT_SUCCESS = TransitionCallbackReturn.SUCCESS
RESULT_FAILURE = TransitionCallbackReturn.FAILURE
RESULT_ERROR = TransitionCallbackReturn.ERROR
SIGNAL_PERIOD = 0.2  # between two checks for a signal [s]
STEADY_STATES = ('unconfigured', 'inactive', 'active')  # between transitions, and not final


class AsyncLifecycleNode(LifecycleNodeMixin, Node):
    """The base class; nodes override `configure`, `activate`, `deactivate`, `cleanup`, `release`.

    A TopRewardError, ValueError or NameValidationException raised there is a failure: the node
    returns to its previous state. Any other exception is an error: everything is released and the
    node becomes unconfigured. Both are logged with their reason.
    """

    def __init__(self, name: str, **options: Any) -> None:
        Node.__init__(self, name, **options)
        # Reentrant: ~/get_state is answered during a transition.
        LifecycleNodeMixin.__init__(self, callback_group=ReentrantCallbackGroup())
        self._machine = StateMachine(self)
        self.autostart_failed = False
        self._steps: dict[str, Callable[[], Awaitable[None]]] = {
            'configuring': self.configure,
            'activating': self.activate,
            'deactivating': self.deactivate,
            'cleaningup': self.cleanup,
            'shuttingdown': self.release,
        }

    @property
    def state(self) -> str:
        """unconfigured, inactive, active, finalized, or the name of the running transition."""
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
        """Release all resources, in any state; called on errors and at shutdown."""

    async def change_state(self, transition: int) -> bool:
        """Run a transition and return whether it succeeded."""
        before = self.state
        # While a step is awaited, the state machine also accepts the transitions that end it. They
        # are internal: a client must not trigger them.
        if before not in STEADY_STATES or not self._machine.begin(transition):
            if self.context.ok():  # otherwise the process is being ended
                self.get_logger().error(f'transition {transition} is not possible from {before}')
            return False
        state = self.state
        result = await self._attempt(state, self._steps[state])
        self._machine.finish(result)
        if result == RESULT_ERROR:
            self._machine.finish(await self._attempt('error processing', self.release))
        return bool(result == RESULT_SUCCESS)

    def fail(self, reason: str) -> None:
        """Log why the node cannot go on, release everything and become unconfigured."""
        self.get_logger().error(reason)
        if self.executor is not None:
            self.executor.create_task(self._process_error)

    async def _process_error(self) -> None:
        """Go through a transition's error, the only way of the state machine to one."""
        ways = {
            'active': Transition.TRANSITION_DEACTIVATE,
            'inactive': Transition.TRANSITION_CLEANUP,
        }
        if self.state in ways and self._machine.begin(ways[self.state]):
            self._machine.finish(RESULT_ERROR)
            self._machine.finish(await self._attempt('error processing', self.release))

    async def start_automatically(self) -> None:
        """Configure and activate; end the process if that fails."""
        if not (
            await self.change_state(Transition.TRANSITION_CONFIGURE)
            and await self.change_state(Transition.TRANSITION_ACTIVATE)
        ):
            self.autostart_failed = self.context.ok()  # otherwise the process is being ended
            self.context.try_shutdown()

    def close(self) -> None:
        """Release everything immediately; the node cannot be used afterwards."""

    async def _attempt(
        self, name: str, step: Callable[[], Awaitable[None]]
    ) -> TransitionCallbackReturn:
        try:
            await step()
        except (TopRewardError, ValueError, NameValidationException) as error:
            self.get_logger().error(f'{name} failed: {error}')
            return RESULT_FAILURE
        except Exception as error:
            self.get_logger().error(f'{name} failed: {error!r}\n{traceback.format_exc()}')
            return RESULT_ERROR
        return RESULT_SUCCESS

    async def _LifecycleNodeMixin__on_change_state(  # noqa: N802
        self, request: Any, response: Any
    ) -> Any:
        """Answer ~/change_state instead of rclpy, whose handler would block the executor."""
        transition = request.transition.id
        if request.transition.label:
            transition = self._machine.find(request.transition.label)
        response.success = transition is not None and await self.change_state(transition)
        return response


def run(
    make_nodes: Sequence[Callable[[], AsyncLifecycleNode]],
    args: list[str] | None,
    *,
    publish_at_end: bool = False,
) -> int:
    """Run nodes until they are interrupted; return 1 if one could not start.

    A node whose parameter `autostart` is true is configured and activated. With publish_at_end the
    nodes can still publish while they are closed; rclpy's own signal handlers shut the middleware
    down before that.
    """
    signals: list[int] = []
    if publish_at_end:
        _record(signals)
    handlers = SignalHandlerOptions.NO if publish_at_end else SignalHandlerOptions.ALL
    nodes: list[AsyncLifecycleNode] = []
    try:
        executor = _start(make_nodes, nodes, args, handlers)
    except KeyboardInterrupt:
        _close(nodes)
        return 0
    except ARGUMENT_ERRORS as error:
        print(f'{Path(sys.argv[0]).stem}: {error}', file=sys.stderr)
        _close(nodes)
        return 1
    try:
        if publish_at_end:
            while not signals and rclpy.ok():
                executor.spin_once(timeout_sec=SIGNAL_PERIOD)
        else:
            with lost_interrupts():
                executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        _close(nodes)
    return int(any(node.autostart_failed for node in nodes))


def _record(signals: list[int]) -> None:
    """Only record signals: an exception could interrupt any code, including a stop."""
    handled = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if ends_with_terminal() else [])]
    for number in handled:
        signal.signal(number, lambda number, _: signals.append(number))


def _start(
    make_nodes: Sequence[Callable[[], AsyncLifecycleNode]],
    nodes: list[AsyncLifecycleNode],
    args: list[str] | None,
    handlers: SignalHandlerOptions,
) -> SingleThreadedExecutor:
    """Start the middleware and the nodes, which are added to `nodes`; return their executor."""
    init_rclpy(args, signal_handler_options=handlers)
    with lost_interrupts():
        executor = SingleThreadedExecutor()
        for make_node in make_nodes:
            nodes.append(make_node())
            executor.add_node(nodes[-1])
        for node in nodes:
            if node.get_parameter('autostart').value:
                executor.create_task(node.start_automatically)
    return executor


def _close(nodes: Sequence[AsyncLifecycleNode]) -> None:
    for node in nodes:
        node.close()
        node.destroy_node()
    rclpy.try_shutdown()
