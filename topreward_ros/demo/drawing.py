# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Renders the small world as seen by a camera above the table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw

from .scene import SceneEpisode
from .table import ARM_BASE, BLOCK_SIDE, PLACE_RADIUS, Point, State
from .tasks import COLORS

Color = tuple[int, int, int]

COLOR_BLOCKS: dict[str, Color] = {
    'red': (214, 45, 45),
    'green': (38, 158, 74),
    'blue': (42, 98, 214),
    'yellow': (245, 200, 30),
    'purple': (146, 62, 178),
}
COLOR_TABLE: Color = (226, 217, 203)
COLOR_GRAIN: Color = (216, 206, 190)
WHITE: Color = (250, 250, 250)
TEAL, DEEP_TEAL = (62, 180, 180), (18, 112, 120)
WOOD, DARK_WOOD = (176, 122, 74), (134, 88, 48)
PINK, PALE_PINK = (244, 150, 172), (252, 208, 218)
SLATE, DARK_SLATE = (104, 112, 126), (50, 55, 66)
METAL, DARK_METAL, JOINT = (128, 136, 148), (58, 63, 73), (240, 138, 40)
SHADOW = (40, 30, 20, 70)
SHADOW_OFFSET = (0.35, 0.7)  # per height above the table
LINK_LENGTH = 0.54  # of either link of the arm
SUPERSAMPLING = 2
SENSOR_NOISE = 2.0  # standard deviation [levels of 255]


class SceneRenderer:
    """Renders images of one episode, uint8 RGB (height, width, 3).

    The table's unit square fills the shorter side of the image; the table extends beyond it.
    `appearance` is the seed of the light and small color variations of an episode.
    """

    def __init__(
        self, height: int, width: int, appearance: int = 0, noise: float = SENSOR_NOISE
    ) -> None:
        """Raises ValueError for a size of less than 16 pixels."""
        if min(height, width) < 16:
            raise ValueError(f'the image size is {width}x{height}; expected at least 16x16')
        self.size = height, width
        self._random = np.random.default_rng(appearance)
        light = self._random.uniform(0.92, 1.04)
        self._light = [min(255, round(level * light)) for level in range(256)] * 3
        self._tints = self._random.integers(-7, 8, (8, 3))
        self._scale = SUPERSAMPLING * min(height, width)
        self._corner = (
            (SUPERSAMPLING * width - self._scale) / 2,
            (SUPERSAMPLING * height - self._scale) / 2,
        )
        # One noise image, shifted at random for each image
        self._grain = (
            np.rint(self._random.normal(0, noise, (height, width, 3))).astype(np.int16)
            if noise
            else None
        )
        self._background: tuple[object, Image.Image] | None = None

    def take(self, state: State) -> np.ndarray:
        """Render an image of a state."""
        image = self._render_background(state).copy()
        brush = _Brush(image, self._scale, self._corner)
        if state.moved:
            self._block(brush, state, state.moved)
        _arm(brush, state)
        small = image.reduce(SUPERSAMPLING)
        pixels = np.asarray(small.point(self._light)).astype(np.int16)
        if self._grain is not None:
            pixels += np.roll(self._grain, int(self._random.integers(self._grain.size)))
        return np.clip(pixels, 0, 255).astype(np.uint8)

    def _render_background(self, state: State) -> Image.Image:
        """Render the table and everything that does not move, cached between images."""
        key = state.places, {c: p for c, p in state.blocks.items() if c != state.moved}
        if self._background is None or self._background[0] != key:
            height, width = (SUPERSAMPLING * side for side in self.size)
            image = Image.new('RGB', (width, height), self._tint(0, COLOR_TABLE))
            brush = _Brush(image, self._scale, self._corner)
            _grain(brush)
            for name, point in state.places.items():
                _PLACES[name](brush, point)
            for color in state.blocks:
                if color != state.moved:
                    self._block(brush, state, color)
            self._background = key, image
        return self._background[1]

    def _block(self, brush: _Brush, state: State, color: str) -> None:
        height = state.moved_height if color == state.moved else 0.0
        _block(
            brush,
            state.blocks[color],
            height,
            self._tint(1 + COLORS.index(color), COLOR_BLOCKS[color]),
        )

    def _tint(self, index: int, color: Color) -> Color:
        r, g, b = np.clip(self._tints[index] + color, 0, 255).tolist()
        return r, g, b


def film(
    episode: SceneEpisode,
    fps: float = 15.0,
    height: int = 480,
    width: int = 480,
    speed: float = 1.0,
) -> Iterator[np.ndarray]:
    """Yield every frame of an episode, uint8 RGB (height, width, 3)."""
    camera = SceneRenderer(height, width, episode.appearance)
    for k in range(count_frames(episode, fps, speed)):
        yield camera.take(episode.state(k / fps * speed))


def count_frames(episode: SceneEpisode, fps: float, speed: float = 1.0) -> int:
    return round(episode.seconds / speed * fps) + 1


class _Brush:
    """Draws in table units; colors with an alpha below 255 are translucent."""

    def __init__(self, image: Image.Image, scale: float, corner: tuple[float, float]) -> None:
        self._draw = ImageDraw.Draw(image, 'RGBA')
        self._scale = scale
        self._corner = corner
        self.bounds = [
            ((-c) / scale, (side - c) / scale) for c, side in zip(corner, image.size, strict=True)
        ]

    def disc(self, centre: Point, radius: float, fill: Sequence[int]) -> None:
        self._draw.ellipse(self._box(centre, radius, radius), fill=tuple(fill))

    def box(self, centre: Point, half: Point, fill: Sequence[int], corner: float = 0.012) -> None:
        radius = corner * self._scale
        self._draw.rounded_rectangle(self._box(centre, *half), radius, fill=tuple(fill))

    def line(self, ends: Sequence[Point], width: float, fill: Sequence[int]) -> None:
        """Draw a line with round ends."""
        points = [self._pixel(end) for end in ends]
        pixels = max(1, round(width * self._scale))
        self._draw.line(points, fill=tuple(fill), width=pixels, joint='curve')
        if len(fill) == 3:
            for end in ends:
                self.disc(end, width / 2, fill)

    def _pixel(self, point: Point) -> Point:
        x, y = point
        return self._corner[0] + x * self._scale, self._corner[1] + y * self._scale

    def _box(self, centre: Point, half_width: float, half_height: float) -> list[float]:
        x, y = self._pixel(centre)
        dx, dy = half_width * self._scale, half_height * self._scale
        return [x - dx, y - dy, x + dx, y + dy]


def _shade(color: Color, factor: float) -> Color:
    r, g, b = (min(255, int(c * factor)) for c in color)
    return r, g, b


def _grain(brush: _Brush) -> None:
    (left, right), (top, bottom) = brush.bounds
    for k in range(math.floor(top / 0.2), math.ceil(bottom / 0.2) + 1):
        brush.line([(left, 0.2 * k), (right, 0.2 * k)], 0.005, COLOR_GRAIN)


def _shadow_of(point: Point, height: float) -> Point:
    return point[0] + SHADOW_OFFSET[0] * height, point[1] + SHADOW_OFFSET[1] * height


def _plate(brush: _Brush, at: Point) -> None:
    brush.disc(_shadow_of(at, 0.02), PLACE_RADIUS, SHADOW)
    brush.disc(at, PLACE_RADIUS, WHITE)
    brush.disc(at, 0.72 * PLACE_RADIUS, (226, 230, 236))
    brush.disc(at, 0.66 * PLACE_RADIUS, WHITE)


def _bowl(brush: _Brush, at: Point) -> None:
    brush.disc(_shadow_of(at, 0.04), PLACE_RADIUS, SHADOW)
    brush.disc(at, PLACE_RADIUS, TEAL)
    brush.disc(at, 0.8 * PLACE_RADIUS, DEEP_TEAL)
    brush.disc((at[0], at[1] + 0.01), 0.62 * PLACE_RADIUS, _shade(DEEP_TEAL, 1.25))


def _tray(brush: _Brush, at: Point) -> None:
    half = (PLACE_RADIUS, 0.9 * PLACE_RADIUS)
    brush.box(_shadow_of(at, 0.02), half, SHADOW)
    brush.box(at, half, DARK_WOOD)
    brush.box(at, (half[0] - 0.014, half[1] - 0.014), WOOD)


def _mat(brush: _Brush, at: Point) -> None:
    brush.box(at, (PLACE_RADIUS, 0.9 * PLACE_RADIUS), PINK, corner=0.004)
    for k in (-2, 0, 2):
        brush.box((at[0] + 0.03 * k, at[1]), (0.014, 0.9 * PLACE_RADIUS), PALE_PINK, corner=0)


def _open_box(brush: _Brush, at: Point) -> None:
    half = 0.92 * PLACE_RADIUS
    brush.box(_shadow_of(at, 0.05), (half, half), SHADOW)
    brush.box(at, (half, half), SLATE)
    brush.box(at, (half - 0.02, half - 0.02), DARK_SLATE)


_PLACES = {'plate': _plate, 'bowl': _bowl, 'tray': _tray, 'mat': _mat, 'box': _open_box}


def _block(brush: _Brush, at: Point, height: float, color: Color) -> None:
    half = BLOCK_SIDE / 2 * (1 + 0.6 * height)
    brush.box(_shadow_of(at, height + 0.03), (half, half), SHADOW)
    x, y = at[0], at[1] - 0.35 * height
    brush.box((x, y + 0.007), (half, half), _shade(color, 0.72))
    brush.box((x, y - 0.006), (half, half - 0.006), color)
    brush.box((x - 0.012, y - 0.022), (0.55 * half, 0.012), _shade(color, 1.16), corner=0.008)


def _arm(brush: _Brush, state: State) -> None:
    x, y = state.gripper
    height = state.gripper_height
    hand = x, y - 0.35 * height
    elbow = _elbow(ARM_BASE, hand)
    brush.line([_shadow_of(p, 0.09) for p in (ARM_BASE, elbow, hand)], 0.04, (40, 30, 20, 45))
    brush.disc(ARM_BASE, 0.10, DARK_METAL)
    brush.disc(ARM_BASE, 0.075, METAL)
    brush.line([ARM_BASE, elbow], 0.05, METAL)
    brush.line([elbow, hand], 0.038, _shade(METAL, 1.25))
    brush.disc(elbow, 0.035, DARK_METAL)
    brush.disc(elbow, 0.02, JOINT)
    reach = BLOCK_SIDE / 2 + 0.008 + 0.028 * state.opening
    brush.box(hand, (reach + 0.008, 0.014), DARK_METAL)
    for side in (-1, 1):
        brush.box((hand[0] + side * reach, hand[1] + 0.008), (0.010, 0.036), DARK_METAL, 0.006)
    brush.disc(hand, 0.022, JOINT)


def _elbow(base: Point, hand: Point) -> Point:
    """Return the joint between two links of equal length, bent to the right."""
    dx, dy = hand[0] - base[0], hand[1] - base[1]
    distance = max(math.hypot(dx, dy), 1e-6)
    aside = math.sqrt(max(LINK_LENGTH**2 - (distance / 2) ** 2, 0.0))
    return (
        (base[0] + hand[0]) / 2 + aside * dy / distance,
        (base[1] + hand[1]) / 2 - aside * dx / distance,
    )
