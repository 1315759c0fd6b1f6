# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from topreward_ros.recordings.clip import ClipError
from topreward_ros.recordings.clip_source import open_clip


def grey(value: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Twenty frames at 10 fps, each lighter than the one before."""
    path = tmp_path / 'rising.mp4'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for k in range(20):
            for packet in stream.encode(av.VideoFrame.from_ndarray(grey(10 * k), 'rgb24')):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def test_a_video_has_its_own_times(video: Path) -> None:
    clip = open_clip(video)
    assert (clip.name, clip.fps, clip.seconds) == ('rising', 10, pytest.approx(2))
    frames = list(clip.frames())
    assert [time for time, _ in frames] == pytest.approx([k / 10 for k in range(20)])
    levels = [int(image.mean()) for _, image in frames]
    assert levels == sorted(levels) and levels[-1] - levels[0] > 150
    assert frames[0][1].shape == (48, 64, 3) and frames[0][1].dtype == np.uint8


def test_a_chosen_rate(video: Path) -> None:
    clip = open_clip(video, fps=5)
    assert clip.seconds == pytest.approx(4)
    assert [time for time, _ in clip.frames()][-1] == pytest.approx(19 / 5)


def test_frames_on_display_at_times(video: Path) -> None:
    shown = open_clip(video).at([0.0, 0.55, 1.0, 9.0])
    assert [round(int(image.mean()) / 10) for image in shown] == [0, 5, 10, 19]


def test_a_folder_in_the_order_of_names(tmp_path: Path) -> None:
    for k in (2, 0, 1):
        Image.fromarray(grey(100 * k)).save(tmp_path / f'{k:03}.png')
    (tmp_path / 'notes.txt').write_text('no image')
    clip = open_clip(tmp_path, fps=4)
    assert [(t, int(i.mean())) for t, i in clip.frames()] == [(0, 0), (0.25, 100), (0.5, 200)]
    assert clip.seconds == 0.75


def test_numbers_in_names_count(tmp_path: Path) -> None:
    for k in (2, 0, 10, 9):
        Image.fromarray(grey(10 * k)).save(tmp_path / f'frame_{k}.png')
    assert [int(image.mean()) for _, image in open_clip(tmp_path).frames()] == [0, 20, 90, 100]


def test_an_assumed_rate_is_in_the_note(tmp_path: Path, video: Path) -> None:
    folder = tmp_path / 'images'
    folder.mkdir()
    Image.fromarray(grey(0)).save(folder / '0.png')
    assert '30 fps is assumed' in open_clip(folder).notes[0]
    assert open_clip(folder, fps=4).notes == open_clip(video).notes == []


def half_lit() -> np.ndarray:
    """Return an image that is light on the left."""
    image = grey(0)
    image[:, :32] = 240
    return image


def test_a_phone_held_upright(tmp_path: Path) -> None:
    """A rotated video with rotation metadata is shown upright: left becomes top."""
    file = tmp_path / 'phone.mp4'
    with av.open(str(file), 'w') as container:
        stream = container.add_stream('mpeg4', rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        container.mux(stream.encode(av.VideoFrame.from_ndarray(half_lit(), 'rgb24')))
        container.mux(stream.encode())
    content = bytearray(file.read_bytes())
    matrix = content.index(b'tkhd') + 44
    rotation = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)  # clockwise by 90 degrees
    content[matrix : matrix + 36] = struct.pack('>9i', *rotation)
    file.write_bytes(content)
    (_, image), *_ = open_clip(file).frames()
    assert image.shape == (64, 48, 3)
    assert image[:28].mean() > 200 and image[36:].mean() < 40


def test_a_photo_held_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated clockwise for display
    Image.fromarray(half_lit()).save(tmp_path / '0.png', exif=exif)
    ((_, image),) = open_clip(tmp_path).frames()
    assert image.shape == (64, 48, 3)
    assert image[:28].mean() > 200 and image[36:].mean() < 40


def test_a_video_without_a_frame_count(tmp_path: Path) -> None:
    file = tmp_path / 'live.mkv'
    with av.open(str(file), 'w', format='matroska', options={'live': '1'}) as container:
        stream = container.add_stream('mpeg4', rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        for k in range(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey(10 * k), 'rgb24')))
        container.mux(stream.encode())
    with av.open(str(file)) as container:
        assert not container.duration and not container.streams.video[0].frames
    clip = open_clip(file)
    assert (clip.fps, clip.seconds) == (pytest.approx(10), pytest.approx(2))


def test_a_depth_image_is_rejected(tmp_path: Path) -> None:
    Image.fromarray(np.full((48, 64), 30_000, np.uint16)).save(tmp_path / '0.png')
    with pytest.raises(ClipError, match='not a color image'):
        list(open_clip(tmp_path).frames())


def test_the_example_moves() -> None:
    clip = open_clip(None)
    frames = [image for _, image in clip.frames()]
    assert len(frames) == round(clip.fps * clip.seconds)
    assert np.abs(frames[0].astype(int) - frames[-1]).max() > 60


def test_what_cannot_be_read(tmp_path: Path, video: Path) -> None:
    with pytest.raises(ClipError, match='does not exist'):
        open_clip(tmp_path / 'none.mp4')
    (tmp_path / 'text.mp4').write_text('not a video')
    with pytest.raises(ClipError, match='cannot be read as a video'):
        open_clip(tmp_path / 'text.mp4')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ClipError, match='holds no images'):
        open_clip(tmp_path / 'empty')
    (tmp_path / 'empty' / 'cut.png').write_bytes(b'\x89PNG')
    with pytest.raises(ClipError, match=r'cut\.png cannot be read'):
        list(open_clip(tmp_path / 'empty').frames())
