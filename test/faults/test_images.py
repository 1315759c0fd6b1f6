# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images in messages and files: every encoding by value, and everything else refused."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from topreward_ros.errors import FrameError
from topreward_ros.recordings import open_clip
from topreward_ros.recordings.clip import ClipError
from topreward_ros.scoring.image_decoding import (
    ENCODINGS,
    PACKED_ENCODINGS,
    PLAIN_ENCODINGS,
    decode_compressed_image,
    decode_image,
)

HEIGHT, WIDTH = 48, 64


def known_picture() -> np.ndarray:
    """Return a smooth picture in color, which is the same in every corner of no other one."""
    row, column = np.mgrid[0:HEIGHT, 0:WIDTH]
    red, green = 40 + 150 * column / WIDTH, 200 - 120 * row / HEIGHT
    blue = 60 + 100 * (column + row) / (HEIGHT + WIDTH)
    return np.stack([red, green, blue], axis=2).round().astype(np.uint8)


PICTURE = known_picture()


def yuv() -> np.ndarray:
    """Return Y, U and V of the picture (BT.601, limited range), uint8 (3, H, W)."""
    red, green, blue = np.moveaxis(PICTURE.astype(float), 2, 0)
    y = 16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255
    u = 128 + (-37.797 * red - 74.203 * green + 112 * blue) / 255
    v = 128 + (112 * red - 93.786 * green - 18.214 * blue) / 255
    return np.stack([y, u, v]).round().astype(np.uint8)


def packed(first: int) -> np.ndarray:
    """Return YUV 4:2:2 with Y in the bytes first, first + 2, ... of each row."""
    y, u, v = yuv()
    rows = np.empty((HEIGHT, 2 * WIDTH), np.uint8)
    rows[:, first::2] = y
    rows[:, 1 - first :: 4], rows[:, 3 - first :: 4] = u[:, ::2], v[:, ::2]
    return rows


def planar(order: str, step: int) -> np.ndarray:
    """Return a Y plane above one with both colors of every step-th row and column."""
    y, u, v = yuv()
    first, second = (u, v) if order == 'uv' else (v, u)
    colors = np.stack([first[::step, ::step], second[::step, ::step]], axis=2)
    return np.concatenate([y, colors.reshape(-1, WIDTH)])


def mosaic(order: str) -> np.ndarray:
    rows = np.empty((HEIGHT, WIDTH), np.uint8)
    for place, color in enumerate(order):
        part = slice(place // 2, None, 2), slice(place % 2, None, 2)
        rows[part] = PICTURE[..., 'rgb'.index(color)][part]
    return rows


ALPHA = np.full((HEIGHT, WIDTH, 1), 9, np.uint8)
GREY = np.repeat(PICTURE[..., :1], 3, axis=2)
BGR = PICTURE[..., ::-1]
RAW: dict[str, np.ndarray] = {
    'rgb8': PICTURE,
    'bgr8': BGR,
    'rgba8': np.concatenate([PICTURE, ALPHA], axis=2),
    'bgra8': np.concatenate([BGR, ALPHA], axis=2),
    'mono8': PICTURE[..., 0],
    '8UC1': PICTURE[..., 0],
    '8UC3': BGR,
    '8UC4': np.concatenate([BGR, ALPHA], axis=2),
    'uyvy': packed(1),
    'yuv422': packed(1),
    'yuyv': packed(0),
    'yuv422_yuy2': packed(0),
    'nv12': planar('uv', 2),
    'nv21': planar('vu', 2),
    'nv24': planar('uv', 1),
    **{f'bayer_{order}8': mosaic(order) for order in ('rggb', 'bggr', 'gbrg', 'grbg')},
}


def message(encoding: str, padding: int = 0, big: bool = False) -> Any:
    """Return the picture in this encoding; the bytes between its rows are 77."""
    rows = RAW[encoding.replace('16', '8')].reshape(-1, HEIGHT * 0 + _width(encoding))
    if encoding.endswith('16'):  # the lower byte is not what is shown
        low = np.full_like(rows, 200)
        rows = np.stack([rows, low] if big else [low, rows], axis=2).reshape(len(rows), -1)
    per_step = 2 if encoding == 'nv24' else 1
    step = rows.shape[1] + padding
    blocks = [np.pad(rows[:HEIGHT], ((0, 0), (0, padding)), constant_values=77).tobytes()]
    rest = rows[HEIGHT:].reshape(-1, rows.shape[1] * per_step)
    blocks.append(np.pad(rest, ((0, 0), (0, padding * per_step)), constant_values=77).tobytes())
    return SimpleNamespace(
        encoding=encoding,
        height=HEIGHT,
        width=WIDTH,
        step=step,
        is_bigendian=int(big),
        data=b''.join(blocks),
    )


def _width(encoding: str) -> int:
    raw = RAW[encoding.replace('16', '8')]
    return raw.size // (HEIGHT if raw.ndim == 3 else raw.shape[0])


# Kind: encodings of sensor_msgs/Image, by value against a known picture.
@pytest.mark.parametrize('big', [False, True])
@pytest.mark.parametrize('padding', [0, 6])
@pytest.mark.parametrize('encoding', ENCODINGS)
def test_every_encoding_by_value(encoding: str, padding: int, big: bool) -> None:
    decoded = decode_image(message(encoding, padding, big))
    expected = GREY if encoding in ('mono8', 'mono16', '8UC1') else PICTURE
    assert decoded.shape == expected.shape and decoded.dtype == np.uint8
    difference = np.abs(decoded.astype(int) - expected)
    if encoding in PLAIN_ENCODINGS:
        assert difference.max() == 0
    else:  # colors are halved, or three of four are missing
        assert difference.max() <= 8 and difference.mean() < 3


@pytest.mark.parametrize(
    ('encoding', 'reason'),
    [
        *((name, 'is of depth or other measurements') for name in ('16UC1', '32FC1', '64FC1')),
        *((name, 'is of depth or other measurements') for name in ('16SC1', '32SC1', '16UC3')),
        ('', 'needs cv_bridge'),
        ('RGB8', 'needs cv_bridge'),
        ('yuv444', 'needs cv_bridge'),
    ],
)
def test_what_is_no_picture_is_refused_as_what_it_is(encoding: str, reason: str) -> None:
    image = message('rgb16')
    image.encoding = encoding
    with pytest.raises(FrameError, match=reason):
        decode_image(image)


# Kind: a description that does not fit its data.
@pytest.mark.parametrize('encoding', ENCODINGS)
def test_data_that_is_shorter_than_described(encoding: str) -> None:
    for change in ({'data': message(encoding).data[:-1]}, {'step': 3}, {'height': 0}, {'width': 0}):
        image = SimpleNamespace(**{**vars(message(encoding)), **change})
        with pytest.raises(FrameError, match=r'is described as|is empty'):
            decode_image(image)
    if encoding in PACKED_ENCODINGS:
        with pytest.raises(FrameError, match='expected even sizes'):
            decode_image(SimpleNamespace(**{**vars(message(encoding)), 'width': WIDTH - 1}))


def encoded(kind: str, mode: str, **options: Any) -> bytes:
    file = io.BytesIO()
    sixteen = Image.fromarray(PICTURE[..., 0].astype(np.uint16) * 257)
    image = sixteen if mode == 'I;16' else Image.fromarray(PICTURE).convert(mode)
    image.save(file, kind, **options)
    return file.getvalue()


def both_ways(content: bytes, folder: Path) -> list[np.ndarray | str]:
    """Return what a folder and a CompressedImage make of a picture, or why they refuse it."""
    (folder / '0.png').write_bytes(content)
    found: list[np.ndarray | str] = []
    try:
        found.append(decode_compressed_image(SimpleNamespace(format='jpeg', data=content)))
    except FrameError as error:
        found.append(str(error).partition('jpeg')[2][3:])
    try:
        ((_, image),) = open_clip(folder).frames()
        found.append(image)
    except ClipError as error:
        found.append(str(error).partition('0.png')[2][1:])
    return found


# Kind: pictures that a folder reads and a message does not, or otherwise.
@pytest.mark.parametrize(
    ('kind', 'mode', 'tolerance'),
    [
        *(('PNG', mode, 0) for mode in ('RGB', 'RGBA', 'L', 'LA')),
        ('PNG', 'P', 60),
        ('PNG', '1', 255),
        *(('JPEG', mode, 12) for mode in ('RGB', 'L', 'CMYK')),
        *(('TIFF', mode, 0) for mode in ('RGB', 'RGBA', 'L', 'LA', 'CMYK')),
        ('BMP', 'RGB', 0),
        ('GIF', 'P', 60),
        ('WEBP', 'RGB', 12),
        ('PNG', 'I;16', None),
        ('TIFF', 'I;16', None),
        ('TIFF', 'F', None),
        ('ICO', 'RGBA', None),
    ],
)
def test_files_and_messages_are_read_alike(
    tmp_path: Path, kind: str, mode: str, tolerance: int | None
) -> None:
    message, file = both_ways(encoded(kind, mode), tmp_path)
    if tolerance is None:
        assert isinstance(message, str) and message == file
        return
    assert isinstance(message, np.ndarray) and isinstance(file, np.ndarray)
    assert np.array_equal(message, file)
    grey = np.asarray(Image.fromarray(PICTURE).convert('L').convert('RGB'))
    expected = grey if mode in ('L', 'LA', '1') else PICTURE
    assert np.abs(message.astype(int) - expected).max() <= tolerance


TURNS = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
    9: lambda image: image,  # no orientation of EXIF
}


@pytest.mark.parametrize('orientation', TURNS)
@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP', 'TIFF'])
def test_orientations_of_exif(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {'lossless': True} if kind == 'WEBP' else {'quality': 98} if kind == 'JPEG' else {}
    message, file = both_ways(encoded(kind, 'RGB', exif=exif, **options), tmp_path)
    assert isinstance(message, np.ndarray) and np.array_equal(message, file)
    expected = TURNS[orientation](PICTURE)
    assert message.shape == expected.shape
    assert np.abs(message.astype(int) - expected).mean() < 2


def test_compressed_depth_is_refused_as_what_it_is() -> None:
    content = encoded('PNG', 'I;16')
    for form in ('16UC1; compressedDepth', '32FC1; compressedDepth png', 'compressedDepth'):
        with pytest.raises(FrameError, match='is of depth, not a picture'):
            decode_compressed_image(SimpleNamespace(format=form, data=b'\0' * 12 + content))
    with pytest.raises(FrameError, match='not a color image'):
        decode_compressed_image(SimpleNamespace(format='16UC1; png compressed ', data=content))


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    image = message('mono8')
    image.height, image.width, image.step = 20_000, 20_000, 20_000
    with pytest.raises(FrameError, match='20000x20000'):
        decode_image(image)
    content = bytearray(encoded('PNG', 'RGB'))
    content[16:24] = (20_000).to_bytes(4, 'big') * 2
    with pytest.raises(FrameError):
        decode_compressed_image(SimpleNamespace(format='png', data=bytes(content)))


def is_picture(image: np.ndarray) -> bool:
    return image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3


# Kind: whatever a stranger sends is a picture or a FrameError.
@settings(max_examples=300, deadline=None)
@given(
    encoding=st.sampled_from([*ENCODINGS, '16UC1', 'x', '']) | st.text(),
    height=st.integers(0, 40) | st.integers(0, 2**32 - 1),
    width=st.integers(0, 40) | st.integers(0, 2**32 - 1),
    step=st.integers(0, 200) | st.integers(0, 2**32 - 1),
    big=st.integers(0, 255),
    data=st.binary(max_size=9000),
)
def test_any_image_message(
    *, encoding: str, height: int, width: int, step: int, big: int, data: bytes
) -> None:
    image = SimpleNamespace(
        encoding=encoding, height=height, width=width, step=step, is_bigendian=big, data=data
    )
    try:
        assert is_picture(decode_image(image))
    except FrameError as error:
        assert str(error)


CONTENTS = [encoded(*each) for each in (('JPEG', 'RGB'), ('PNG', 'P'), ('TIFF', 'RGB'))]


@settings(max_examples=200, deadline=None)
@given(
    content=st.sampled_from(CONTENTS),
    place=st.floats(0, 1),
    change=st.binary(min_size=1, max_size=30),
    end=st.floats(0, 1) | st.just(1.0),
    form=st.text(),
)
def test_any_compressed_message(
    content: bytes, place: float, change: bytes, end: float, form: str
) -> None:
    changed = bytearray(content)
    start = round(place * len(changed))
    changed[start : start + len(change)] = change
    data = bytes(changed[: round(end * len(changed))])
    try:
        assert is_picture(decode_compressed_image(SimpleNamespace(format=form, data=data)))
    except FrameError as error:
        assert str(error)
