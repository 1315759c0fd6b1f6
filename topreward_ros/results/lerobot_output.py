# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward score --parquet`: progress per frame of a LeRobot dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from topreward_ros.recordings.clip import ClipError
from topreward_ros.recordings.lerobot.dataset import DatasetEpisode
from topreward_ros.recordings.lerobot.source import DatasetSource
from topreward_ros.recordings.recording import Source

from .lerobot_progress import PROGRESS_FILE, EpisodeProgress, write_progress
from .output import Output, OutputReport
from .score_table import Row


class ParquetOutput(Output):
    """Writes the file that LeRobot's RA-BC loader reads."""

    def write_source(
        self, folder: Path, source: Source, rows: Mapping[str, Sequence[Row]]
    ) -> OutputReport:
        """Write the progress of all scored episodes; the result lists those that failed.

        Raises ClipError for a source that is no dataset.
        """
        if not isinstance(source, DatasetSource):
            raise ClipError(f'--parquet needs a LeRobot dataset, which {source.name} is not')
        written: list[EpisodeProgress] = []
        failed: dict[str, Exception] = {}
        for recording, episode in zip(source.recordings, source.dataset.episodes, strict=True):
            if recording.name not in rows:
                continue
            try:
                written.append(_progress(episode, rows[recording.name]))
            except ClipError as error:
                failed[recording.name] = error
        file = folder / PROGRESS_FILE
        write_progress(file, written, self.model)
        return OutputReport(f'{file}: progress of {len(written)} episodes', failed)


def _progress(episode: DatasetEpisode, rows: Sequence[Row]) -> EpisodeProgress:
    table = episode.table()
    return EpisodeProgress(
        episode=episode.index,
        first_index=table.first_index,
        frames=episode.frames,
        scored=table.numbers([row.time for row in rows]),
        scores=[row.score for row in rows],
        progress=np.array([row.progress for row in rows]),
    )
