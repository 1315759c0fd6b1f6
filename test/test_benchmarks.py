# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmarks run with small settings; their speed is not tested."""

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


def test_curve(tmp_path: Path) -> None:
    arguments = ('--shape', 'tiny', '--lengths', '3', '17', '--repeats', '1')
    rows = run('curve', tmp_path / 'curve.json', *arguments)['rows']
    assert [(row['frames'], row['kind']) for row in rows] == [
        (frames, kind) for frames in (3, 17) for kind in ('anchored', 'dense')
    ]
    assert all(row['ratio'] > 0 and row['max_difference_nat'] <= 1e-4 for row in rows)


@pytest.mark.slow
def test_floor(tmp_path: Path) -> None:
    arguments = ('--shape', 'tiny', '--lengths', '4', '--repeats', '1')
    (row,) = run('floor', tmp_path / 'floor.json', *arguments)['rows']
    assert row['ratio'] > 1, 'nothing is quicker than its floor'


def test_many_episodes(tmp_path: Path) -> None:
    arguments = ('--size', '64x64', '--episodes', '12', '--frames', '4')
    rows = run('many_episodes', tmp_path / 'many_episodes.json', *arguments)['rows']
    assert [row['episodes'] for row in rows] == [1, 10, 12]
    assert rows[-1]['mib'] < 1.1 * rows[0]['mib']


def test_precision(tmp_path: Path) -> None:
    arguments = ('--shape', 'tiny', '--size', '64x64', '--prefixes', '12', '--frames', '6')
    rows = run('precision', tmp_path / 'precision.json', *arguments)['rows']
    assert [row['way'] for row in rows] == ['streaming', 'recompute']
    assert all(0 < row['mean_nat'] <= row['worst_nat'] < 2 for row in rows)


@pytest.mark.slow
def test_end_to_end(tmp_path: Path) -> None:
    pytest.importorskip('rclpy', reason='ROS 2 is not here: pip install .[kilted,test]')
    arguments = ('--rates', '4', '--seconds', '3', '--warm-up', '0', '--size', '64x48')
    (row,) = run('end_to_end', tmp_path / 'end_to_end.json', *arguments)['rows']
    assert row['scores_hz'] == pytest.approx(4, abs=1.5)
    assert 0 < row['p50_ms'] <= row['p99_ms'] <= row['most_ms']


@pytest.mark.slow
def test_camera_path(tmp_path: Path) -> None:
    pytest.importorskip('rclpy', reason='ROS 2 is not here: pip install .[kilted,test]')
    arguments = ('--seconds', '3', '--warm-up', '0', '--rounds', '1', '--sizes', '64x48')
    result = run('camera_path', tmp_path / 'camera_path.json', *arguments)
    shares = {row['contender']: row['share_percent'] for row in result['rows']}
    assert len(shares) >= 5 and all(share > 0 for share in shares.values())
    kept = [row['kept_hz'] for row in result['rows'] if row['contender'] == 'the node']
    assert kept and kept[0] == pytest.approx(2, abs=1)


def test_bag_memory(tmp_path: Path) -> None:
    arguments = ('--minutes', '0.1', '0.2')
    rows = run('bag_memory', tmp_path / 'bag_memory.json', *arguments)['rows']
    assert [row['images'] for row in rows] == [0, 180, 360]
    assert rows[2]['peak_mib'] < rows[1]['peak_mib'] + rows[2]['bag_mib'] / 4
