# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Videos whose header, orientation, streams, name or end are not as usual."""

from __future__ import annotations

import fractions
import os
import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from topreward_ros.recordings import SourceOptions, open_clip, open_source
from topreward_ros.recordings.clip import ClipError
from topreward_ros.recordings.file_ends import lacks_end

FPS, COUNT = 10, 20
HEIGHT, WIDTH = 48, 64
TENTH = fractions.Fraction(1, FPS)


def picture(number: int = 0) -> np.ndarray:
    """Return a picture of four greys; that of its first quarter grows with the number."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[: HEIGHT // 2, : WIDTH // 2] = 2 * number
    image[: HEIGHT // 2, WIDTH // 2 :] = 90
    image[HEIGHT // 2 :, : WIDTH // 2] = 170
    image[HEIGHT // 2 :, WIDTH // 2 :] = 250
    return image


def add_video(container: Any, codec: str) -> Any:
    stream = container.add_stream(codec, rate=FPS, options={'g': '5'})
    stream.width, stream.height = WIDTH, HEIGHT
    stream.pix_fmt = {'mjpeg': 'yuvj420p', 'gif': 'rgb8'}.get(codec, 'yuv420p')
    return stream


def write(
    file: Path,
    codec: str = 'mpeg4',
    *,
    delay: int = 0,
    sound: tuple[str, float] | None = None,
    cover: bool = False,
    videos: int = 1,
    **options: str,
) -> Path:
    """Write COUNT pictures, after a delay [1/FPS s], with a sound (codec, seconds) or a cover."""
    form = options.pop('form', None)
    with av.open(str(file), 'w', format=form, options=options) as container:
        still = add_video(container, 'mjpeg') if cover else None
        streams = [add_video(container, codec) for _ in range(videos)]
        audio = container.add_stream(sound[0], rate=48000) if sound else None
        if audio is not None:
            audio.layout = 'mono'
        if still is not None:
            container.mux(still.encode(av.VideoFrame.from_ndarray(picture(), 'rgb24')))
            container.mux(still.encode())
        for stream in streams:
            for number in range(COUNT):
                frame = av.VideoFrame.from_ndarray(picture(number), 'rgb24')
                frame.pts, frame.time_base = number + delay, TENTH
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        if sound is not None and audio is not None:
            for k in range(round(sound[1] * 50)):
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), 's16', 'mono')
                silence.rate, silence.pts = 48000, k * 960
                container.mux(audio.encode(silence))
            container.mux(audio.encode())
    return file


# Kind: the length of a file taken for that of its video.
@pytest.mark.parametrize(
    ('name', 'arguments'),
    [
        ('a.mp4', {}),
        ('a.mkv', {}),
        ('a.webm', {'codec': 'libvpx'}),
        ('a.avi', {}),
        ('a.ts', {'codec': 'mpeg2video'}),
        ('a.gif', {'codec': 'gif'}),
        ('sound.mkv', {'sound': ('aac', 8.0)}),
        ('sound.webm', {'codec': 'libvpx', 'sound': ('libopus', 8.0)}),
        ('sound.mp4', {'sound': ('aac', 8.0)}),
        ('sound.avi', {'sound': ('pcm_s16le', 8.0)}),
        ('short.mkv', {'sound': ('aac', 0.5)}),
        ('late.mkv', {'delay': 30, 'sound': ('aac', 8.0)}),
        ('alone.mkv', {'delay': 30}),
        ('alone.webm', {'codec': 'libvpx', 'delay': 7}),
        ('order.avi', {'codec': 'libx264'}),
        ('late.mp4', {'delay': 30, 'sound': ('aac', 8.0)}),
        ('late.ts', {'codec': 'mpeg2video', 'delay': 30}),
        ('live.mkv', {'live': '1'}),
        ('fragmented.mp4', {'movflags': 'frag_keyframe+empty_moov'}),
    ],
)
def test_the_length_is_that_of_the_video(
    tmp_path: Path, name: str, arguments: dict[str, Any]
) -> None:
    clip = open_clip(write(tmp_path / name, **arguments))
    times = [time for time, _ in clip.frames()]
    assert clip.fps == pytest.approx(FPS, rel=0.01)
    assert clip.seconds == pytest.approx(COUNT / FPS, abs=0.011)
    assert times == pytest.approx(np.arange(COUNT) / FPS, abs=0.011)
    assert [note for note in clip.notes if 'does not tell its length' not in note] == []
    assert bool(clip.notes) == (name == 'live.mkv')


# Kind: the display matrix. The eight orientations are the symmetries of a rectangle.
ORIENTATIONS = {
    (1, 0, 0, 1): lambda image: image,
    (-1, 0, 0, 1): lambda image: image[:, ::-1],
    (1, 0, 0, -1): lambda image: image[::-1],
    (-1, 0, 0, -1): lambda image: image[::-1, ::-1],
    (0, 1, -1, 0): lambda image: np.rot90(image, -1),
    (0, -1, 1, 0): lambda image: np.rot90(image, 1),
    (0, 1, 1, 0): lambda image: image.swapaxes(0, 1),
    (0, -1, -1, 0): lambda image: image[::-1, ::-1].swapaxes(0, 1),
}


def turned(file: Path, matrix: tuple[float, ...]) -> Path:
    """Write a, b, c, d of the display matrix into an MP4 file's track header."""
    content = bytearray(write(file).read_bytes())
    place = content.index(b'tkhd') + 44
    a, b, c, d = (round(value * (1 << 16)) for value in matrix)
    content[place : place + 36] = struct.pack('>9i', a, b, 0, c, d, 0, 0, 0, 1 << 30)
    file.write_bytes(content)
    return file


@pytest.mark.parametrize('matrix', ORIENTATIONS)
def test_all_eight_orientations(tmp_path: Path, matrix: tuple[int, ...]) -> None:
    clip = open_clip(turned(tmp_path / 'a.mp4', matrix))
    _, image = next(iter(clip.frames()))
    expected = ORIENTATIONS[matrix](picture())
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 5
    assert clip.notes == []


@pytest.mark.parametrize(('angle', 'turn'), [(10, 0), (80, -1), (190, 2)])
def test_an_odd_angle_is_said(tmp_path: Path, angle: float, turn: int) -> None:
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    clip = open_clip(turned(tmp_path / 'a.mp4', (cos, sin, -sin, cos)))
    _, image = next(iter(clip.frames()))
    assert np.abs(image.astype(int) - np.rot90(picture(), turn)).mean() < 5
    assert clip.notes == ['a.mp4 is turned by an odd angle: the nearest right one is taken']


# Kind: what a file does not say is assumed in silence.
@pytest.mark.parametrize(
    ('name', 'arguments', 'fps', 'note'),
    [
        ('raw.m4v', {'form': 'm4v'}, 10, 'a stream without times, so 10 fps is assumed'),
        ('raw.mjpeg', {'codec': 'mjpeg', 'form': 'mjpeg'}, 25, 'so 25 fps is assumed'),
        ('raw.h264', {'codec': 'libx264', 'form': 'h264'}, 10, 'so 10 fps is assumed'),
        ('cover.mkv', {'cover': True}, 10, 'its first video stream is a still picture'),
        ('two.mkv', {'videos': 2}, 10, 'holds 2 videos; the first is read'),
    ],
)
def test_what_is_assumed_is_said(
    tmp_path: Path, name: str, arguments: dict[str, Any], fps: float, note: str
) -> None:
    file = write(tmp_path / name, **arguments)
    clip = open_clip(file)
    images = [image for _, image in clip.frames()]
    assert (clip.fps, clip.seconds) == (fps, pytest.approx(COUNT / fps, abs=0.01))
    assert len(images) == COUNT and images[-1][:20, :20].mean() == pytest.approx(38, abs=6)
    assert len(clip.notes) == 1 and note in clip.notes[0]
    (known,) = open_source(str(file), SourceOptions(folder_fps=4)).recordings
    if 'assumed' in note:
        assert (known.clip.fps, known.clip.notes) == (4, [])
    else:
        assert known.clip.fps == fps


# Kind: a file that ends before it should. All whole pictures up to the cut are read.
@pytest.mark.parametrize(
    ('name', 'arguments', 'note'),
    [
        ('a.mkv', {}, 'was cut while it was written'),
        ('a.webm', {'codec': 'libvpx'}, 'was cut while it was written'),
        ('a.avi', {}, 'was cut while it was written'),
        ('live.mkv', {'live': '1'}, 'does not tell its length, like one that was cut'),
        ('fast.mp4', {'movflags': 'faststart'}, 'was cut while it was written'),
        ('fragmented.mp4', {'movflags': 'frag_keyframe+empty_moov'}, 'was cut'),
    ],
)
def test_a_cut_file_is_read_to_the_cut(
    tmp_path: Path, name: str, arguments: dict[str, Any], note: str
) -> None:
    file = write(tmp_path / name, **arguments)
    whole = [image for _, image in open_clip(file).frames()]
    content = file.read_bytes()
    media = max(content.find(mark) for mark in (b'mdat', b'movi', b'\x1f\x43\xb6\x75'))
    file.write_bytes(content[: media + (len(content) - media) // 2])
    clip = open_clip(file)
    read = [image for _, image in clip.frames()]
    assert 3 <= len(read) < COUNT
    assert all((one == two).all() for one, two in zip(read, whole, strict=False))
    assert clip.seconds == pytest.approx(len(read) / FPS, abs=0.011)
    assert any(note in text for text in clip.notes)


# Kind: a file that was cut between two pictures, so that all that is there is whole. What tells of
# it is the end that its format has; MPEG-TS, raw streams and the like have none.
NO_END = 'lacks the end that most writers give it, like one that was cut: 1.2 s are read'
CUT = 'was cut while it was written, or is damaged: 1.2 s are read'


@pytest.mark.parametrize(
    ('name', 'codec', 'options', 'note'),
    [
        ('a.gif', 'gif', {}, NO_END),
        ('a.flv', 'flv1', {}, CUT),
        ('live.flv', 'flv1', {}, NO_END),
        ('a.ivf', 'libvpx', {}, CUT),
        ('a.mp4', 'mpeg4', {'movflags': 'frag_every_frame+empty_moov'}, NO_END),
        (
            'dash.mp4',
            'mpeg4',
            {'movflags': 'frag_every_frame+empty_moov+default_base_moof'},
            NO_END,
        ),
        ('a.ts', 'mpeg2video', {}, None),
    ],
)
def test_a_file_cut_between_two_pictures(
    tmp_path: Path, name: str, codec: str, options: dict[str, str], note: str | None
) -> None:
    file = write(tmp_path / name, codec, **options)
    assert open_clip(file).notes == []
    content = file.read_bytes()
    with av.open(str(file)) as container:
        places = [packet.pos for packet in container.demux() if packet.size]
    end = content.rindex(b'moof', 0, places[12]) - 4 if name.endswith('.mp4') else places[12]
    content = content[:end]
    if name == 'live.flv':  # its length is written at the end
        place = content.index(b'\0\x08duration\0') + 11
        content = content[:place] + bytes(8) + content[place + 8 :]
    file.write_bytes(content)
    clip = open_clip(file)
    assert clip.seconds == pytest.approx(1.2) and len(list(clip.frames())) == 12
    assert clip.notes == ([] if note is None else [f'{name} {note}'])


def test_an_ogg_file_without_its_last_page(tmp_path: Path) -> None:
    page = b'OggS\0%c' + bytes(100)
    for flags, is_cut in ((4, False), (0, True), (2, True)):
        (tmp_path / 'a.ogv').write_bytes(page % 2 + page % flags)
        assert lacks_end(tmp_path / 'a.ogv', 'ogg') == is_cut


def test_a_file_that_is_whole_is_not_called_cut(tmp_path: Path) -> None:
    """Of those whose packets tell no length."""
    for name, codec in (('a.flv', 'flv1'), ('a.wmv', 'wmv2'), ('a.asf', 'mpeg4')):
        clip = open_clip(write(tmp_path / name, codec))
        assert (clip.seconds, clip.notes) == (COUNT / FPS, [])


def test_a_cut_file_without_its_index_is_refused_with_the_reason(tmp_path: Path) -> None:
    file = write(tmp_path / 'a.mp4')
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(ClipError, match='one that was cut while it was written has no index'):
        open_clip(file)


def test_damaged_pictures_are_counted(tmp_path: Path) -> None:
    file = write(tmp_path / 'a.mkv', 'mjpeg')
    content = bytearray(file.read_bytes())
    pictures = [place for place in range(len(content)) if content.startswith(b'\xff\xd8', place)]
    for number in (4, 11):
        content[pictures[number] : pictures[number] + 600] = bytes(600)
    file.write_bytes(content)
    clip = open_clip(file)
    read = [round(time * FPS) for time, _ in clip.frames()]
    assert read == [number for number in range(COUNT) if number not in (4, 11)]
    assert list(clip.frames()) and clip.notes == [
        'a.mkv: 2 damaged pictures were skipped, 18 were read'
    ]


# Kind: names that mean something to a shell, an option parser, FFmpeg, a terminal or UTF-8.
@pytest.mark.parametrize(
    'name',
    [
        '2026-02-01T10:30:00.mp4',
        'http:a.mp4',
        '-dash.mp4',
        '%03d.mp4',
        '[bold]a.mp4',
        'ünï 日本 🤖.mp4',
        'new\nline\ttab.mp4',
        'not utf-8 \udcff.mp4',
        "quote'$x$.mp4",
    ],
)
def test_names(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / 'plain.mp4')
    os.rename(tmp_path / 'plain.mp4', tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for text in (name, str(tmp_path)):
        (recording,) = open_source(text).recordings
        assert len(list(recording.clip.frames())) == COUNT
        assert recording.name.encode() and recording.name.isprintable()


def test_metadata_that_is_not_utf_8(tmp_path: Path) -> None:
    file = tmp_path / 'a.mkv'
    with av.open(str(file), 'w') as container:
        container.metadata['title'] = 'TITLE'
        stream = add_video(container, 'mpeg4')
        stream.metadata['title'] = 'STREAM'
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(), 'rgb24')))
        container.mux(stream.encode())
    content = file.read_bytes()
    assert b'TITLE' in content and b'STREAM' in content
    file.write_bytes(content.replace(b'TITLE', b'T\xff\xfeLE').replace(b'STREAM', b'STR\xe9AM'))
    assert len(list(open_clip(file).frames())) == 1


def test_a_playlist_opens_no_host(tmp_path: Path) -> None:
    file = tmp_path / 'a.mp4'
    file.write_text('#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n')
    with pytest.raises(ClipError, match='cannot be read as a video'):
        open_clip(file)
