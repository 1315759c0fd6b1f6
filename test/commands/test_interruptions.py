# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A killed run is continued by the next one, with the same results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from topreward_ros.demo.drawing import film
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.results.video import write_image_bag

from ..recordings.lerobot_builder import draw, write_v30

ROUNDS = os.environ.get('INTERRUPTIONS', '5')


@pytest.mark.slow
def test_killed_runs_are_continued(tmp_path: Path) -> None:
    episode = SceneEpisode(3, 'success')
    write_image_bag(
        tmp_path / 'a_bag', film(episode, 8.0, 64, 64), 8.0, episode.task.say(), '/image'
    )
    dataset = tmp_path / 'dataset'
    write_v30(dataset, draw()[:2])
    command = [sys.executable, '-m', 'test.commands.interrupted_scoring']
    result = subprocess.run(
        [*command, str(tmp_path / 'out'), ROUNDS, str(tmp_path / 'a_bag'), str(dataset)],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout.splitlines()[-1])
    assert summary['different'] == [] and summary['killed'] == int(ROUNDS)
    files = set(summary['files'])
    assert {'a_bag/scores.csv', 'a_bag/overlay.mp4', 'a_bag/bag/metadata.yaml'} < files
    assert {'dataset/topreward_progress.parquet', 'dataset/episode_000001/scores.csv'} < files
