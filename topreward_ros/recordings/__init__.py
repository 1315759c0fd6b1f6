# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read recordings: videos, image folders, rosbags and LeRobot datasets.

from topreward_ros.recordings import open_source

for recording in open_source('demos/').recordings:
    for time, frame in recording.clip.frames():  # [s], uint8 RGB (H, W, 3)
        ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from topreward_ros.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from .clip import Clip as Clip
    from .clip import ClipError as ClipError
    from .clip_source import open_clip as open_clip
    from .labelled import open_recordings as open_recordings
    from .recording import Recording as Recording
    from .recording import Source as Source
    from .source_options import SourceOptions as SourceOptions
    from .sources import FORMATS as FORMATS
    from .sources import Format as Format
    from .sources import open_source as open_source

__getattr__, __all__ = lazy_exports(
    __name__,
    {
        'clip': ('Clip', 'ClipError'),
        'clip_source': ('open_clip',),
        'labelled': ('open_recordings',),
        'recording': ('Recording', 'Source'),
        'source_options': ('SourceOptions',),
        'sources': ('FORMATS', 'Format', 'open_source'),
    },
)
