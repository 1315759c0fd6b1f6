# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A lifecycle node whose transitions are coroutines, so that its executor never blocks."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from lifecycle_msgs.msg import Transition
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNodeMixin, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from topreward_ros import interrupts
from topreward_ros.errors import TopRewardError, WorkerError

from .argument_errors import ARGUMENT_ERRORS, is_wrong_name, reason
from .parameter_files import warn_of_unused_files
from .parameters import with_doubles
from .process import closing, is_ending, report, send_answers, spin
from .rclpy_versions import StateMachine, init_rclpy, silent_rcl

RESULT_SUCCESS = TransitionCallbackReturn.SUCCESS
RESULT_FAILURE = TransitionCallbackReturn.FAILURE
RESULT_ERROR = TransitionCallbackReturn.ERROR
STEADY_STATES = ('unconfigured', 'inactive', 'active')  # between transitions, and not final


class AsyncLifecycleNode(LifecycleNodeMixin, Node):
    """The base class; nodes override `configure`, `activate`, `deactivate`, `cleanup`, `release`.

    A TopRewardError, a ValueError or a wrong name raised there is a failure: the node
    returns to its previous state. Any other exception is an error: everything is released and the
    node becomes unconfigured. Both are logged with their reason.
    """

    def __init__(self, name: str, **options: Any) -> None:
        Node.__init__(self, name, **options)
        # Reentrant: ~/get_state is answered during a transition.
        LifecycleNodeMixin.__init__(self, callback_group=ReentrantCallbackGroup())
        self._machine = StateMachine(self)
        self.autostart_failed = False
        self._unanswered = 0  # calls
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
            if not is_ending():
                self.get_logger().error(f'transition {transition} is not possible from {before}')
            return False
        state = self.state
        result = await self._attempt(state, self._steps[state])
        self._machine.finish(result)
        if result == RESULT_ERROR:
            await self._finish_error()
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
            await self._finish_error()

    async def _finish_error(self) -> None:
        """Release what can be; a failure there must not leave a node that cannot be configured."""
        await self._attempt('error processing', self.release)
        self._machine.finish(RESULT_SUCCESS)

    def set_parameters_atomically(
        self, parameter_list: list[Parameter[Any]]
    ) -> SetParametersResult:
        """As rclpy, which answers ~/set_parameters with it; takes a whole number for any number."""
        return super().set_parameters_atomically(
            [with_doubles(each, self.get_parameter_or(each.name)) for each in parameter_list]
        )

    async def start_automatically(self) -> None:
        """Configure and activate; end the process if that fails."""
        if not (
            await self.change_state(Transition.TRANSITION_CONFIGURE)
            and await self.change_state(Transition.TRANSITION_ACTIVATE)
        ):
            self.autostart_failed = not is_ending()
            self.context.try_shutdown()

    def close(self) -> None:
        """Release everything immediately; the node cannot be used afterwards.

        Calls that wait for something are answered: what they await must come to an end here.
        """

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Around the code that answers a call: the node stays until the answer is sent."""
        self._unanswered += 1
        try:
            yield
        finally:
            self._unanswered -= 1

    @property
    def is_waited_for(self) -> bool:  # by whoever has called
        return self._unanswered > 0

    def destroy_node(self) -> None:
        self._machine.close()
        super().destroy_node()

    async def _attempt(
        self, name: str, step: Callable[[], Awaitable[None]]
    ) -> TransitionCallbackReturn:
        try:
            await step()
        except Exception as error:
            if is_ending() and isinstance(error, WorkerError):  # the end has cut the step off
                return RESULT_FAILURE
            if isinstance(error, TopRewardError | ValueError) or is_wrong_name(error):
                self.get_logger().error(f'{name} failed: {reason(error)}')
                return RESULT_FAILURE
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
        with self.answering():
            response.success = transition is not None and await self.change_state(transition)
        return response


def close(node: AsyncLifecycleNode, executor: SingleThreadedExecutor) -> None:
    """Close a node, and let whoever waits for an answer have it."""
    is_waited_for = node.is_waited_for
    node.close()
    if is_waited_for:
        send_answers(executor)


def run(make_nodes: Sequence[Callable[[], AsyncLifecycleNode]], args: list[str] | None) -> int:
    """Run nodes until a signal ends them; return 1 if one could not start.

    A node whose parameter `autostart` is true is configured and activated. The middleware is still
    there while the nodes are closed: one that moves an arm stops it then.
    """
    nodes: list[AsyncLifecycleNode] = []
    with interrupts.noted(), closing() as closes:
        try:
            with silent_rcl():
                init_rclpy(args, signal_handler_options=SignalHandlerOptions.NO)
                executor = SingleThreadedExecutor()
                for make_node in make_nodes:
                    node = make_node()
                    nodes.append(node)
                    closes += [node.destroy_node, partial(close, node, executor)]
                    warn_of_unused_files(node, args)
                    executor.add_node(node)
        except KeyboardInterrupt:
            return 0
        except ARGUMENT_ERRORS as error:
            report(error)
            return 1
        for node in nodes:
            if node.get_parameter('autostart').value and not is_ending():
                executor.create_task(node.start_automatically)
        spin(executor)
    return int(any(node.autostart_failed for node in nodes))
