# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Folders of images and of videos: their order, their content and what is broken in them."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from topreward_ros.errors import TopRewardError
from topreward_ros.recordings import SourceOptions, open_clip, open_recordings, open_source
from topreward_ros.recordings.clip import ClipError

from .test_videos import COUNT, write

ASKED = SourceOptions(task='Put the block into the cup.')


def images(folder: Path, names: list[str], suffix: str = '.png') -> Path:
    """Write an image for each name: its grey is 4 times its place in the list."""
    folder.mkdir(exist_ok=True)
    for number in random.Random(0).sample(range(len(names)), len(names)):
        grey = np.full((8, 12, 3), 4 * number, np.uint8)
        Image.fromarray(grey).save(folder / f'{names[number]}{suffix}')
    return folder


def order(folder: Path) -> list[int]:
    return [round(image.mean() / 4) for _, image in open_clip(folder, 10).frames()]


# Kind: the order of names, which is that of what their numbers mean.
@pytest.mark.parametrize(
    'names',
    [
        [f'frame_{k}' for k in (1, 2, 9, 10, 11, 100)],
        [f'{k:04}' for k in range(12)],
        [f'img-{k}' for k in (1, 2, 10)],
        [f'{1700000000 + k / 8}' for k in range(30)],
        [f'{k / 30:.3f}' for k in range(40)],
        [f'{k / 30}' for k in range(40)],
        [f'{k * 1e-5}' for k in range(30)],
        [f't={k / 4}' for k in range(-6, 7)],
        ['-2', '-1', '0', '1', '10'],
        [f'shot1.{k}' for k in range(1, 13)],
        [f'{1700000000 + k // 10}.{k % 10 * 100_000_000}' for k in range(25)],
        [f'{1700000000 + k // 10}_{k % 10 * 100_000_000}' for k in range(25)],
        ['2026-02-01_10-59-58', '2026-02-01_10-59-59', '2026-02-01_11-00-00'],
        ['2026.02.01.10', '2026.02.01.11', '2026.02.02.9'],
        [f'frame_{k}_t{k / 30:.3f}' for k in range(12)],
        [f'cam1_{k}' for k in range(12)],
        [f'{k:03}_cam1' for k in range(12)],
        [f'{k / 2:.1f}'.replace('.', ',') for k in range(12)],
        ['pm1', 'pm2', 'pm10'],
        [f'take1_pm_{k:04}' for k in range(12)],
        [f'2026-05-01_12{m}00_sub{s}' for m in (30, 31, 32) for s in (0, 1)],
        [f'12h05min{s:02}sec' for s in (0, 10, 20, 30)],
        ['a', 'b', 'c'],
        ['only'],
    ],
)
def test_names_in_order(tmp_path: Path, names: list[str]) -> None:
    assert order(images(tmp_path / 'a', names)) == list(range(len(names)))


# Kind: names that allow two orders, or are of two series.
@pytest.mark.parametrize(
    ('names', 'reason'),
    [
        (['1.9', '1.11', '1.2'], 'can be read in two orders, such as 1.11.png'),
        (['left_1', 'left_2', 'right_1', 'right_2'], r'several series of images, left_# \(2\)'),
        (['cam1_1', 'cam1_2', 'cam2_1', 'cam2_2'], 'several series of images, cam1, cam2'),
        (['1_1', '1_2', '2_1', '2_2'], 'several series of images, 1, 2'),
        (['0', '1', '0_thumb', '1_thumb'], 'several series of images'),
        (['-3', '-2', '-1'], 'a minus before each number, such as -1'),
        (['1', '01', '2'], 'two images for one place: 01.png and 1.png'),
        (['0.5', '0.50', '0.75'], 'two images for one place'),
        (['first1', 'second2', 'third3'], 'differ in more than their numbers, first1.png'),
        (['frame_8', 'frame_9', 'frame_a'], 'differ in more than their numbers, frame_8.png'),
        ([f'{k:02x}' for k in range(12)], 'differ in more than their numbers, 00.png and 0a.png'),
        (['999', '1,000', '1,001'], 'differ in more than their numbers'),
        (['1,5', '1,25', '1,75'], 'can be read in two orders, such as 1,25.png'),
        (['pose_1,2', 'pose_1,-2', 'pose_1,3'], 'with commas that cannot be compared'),
        (['img-1', 'img0', 'img1', 'img2'], 'with a minus or a plus before the number and names '),
        (['+1', '1', '2'], 'two images for one place'),
        (['img+1', 'img1', 'img2'], 'with a minus or a plus before the number and names '),
        (['0_cam1', '0_cam2', '1_cam1', '1_cam2'], 'several series of images, cam1, cam2'),
        (
            ['a 10.59 AM', 'a 11.59 AM', 'a 1.05 PM'],
            'times of a clock of 12 hours, such as a ',
        ),
        (['12-59-59pm', '1-00-00pm', '1-00-01pm'], 'times of a clock of 12 hours'),
        (['31-01-2026_23-59', '01-02-2026_00-00'], 'the year behind day and month'),
    ],
)
def test_names_without_an_order(tmp_path: Path, names: list[str], reason: str) -> None:
    with pytest.raises(ClipError, match=reason):
        open_clip(images(tmp_path / 'a', names))


def test_a_number_in_two_formats_has_no_order(tmp_path: Path) -> None:
    images(images(tmp_path / 'a', ['1', '2', '3']), ['1'], '.bmp')
    with pytest.raises(ClipError, match=r'two images for one place: 1\.bmp and 1\.png'):
        open_clip(tmp_path / 'a')


@pytest.mark.parametrize(
    'other',
    ['thumb.png', 'preview_1.png', '000_face.png', 'face.png', 'notes.txt', 'labels.json', 'sub'],
)
def test_what_is_beside_a_series_is_said(tmp_path: Path, other: str) -> None:
    folder = images(tmp_path / 'a', [f'{k:03}' for k in range(8)])
    if other == 'sub':
        (folder / other).mkdir()
    elif other.endswith('.png'):
        Image.new('RGB', (30, 30), 'white').save(folder / other)
    else:
        (folder / other).write_text('{}', encoding='utf-8')
    assert order(folder) == list(range(8))
    assert open_clip(folder, 10).notes == [f'a: {other} is not read']


@pytest.mark.parametrize('name', ['preview.gif', 'times.ts', 'poster.mts'])
def test_a_series_is_read_though_a_name_is_that_of_a_video(tmp_path: Path, name: str) -> None:
    folder = images(tmp_path / 'a', [f'{k:03}' for k in range(8)])
    (folder / name).write_text('0.1\n0.2\n', encoding='utf-8')
    (recording,) = open_source(str(folder), SourceOptions(folder_fps=10)).recordings
    assert len(list(recording.clip.frames())) == 8
    assert recording.clip.notes == [f'a: {name} is not read']


def test_images_beside_a_video_are_refused_and_its_thumbnails_are_not(tmp_path: Path) -> None:
    folder = images(tmp_path / 'a', [f'{k:03}' for k in range(8)])
    write(folder / 'film.mp4')
    with pytest.raises(ClipError, match=r'holds 8 images and film\.mp4: give images and videos'):
        open_source(str(folder))
    videos = images(tmp_path / 'b', ['one', 'two', 'three', 'four'])
    for name in ('one', 'two', 'three', 'four'):
        write(videos / f'{name}.mp4')
    assert len(open_source(str(videos)).recordings) == 4


def test_a_link_that_leads_nowhere_keeps_its_place(tmp_path: Path) -> None:
    folder = images(tmp_path / 'a', [f'{k}' for k in range(6)])
    (folder / '2.png').unlink()
    (folder / '2.png').symlink_to(tmp_path / 'gone.png')
    assert [round(time * 10) for time, _ in open_clip(folder, 10).frames()] == [0, 1, 3, 4, 5]


# Kind: hidden files, which are never content.
@pytest.mark.parametrize('hidden', ['._000.png', '.DS_Store', '.cache', '._.png', '.000.png.swp'])
def test_hidden_files_are_no_content(tmp_path: Path, hidden: str) -> None:
    folder = images(tmp_path / 'a', [f'{k:03}' for k in range(8)])
    (folder / hidden).write_bytes(b'\0\5\26\7 not an image')
    assert order(folder) == list(range(8)) and open_clip(folder, 10).notes == []
    videos = tmp_path / 'videos'
    videos.mkdir()
    write(videos / 'one.mp4')
    (videos / hidden.replace('.png', '.mp4')).write_bytes(b'\0\5\26\7 not a video')
    source = open_source(str(videos), ASKED)
    assert [each.name for each in source.recordings] == ['videos/one'] and not source.warnings
    labelled = tmp_path / 'labelled'
    labelled.mkdir()
    videos.rename(labelled / 'success')
    assert [each.name for each in open_recordings([str(labelled)], ASKED)] == ['success/one']


# Kind: what is read when it is named is also found in a folder.
@pytest.mark.parametrize(
    'suffix', ['.jpg', '.JPEG', '.jfif', '.tif', '.TIFF', '.webp', '.bmp', '.ppm']
)
def test_images_of_all_kinds_are_found(tmp_path: Path, suffix: str) -> None:
    folder = images(tmp_path / 'a', [f'{k:03}' for k in range(5)], suffix)
    assert order(folder) == list(range(5))


@pytest.mark.parametrize(
    ('suffix', 'codec'),
    [
        ('.m4v', 'mpeg4'),
        ('.MOV', 'mpeg4'),
        ('.gif', 'gif'),
        ('.ts', 'mpeg2video'),
        ('.mpg', 'mpeg2video'),
        ('.webm', 'libvpx'),
        ('.flv', 'flv'),
        ('.wmv', 'wmv2'),
    ],
)
def test_videos_of_all_kinds_are_found(tmp_path: Path, suffix: str, codec: str) -> None:
    form = {'form': 'mp4'} if suffix == '.m4v' else {}
    write(tmp_path / f'one{suffix}', codec, **form)
    (named,) = open_source(str(tmp_path / f'one{suffix}')).recordings
    (found,) = open_source(str(tmp_path)).recordings
    assert len(list(named.clip.frames())) == len(list(found.clip.frames())) == COUNT


# Kind: one broken file among good ones.
def test_a_broken_video_does_not_end_the_others(tmp_path: Path) -> None:
    for name in ('a.mp4', 'c.mp4'):
        write(tmp_path / name)
    (tmp_path / 'b.mp4').write_bytes(b'not a video')
    first, broken, last = open_source(str(tmp_path), ASKED).recordings
    assert [len(list(each.clip.frames())) for each in (first, last)] == [COUNT, COUNT]
    with pytest.raises(ClipError, match=r'b\.mp4 cannot be read as a video'):
        list(broken.clip.frames())


@pytest.mark.parametrize('manifest', [True, False])
def test_a_broken_recording_does_not_end_labelled_ones(tmp_path: Path, manifest: bool) -> None:
    folder = tmp_path / 'success'
    folder.mkdir()
    write(folder / 'a.mp4')
    (folder / 'b.mp4').write_bytes(b'not a video')
    if manifest:
        clips = ', '.join(f'{{"file": "success/{name}.mp4", "task": "x"}}' for name in 'abc')
        (tmp_path / 'curves.json').write_text(f'\ufeff{{"clips": [{clips}]}}', encoding='utf-8')
    good, *others = open_recordings([str(tmp_path)], SourceOptions(task='' if manifest else 'x'))
    assert good.task == 'x' and len(list(good.clip.frames())) == COUNT
    assert len(others) == (2 if manifest else 1)
    for other in others:
        with pytest.raises(TopRewardError, match=r'cannot be read as a video|does not exist'):
            list(other.clip.frames())


def test_a_broken_image_leaves_its_place(tmp_path: Path) -> None:
    folder = images(tmp_path / 'a', [f'{k}' for k in range(6)])
    (folder / '2.png').write_bytes(b'\x89PNG cut')
    clip = open_clip(folder, 10)
    for _ in range(2):
        assert [round(time * 10) for time, _ in clip.frames()] == [0, 1, 3, 4, 5]
    assert clip.seconds == pytest.approx(0.6)
    assert len(clip.notes) == 1 and '1 images were skipped, such as: 2.png' in clip.notes[0]
