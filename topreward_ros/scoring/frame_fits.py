# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How frames can be brought to a model's size, and what published implementations choose."""

from __future__ import annotations

from typing import Any

# The published processor's pixel budget for a whole clip (25 165 824), spread over 64 frames.
CLIP_FRAMES = 64
DEFAULT_MAX_PIXELS = 25_165_824 // CLIP_FRAMES
# paper: squashed to PAPER_SIZE, whatever their shape, as by the authors' code, and then to whole
# merged patches; aspect: to whole merged patches of nearly their own shape
FRAME_FITS = ('paper', 'aspect')
PAPER_SIZE = (244, 244)  # height and width [px]
# Options of loading a model as they do; max_pixels is the limit of a whole clip
PUBLISHED_LOADING: dict[str, dict[str, Any]] = {
    'authors': {'frame_fit': 'paper'},
    'lerobot': {'frame_fit': 'aspect', 'max_pixels': DEFAULT_MAX_PIXELS * CLIP_FRAMES},
}
