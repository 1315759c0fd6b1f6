# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The reward node: subscribes to a camera and a task, publishes what it makes of them."""

from __future__ import annotations

import contextlib
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.exceptions import InvalidHandle
from rclpy.parameter import Parameter
from rclpy.task import Future
from std_msgs.msg import Float64, String
from std_srvs.srv import Trigger

from topreward_ros import interrupts
from topreward_ros.errors import WorkerError, reason_of
from topreward_ros.msg import Event, Progress, SuccessDetected
from topreward_ros.results.calibration_file import read_calibration
from topreward_ros.reward.calibration import Calibration
from topreward_ros.scoring.score import Scorer

from ..common.diagnostics import LEVEL_ERROR, LEVEL_OK, diagnostic_array
from ..common.lifecycle_node import AsyncLifecycleNode, run
from ..common.middleware import apply_image_profile
from ..common.parameters import Parameters
from ..common.qos import QOS_RESULT, QOS_TASK
from ..common.rclpy_versions import on_incompatible_qos, steady_clock
from ..common.usage import read_arguments
from .channel import Channel
from .episode import THREAD_ENDED, LiveScoring
from .loading import (
    check_settings,
    check_success,
    describe,
    footprint,
    load_fitting_scorer,
    load_second_scorer,
    memory,
)
from .scoring_worker import WORKER
from .second_opinion import SecondOpinion
from .settings import RewardSettings

NODE_NAME = 'topreward'
UNUSED: Any = None  # the state argument of lifecycle publishers, which they ignore


class RewardNode(AsyncLifecycleNode):
    """A lifecycle node; configuring loads the model, and an active node scores."""

    def __init__(self, **options: Any) -> None:
        """Raises ValueError or an exception of rclpy for invalid parameters."""
        super().__init__(NODE_NAME, **options)
        self._read_settings = Parameters(
            self, RewardSettings, lambda: self.state, self._check_reward
        ).read
        settings = self._read_settings()
        self._scorer: Scorer | None = None
        self._second: Scorer | None = None
        self._second_channel: Channel | None = None  # once there is a second model
        self._calibration: Calibration | None = None
        self._live: LiveScoring | None = None
        self._problem = ''  # why the node gave up, until it is configured again
        self._task_subscription: Any = None
        self._calls: deque[Callable[[], None]] = deque()
        self._awaited: Future[Any] | None = None  # of the worker, by a transition
        self._wake = self.create_guard_condition(self._make_calls)
        self._results: dict[type, Any] = {
            Progress: self.create_lifecycle_publisher(Progress, '~/progress', QOS_RESULT),
            SuccessDetected: self.create_lifecycle_publisher(
                SuccessDetected, '~/success_detected', QOS_RESULT
            ),
            Event: self.create_lifecycle_publisher(Event, '~/events', QOS_RESULT),
        }
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', QOS_RESULT)
        self.create_service(Trigger, '~/start_episode', self._on_start_episode)
        self.create_timer(settings.diagnostics_period, self._diagnose, clock=steady_clock())
        self._channel = WORKER.open(self._post, self.fail)  # last: only `close` ends it

    def _check_reward(self, settings: RewardSettings) -> None:
        """Raise ValueError if the loaded model or calibration does not support the settings."""
        if self._calibration is not None:
            settings.reward.start(self._calibration)
        if self._scorer is not None:
            check_success(settings, self._scorer, self._calibration)

    # Transitions

    def fail(self, reason: str) -> None:
        self._problem = reason
        super().fail(reason)

    async def configure(self) -> None:
        self._problem = ''
        settings = self._read_settings()
        self.get_logger().info(f'loading {settings.model} ...')
        loading = self._awaited = self._future()
        calibration = None
        if settings.calibration:
            calibration = read_calibration(Path(settings.calibration))
            # Before the model is loaded
            check_settings(settings, calibration)
            settings.reward.start(calibration)
        self._channel.load(
            partial(load_fitting_scorer, settings, calibration), partial(_settle, loading)
        )
        scorer = cast(Scorer, await loading)
        if settings.second_opinion:
            self._second = await self._load_second(settings)
        self._scorer, self._calibration = scorer, calibration
        self.get_logger().info(f'{describe(scorer)}; {memory()}')
        if calibration is None and not scorer.tells_success:
            self.get_logger().warning(
                f'{scorer.reward_model} cannot tell success: without a calibration none is reported'
            )

    async def _load_second(self, settings: RewardSettings) -> Scorer:
        """Load the second model; where it cannot be, the first one is unloaded."""
        self.get_logger().info(f'loading {settings.second_opinion}, for second opinions ...')
        if self._second_channel is None:
            self._second_channel = WORKER.open(self._post)
        loading = self._awaited = self._future()
        self._second_channel.load(partial(load_second_scorer, settings), partial(_settle, loading))
        try:
            second = cast(Scorer, await loading)
        except Exception:
            await self._unload()
            raise
        self.get_logger().info(f'second opinions: {describe(second)}')
        return second

    async def activate(self) -> None:
        try:
            self._start()
        except Exception:  # leave nothing running
            self._stop()
            raise

    def _start(self) -> None:
        scorer = cast(Scorer, self._scorer)  # loaded by `configure`
        if self._calibration is not None:
            check_settings(self._read_settings(), self._calibration, scorer.identity)
        if self._read_settings().publish_reward:  # only then is the topic there
            self._results[Float64] = self.create_lifecycle_publisher(
                Float64, '~/reward', QOS_RESULT
            )
        for publisher in self._results.values():
            publisher.on_activate(UNUSED)
        self._live = live = LiveScoring(
            self,
            self._channel,
            scorer.fitter,
            scorer.reward_model,
            self._read_settings,
            give_up=self.fail,
            publish=lambda message: self._results[type(message)].publish(message),
            calibration=self._calibration,
            second=self._make_second if self._second is not None else None,
        )
        for each in filter(None, (scorer, self._second)):
            self.get_logger().info(f'{each.reward_model}: {footprint(each)}')
        self._task_subscription = self.create_subscription(
            String,
            '~/task',
            lambda message: live.take_task(message.data),
            QOS_TASK,
            event_callbacks=on_incompatible_qos(self._on_incompatible_task),
        )
        self.get_logger().info(f'subscribed to {live.images.topic}')

    def _make_second(self, since: Callable[[Any], float]) -> SecondOpinion:
        assert self._second is not None and self._second_channel is not None
        return SecondOpinion(self, self._second_channel, self._second, self._read_settings, since)

    async def deactivate(self) -> None:
        self._stop()

    async def cleanup(self) -> None:
        await self._unload()

    async def release(self) -> None:
        self._stop()
        await self._unload()

    def close(self) -> None:
        """Stop scoring and close the worker's channel; the node cannot be used afterwards."""
        self._stop()
        if self._awaited is not None:
            _settle(self._awaited, None, WorkerError('the node is ending'))
        channels = filter(None, (self._second_channel, self._channel))
        if not all([channel.close(interrupts.closing_time()) for channel in channels]):
            self.get_logger().info('the model is still busy and ends with the process')

    def _stop(self) -> None:
        if self._live is not None:
            self._live.close()
            self._live = None
        if self._task_subscription is not None:
            self.destroy_subscription(self._task_subscription)
            self._task_subscription = None
        for publisher in self._results.values():
            publisher.on_deactivate(UNUSED)
        if (publisher := self._results.pop(Float64, None)) is not None:
            self.destroy_lifecycle_publisher(publisher)

    async def _unload(self) -> None:
        self._scorer = self._second = None  # before the worker releases their memory
        for channel in filter(None, (self._second_channel, self._channel)):
            unloading = self._awaited = self._future()
            channel.unload(partial(_settle, unloading))
            await unloading
        self._calibration = None
        self.get_logger().info(f'model unloaded; {memory()}')

    # Services and diagnostics

    def _on_incompatible_task(self) -> None:
        self.get_logger().error(
            'a publisher on ~/task is not transient local, so its tasks do not arrive; with ros2 '
            'topic pub, add --qos-durability transient_local'
        )

    def _on_start_episode(
        self, _request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        if self._live is None:
            response.success, response.message = False, f'the node is {self.state}, not active'
        else:
            response.success, response.message = self._live.restart()
        return response

    def _diagnose(self) -> None:
        values: dict[str, object] = {
            'state': self.state,
            'model': describe(self._scorer) if self._scorer else 'none',
            'memory': memory(),
        }
        if self._scorer is not None:
            values['model memory'] = footprint(self._scorer)
        if self._second is not None:
            values['second model'] = describe(self._second)
            values['second model memory'] = footprint(self._second)
        if self._calibration is not None:
            values['calibration'] = self._read_settings().calibration
        level, message = LEVEL_OK, self.state
        if self._live is not None:
            level, message = self._live.health()
            values |= self._live.facts()
            if not self._channel.is_served and not self._problem:
                self.fail(THREAD_ENDED)
        if self._problem:
            level, message = LEVEL_ERROR, self._problem
        stamp, name = self.get_clock().now().to_msg(), f'{self.get_fully_qualified_name()}: reward'
        self._diagnostics.publish(diagnostic_array(stamp, name, level, message, values))

    # Calls from the worker's thread

    def _post(self, call: Callable[[], None]) -> None:
        self._calls.append(call)
        with contextlib.suppress(InvalidHandle):  # the node has been destroyed
            self._wake.trigger()

    def _make_calls(self) -> None:
        while self._calls:
            try:
                self._calls.popleft()()
            except Exception as error:  # a bug, which must not end the executor
                self.get_logger().error(traceback.format_exc())
                self.fail(f'a result could not be used: {reason_of(error)}')

    def _future(self) -> Future[Any]:
        return Future(executor=self.executor)


def _settle(future: Future[Any], result: Any, error: Exception | None) -> None:
    """Complete a future with a result or an error, unless it is complete."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def run_nodes(
    args: list[str] | None,
    nodes: Sequence[Mapping[str, Any]] = ({},),
    parameters: Mapping[str, Any] | None = None,
) -> int:
    """Run nodes in this process until an interrupt; return 1 if a start failed.

    nodes are the options of each node, parameters the overrides of all; nodes with the same model
    settings share one model.
    """
    apply_image_profile()
    overrides = [Parameter(name, value=value) for name, value in (parameters or {}).items()]
    makers = [partial(RewardNode, parameter_overrides=overrides, **each) for each in nodes]
    return run(makers, args)


def main(args: list[str] | None = None) -> int:
    """Run the node as an executable."""
    read_arguments(args, __doc__, RewardSettings)
    return run_nodes(args)


if __name__ == '__main__':
    interrupts.leave(main())
