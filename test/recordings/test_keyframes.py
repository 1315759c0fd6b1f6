# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""True progress from annotated keyframes of subtasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from topreward_ros.recordings.clip import Clip, ClipError
from topreward_ros.recordings.keyframes import keyframe_progress, parse_keyframes, read_keyframes
from topreward_ros.recordings.labelled import open_recordings
from topreward_ros.recordings.recording import Recording
from topreward_ros.recordings.source_options import SourceOptions
from topreward_ros.recordings.suffixes import KEYFRAMES
from topreward_ros.results.video import write_video

ASKED = SourceOptions(task='Clean the table.')
# A real episode, where it is at hand; the package ships none
REAL = Path(__file__).parents[3] / 'shared' / 'three_cameras'


def subtasks(*frames: tuple[Any, Any]) -> list[dict[str, Any]]:
    return [
        {'anotation': f'subtask{k}', 'start_frame_id': start, 'end_frame_id': end}
        for k, (start, end) in enumerate(frames, start=1)
    ]


TWO = subtasks((2, 6), (8, 10))


def clip(frames: int, fps: float = 4.0) -> Clip:
    return Clip('c', fps, frames / fps, lambda: iter(()))


def video(file: Path, frames: int = 12) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_video(file, [np.full((32, 32, 3), 9 * k, np.uint8) for k in range(frames)], 4.0)


def only(folder: Path) -> Recording:
    (recording,) = open_recordings([str(folder)], ASKED)
    return recording


def test_progress_is_the_share_of_subtasks_done() -> None:
    progress = keyframe_progress(parse_keyframes(TWO, 'k'), clip(12), 'k')
    expected = [0, 0, 0, 1 / 8, 1 / 4, 3 / 8, 1 / 2, 1 / 2, 1 / 2, 3 / 4, 1, 1, 1]
    assert progress.tolist() == pytest.approx(expected)
    adjoining = keyframe_progress(parse_keyframes(subtasks((0, 2), (2, 4)), 'k'), clip(4), 'k')
    assert adjoining.tolist() == pytest.approx([0, 0.25, 0.5, 0.75, 1])


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([], 'has no subtask'),
        ({}, 'has no subtask'),
        (None, 'not as expected'),
        ([3], 'not as expected'),
        ([{'start_frame_id': 3}], 'not as expected'),
        (subtasks((3, '4')), "'4' is not the number of a frame"),
        (subtasks((3, 4.5)), 'not the number of a frame'),
        (subtasks((True, 4)), 'not the number of a frame'),
        (subtasks((-1, 4)), 'not the number of a frame'),
        (subtasks((4, 4)), 'frame 4 does not come after 4'),
        (subtasks((0, 4), (3, 6)), 'frame 3 does not come after 4'),
        (subtasks((6, 8), (0, 2)), 'frame 0 does not come after 8'),
    ],
)
def test_keyframes_that_are_none(content: Any, message: str, tmp_path: Path) -> None:
    file = tmp_path / KEYFRAMES
    file.write_text(json.dumps(content))
    with pytest.raises(ClipError, match=message) as raised:
        read_keyframes(file)
    assert str(file) in str(raised.value) and '\n' not in str(raised.value)


def test_files_and_clips_that_do_not_fit(tmp_path: Path) -> None:
    file = tmp_path / KEYFRAMES
    with pytest.raises(ClipError, match='cannot be read'):
        read_keyframes(file)
    file.write_text('[{')
    with pytest.raises(ClipError, match='cannot be read'):
        read_keyframes(file)
    parsed = parse_keyframes(TWO, 'k')
    with pytest.raises(ClipError, match='k names frame 10, and c has 9 frames'):
        keyframe_progress(parsed, clip(9), 'k')
    with pytest.raises(ClipError, match='at most 100000 frames'):
        keyframe_progress(parsed, clip(100_001), 'k')


def test_keyframes_beside_the_videos_of_an_episode(tmp_path: Path) -> None:
    for name in ('head.mp4', 'wrist.mp4'):
        video(tmp_path / 'success' / 'episode_001' / name)
    (tmp_path / 'success' / 'episode_001' / KEYFRAMES).write_text(json.dumps(TWO))
    video(tmp_path / 'failure' / 'other.mp4')
    other, *cameras = open_recordings([str(tmp_path)], ASKED)
    assert other.truth is None
    for camera in cameras:
        assert camera.is_success and camera.truth is not None
        assert camera.truth[[2, 6, 10]].tolist() == pytest.approx([0, 0.5, 1])
        assert not any(KEYFRAMES in note for note in camera.clip.notes)
    single = only(tmp_path / 'success' / 'episode_001' / 'head.mp4')
    assert single.truth is not None and len(single.truth) == 13


@pytest.mark.parametrize('keyframes', [TWO, 'own.json'])
def test_keyframes_in_a_manifest(tmp_path: Path, keyframes: Any) -> None:
    video(tmp_path / 'a.mp4')
    (tmp_path / 'own.json').write_text(json.dumps(TWO))
    entry = {'file': 'a.mp4', 'task': 'Clean.', 'success': True, 'keyframes': keyframes}
    (tmp_path / 'curves.json').write_text(json.dumps({'clips': [entry]}))
    recording = only(tmp_path)
    assert recording.truth is not None and recording.published == {}
    assert recording.truth[[2, 6, 10]].tolist() == pytest.approx([0, 0.5, 1])
    for change, message in (
        ({'ground_truth': [0, 1]}, 'has ground_truth and keyframes'),
        ({'keyframes': '../own.json'}, 'expected a file below its folder'),
        ({'keyframes': subtasks((0, 99))}, 'names frame 99, and a has 12 frames'),
    ):
        (tmp_path / 'curves.json').write_text(json.dumps({'clips': [{**entry, **change}]}))
        with pytest.raises(ClipError, match=message):
            only(tmp_path)


@pytest.mark.skipif(not REAL.is_dir(), reason='the real episode is not here')
def test_a_real_episode_of_three_cameras() -> None:
    recordings = open_recordings([str(REAL)], ASKED)
    assert len(recordings) == 3
    for each in recordings:
        assert each.truth is not None and len(each.truth) > 1263
        assert each.truth[[0, 8, 147, 1263, -1]].tolist() == pytest.approx([0, 0, 1 / 16, 1, 1])
        assert (np.diff(each.truth) >= 0).all()
