# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which files are what, by their names."""

from pathlib import PurePath

MANIFEST = 'curves.json'
KEYFRAMES = 'annotated_keyframes.json'  # beside the videos of an episode
# Beside a video, of its published answers
PROGRESS_ANSWERS = ('_rewards.npy',)
SUCCESS_ANSWERS = ('_rewards_success_probs.npy', '_success_probs.npy')
BAG_SUFFIXES = ('.mcap', '.db3')
VIDEO_SUFFIXES = (
    *('.mp4', '.m4v', '.mov', '.mkv', '.webm', '.avi', '.gif', '.ts', '.mts', '.m2ts', '.mpg'),
    *('.mpeg', '.wmv', '.flv', '.f4v', '.ogv', '.3gp', '.3g2', '.vob', '.mxf', '.asf', '.ivf'),
    *('.y4m', '.mjpeg', '.mjpg', '.h264', '.264', '.h265', '.265', '.hevc', '.av1', '.obu'),
)
# Video without times
AMBIGUOUS_SUFFIXES = ('.gif', '.ts', '.mts')  # pictures and texts, too
RAW_VIDEO_SUFFIXES = ('.h264', '.264', '.h265', '.265', '.hevc', '.av1', '.obu', '.mjpeg', '.mjpg')
IMAGE_SUFFIXES = (
    *('.png', '.jpg', '.jpeg', '.jpe', '.jfif', '.webp', '.bmp', '.tif', '.tiff', '.ppm', '.pgm'),
    *('.pnm', '.tga', '.jp2'),
)
FILE_SUFFIXES = (*VIDEO_SUFFIXES, *BAG_SUFFIXES)


def is_hidden(path: PurePath) -> bool:
    """Return whether a file found in a folder is never content, such as `._a.png` of macOS."""
    return path.name.startswith('.')
