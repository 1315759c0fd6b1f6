# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import sys
import types
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image as PillowImage

pytest.importorskip('sensor_msgs', reason='ROS 2 is not available: pip install .[kilted,test]')

from sensor_msgs.msg import CompressedImage, Image

from topreward_ros.errors import FrameError
from topreward_ros.scoring.image_decoding import _cv_bridge, decode_compressed_image, decode_image


@pytest.fixture(autouse=True)
def cv_bridge_is_imported_again() -> Iterator[None]:
    _cv_bridge.cache_clear()
    yield
    _cv_bridge.cache_clear()


RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
ALPHA = np.full((5, 7, 1), 9, np.uint8)
RAW = {
    'rgb8': RGB,
    'bgr8': RGB[..., ::-1],
    'rgba8': np.concatenate([RGB, ALPHA], axis=2),
    'bgra8': np.concatenate([RGB[..., ::-1], ALPHA], axis=2),
    'mono8': RGB[..., :1],
}


def message(encoding: str, pixels: np.ndarray, padding: int = 0, big_endian: bool = False) -> Image:
    height, width, depth = pixels.shape
    rows = np.full((height, width * depth + padding), 77, np.uint8)
    rows[:, : width * depth] = pixels.reshape(height, -1)
    image = Image(height=height, width=width, encoding=encoding, is_bigendian=int(big_endian))
    image.step = rows.shape[1]
    image.data = rows.tobytes()
    return image


@pytest.mark.parametrize('big_endian', [False, True])
@pytest.mark.parametrize('padding', [0, 1, 13])
@pytest.mark.parametrize('encoding', RAW)
def test_plain_encodings(encoding: str, padding: int, big_endian: bool) -> None:
    expected = np.repeat(RGB[..., :1], 3, axis=2) if encoding == 'mono8' else RGB
    image = message(encoding, RAW[encoding], padding, big_endian)
    decoded = decode_image(image)
    assert decoded.dtype == np.uint8
    assert (decoded == expected).all()
    assert np.shares_memory(decoded, np.frombuffer(image.data, np.uint8)), 'it was copied'


def test_data_may_be_longer_than_described() -> None:
    image = message('rgb8', RGB)
    image.data = bytes(image.data) + b'\x00' * 50
    assert (decode_image(image) == RGB).all()


@pytest.mark.parametrize('encoding', ['yuv444', '', 'RGB8'])
def test_other_encodings_are_rejected_by_name(encoding: str, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, 'cv_bridge', None)
    with pytest.raises(FrameError, match=f"encoding '{encoding}' needs cv_bridge"):
        decode_image(message(encoding, RGB))


def test_other_encodings_go_through_cv_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    class CvBridge:
        def imgmsg_to_cv2(self, image: Image, desired_encoding: str) -> np.ndarray:
            assert desired_encoding == 'rgb8'
            if image.encoding == 'broken':
                raise RuntimeError('[broken] is not a color format')
            return RGB if image.encoding == 'yuv444' else RGB.astype(np.uint16)

    monkeypatch.setitem(sys.modules, 'cv_bridge', types.SimpleNamespace(CvBridge=CvBridge))
    assert (decode_image(message('yuv444', RGB)) == RGB).all()
    with pytest.raises(FrameError, match='came out as uint16'):
        decode_image(message('yuv444p', RGB))
    with pytest.raises(FrameError, match='cannot be read as rgb8'):
        decode_image(message('broken', RGB))


def compressed(kind: str, mode: str = 'RGB', **options: object) -> CompressedImage:
    file = io.BytesIO()
    PillowImage.fromarray(RGB).convert(mode).save(file, kind, **options)
    return CompressedImage(format=kind.lower(), data=file.getvalue())


@pytest.mark.parametrize('kind', ['PNG', 'WEBP'])
def test_lossless_compressed_images(kind: str) -> None:
    options = {'lossless': True} if kind == 'WEBP' else {}
    assert (decode_compressed_image(compressed(kind, **options)) == RGB).all()


def test_jpeg_keeps_the_order_of_colors() -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    file = io.BytesIO()
    PillowImage.fromarray(red).save(file, 'JPEG')
    decoded = decode_compressed_image(CompressedImage(format='jpeg', data=file.getvalue()))
    assert decoded[8, 8, 0] > 180 and decoded[8, 8, 1:].max() < 30


@pytest.mark.parametrize(
    'broken',
    [
        CompressedImage(format='jpeg', data=b''),
        CompressedImage(format='jpeg', data=b'\xff\xd8\xff' + b'\x00' * 40),
        CompressedImage(format='png', data=bytes(compressed('PNG').data)[:60]),
        CompressedImage(format='jpeg', data=bytes(compressed('JPEG').data)[:-30]),
        compressed('PNG', 'I;16'),
    ],
)
def test_broken_compressed_images(broken: CompressedImage) -> None:
    with pytest.raises(FrameError, match='compressed image'):
        decode_compressed_image(broken)
