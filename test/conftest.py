# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parallel test processes, and shared fixtures: a small random checkpoint."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

# One thread is enough for small models, in this process and its children: several thread pools that
# busy-wait on a few cores have stalled whole runs.
os.environ.setdefault('OMP_NUM_THREADS', '1')

# No thread pool to load a model of a few kilobytes hundreds of times
os.environ.setdefault('HF_DEACTIVATE_ASYNC_LOAD', '1')

import pytest
import torch

from test import torchvision_anywhere
from test.shared_memory import remove_abandoned
from topreward_ros.demo.random_checkpoint import write_random_checkpoint
from topreward_ros.scoring.loading.checkpoint import Checkpoint, load_checkpoint
from topreward_ros.scoring.loading.options import LoadOptions

torchvision_anywhere.install()
os.environ.setdefault('HF_HUB_OFFLINE', '1')
torch.set_num_threads(int(os.environ['OMP_NUM_THREADS']))


MAX_WORKERS = 4  # each with its own torch and nodes, about 1 GB


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        '--device',
        default='cpu',
        help='device of the models in the fixtures, in float32; with the default, a GPU is hidden '
        'from all tests and their processes, as auto would mean bfloat16 on it',
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption('--device') == 'cpu':
        os.environ['CUDA_VISIBLE_DEVICES'] = ''


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run the whole suite on several cores, a file at a time, unless options say otherwise.

    A selected part of it runs in this process, where a debugger can be used. These options are not
    in addopts: pytest would reject them without xdist, or with -p no:xdist.
    """
    options = config.option
    if getattr(options, 'numprocesses', 0) is not None or hasattr(config, 'workerinput'):
        return
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    workers = min(MAX_WORKERS, len(os.sched_getaffinity(0)))
    if workers > 1 and not options.usepdb:
        options.numprocesses, options.dist = workers, 'loadfile'


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not hasattr(session.config, 'workerinput'):
        remove_abandoned()


@pytest.fixture(scope='session')
def checkpoint_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('checkpoints') / 'tiny'
    write_random_checkpoint(folder)
    return folder


@pytest.fixture(scope='session', autouse=True)
def plain_numbers(device: str) -> Iterator[None]:
    """On a GPU as on a CPU, what tests load with dtype auto is in float32."""
    with pytest.MonkeyPatch.context() as patch:
        if device != 'cpu':
            patch.setattr(torch.cuda, 'is_bf16_supported', lambda: False)
        yield


@pytest.fixture(scope='session')
def device(pytestconfig: pytest.Config) -> str:
    return str(pytestconfig.getoption('--device'))


@pytest.fixture(scope='session')
def checkpoint(checkpoint_folder: Path, device: str) -> Checkpoint:
    """Frames in their own shape, so that all shapes of grids are tried."""
    options = LoadOptions(str(checkpoint_folder), device, 'float32', frame_fit='aspect')
    return load_checkpoint(options)


if importlib.util.find_spec('rclpy') and importlib.util.find_spec('topreward_ros.msg'):
    # Here, as nodes are shared by folders of tests
    from .live_nodes import (  # noqa: F401
        active,
        defaults,
        launch,
        quick,
        ros,
        shared_process,
        unconfigured,
    )
