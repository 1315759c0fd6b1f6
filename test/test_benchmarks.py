# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmarks run, in a small form; how fast anything is, is not a test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(module: str, file: Path, *arguments: str) -> dict:
    command = [sys.executable, '-m', f'benchmarks.{module}', *arguments, '--json', str(file)]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(file.read_text(encoding='utf-8'))


def test_live_step(tmp_path: Path) -> None:
    arguments = ('--shape', 'tiny', '--lengths', '2', '4', '--repeats', '1')
    result = run('live_step', tmp_path / 'live_step.json', *arguments)
    assert [row['frames'] for row in result['rows']] == [2, 4]
    for row in result['rows']:
        assert row['streaming_ms'] > 0 and row['recompute_ms'] > 0
        assert row['max_difference_nat'] <= 1e-4


def test_camera_path(tmp_path: Path) -> None:
    pytest.importorskip('rclpy', reason='ROS 2 is not here: pip install .[kilted,test]')
    arguments = ('--seconds', '3', '--warm-up', '0', '--rounds', '1', '--sizes', '64x48')
    result = run('camera_path', tmp_path / 'camera_path.json', *arguments)
    shares = {row['contender']: row['share_percent'] for row in result['rows']}
    assert len(shares) >= 5 and all(share > 0 for share in shares.values())
    kept = [row['kept_hz'] for row in result['rows'] if row['contender'] == 'the node']
    assert kept and kept[0] == pytest.approx(2, abs=1)
