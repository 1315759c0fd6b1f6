# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Progress per frame of a LeRobot dataset, as LeRobot's RA-BC weighting reads it.

The first four columns and the metadata `vlm_name` are those that LeRobot's own TOPReward writes;
the raw log-probabilities stand beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from topreward_ros.files import whole_file
from topreward_ros.recordings.lerobot.files import DatasetError, import_pyarrow, reading
from topreward_ros.reward.values import between
from topreward_ros.scoring.score import Score

PROGRESS_FILE = 'topreward_progress.parquet'
VLM_NAME = 'vlm_name'


@dataclass(frozen=True, eq=False)
class EpisodeProgress:
    """The scores of an episode of `frames` frames, the first number `first_index` of the dataset.

    scored: the frames that were scored, counted from 0 in the episode, rising, (n,); scores and
    progress: theirs, n of each, progress in [0, 1] or all NaN where the curve is flat.
    DatasetError for anything else.
    """

    episode: int
    first_index: int
    frames: int
    scored: np.ndarray
    scores: Sequence[Score]
    progress: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.scored)
        if len(self.scores) != count or np.shape(self.progress) != (count,):
            raise DatasetError(
                f'{len(self.scores)} scores and progress {np.shape(self.progress)} for the {count} '
                'frames scored'
            )
        scored = np.asarray(self.scored)
        rises = bool((np.diff(scored) > 0).all())
        if not count or not rises or scored[0] < 0 or scored[-1] >= self.frames:
            raise DatasetError(
                f'frames scored are {scored.tolist()}; expected rising numbers of the '
                f'{self.frames} frames of episode {self.episode}'
            )
        known = np.asarray(self.progress)
        if not self.is_flat and not bool(((known >= 0) & (known <= 1)).all()):
            raise DatasetError('progress is not in [0, 1], nor NaN throughout')

    @property
    def is_flat(self) -> bool:
        """Whether the curve tells no progress."""
        return bool(np.isnan(self.progress).all())

    def per_frame(self) -> np.ndarray:
        """Progress of every frame, float32 (frames,), linear between those scored.

        Before the first and after the last one theirs holds. NaN throughout where it is flat.
        """
        return between(self.scored, self.progress, self.frames).astype(np.float32)


def write_progress(
    file: Path,
    episodes: Sequence[EpisodeProgress],
    vlm_name: str,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a parquet with a row for each frame of these episodes; it appears when it is whole.

    Frames of a flat curve have NaN, for which LeRobot falls back to its neutral weight. metadata
    is kept beside vlm_name. Raises DatasetError for episodes that share frames and without pyarrow.
    """
    arrow = import_pyarrow()
    ordered = sorted(episodes, key=lambda episode: episode.first_index)
    for before, after in pairwise(ordered):
        if before.first_index + before.frames > after.first_index:
            raise DatasetError(f'episodes {before.episode} and {after.episode} share frames')
    if len({episode.episode for episode in ordered}) < len(ordered):
        raise DatasetError('an episode is there twice')
    parts = [_columns(episode) for episode in ordered]
    empty = _columns(None)
    table = arrow.table(
        {
            name: np.concatenate([kind, *(part[name] for part in parts)])
            for name, kind in empty.items()
        }
    )
    said = {**(metadata or {}), VLM_NAME: vlm_name}
    table = table.replace_schema_metadata({k.encode(): v.encode() for k, v in said.items()})
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as part:
        arrow.parquet.write_table(table, part)


def read_progress(file: Path) -> tuple[list[EpisodeProgress], dict[str, str]]:
    """The episodes of a file that `write_progress` wrote, and its metadata, vlm_name included.

    Values come back in float32. Raises DatasetError for a file that is not one.
    """
    with reading(file), import_pyarrow().parquet.ParquetFile(file) as parquet:
        table = parquet.read(columns=list(_columns(None)))
        columns = {name: table[name].to_numpy() for name in table.column_names}
        missing = _columns(None).keys() - columns.keys()
        if missing:
            raise DatasetError(f'{file} has no column {", ".join(sorted(missing))}')
        metadata = table.schema.metadata or {}
        ids = columns['episode_index']
        bounds = [*np.flatnonzero(np.diff(ids, prepend=ids[:1] - 1)), len(ids)]
        episodes = [
            _read({name: column[a:b] for name, column in columns.items()})
            for a, b in pairwise(bounds)
        ]
        return episodes, {k.decode(): v.decode() for k, v in metadata.items()}


def _columns(episode: EpisodeProgress | None) -> dict[str, np.ndarray]:
    """The columns of an episode, LeRobot's first; None: of no rows."""
    count = episode.frames if episode else 0
    numbers = np.arange(count, dtype=np.int64)
    log_probs, log_probs_false = np.full((2, count), np.nan, dtype=np.float32)
    is_scored = np.zeros(count, dtype=bool)
    if episode:
        is_scored[episode.scored] = True
        # None, for what the model does not say, becomes NaN
        log_probs[episode.scored] = [score.log_prob for score in episode.scores]
        log_probs_false[episode.scored] = [score.log_prob_false for score in episode.scores]
    return {
        'index': numbers + (episode.first_index if episode else 0),
        'episode_index': np.full(count, episode.episode if episode else 0, dtype=np.int64),
        'frame_index': numbers,
        'progress_sparse': episode.per_frame() if episode else np.empty(0, dtype=np.float32),
        'topreward_log_prob': log_probs,
        'topreward_log_prob_false': log_probs_false,
        'topreward_scored': is_scored,
        'topreward_flat': np.full(count, bool(episode and episode.is_flat)),
    }


def _read(rows: Mapping[str, Any]) -> EpisodeProgress:
    """An episode from its rows; DatasetError where they are not whole."""
    first, count = int(rows['index'][0]), len(rows['index'])
    numbers = np.arange(count)
    whole = (rows['index'] == first + numbers) & (rows['frame_index'] == numbers)
    if not whole.all():
        raise DatasetError(f'the rows of episode {rows["episode_index"][0]} are not whole')
    scored = np.flatnonzero(rows['topreward_scored'])
    progress = rows['progress_sparse'][scored]
    columns = ('topreward_log_prob', 'topreward_log_prob_false')
    values = zip(*(rows[column][scored].tolist() for column in columns), progress, strict=True)
    scores = [
        Score(0, _known(true), _known(false), float(own) if np.isnan(true) else None)
        for true, false, own in values
    ]
    return EpisodeProgress(
        episode=int(rows['episode_index'][0]),
        first_index=first,
        frames=count,
        scored=scored,
        scores=scores,
        progress=progress,
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
