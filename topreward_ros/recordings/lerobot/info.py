# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read meta/info.json of a LeRobot dataset: versions 2.0, 2.1 and 3.0."""

from __future__ import annotations

import math
import reprlib
from dataclasses import dataclass
from typing import Any, TypeGuard

from topreward_ros.json_files import read_json

from .files import INFO, LONGEST_PATH, DatasetError, DatasetFiles

VERSIONS = ('v2.0', 'v2.1', 'v3.0')
VISUAL = ('video', 'image')
LARGEST_WHOLE = 2**53  # that is exact as a float
MOST_FPS = 1e6

Json = dict[str, Any]


@dataclass(frozen=True)
class Info:
    """Contents of meta/info.json: file layout, rate [1/s] and features."""

    name: str
    version: str
    fps: float
    chunks_size: int
    data_path: str
    video_path: str
    features: dict[str, Json]

    @property
    def shares_files(self) -> bool:
        """Whether files hold several episodes each."""
        return self.version == 'v3.0'

    @property
    def cameras(self) -> tuple[str, ...]:
        """Features that are color images; depth maps are left out."""
        return tuple(
            key
            for key, feature in self.features.items()
            if feature.get('dtype') in VISUAL and not _is_depth(feature)
        )

    def choose_camera(self, name: str | None) -> str:
        """Return the camera by its name or the last part of it; None: the only camera."""
        listed = ', '.join(self.cameras)
        if not self.cameras:
            raise DatasetError(f'{self.name} has no camera: no feature is of dtype video or image')
        if name is None and len(self.cameras) > 1:
            raise DatasetError(
                f'{self.name} has several cameras: choose one with --camera: {listed}'
            )
        if name is None or name in self.cameras:
            return name or self.cameras[0]
        matching = [key for key in self.cameras if key.rpartition('.')[2] == name]
        if len(matching) != 1:
            raise DatasetError(
                f'{self.name} has no camera {name!r}: choose one with --camera: {listed}'
            )
        return matching[0]


def read_info(files: DatasetFiles) -> Info:
    """Read meta/info.json; raises DatasetError for another version or invalid values."""
    try:
        content = read_json(files.path(INFO))
    except (OSError, ValueError) as error:
        raise DatasetError(f'{files.name}: {INFO} cannot be read as JSON: {error}') from error
    raw: Json = content if isinstance(content, dict) else {}
    version = raw.get('codebase_version')
    if version not in VERSIONS:
        raise DatasetError(
            f'{files.name} has the version {reprlib.repr(version)}; expected a LeRobot dataset '
            f'of version {", ".join(VERSIONS)}'
        )
    fps: Any = raw.get('fps')
    chunks_size: Any = raw.get('chunks_size', 1000)
    features: Any = raw.get('features')
    valid = (
        is_number(fps) and 1 / MOST_FPS <= fps <= MOST_FPS,
        is_whole(chunks_size) and chunks_size > 0,
        isinstance(features, dict)
        and all(name.isprintable() and isinstance(f, dict) for name, f in features.items()),
        _is_template(raw.get('data_path')),
        _is_template(raw.get('video_path') or ''),
    )
    names = ('fps', 'chunks_size', 'features', 'data_path', 'video_path')
    for key, is_valid in zip(names, valid, strict=True):
        if not is_valid:
            raise DatasetError(f'{files.name}: {key} in {INFO} is missing or invalid')
    return Info(
        name=files.name,
        version=version,
        fps=float(fps),
        chunks_size=chunks_size,
        data_path=raw['data_path'],
        video_path=raw.get('video_path') or '',
        features=features,
    )


def is_whole(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number that is exact as a float."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_WHOLE


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a finite number that fits into a float."""
    return is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _is_template(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_PATH


def _is_depth(feature: Json) -> bool:
    details = [feature.get('info'), feature.get('video_info')]
    keys = ('is_depth_map', 'video.is_depth_map')
    return any(part.get(key) for part in details if isinstance(part, dict) for key in keys)
