# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The interface of the optional outputs of `topreward score`."""

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
    """How scores become progress, reward and success, as in the live node."""

    options: RewardOptions = field(default_factory=RewardOptions)
    calibration: Calibration | None = None

    def start(self) -> LiveReward:
        """Return the reward of a new episode; raises ValueError without a needed calibration."""
        return self.options.start(self.calibration)


@dataclass(frozen=True)
class OutputReport:
    """The result of an output: a line to print, and the errors by recording."""

    summary: str = ''
    failed: Mapping[str, Exception] = field(default_factory=dict)


class Output:
    """An output in addition to the table and the plot; subclasses override one or both methods.

    model is the scorer's name. Both methods get complete rows, and are called again when a run is
    repeated: output that is up to date is left unchanged.
    """

    # Files of a recording that are removed when it is scored again
    recording_files: tuple[str, ...] = ()

    def __init__(self, reading: Reading, model: str) -> None:
        self.reading = reading
        self.model = model

    def write_recording(self, folder: Path, recording: Recording, rows: Sequence[Row]) -> None:
        """Write the output of one recording into its folder."""

    def write_source(
        self, folder: Path, source: Source, rows: Mapping[str, Sequence[Row]]
    ) -> OutputReport:
        """Write the output of a source; rows are of the recordings that were scored."""
        return OutputReport()
