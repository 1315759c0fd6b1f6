# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmarks run with small settings; their speed is not tested."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.gpu_check.results import Results

ROOT = Path(__file__).parents[1]


def run(module: str, file: Path, *arguments: str) -> dict:
    command = [sys.executable, '-m', f'benchmarks.{module}', *arguments, '--json', str(file)]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(file.read_text(encoding='utf-8'))


def test_live_step(tmp_path: Path) -> None:
    arguments = ('--shape', 'tiny', '--lengths', '2', '4', '--repeats', '1', '--graphs', 'off')
    result = run('live_step', tmp_path / 'live_step.json', *arguments)
    assert len(result['others_ms']) == 4 and all(ms > 0 for ms in result['others_ms'].values())
    assert [row['frames'] for row in result['rows']] == [2, 4]
    for row in result['rows']:
        assert row['streaming_ms'] > 0 and row['recompute_ms'] > 0
        assert row['max_difference_nat'] <= 1e-4


def test_curve(tmp_path: Path) -> None:
    arguments = ('--shape', 'tiny', '--lengths', '3', '17', '--repeats', '1')
    result = run('curve', tmp_path / 'curve.json', *arguments)
    rows = result['rows']
    assert 'not measured' in result['facts']['authors']  # the frames are not squashed
    assert 'measured' in result['facts']['lerobot']
    assert [(row['frames'], row['kind']) for row in rows] == [
        (frames, kind) for frames in (3, 17) for kind in ('anchored', 'dense')
    ]
    for row in rows:
        assert row['sweep_ratio'] > 0 and row['sweep_max_difference_nat'] <= 1e-4


@pytest.mark.slow
def test_floor(tmp_path: Path) -> None:
    arguments = ('--shape', 'tiny', '--lengths', '4', '--repeats', '1')
    (row,) = run('floor', tmp_path / 'floor.json', *arguments)['rows']
    assert row['ratio'] > 1, 'nothing is quicker than its floor'


def test_gpu_check_in_small_form(tmp_path: Path) -> None:
    """All of it on a CPU, but for its own tests; a check that runs out of time is a result."""
    command = [sys.executable, '-m', 'benchmarks.gpu_check', '--device', 'cpu', '--shape', 'tiny']
    checks = ['load', 'floor', 'eager', 'recompute', 'thinning', 'many episodes', 'curve']
    checks += ['attention', 'compiled', 'float8', 'precision']
    command += ['--size', '64x64', '--save', str(tmp_path), '--checks', *checks]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    lines = [json.loads(line) for line in (tmp_path / 'results.jsonl').read_text().splitlines()]
    assert {line['check'].removesuffix(': time') for line in lines} >= {*checks, 'environment'}
    assert not [line for line in lines if 'error' in line]
    demands = [line for line in lines if line['check'] == 'demand']
    assert len(demands) == 8 and all(line['value'] >= 0 for line in demands)
    (eager,) = [line for line in lines if line['check'] == 'eager']
    assert eager['difference'] <= 1e-4 and len(eager['recorded_ms']) == 8
    for line in lines:
        if line['check'] == 'attention':
            assert all(way['error'] < 1e-5 for way in line['ways'].values())


def test_a_check_that_runs_out_of_time_or_fails_is_a_result(tmp_path: Path) -> None:
    results = Results(tmp_path, seconds=60.0)
    results.run('long', 0.1, lambda: time.sleep(30))
    results.run('bad', 5.0, [].pop)
    results.run('good', 5.0, lambda: results.tell('good', value=1))
    late = Results(tmp_path / 'late', seconds=1.0)
    late.run('too late', 5.0, lambda: late.tell('not reached'))
    lines = [json.loads(line) for line in (tmp_path / 'results.jsonl').read_text().splitlines()]
    found = {line['check']: line for line in lines}
    assert found['long']['error'] == 'OutOfTimeError: its 0 s are over'
    assert found['bad']['error'] == 'IndexError: pop from empty list'
    assert found['good']['value'] == 1 and results.failed == ['long', 'bad']
    (line,) = (tmp_path / 'late/results.jsonl').read_text().splitlines()
    assert json.loads(line) == {'check': 'too late', 'skipped': '1 s were left'}


def test_memory(tmp_path: Path) -> None:
    file = tmp_path / 'memory.json'
    rows = run('memory', file)['rows']
    found = {(row['shape'], row['quantization']): row for row in rows}
    whole = found['qwen3-vl-8b', 'none']
    assert whole['weights_gb'] == pytest.approx(2 * 8.767, abs=0.01)  # as published: 8.77 B
    assert whole['aspect_gb'] - whole['paper_gb'] == pytest.approx(1.5 * 32 * 236 * 147_456 / 1e9)
    # The linear layers of the language model in 4 bit, with their scales; all else in 16
    few = found['qwen3-vl-8b', '4bit']
    assert few['weights_gb'] == pytest.approx(6.946 * 0.5625 + 2 * 1.821, abs=0.01)


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
