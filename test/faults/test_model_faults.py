# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A model that raises, wherever it does and whatever: the worker goes on and tells it."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not available: pip install .[kilted,test]')

from topreward_ros.errors import WorkerError
from topreward_ros.nodes.reward.scoring_requests import Frame
from topreward_ros.nodes.reward.scoring_worker import ScoringWorker
from topreward_ros.scoring.sampling import Sample
from topreward_ros.scoring.score import Score

from ..nodes.harness import Harness
from ..nodes.test_lifecycle import AUTOSTART, LEVEL_ERROR, LEVEL_OK, LEVEL_WARN
from ..nodes.test_scoring_worker import TIMEOUT, FakeExecutor

IMAGE = np.zeros((32, 32, 3), np.uint8)


class StrangeError(BaseException):
    """Of a library with ideas of its own."""


ERRORS = (RuntimeError(''), ValueError('a\nb'), SystemExit(3), KeyboardInterrupt(), StrangeError())
NAMES = [f'{type(error).__name__}-{error}' for error in ERRORS]


class FaultyModel:
    """A scorer whose method of this name raises while `error` is set; and its own episode."""

    def __init__(self, where: str, error: BaseException) -> None:
        self.where = where
        self.error: BaseException | None = error
        self.frames = 0
        self.asked_to_prepare = 0

    def _reach(self, where: str) -> None:
        if where == self.where and self.error is not None:
            raise self.error

    def start(self, _task: str) -> FaultyModel:
        self._reach('start')
        self.frames = 0
        return self

    def append(self, _image: np.ndarray, _time: float) -> None:
        self._reach('append')
        self.frames += 1

    def thin(self) -> None:
        self._reach('thin')

    def keep_last(self, count: int) -> None:
        self._reach('keep_last')

    def score(self) -> Score:
        self._reach('score')
        return Score(self.frames, -1.0)

    def prepare_thinning(self) -> bool:
        self.asked_to_prepare += 1
        self._reach('prepare')
        return False

    def close(self) -> None:
        self._reach('close')


@pytest.fixture
def worker() -> Iterator[ScoringWorker]:
    worker = ScoringWorker()
    yield worker
    for channel in list(worker._channels):
        assert channel.close(TIMEOUT)
    assert not worker.is_alive or worker._thread is None


def show(camera: FakeExecutor, time: float = 0.0) -> None:
    camera.channel.append(Frame(IMAGE, Sample(time, True, 0), None), 8)


# Kind: whatever is raised, wherever the worker meets the model.
@pytest.mark.parametrize('error', ERRORS, ids=NAMES)
@pytest.mark.parametrize('where', ['start', 'append', 'thin', 'score', 'close', 'release', 'load'])
def test_it_is_told_with_its_type_and_the_worker_goes_on(
    worker: ScoringWorker, monkeypatch: pytest.MonkeyPatch, where: str, error: BaseException
) -> None:
    camera, other = FakeExecutor(worker), FakeExecutor(worker)
    other.load(lambda: FaultyModel('', error))
    model = FaultyModel(where, error)

    def load() -> Any:
        model._reach('load')
        return model

    if where == 'release':
        monkeypatch.setattr('gc.collect', lambda: model._reach('release'))
    if where == 'load':
        with pytest.raises(Exception) as raised:
            camera.load(load)
        assert type(error).__name__ in f'{raised.typename}: {raised.value}'
        model.error = None
    camera.load(load)
    camera.begin('lift it')
    show(camera)
    if where in ('start', 'append', 'thin'):
        while not camera.failures:
            camera.spin_once()
    elif where == 'score':
        while not camera.skipped:
            camera.spin_once()
    for reason in camera.failures + camera.skipped:
        assert reason.startswith(type(error).__name__)
    if where in ('close', 'release'):
        camera.unload()
    model.error = None
    monkeypatch.undo()
    camera.load(lambda: FaultyModel('', error))
    for executor in (camera, other):
        executor.failures.clear()
        executor.begin('again')
        assert executor.score(IMAGE, 0.5) == -1.0
    assert camera.deaths == other.deaths == [] and worker.is_alive


@pytest.mark.parametrize('error', ERRORS, ids=NAMES)
def test_a_thinning_that_cannot_be_prepared_costs_no_score(
    worker: ScoringWorker, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    camera = FakeExecutor(worker)
    model = FaultyModel('prepare', error)
    camera.load(lambda: model)
    for asked in (1, 2):  # once in each of two episodes
        camera.begin('lift it')
        camera.results.clear()
        for k in range(4):
            sample = Sample(k / 2, thin=False, missed=0, is_near=k > 0)
            camera.channel.append(Frame(IMAGE, sample, None), 8)
            while len(camera.results) <= k:
                camera.spin_once()
        assert [result.score.frames for result in camera.results] == [1, 2, 3, 4]
        assert model.asked_to_prepare == asked
    assert camera.failures == camera.skipped == camera.deaths == []
    told = [record for record in caplog.records if 'cannot be prepared' in record.message]
    assert len(told) == 2 and type(error).__name__ in told[0].message


def test_a_thinning_is_prepared_while_nobody_waits(worker: ScoringWorker) -> None:
    camera, other = FakeExecutor(worker), FakeExecutor(worker)
    model = FaultyModel('', RuntimeError())
    camera.load(lambda: model)
    camera.begin('lift it')
    near = Sample(0.0, thin=False, missed=0, is_near=True)
    camera.channel.append(Frame(IMAGE, near, None), 8)
    camera.spin_once()
    camera.load(lambda: model)  # after what the step before has done
    assert model.asked_to_prepare == 1

    def wait() -> Score:
        other.channel.end()  # waits for its turn from now on
        return Score(1, -1.0)

    model.score = wait  # type: ignore[method-assign]
    camera.begin('lift it')
    camera.channel.append(Frame(IMAGE, near, None), 8)
    while len(camera.results) < 2:
        camera.spin_once()
    camera.load(lambda: model)
    assert model.asked_to_prepare == 1


def test_a_failed_score_is_skipped_and_the_next_one_counts_all_frames(
    worker: ScoringWorker,
) -> None:
    camera = FakeExecutor(worker)
    model = FaultyModel('score', RuntimeError('lost'))
    camera.load(lambda: model)
    camera.begin('lift it')
    for _ in range(2):
        show(camera)
        count = len(camera.skipped)
        while len(camera.skipped) == count:
            camera.spin_once()
    assert camera.skipped == ['RuntimeError: lost'] * 2 and not camera.results
    model.error = None
    camera.score(IMAGE, 1.0)
    assert [result.score.frames for result in camera.results] == [3]


@pytest.mark.parametrize(
    ('error', 'is_retried'),
    [
        (MemoryError(), True),
        (RuntimeError('CUDA out of memory. Tried to allocate 2 GiB'), True),
        (RuntimeError('CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate'), True),
        (RuntimeError('an illegal memory access was encountered'), False),
    ],
)
def test_without_memory_that_of_caches_is_given_back_once(
    worker: ScoringWorker, monkeypatch: pytest.MonkeyPatch, error: Exception, is_retried: bool
) -> None:
    camera = FakeExecutor(worker)
    model = FaultyModel('score', error)

    def release() -> None:
        model.error = None

    camera.load(lambda: model)
    camera.begin('lift it')
    monkeypatch.setattr('topreward_ros.scoring.loading.memory.release_memory', release)
    show(camera)
    while not camera.results and not camera.skipped:
        camera.spin_once()
    assert (len(camera.results), len(camera.skipped)) == ((1, 0) if is_retried else (0, 1))


# Kind: the thread itself is gone. Whoever waits is answered, and the next item starts another.
@pytest.mark.parametrize('error', [SystemExit(), StrangeError('odd')], ids=['exit', 'strange'])
def test_a_thread_that_ends_tells_every_camera(
    worker: ScoringWorker, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    one, two = FakeExecutor(worker), FakeExecutor(worker)
    both_wait = threading.Event()
    next_turn = worker._next_turn

    def end() -> Any:
        monkeypatch.setattr(worker, '_next_turn', next_turn)
        raise error

    def step() -> None:
        assert both_wait.wait(TIMEOUT)
        monkeypatch.setattr(worker, '_next_turn', end)

    answers: list[Any] = []
    one.channel.load(step, lambda *answer: answers.append(answer))
    two.channel.load(lambda: 1, lambda *answer: answers.append(answer))
    both_wait.set()
    while not one.deaths:
        one.spin_once()
    while not two.deaths:
        two.spin_once()
    (_, first), (_, second) = answers
    assert first is None and str(second) == two.deaths[0]
    name = type(error).__name__
    for reason in (*one.deaths, *two.deaths):
        assert reason.startswith(f'the scoring thread has ended: {name}')
    assert two.load(lambda: FaultyModel('', error)) is not None
    two.begin('again')
    assert two.score(IMAGE, 0.0) == -1.0


def test_a_thread_that_cannot_be_started(
    worker: ScoringWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the system allows no more of them: whoever asks is told, and may ask again."""
    camera = FakeExecutor(worker)

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, 'start', start)
        with pytest.raises(WorkerError, match="cannot be started: RuntimeError: can't start new"):
            camera.load(lambda: FaultyModel('', RuntimeError()))
        show(camera)
        while len(camera.deaths) < 2:
            camera.spin_once()
        assert not camera.channel.is_served
        assert camera.channel.waiting == 0
    camera.load(lambda: FaultyModel('', RuntimeError()))
    camera.begin('lift it')
    assert camera.score(IMAGE, 0.0) == -1.0


def run(harness: Harness, count: int) -> list[int]:
    """Show images until the node has published so many scores; return their frames."""
    harness.open_camera()
    harness.until(lambda: harness.fact('state') == 'active')
    time = 0.0
    while len(harness.progress) < count:
        harness.show(time)
        harness.spin(0.3)
        time += 0.5
    return [message.frames for message in harness.progress[:count]]


@pytest.mark.parametrize('error', ['RuntimeError', 'SystemExit', 'KeyboardInterrupt'])
def test_failed_scores_are_skipped_and_counted(launch: Any, error: str) -> None:
    faults = {'failing_scores': [2, 3], 'error': error}
    harness = launch(*AUTOSTART, '-p', 'task:=x', faults=faults)
    first, second = run(harness, 2)
    assert first == 1 and second >= 4  # the frames of the failed scores are in the next one
    assert harness.fact('scores failed') == '2'
    assert 'a score failed (2 in a row, 3 allowed)' in harness.output()
    harness.diagnosis('scoring', LEVEL_OK)
    assert harness.progress[-1].episode == 1 and math.isfinite(harness.progress[-1].log_prob)


def test_memory_that_is_short_once_costs_no_score(launch: Any) -> None:
    faults = {'failing_scores': [2], 'error': 'MemoryError'}
    harness = launch(*AUTOSTART, '-p', 'task:=x', faults=faults)
    assert run(harness, 3)[:2] == [1, 2]
    assert harness.fact('scores failed') == '0'
    assert 'trying again with the memory of caches' in harness.output()


@pytest.mark.parametrize(
    ('error', 'failing', 'reason'),
    [
        ('RuntimeError', [2, 3], '2 scores failed in a row: RuntimeError: the device is gone'),
        ('thread', [2], 'the scoring thread has ended: SystemExit'),
    ],
)
def test_a_model_that_is_lost_leads_to_the_error_state(
    launch: Any, error: str, failing: list[int], reason: str
) -> None:
    faults = {'failing_scores': failing, 'error': error}
    allowed = '-p', 'failures_allowed:=1'
    harness = launch(*AUTOSTART, *allowed, '-p', 'task:=x', faults=faults)
    run(harness, 1)
    harness.until(
        lambda: (
            harness.show(harness.node.get_clock().now().nanoseconds / 1e9 % 1e4)
            and harness.fact('state') == 'unconfigured'
        )
    )
    harness.diagnosis(reason, LEVEL_ERROR)
    assert not harness.start_episode().success
    assert harness.change('configure') and harness.change('activate')
    harness.progress.clear()
    run(harness, 1)
    harness.until(lambda: harness.health[-1].level in (LEVEL_OK, LEVEL_WARN))
    assert harness.process.interrupt() == 0
