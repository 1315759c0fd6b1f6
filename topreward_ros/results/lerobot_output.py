# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward score --parquet`: progress per frame of a LeRobot dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from topreward_ros.files import check_file
from topreward_ros.recordings.clip import ClipError
from topreward_ros.recordings.lerobot.dataset import DatasetEpisode
from topreward_ros.recordings.lerobot.source import DatasetSource
from topreward_ros.recordings.recording import Source

from .lerobot_progress import (
    PROGRESS_FILE,
    REWARD_MODEL,
    EpisodeProgress,
    is_own_progress,
    write_progress,
)
from .output import Output, OutputReport, need_format
from .score_table import Row


class ParquetOutput(Output):
    """Writes the file that LeRobot's RA-BC loader reads, to the path or the folder of results."""

    def check(self, sources: Sequence[str]) -> None:
        need_format('--parquet', 'lerobot', sources)
        if self.path is None:
            return
        if len(sources) > 1:
            raise ClipError(
                f'--parquet {self.path} is for one dataset, and there are {len(sources)}: score '
                'them one by one, or give --parquet no path'
            )
        file = self._file(self.path)
        check_file(file, '--parquet')
        if file.exists() and not is_own_progress(file):
            raise ClipError(
                f'{file} exists and was not written by `topreward score`: choose another path for '
                '--parquet'
            )

    def write_source(
        self, folder: Path, source: Source, rows: Mapping[str, Sequence[Row]]
    ) -> OutputReport:
        """Write the progress of all scored episodes; the result lists those that failed."""
        assert isinstance(source, DatasetSource)  # checked
        written: list[EpisodeProgress] = []
        failed: dict[str, Exception] = {}
        for recording, episode in zip(source.recordings, source.dataset.episodes, strict=True):
            if recording.name not in rows:
                continue
            try:
                written.append(_progress(episode, rows[recording.name]))
            except ClipError as error:
                failed[recording.name] = error
        file = self._file(self.path or folder)
        write_progress(file, written, self.model, _metadata(rows))
        return OutputReport(
            f'{file}: progress of {len({each.episode for each in written})} episodes, for '
            "LeRobot's --sample_weighting.progress_path",
            failed,
        )

    def _file(self, path: Path) -> Path:
        return path if path.suffix == '.parquet' else path / PROGRESS_FILE


def _metadata(rows: Mapping[str, Sequence[Row]]) -> dict[str, str]:
    names = {row.reward_model for table in rows.values() for row in table} - {''}
    return {REWARD_MODEL: ', '.join(sorted(names))} if names else {}


def _progress(episode: DatasetEpisode, rows: Sequence[Row]) -> EpisodeProgress:
    table = episode.table()
    return EpisodeProgress(
        episode=episode.index,
        first_index=table.first_index,
        frames=episode.frames,
        scored=table.numbers([row.time for row in rows]),
        scores=[row.score for row in rows],
        progress=np.array([row.progress for row in rows]),
        first=episode.first,
    )
