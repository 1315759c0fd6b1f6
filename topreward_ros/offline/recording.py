# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One episode of a source: what was seen, what was asked for, and what is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..scoring.errors import TopRewardError
from .clip import Clip

# What a recording may come to grief with; anything else is a fault of the program.
GRIEF = (TopRewardError, OSError, ValueError, RuntimeError)


@dataclass(frozen=True)
class Recording:
    """A clip with its task; name is also the folder of what is said of it.

    is_success is None where nobody says. truth is the progress at evenly spaced times from the
    clip's beginning to its end, published what others say it is, by their method's name. origin
    tells one recording from another of the same name.
    """

    name: str
    clip: Clip
    task: str
    is_success: bool | None = None
    truth: np.ndarray | None = None
    published: Mapping[str, np.ndarray] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)


def remarks(recordings: Iterable[Recording]) -> list[str]:
    """What a user should know of how these are read, each once."""
    return list(dict.fromkeys(each.clip.remark for each in recordings if each.clip.remark))
