# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A LeRobot dataset's meta/info.json: versions 2.0, 2.1 and 3.0."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, TypeGuard

from .files import INFO, DatasetError, DatasetFiles

VERSIONS = ('v2.0', 'v2.1', 'v3.0')
VISUAL = ('video', 'image')

Json = dict[str, Any]


@dataclass(frozen=True)
class Info:
    """meta/info.json: the layout, the rate [1/s] and the features."""

    name: str
    version: str
    fps: float
    chunks_size: int
    data_path: str
    video_path: str
    features: dict[str, Json]

    @property
    def shares_files(self) -> bool:
        """Whether a file holds many episodes."""
        return self.version == 'v3.0'

    @property
    def cameras(self) -> tuple[str, ...]:
        """Features that are pictures in colour; depth maps are not."""
        return tuple(
            key
            for key, feature in self.features.items()
            if feature.get('dtype') in VISUAL and not _is_depth(feature)
        )

    def choose_camera(self, wanted: str | None) -> str:
        """The camera of this name, or of this last part of one; None: the only one there is."""
        listed = ', '.join(self.cameras)
        if not self.cameras:
            raise DatasetError(f'{self.name} has no camera: no feature is of dtype video or image')
        if wanted is None and len(self.cameras) > 1:
            raise DatasetError(
                f'{self.name} has several cameras, choose one with --camera: {listed}'
            )
        if wanted is None or wanted in self.cameras:
            return wanted or self.cameras[0]
        matching = [key for key in self.cameras if key.rpartition('.')[2] == wanted]
        if len(matching) != 1:
            raise DatasetError(
                f'{self.name} has no camera {wanted!r}, choose one with --camera: {listed}'
            )
        return matching[0]


def read_info(files: DatasetFiles) -> Info:
    """meta/info.json; DatasetError for another version or for what makes no sense."""
    try:
        content = json.loads(files.path(INFO).read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise DatasetError(f'{files.name}: {INFO} is not JSON that can be read: {error}') from error
    raw: Json = content if isinstance(content, dict) else {}
    version = raw.get('codebase_version')
    if version not in VERSIONS:
        raise DatasetError(
            f'{files.name} is of version {version!r}; LeRobot datasets of {", ".join(VERSIONS)} '
            'can be read'
        )
    fps: Any = raw.get('fps')
    chunks_size: Any = raw.get('chunks_size', 1000)
    features: Any = raw.get('features')
    sound = (
        is_number(fps) and fps > 0,
        is_whole(chunks_size) and chunks_size > 0,
        isinstance(features, dict) and all(isinstance(f, dict) for f in features.values()),
        isinstance(raw.get('data_path'), str),
        isinstance(raw.get('video_path') or '', str),
    )
    named = ('fps', 'chunks_size', 'features', 'data_path', 'video_path')
    for key, is_sound in zip(named, sound, strict=True):
        if not is_sound:
            raise DatasetError(f'{files.name}: {INFO} holds no {key} that makes sense')
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
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_depth(feature: Json) -> bool:
    notes = [feature.get('info'), feature.get('video_info')]
    keys = ('is_depth_map', 'video.is_depth_map')
    return any(note.get(key) for note in notes if isinstance(note, dict) for key in keys)
