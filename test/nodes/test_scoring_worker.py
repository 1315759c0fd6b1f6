# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The scoring worker: one thread, models loaded once, cameras served in turn."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from topreward_ros.errors import ModelError, WorkerError
from topreward_ros.nodes.reward.channel import Channel
from topreward_ros.nodes.reward.scoring_requests import EpisodeRequest, Frame, ScoringResult
from topreward_ros.nodes.reward.scoring_worker import ScoringWorker
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.sampling import Sample

from ..scoring.test_streaming import TASKS, TOLERANCE, frames

TIMEOUT = 60.0  # [s]


class FakeExecutor:
    """A camera's side of the worker: queues the calls of the worker and makes them."""

    def __init__(self, worker: ScoringWorker) -> None:
        self._arrived = threading.Semaphore(0)
        self._calls: list[Callable[[], None]] = []
        self.results: list[ScoringResult] = []
        self.skipped: list[str] = []
        self.failures: list[str] = []
        self.deaths: list[str] = []
        self.answers: list[tuple[Any, Exception | None]] = []
        self.channel: Channel = worker.open(self._post, self.deaths.append)

    def _post(self, call: Callable[[], None]) -> None:
        self._calls.append(call)
        self._arrived.release()

    def spin_once(self) -> None:
        assert self._arrived.acquire(timeout=TIMEOUT), 'the worker did not respond'
        self._calls.pop(0)()

    def load(self, load: Callable[[], Any]) -> Any:
        self.channel.load(load, lambda *answer: self.answers.append(answer))
        return self._answer()

    def unload(self) -> None:
        self.channel.unload(lambda *answer: self.answers.append(answer))
        self._answer()

    def _answer(self) -> Any:
        while not self.answers:
            self.spin_once()
        result, error = self.answers.pop()
        if error is not None:
            raise error
        return result

    def begin(self, task: str) -> None:
        callbacks = self.results.append, self.skipped.append, self.failures.append
        self.channel.begin(EpisodeRequest(task, *callbacks))

    def score(self, image: np.ndarray, time: float, thin: bool = False) -> float:
        count = len(self.results)
        assert self.channel.append(Frame(image, Sample(time, thin, 0), None), 8)
        while len(self.results) == count:
            assert not self.failures, self.failures
            self.spin_once()
        value = self.results[-1].score.log_prob
        assert value is not None
        return value


@pytest.fixture
def worker() -> Iterator[ScoringWorker]:
    worker = ScoringWorker()
    yield worker
    for channel in list(worker._channels):
        assert channel.close(TIMEOUT)


def test_a_model_is_loaded_once_and_given_up(worker: ScoringWorker, checkpoint_folder) -> None:
    options = LoadOptions(str(checkpoint_folder))
    one, two = FakeExecutor(worker), FakeExecutor(worker)
    first = one.load(partial(worker.scorer, options))
    same = two.load(partial(worker.scorer, LoadOptions(str(checkpoint_folder))))
    other = two.load(partial(worker.scorer, LoadOptions(str(checkpoint_folder), max_pixels=4096)))
    assert first is same and other is not first
    assert str(checkpoint_folder) in first.summary and 'step by step' in first.mode
    del first, same, other
    for executor in (one, two):
        executor.unload()
    gc.collect()
    assert not worker._scorers


def test_what_cannot_be_loaded_is_not_kept(worker: ScoringWorker, tmp_path: Path) -> None:
    executor = FakeExecutor(worker)
    for _ in range(2):
        with pytest.raises(ModelError):
            executor.load(partial(worker.scorer, LoadOptions(str(tmp_path / 'nothing'))))
    assert not worker._scorers


def test_cameras_get_the_scores_they_would_get_alone(
    worker: ScoringWorker, checkpoint_folder
) -> None:
    options = LoadOptions(str(checkpoint_folder))
    clip = frames((64, 64), 12)
    expected: dict[str, list[float]] = {}
    alone = load_scorer(options)
    for task in TASKS:
        episode = alone.start(task)
        expected[task] = []
        for k, frame in enumerate(clip):
            if k == 8:
                episode.thin()
            episode.append(frame, k / 2)
            expected[task].append(episode.score().log_prob)
        episode.close()
    executors = {task: FakeExecutor(worker) for task in TASKS}
    running = threading.Lock()
    for executor in executors.values():
        scorer = executor.load(partial(worker.scorer, options))
    run = scorer.engine.run

    def one_at_a_time(*arguments: object) -> object:
        assert running.acquire(blocking=False), 'two at once'
        try:
            time.sleep(0.002)
            return run(*arguments)
        finally:
            running.release()

    scorer.engine.run = one_at_a_time
    scores: dict[str, list[float]] = {task: [] for task in TASKS}

    def watch(task: str) -> None:
        executors[task].begin(task)
        for k, frame in enumerate(clip):
            scores[task].append(executors[task].score(frame, k / 2, thin=k == 8))

    threads = [threading.Thread(target=watch, args=(task,), daemon=True) for task in TASKS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
        assert not thread.is_alive()
    for task in TASKS:
        assert len(scores[task]) == len(clip), 'its thread did not end early'
        assert scores[task] == pytest.approx(expected[task], abs=TOLERANCE)


def test_turns_are_taken_in_the_order_of_asking(worker: ScoringWorker) -> None:
    """A busy camera is queued behind the others after each of its steps."""
    executors = [FakeExecutor(worker) for _ in range(4)]
    gate, steps = threading.Event(), []
    executors[0].channel.load(lambda: gate.wait(TIMEOUT), lambda *_: None)
    time.sleep(0.05)  # the worker is busy: from now on all others wait

    def step(number: int) -> None:
        steps.append(number)
        if number == 0 and steps.count(0) < 3:  # busy: the next call is queued immediately
            executors[0].channel.load(partial(step, 0), lambda *_: None)

    for number, executor in enumerate(executors):
        executor.channel.load(partial(step, number), lambda *_: None)
    gate.set()
    deadline = time.monotonic() + TIMEOUT
    while len(steps) < 6 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert steps == [0, 1, 2, 3, 0, 0]


def test_an_error_ends_the_turn_and_no_more(worker: ScoringWorker) -> None:
    def fail() -> None:
        raise RuntimeError('no luck')

    executor, other = FakeExecutor(worker), FakeExecutor(worker)
    for _ in range(2):
        with pytest.raises(RuntimeError, match='no luck'):
            executor.load(fail)
    assert other.load(lambda: 5) == 5


class UnclosableEpisode:
    """An episode of a model that fails, then fails again while it is closed."""

    frames = 0

    def append(self, _image: np.ndarray, _time: float) -> None:
        raise RuntimeError('device lost')

    def close(self) -> None:
        raise RuntimeError('device lost, again')


class UnclosableScorer:
    def start(self, _task: str) -> UnclosableEpisode:
        return UnclosableEpisode()


@pytest.mark.parametrize('how', ['append', 'begin', 'end', 'unload', 'close'])
def test_an_episode_that_cannot_be_closed_stops_nobody_else(
    worker: ScoringWorker, checkpoint_folder, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    """Whatever drops the episode: the thread goes on, and its camera can begin again."""
    bad, good = FakeExecutor(worker), FakeExecutor(worker)
    good.load(partial(worker.scorer, LoadOptions(str(checkpoint_folder))))
    bad.load(UnclosableScorer)
    good.begin('lift it')
    bad.begin('lift it')
    image = frames((64, 64), 1)[0]
    good.score(image, 0.0)
    if how == 'append':
        bad.channel.append(Frame(image, Sample(0.0, False, 0), None), 8)
        while not bad.failures:
            bad.spin_once()
        assert bad.failures == ['RuntimeError: device lost']
    elif how == 'begin':
        bad.begin('again')
    elif how == 'end':
        bad.channel.end()
    elif how == 'unload':
        bad.unload()
    else:
        assert bad.channel.close(TIMEOUT)
    good.score(image, 0.5)
    assert 'an episode could not be closed' in caplog.text
    if how != 'close':
        bad.load(partial(worker.scorer, LoadOptions(str(checkpoint_folder))))
        bad.failures.clear()
        bad.begin('lift it')
        bad.score(image, 0.0)


def test_a_step_that_fails_unexpectedly_stops_nobody_else(
    worker: ScoringWorker, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = FakeExecutor(worker), FakeExecutor(worker)

    def post(_call: Callable[[], None]) -> None:
        raise RuntimeError('no executor')

    bad.channel._post = post
    bad.channel.load(lambda: 1, lambda *_: None)
    assert good.load(lambda: 2) == 2
    assert 'no executor' in caplog.text


def test_an_idle_worker_holds_no_image(worker: ScoringWorker) -> None:
    executor = FakeExecutor(worker)
    image = np.zeros((8, 8, 3), np.uint8)
    reference = weakref.ref(image)
    executor.channel.append(Frame(image, Sample(0.0, False, 0), None), 8)
    del image
    executor.load(lambda: 1)
    deadline = time.monotonic() + TIMEOUT
    while reference() is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert reference() is None


def test_a_closed_channel_ignores_frames_and_refuses_models(worker: ScoringWorker) -> None:
    executor, other = FakeExecutor(worker), FakeExecutor(worker)
    assert executor.channel.close(TIMEOUT)
    executor.begin('lift it')
    executor.channel.append(Frame(np.zeros((8, 8, 3), np.uint8), Sample(0.0, False, 0), None), 1)
    assert executor.channel.waiting == 0
    for action in (executor.unload, partial(executor.load, lambda: 1)):
        with pytest.raises(WorkerError, match='closed'):
            action()
    assert executor.channel.close(TIMEOUT)
    assert other.load(lambda: 2) == 2


def test_who_closes_is_served_first(worker: ScoringWorker) -> None:
    busy, waiting, closing = (FakeExecutor(worker) for _ in range(3))
    gate, order = threading.Event(), []
    busy.channel.load(lambda: gate.wait(TIMEOUT), lambda *_: None)
    time.sleep(0.05)  # the worker is busy: from now on all others wait
    waiting.channel.load(partial(order.append, 'loaded'), lambda *_: None)
    thread = threading.Thread(
        target=lambda: order.append('closed') if closing.channel.close(TIMEOUT) else None
    )
    thread.start()
    while not closing.channel.inbox._items:
        time.sleep(0.01)
    release = worker.remove

    def slow_release(channel: Channel) -> None:
        release(channel)
        order.append('removed')

    worker.remove = slow_release
    gate.set()
    thread.join(TIMEOUT)
    waiting.load(lambda: 1)
    assert order.index('removed') < order.index('loaded')


def test_the_thread_ends_with_its_last_camera_and_begins_anew() -> None:
    worker = ScoringWorker()
    one, other = FakeExecutor(worker), FakeExecutor(worker)
    assert one.load(lambda: 0) == 0
    thread = worker._thread
    assert one.channel.close(TIMEOUT) and thread is not None and thread.is_alive()
    assert other.load(lambda: 1) == 1
    assert other.channel.close(TIMEOUT)
    thread.join(TIMEOUT)
    assert not thread.is_alive()
    again = FakeExecutor(worker)
    assert again.load(lambda: 2) == 2
    assert again.channel.close(TIMEOUT)


def test_who_closes_does_not_wait_for_a_model_that_takes_long() -> None:
    worker = ScoringWorker()
    executor, gate = FakeExecutor(worker), threading.Event()
    executor.channel.load(lambda: gate.wait(TIMEOUT), lambda *_: None)
    assert not executor.channel.close(0.1)
    gate.set()


def test_a_closing_channel_drops_what_waits() -> None:
    worker = ScoringWorker()
    executor, gate, made = FakeExecutor(worker), threading.Event(), []
    executor.channel.load(lambda: gate.wait(TIMEOUT), lambda *_: None)
    time.sleep(0.05)  # taken up: what follows waits
    executor.channel.load(lambda: made.append(1), lambda *_: None)
    closing = threading.Thread(target=executor.channel.close, args=(TIMEOUT,))
    closing.start()
    time.sleep(0.05)
    gate.set()
    closing.join(TIMEOUT)
    assert not closing.is_alive() and made == []
