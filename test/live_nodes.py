# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures of tests with real nodes: a ROS domain for every test run, and the nodes to test."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy

from .domains import NODES_DOMAIN

# Set before rclpy reads it, and inherited by child processes
os.environ['ROS_DOMAIN_ID'] = str(NODES_DOMAIN)
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'

from topreward_ros.nodes.common.parameter_table import Change
from topreward_ros.nodes.reward.settings import DESCRIPTIONS, RewardSettings

from .nodes.harness import Harness, NodeProcess

QUICK = {'diagnostics_period': 0.1, 'stale_after': 0.5}


@pytest.fixture(scope='session')
def ros() -> Iterator[None]:
    rclpy.init()
    yield
    rclpy.shutdown()


@pytest.fixture(scope='session')
def quick(checkpoint_folder: Path) -> tuple[str, ...]:
    """Arguments of a node with the small model and frequent diagnostics."""
    values = {'model': checkpoint_folder, **QUICK}
    return tuple(part for name, value in values.items() for part in ('-p', f'{name}:={value}'))


@pytest.fixture(scope='session')
def defaults(checkpoint_folder: Path) -> dict[str, Any]:
    """The initial values of those parameters of the shared node that can change."""
    values = {**dataclasses.asdict(RewardSettings()), 'model': str(checkpoint_folder), **QUICK}
    return {
        name: value
        for name, value in values.items()
        if DESCRIPTIONS[name].change is not Change.NEVER
    }


@pytest.fixture(scope='session')
def shared_process(quick: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory):
    process = NodeProcess(tmp_path_factory.mktemp('shared') / 'node.log', *quick)
    yield process
    process.close()


@pytest.fixture
def unconfigured(shared_process: NodeProcess, defaults: dict[str, Any]) -> Iterator[Harness]:
    """The shared node, unconfigured; its state and parameters are restored afterwards."""
    harness = Harness(shared_process)
    yield harness
    for transition in ('deactivate', 'cleanup'):
        if harness.state() in ('active', 'inactive'):
            harness.change(transition)
    assert harness.set(**defaults) == ''
    harness.close()


@pytest.fixture
def active(unconfigured: Harness) -> Harness:
    """The shared node, active, with a camera and without a task."""
    assert unconfigured.change('configure') and unconfigured.change('activate')
    unconfigured.open_camera()
    unconfigured.progress.clear()
    return unconfigured


@pytest.fixture
def launch(quick: tuple[str, ...], tmp_path: Path) -> Iterator[Any]:
    """Start separate nodes in the namespace /own, beside the shared one."""
    harnesses: list[Harness] = []

    def start(
        *arguments: str, faults: dict[str, Any] | None = None, camera: str = '/own/image'
    ) -> Harness:
        everything = (*quick, '-r', '__ns:=/own', *arguments)
        process = NodeProcess(tmp_path / 'node.log', *everything, faults=faults)
        harnesses.append(Harness(process, '/own/topreward', camera))
        return harnesses[-1]

    yield start
    for harness in harnesses:
        harness.process.close()
        harness.close()
