# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node: a camera and a task in, Progress and SuccessDetected out."""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.exceptions import InvalidHandle
from rclpy.task import Future
from std_msgs.msg import String
from std_srvs.srv import Trigger

from topreward_ros.msg import Progress, SuccessDetected

from ..offline.calibration_file import CalibrationError, read_calibration
from ..reward.calibration import Calibration
from ..scoring.memory import memory_in_use
from ..scoring.score import Scorer
from .diagnostics import OK, diagnostic_array
from .live_scoring import LiveScoring
from .managed_node import ManagedNode, run
from .middleware import apply_image_profile
from .parameters import Parameters
from .qos import RESULT, TASK
from .rclpy_versions import on_incompatible_qos, steady_clock
from .scoring_thread import Scored, ScoringThread
from .settings import Settings

if TYPE_CHECKING:
    from ..scoring.identity import Identity

NAME = 'topreward'
UNUSED: Any = None  # the state that publishers are told and do not look at


class RewardNode(ManagedNode):
    """Configuring loads the model, and while the node is active it scores."""

    def __init__(self, **options: Any) -> None:
        """Raises rclpy's exceptions, or ValueError, for parameters that make no sense."""
        super().__init__(NAME, **options)
        self._read_settings = Parameters(
            self, Settings, lambda: self.state, self._check_reading
        ).read
        settings = self._read_settings()
        self._model: LoadedModel | None = None
        self._calibration: Calibration | None = None
        self._live: LiveScoring | None = None
        self._task_subscription: Any = None
        self._calls: deque[Callable[[], None]] = deque()
        self._wake = self.create_guard_condition(self._make_calls)
        self._thread = ScoringThread(self._post, self._on_scored, self._on_failed)
        self._results = {
            Progress: self.create_lifecycle_publisher(Progress, '~/progress', RESULT),
            SuccessDetected: self.create_lifecycle_publisher(
                SuccessDetected, '~/success_detected', RESULT
            ),
        }
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', RESULT)
        self.create_service(Trigger, '~/start_episode', self._on_start_episode)
        self.create_timer(settings.diagnostics_period, self._diagnose, clock=steady_clock())

    def _check_reading(self, settings: Settings) -> None:
        """ValueError where the calibration in use cannot be read as the settings ask."""
        if self._calibration is not None:
            settings.reward.start(self._calibration)

    # Transitions

    async def configure(self) -> None:
        settings = self._read_settings()
        self.get_logger().info(f'loading {settings.model} ...')
        loaded = self._future()
        calibration = None
        if settings.calibration:
            calibration = read_calibration(Path(settings.calibration))
            settings.reward.start(calibration)  # ValueError, before the model is loaded
        make_scorer = partial(_make_fitting_scorer, settings, calibration)
        self._thread.load(make_scorer, partial(_settle, loaded))
        model = cast(LoadedModel, await loaded)
        self._model, self._calibration = model, calibration
        self.get_logger().info(f'{model.summary}; {_memory()}')

    async def activate(self) -> None:
        try:
            self._start()
        except Exception:  # nothing half-started stays behind
            self._stop()
            raise

    def _start(self) -> None:
        if self._calibration is not None and self._model is not None:
            _check_calibration(self._calibration, self._model, self._read_settings())
        for publisher in self._results.values():
            publisher.on_activate(UNUSED)
        self._live = LiveScoring(
            self, self._thread, self._read_settings, self._publish, self._calibration
        )
        self._task_subscription = self.create_subscription(
            String,
            '~/task',
            self._on_task,
            TASK,
            event_callbacks=on_incompatible_qos(self._on_incompatible_task),
        )
        self.get_logger().info(f'watching {self._live.camera.topic}')

    async def deactivate(self) -> None:
        self._stop()

    async def cleanup(self) -> None:
        await self._unload()

    async def release(self) -> None:
        self._stop()
        await self._unload()

    def close(self) -> None:
        """End the scoring thread; the node is of no use afterwards."""
        self._stop()
        if not self._thread.close():
            self.get_logger().error('the model did not stop in time')

    def _stop(self) -> None:
        if self._live is not None:
            self._live.close()
            self._live = None
        if self._task_subscription is not None:
            self.destroy_subscription(self._task_subscription)
            self._task_subscription = None
        for publisher in self._results.values():
            publisher.on_deactivate(UNUSED)

    async def _unload(self) -> None:
        unloaded = self._future()
        self._thread.unload(partial(_settle, unloaded))
        await unloaded
        self._model = None
        self._calibration = None
        self.get_logger().info(f'no model is loaded; {_memory()}')

    # Messages

    def _on_task(self, message: String) -> None:
        if self._live is not None:
            self._live.take_task(message.data)

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

    def _publish(self, message: Progress | SuccessDetected) -> None:
        self._results[type(message)].publish(message)

    def _on_scored(self, scored: Scored) -> None:
        if self._live is not None:
            self._live.on_scored(scored)

    def _on_failed(self, episode: int, error: Exception) -> None:
        if self._live is not None:
            self._live.on_failed(episode, error)

    def _diagnose(self) -> None:
        values: dict[str, object] = {
            'state': self.state,
            'model': self._model.summary if self._model else 'none',
            'memory': _memory(),
        }
        if self._calibration is not None:
            values['calibration'] = self._read_settings().calibration
        level, message = OK, self.state
        if self._live is not None:
            level, message = self._live.health()
            values |= self._live.facts()
        stamp, name = self.get_clock().now().to_msg(), f'{self.get_fully_qualified_name()}: reward'
        self._diagnostics.publish(diagnostic_array(stamp, name, level, message, values))

    # The way back from the scoring thread

    def _post(self, call: Callable[[], None]) -> None:
        self._calls.append(call)
        with contextlib.suppress(InvalidHandle):  # when the node is gone already
            self._wake.trigger()

    def _make_calls(self) -> None:
        while self._calls:
            self._calls.popleft()()

    def _future(self) -> Future[Any]:
        return Future(executor=self.executor)


def _settle(future: Future[Any], result: Any, error: Exception | None) -> None:
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


@dataclass(frozen=True)
class LoadedModel:
    """What the scoring thread holds."""

    summary: str
    identity: Identity


def _check_calibration(calibration: Calibration, model: LoadedModel, settings: Settings) -> None:
    identity = model.identity
    obstacle = calibration.obstacle(identity.fingerprint, identity.layout, settings.fps)
    if obstacle:
        raise CalibrationError(
            f'{settings.calibration} does not hold here: {obstacle}. Calibrate anew, or set what '
            'it was made with'
        )


def _make_fitting_scorer(
    settings: Settings, calibration: Calibration | None
) -> tuple[Scorer, LoadedModel]:
    scorer, model = _make_scorer(settings)
    if calibration is not None:
        _check_calibration(calibration, model, settings)
    return scorer, model


def _make_scorer(settings: Settings) -> tuple[Scorer, LoadedModel]:
    # Imported in the scoring thread: transformers takes seconds, and the node is there before.
    from ..scoring.checkpoint import LoadOptions
    from ..scoring.shared import load_shared

    options = LoadOptions(
        settings.device,
        settings.dtype,
        settings.attention,
        settings.quantization,
        settings.adapter or None,
    )
    scorer = load_shared(settings.model, options, settings.scorer, settings.max_pixels)
    if settings.warm_up:
        width, height = settings.warm_up
        scorer.warm_up(height, width, settings.max_frames)
    return scorer, LoadedModel(scorer.summary, scorer.identity)


def _memory() -> str:
    used, where = memory_in_use()
    return f'{used / 2**20:.0f} MiB {where}'


def main(args: list[str] | None = None, *others: dict[str, Any], **options: Any) -> int:
    """Run the node until it is interrupted; 1 if it could not start. options are a Node's.

    others are the options of more nodes in this process, which share the model where they ask for
    the same one.
    """
    apply_image_profile()
    return run([partial(RewardNode, **each) for each in (options, *others)], args)


if __name__ == '__main__':
    sys.exit(main())
