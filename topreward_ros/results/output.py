# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The interface of the optional outputs of `topreward score`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from topreward_ros.recordings.clip import ClipError
from topreward_ros.recordings.recording import Recording, Source
from topreward_ros.recordings.sources import FORMATS, format_of
from topreward_ros.reward.calibration import Calibration
from topreward_ros.reward.events import EventOptions
from topreward_ros.reward.live import LiveReward, RewardOptions

from .score_table import Row


@dataclass(frozen=True)
class Reading:
    """How scores become progress, reward, success and events, as in the live node."""

    options: RewardOptions = field(default_factory=RewardOptions)
    calibration: Calibration | None = None
    events: EventOptions = field(default_factory=EventOptions)

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

    model is the scorer's name; path is where the user wants the output, None for the folder of
    results. Both methods get complete rows, and are called again when a run is repeated: output
    that is up to date is left unchanged.
    """

    # Files of a recording that are removed when it is scored again
    recording_files: tuple[str, ...] = ()

    def __init__(self, reading: Reading, model: str, path: Path | None = None) -> None:
        self.reading = reading
        self.model = model
        self.path = path

    def check(self, sources: Sequence[str]) -> None:
        """Raise TopRewardError, before the model is loaded, for sources that it is not for."""

    def write_recording(self, folder: Path, recording: Recording, rows: Sequence[Row]) -> None:
        """Write the output of one recording into its folder."""

    def write_source(
        self, folder: Path, source: Source, rows: Mapping[str, Sequence[Row]]
    ) -> OutputReport:
        """Write the output of a source; rows are of the recordings that were scored."""
        return OutputReport()


def need_format(flag: str, name: str, sources: Sequence[str]) -> None:
    """Raise ClipError for a source that is not of this format, a name in `sources.FORMATS`."""
    for text in sources:
        if format_of(text) is not FORMATS[name]:
            raise ClipError(f'{flag} needs {FORMATS[name].is_a}, which {text} is not')
