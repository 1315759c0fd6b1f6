# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several cameras in one process: a node for each, and one model for all."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from topreward_ros.nodes.reward.loading import load_fitting_scorer
from topreward_ros.nodes.reward.settings import RewardSettings

from .harness import Harness, NodeProcess

TASKS = ('Put the block into the cup.', 'Close the drawer.')


@pytest.fixture
def nodes(checkpoint_folder: Path, tmp_path: Path) -> Iterator[list[Harness]]:
    cameras = ('/two/left/image_raw', '/two/right/image_raw')
    arguments = [part for camera in cameras for part in ('--camera', camera)]
    process = NodeProcess(
        tmp_path / 'nodes.log',
        *('run', '--namespace', '/two', *arguments, '--model', str(checkpoint_folder)),
        *('--set', 'diagnostics_period=0.1'),
        command=['topreward_ros.commands.main'],
    )
    harnesses = [
        Harness(process, f'/two/topreward_{number}', camera)
        for number, camera in enumerate(cameras, start=1)
    ]
    yield harnesses
    process.close()
    for node in harnesses:
        node.close()


@pytest.mark.slow
def test_each_is_scored(nodes: list[Harness]) -> None:
    for node, task in zip(nodes, TASKS, strict=True):
        node.until(lambda node=node: node.state() == 'active', 60)
        node.open_camera()
        node.ask(task)
    for step in range(4):
        for node, task in zip(nodes, TASKS, strict=True):
            progress = node.score(step / 2)
            assert progress.task == task and progress.frames == step + 1
    assert nodes[0].process.interrupt() == 130


def test_nodes_of_a_process_get_the_same_model(checkpoint_folder: Path) -> None:
    settings = RewardSettings(model=str(checkpoint_folder))
    one, same = (load_fitting_scorer(settings, None) for _ in range(2))
    assert one is same
    other = load_fitting_scorer(dataclasses.replace(settings, max_pixels=4096), None)
    assert other is not one
