# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One model for several threads: loaded once, used in turns, given up with its last user."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path

import pytest

from topreward_ros.scoring import shared
from topreward_ros.scoring.checkpoint import LoadOptions
from topreward_ros.scoring.errors import ModelError
from topreward_ros.scoring.factory import load_scorer
from topreward_ros.scoring.shared import load_shared
from topreward_ros.scoring.turns import Turns

from .test_streaming import TASKS, TOLERANCE, frames


def test_it_is_loaded_once_and_given_up(checkpoint_folder: Path) -> None:
    model = str(checkpoint_folder)
    one, same = load_shared(model), load_shared(model, LoadOptions())
    other = load_shared(model, max_pixels=64 * 64)
    assert one is same and other is not one
    assert model in one.summary and 'step by step' in one.summary
    del one, same, other
    gc.collect()
    assert not shared._loaded


def test_what_cannot_be_loaded_is_not_kept(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ModelError):
            load_shared(str(tmp_path / 'nothing'))


def test_threads_get_the_scores_they_would_get_alone(checkpoint_folder: Path) -> None:
    scorer, _ = load_scorer(str(checkpoint_folder))
    together = load_shared(str(checkpoint_folder))
    clip = frames((64, 64), 12)
    expected, found = {}, {}

    def watch(scorer: object, task: str, into: dict[str, list[float]]) -> None:
        episode = scorer.start(task)
        into[task] = []
        for k, frame in enumerate(clip):
            if k == 8:
                episode.thin()
            episode.append(frame, k / 2)
            into[task].append(episode.score().log_prob)
        episode.close()

    for task in TASKS:
        watch(scorer, task, expected)
    engine, running = together._scorer.engine, threading.Lock()
    run = engine.run

    def alone(*arguments: object) -> object:
        assert running.acquire(blocking=False), 'two at once'
        try:
            time.sleep(0.002)
            return run(*arguments)
        finally:
            running.release()

    engine.run = alone
    threads = [
        threading.Thread(target=watch, args=(together, task, found), daemon=True) for task in TASKS
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    for task in TASKS:
        assert len(found[task]) == len(clip), 'its thread did not end early'
        assert found[task] == pytest.approx(expected[task], abs=TOLERANCE)


def test_turns_are_taken_in_order() -> None:
    turns, taken = Turns(), []

    def take(number: int) -> None:
        with turns:
            taken.append(number)

    with turns:
        threads = []
        for number in range(8):
            threads.append(threading.Thread(target=take, args=(number,), daemon=True))
            threads[-1].start()
            while len(turns._waiting) < number + 2 and threads[-1].is_alive():
                time.sleep(0.001)
    for thread in threads:
        thread.join(10)
    assert taken == list(range(8))


def test_a_turn_ends_with_an_error() -> None:
    turns = Turns()
    with pytest.raises(RuntimeError), turns:
        raise RuntimeError
    with turns:
        pass


def test_who_gives_up_waiting_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns()

    def interrupted() -> None:
        raise KeyboardInterrupt

    with turns, monkeypatch.context() as patch:
        patch.setattr(turns._changed, 'wait', interrupted)
        with pytest.raises(KeyboardInterrupt), turns:
            pass
    with turns:
        pass
