# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which files of a folder belong to a recording, by their names."""

from __future__ import annotations

from pathlib import PurePath

MANIFEST = 'curves.json'
BAG_SUFFIXES = ('.mcap', '.db3')
VIDEO_SUFFIXES = ('.mp4', '.mov', '.mkv', '.webm', '.avi')
# Video without times
RAW_VIDEO_SUFFIXES = ('.h264', '.264', '.h265', '.265', '.hevc', '.av1', '.obu', '.mjpeg', '.mjpg')
IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp', '.bmp')
FILE_SUFFIXES = (*VIDEO_SUFFIXES, *BAG_SUFFIXES)


def is_hidden(path: PurePath) -> bool:
    """Return whether a file found in a folder is never content, such as `._a.png` of macOS."""
    return path.name.startswith('.')
