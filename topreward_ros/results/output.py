# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an optional output of `topreward score` is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from topreward_ros.recordings.recording import Recording, Source
from topreward_ros.reward.calibration import Calibration
from topreward_ros.reward.live import LiveReward, RewardOptions

from .score_table import Row


@dataclass(frozen=True)
class Reading:
    """How scores become what the live node would have published of them."""

    options: RewardOptions = field(default_factory=RewardOptions)
    calibration: Calibration | None = None

    def start(self) -> LiveReward:
        """Return what follows an episode; ValueError where a calibration is needed and missing."""
        return self.options.start(self.calibration)


@dataclass(frozen=True)
class Written:
    """What came of a source's output: a line to print, and what failed, by recording."""

    summary: str = ''
    failed: Mapping[str, Exception] = field(default_factory=dict)


class Output:
    """Writes something besides the table and the picture; a subclass overrides what it writes.

    model is the scorer's name. Both methods are given rows that are whole, and are called again
    when a run is repeated: what is up to date is left as it is.
    """

    # Files of a recording that are removed when it is scored anew
    recording_files: tuple[str, ...] = ()

    def __init__(self, reading: Reading, model: str) -> None:
        self.reading = reading
        self.model = model

    def write_recording(self, folder: Path, recording: Recording, rows: Sequence[Row]) -> None:
        """Write what belongs to one recording into its folder."""

    def write_source(
        self, folder: Path, source: Source, rows: Mapping[str, Sequence[Row]]
    ) -> Written:
        """Write what belongs to a whole source; rows are of the recordings that were scored."""
        return Written()
