# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""File name suffixes of the formats."""

BAG_SUFFIXES = ('.mcap', '.db3')
VIDEO_SUFFIXES = ('.mp4', '.mov', '.mkv', '.webm', '.avi')
IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.webp', '.bmp')
FILE_SUFFIXES = (*VIDEO_SUFFIXES, *BAG_SUFFIXES)
