# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from topreward_ros.errors import FrameError
from topreward_ros.scoring.engine.geometry import Geometry
from topreward_ros.scoring.engine.video import Video, fit, fitter


def frame(height: int = 64, width: int = 96, value: int = 0) -> np.ndarray:
    return np.full((height, width, 3), value, dtype=np.uint8)


@pytest.mark.parametrize(
    ('size', 'fitted'),
    [
        ((480, 640), (480, 640)),  # 307 200 px: within the budget
        ((720, 1280), (448, 832)),  # shrunk to 393 216 px at most, as the processor shrinks
        ((100, 131), (96, 128)),
        ((10, 10), (32, 32)),
        ((1, 150), (32, 160)),
    ],
)
def test_fitted_size(size: tuple[int, int], fitted: tuple[int, int]) -> None:
    assert Geometry().fit_size(*size) == fitted


def test_fitted_size_stays_within_the_budget() -> None:
    geometry = Geometry(max_pixels=32 * 32 * 6)
    for height in range(1, 400, 7):
        for width in range(1, 400, 7):
            if max(height, width) <= 200 * min(height, width):
                rows, columns = geometry.fit_size(height, width)
                assert rows * columns <= 32 * 32 * 6 and rows % 32 == columns % 32 == 0


@pytest.mark.parametrize('size', [(480, 640), (720, 1280), (64, 64), (244, 244), (300, 40)])
def test_the_paper_squashes_whatever_the_shape(size: tuple[int, int]) -> None:
    """As `to_pil` of the authors does; the processor then makes 256x256 of it."""
    geometry = Geometry(frame_fit='paper')
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    squashed = np.asarray(Image.fromarray(image).resize((244, 244)))
    assert geometry.fit_size(*size) == (256, 256)
    video = Video(geometry)
    video.append(image, 0.0)
    video.append(squashed, 0.5)
    first, second = video.images()
    assert (first == second).all() and (first == fit(squashed, (256, 256))).all()
    assert video.grid == (8, 8)


@pytest.mark.parametrize('frame_fit', ['paper', 'aspect'])
def test_frames_that_were_fitted_before_are_the_same(frame_fit: str) -> None:
    geometry = Geometry(max_pixels=40_000, frame_fit=frame_fit)
    random = np.random.default_rng(1)
    images = [random.integers(0, 256, (*size, 3), np.uint8) for size in ((300, 400), (90, 210))]
    make_small = fitter(geometry, 300, 400)
    one, other = Video(geometry), Video(geometry)
    for k, image in enumerate(images):
        small = make_small(image)
        assert small.size <= 3 * max(40_000, 244 * 244) and make_small(small) is small
        one.append(image, k / 2)
        other.append(small, k / 2)
    assert all((a == b).all() for a, b in zip(one.images(), other.images(), strict=True))


def test_the_first_frame_pins_the_size() -> None:
    video = Video(Geometry())
    video.append(frame(64, 96), 0.0)
    video.append(frame(120, 50), 0.5)
    assert video.size == (64, 96)
    assert [tuple(image.shape) for image in video.images()] == [(64, 96, 3)] * 2


def test_blocks_of_two_and_a_doubled_last_frame() -> None:
    video = Video(Geometry())
    for k in range(3):
        video.append(frame(value=k), k / 2)
    assert video.frames == 3
    assert [block.time for block in video.blocks] == [0.25]
    assert video.branch is not None and video.branch.time == 1.0
    assert all((each == 2).all() for each in video.branch.frames)
    video.append(frame(value=3), 1.5)
    assert video.branch is None
    assert [block.time for block in video.blocks] == [0.25, 1.25]
    assert video.fps() == pytest.approx(2.0)


@pytest.mark.parametrize(
    'bad',
    [
        np.zeros((64, 96), np.uint8),
        np.zeros((64, 96, 4), np.uint8),
        np.zeros((64, 96, 3), np.float32),
        np.zeros((0, 96, 3), np.uint8),
        np.zeros((1, 201, 3), np.uint8),
        [[0]],
    ],
)
def test_frames_that_cannot_be_scored(bad: object) -> None:
    with pytest.raises(FrameError):
        Video(Geometry()).append(bad, 0.0)  # type: ignore[arg-type]


@pytest.mark.parametrize('time', [0.4, -1.0, float('nan'), float('inf')])
def test_times_never_fall(time: float) -> None:
    video = Video(Geometry())
    video.append(frame(), 0.5)
    with pytest.raises(FrameError):
        video.append(frame(), time)


def test_an_array_with_negative_strides_is_read_correctly() -> None:
    bgr = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    video = Video(Geometry())
    video.append(bgr[..., ::-1], 0.0)
    assert (video.images()[0].numpy() == bgr[..., ::-1]).all()
