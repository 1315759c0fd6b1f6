# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How often pictures are encoded."""

from __future__ import annotations

from typing import Any

import pytest

from topreward_ros.scoring.engine.vision_tower import VisionTower


class Encodings:
    """Counts the blocks or pictures that vision towers encode."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        encode = VisionTower.__call__

        def counted(tower: Any, patches: Any, rows: int, columns: int) -> Any:
            self.count += len(patches) // (rows * columns)
            return encode(tower, patches, rows, columns)

        monkeypatch.setattr(VisionTower, '__call__', counted)

    def take(self) -> int:
        count, self.count = self.count, 0
        return count
