# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What several tests share: a small random checkpoint in the published layout."""

from __future__ import annotations

import os
from pathlib import Path

# One thread for all that is small here, in this process and those it starts: pools of threads that
# spin for each other on a few cores have brought a run to a stand.
os.environ.setdefault('OMP_NUM_THREADS', '1')

# And no pool of threads to load a model of a few kilobytes, hundreds of times.
os.environ.setdefault('HF_DEACTIVATE_ASYNC_LOAD', '1')

import pytest
import torch

from test import torchvision_anywhere
from topreward_ros.demo.random_checkpoint import write_random_checkpoint
from topreward_ros.scoring.loading.checkpoint import Checkpoint, load_checkpoint

torchvision_anywhere.install()
os.environ.setdefault('HF_HUB_OFFLINE', '1')
torch.set_num_threads(int(os.environ['OMP_NUM_THREADS']))


@pytest.fixture(scope='session')
def checkpoint_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('checkpoints') / 'tiny'
    write_random_checkpoint(folder)
    return folder


@pytest.fixture(scope='session')
def checkpoint(checkpoint_folder: Path) -> Checkpoint:
    return load_checkpoint(str(checkpoint_folder))
