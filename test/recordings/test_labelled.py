# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Folders of labelled recordings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from topreward_ros.recordings.clip import ClipError
from topreward_ros.recordings.labelled import open_recordings
from topreward_ros.recordings.source_options import SourceOptions
from topreward_ros.results.video import write_video

ASKED = SourceOptions(task='Close the door.')


def video(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_video(file, [np.full((32, 32, 3), 9 * k, np.uint8) for k in range(6)], 3.0)


def manifest(folder: Path, *clips: dict[str, Any]) -> None:
    (folder / 'curves.json').write_text(json.dumps({'clips': list(clips)}), encoding='utf-8')


def test_a_manifest(tmp_path: Path) -> None:
    video(tmp_path / 'a.mp4')
    video(tmp_path / 'b.mp4')
    entry = {'file': 'a.mp4', 'task': 'Put it there.', 'platform': 'Franka'}
    curves = {'ground_truth': [0, 0.5, 1], 'topreward': [0.1, 1.0], 'gvl': [0, 1]}
    manifest(tmp_path, {**entry, **curves}, {'file': 'b.mp4', 'task': 'No.', 'success': False})
    one, two = open_recordings([str(tmp_path)], SourceOptions())
    assert (one.name, one.task, one.is_success) == ('a', 'Put it there.', None)
    assert one.truth is not None and one.truth.tolist() == [0, 0.5, 1]
    assert {name: list(values) for name, values in one.published.items()} == {
        'topreward': [0.1, 1.0],
        'gvl': [0, 1],
    }
    assert (two.name, two.is_success, two.truth) == ('b', False, None)
    assert len(list(two.clip.frames())) == 6


def test_folders_of_successes_and_failures(tmp_path: Path) -> None:
    video(tmp_path / 'success' / 'a.mp4')
    video(tmp_path / 'failure' / 'b.mp4')
    recordings = open_recordings([str(tmp_path)], ASKED)
    assert [(each.name, each.is_success) for each in recordings] == [
        ('failure/b', False),
        ('success/a', True),
    ]
    assert {each.task for each in recordings} == {'Close the door.'}


def test_a_folder_of_videos_and_a_label_for_all(tmp_path: Path) -> None:
    video(tmp_path / 'a.mp4')
    video(tmp_path / 'b.mp4')
    recordings = open_recordings([str(tmp_path)], ASKED, is_success=False)
    assert [Path(each.name).name for each in recordings] == ['a', 'b']
    assert {each.is_success for each in recordings} == {False}


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('[]', 'not as expected'),
        ('{"clips": [{"file": "a.mp4"}]}', 'not as expected'),
        ('{"clips": [{"file": "../a.mp4", "task": "x"}]}', 'below its folder'),
        ('{"clips": [{"file": "a.mp4", "task": "x", "success": 1}]}', 'true or false'),
        (
            '{"clips": [{"file": "a.mp4", "task": "x", "ground_truth": [0, "a"]}]}',
            'list of numbers',
        ),
        ('{"clips": [{"file": "b.mp4", "task": "x"}]}', 'does not exist'),
    ],
)
def test_manifests_that_cannot_be_read(tmp_path: Path, content: str, message: str) -> None:
    video(tmp_path / 'a.mp4')
    (tmp_path / 'curves.json').write_text(content, encoding='utf-8')
    with pytest.raises(ClipError, match=message):
        open_recordings([str(tmp_path)], SourceOptions())


def test_two_recordings_of_one_name(tmp_path: Path) -> None:
    video(tmp_path / 'success' / 'a.mp4')
    video(tmp_path / 'failure' / 'a.mp4')
    (tmp_path / 'success' / 'notes.txt').write_text('not a recording', encoding='utf-8')
    assert len(open_recordings([str(tmp_path)], ASKED)) == 2
    with pytest.raises(ClipError, match=r'two recordings are named .*/failure/a'):
        open_recordings([str(tmp_path), str(tmp_path)], ASKED)


def test_an_empty_folder_and_a_missing_task(tmp_path: Path) -> None:
    (tmp_path / 'success').mkdir()
    with pytest.raises(ClipError, match='no recording found in'):
        open_recordings([str(tmp_path)], ASKED)
    video(tmp_path / 'success' / 'a.mp4')
    with pytest.raises(ClipError, match='success/a: it has no task'):
        open_recordings([str(tmp_path)], SourceOptions())


def test_lists_that_are_not_numbers_are_ignored(tmp_path: Path) -> None:
    video(tmp_path / 'a.mp4')
    manifest(tmp_path, {'file': 'a.mp4', 'task': 'x', 'tags': ['one', 'two']})
    (only,) = open_recordings([str(tmp_path)], SourceOptions())
    assert only.published == {}
