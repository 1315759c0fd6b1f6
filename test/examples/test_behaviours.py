# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Conditions of py_trees in trees, over DDS."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

py_trees = pytest.importorskip('py_trees', reason='py_trees is not installed: pip install py_trees')

from py_trees.common import Status

from .example_files import load_example
from .talker import Talker

behaviours = load_example('behaviours')


@pytest.fixture
def talker() -> Iterator[Talker]:
    talker = Talker()
    yield talker
    talker.close()


def planted(talker: Talker, behaviour: Any) -> Any:
    """Return a tree of one behaviour, whose topic is connected."""
    tree = py_trees.trees.BehaviourTree(behaviour)
    tree.setup(node=talker)
    is_progress = isinstance(behaviour, behaviours.ProgressStalled)
    talker.meet(progress=is_progress, success=not is_progress)
    return tree


def status(tree: Any) -> Status:
    tree.tick()
    return tree.root.status


def test_success_is_waited_for(talker: Talker) -> None:
    tree = planted(talker, behaviours.SucceededWithin(60.0))
    assert status(tree) == status(tree) == Status.RUNNING
    talker.succeed(episode=5)
    talker.until(lambda: status(tree) == Status.SUCCESS)
    assert tree.root.feedback_message == 'episode 5: Close the drawer.'


def test_a_success_of_before_does_not_count(talker: Talker) -> None:
    behaviour = behaviours.SucceededWithin(60.0)
    tree = planted(talker, behaviour)
    talker.succeed()
    talker.until(lambda: behaviour._success)
    assert status(tree) == Status.RUNNING


def test_time_is_up_without_success(talker: Talker) -> None:
    tree = planted(talker, behaviours.SucceededWithin(0.2))
    assert status(tree) == Status.RUNNING
    talker.until(lambda: status(tree) != Status.RUNNING)
    assert tree.root.status == Status.FAILURE and tree.root.feedback_message == 'time is up'


def test_a_stall_and_its_end(talker: Talker) -> None:
    tree = planted(talker, behaviours.ProgressStalled(3.0, rise=0.1))
    assert status(tree) == Status.FAILURE, 'nothing is known'
    for k in range(3):
        talker.say(0.4, stamp=k)
    assert status(tree) == Status.FAILURE
    talker.say(0.4, stamp=3.0)
    talker.until(lambda: status(tree) == Status.SUCCESS)
    talker.say(math.nan, stamp=3.5)
    talker.say(0.6, stamp=4.0)
    talker.until(lambda: status(tree) == Status.FAILURE)


def test_another_episode_and_a_finished_scene_are_no_stall(talker: Talker) -> None:
    tree = planted(talker, behaviours.ProgressStalled(3.0))
    for k in range(5):
        talker.say(0.4, stamp=k)
    talker.until(lambda: status(tree) == Status.SUCCESS)
    talker.say(0.4, stamp=5.0, episode=2)
    talker.until(lambda: status(tree) == Status.FAILURE)
    for k in range(6, 10):
        talker.say(0.4, stamp=k, episode=2)
    talker.until(lambda: status(tree) == Status.SUCCESS)
    talker.say(0.4, stamp=10.0, episode=2, scene=2)
    talker.until(lambda: status(tree) == Status.FAILURE)
    talker.say(0.4, stamp=11.0, episode=2, scene=250)  # of a stranger
    talker.until(lambda: status(tree) == Status.SUCCESS)


@pytest.mark.parametrize('seconds', [0.0, -1.0, math.nan, math.inf])
def test_a_time_that_is_none(seconds: float) -> None:
    for kind in (behaviours.SucceededWithin, behaviours.ProgressStalled):
        with pytest.raises(ValueError, match='expected a number above 0'):
            kind(seconds)


def test_a_tree_without_a_node_is_told() -> None:
    tree = py_trees.trees.BehaviourTree(behaviours.SucceededWithin(1.0))
    with pytest.raises(KeyError, match='node'):
        tree.setup()
