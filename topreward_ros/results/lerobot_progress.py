# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read and write progress per frame of a LeRobot dataset, in the format of LeRobot's RA-BC.

The first four columns and the metadata `vlm_name` are those that LeRobot's own TOPReward writes;
the columns of the raw scores, and `reward_model` in the metadata, are added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from topreward_ros.files import whole_file
from topreward_ros.recordings.lerobot.files import DatasetError, import_pyarrow, reading
from topreward_ros.reward.values import between, none_if_nan
from topreward_ros.scoring.score import Score

PROGRESS_FILE = 'topreward_progress.parquet'
VLM_NAME = 'vlm_name'
REWARD_MODEL = 'reward_model'  # in the metadata; absent in older files
# After version 0.1.0
ADDED_COLUMNS = {
    'topreward_model_progress',
    'topreward_model_success',
    'topreward_scored',
    'topreward_first',
}
# Columns of a score's values, each with its attribute of Score
SCORE_COLUMNS = {
    'topreward_log_prob': 'log_prob',
    'topreward_log_prob_false': 'log_prob_false',
    'topreward_model_progress': 'progress',
    'topreward_model_success': 'success',
}
PART_PREFIX = 'topreward_part.'  # of the columns of parts of a combined reward


@dataclass(frozen=True, eq=False)
class EpisodeProgress:
    """The scores of an episode, or of a part with a task of its own, of `frames` frames.

    Its first frame is numbered first in the episode, and first_index in the dataset. scored holds
    the rising numbers of the scored frames from there, beginning with 0, (n,); scores and progress
    are their values, (n,), progress in [0, 1] or all NaN where the curve is flat. Raises
    DatasetError for anything else.
    """

    episode: int
    first_index: int
    frames: int
    scored: np.ndarray
    scores: Sequence[Score]
    progress: np.ndarray
    first: int = 0

    def __post_init__(self) -> None:
        count = len(self.scored)
        if len(self.scores) != count or np.shape(self.progress) != (count,):
            raise DatasetError(
                f'{len(self.scores)} scores and progress of shape {np.shape(self.progress)}; '
                f'expected {count}, one per scored frame'
            )
        scored = np.asarray(self.scored)
        rises = bool((np.diff(scored) > 0).all())
        if not count or not rises or scored[0] < 0 or scored[-1] >= self.frames:
            raise DatasetError(
                f'the scored frames are {scored.tolist()}; expected rising frame numbers below '
                f'{self.frames} in episode {self.episode}'
            )
        progress = np.asarray(self.progress)
        if not self.is_flat and not bool(((progress >= 0) & (progress <= 1)).all()):
            raise DatasetError('progress is neither in [0, 1] nor all NaN')

    @property
    def is_flat(self) -> bool:
        """Whether the curve is flat, so that progress is undefined."""
        return bool(np.isnan(self.progress).all())

    def per_frame(self) -> np.ndarray:
        """Return the progress of every frame, float32 (frames,), linear between scored frames.

        It is constant before the first and after the last scored frame, and all NaN where the
        curve is flat.
        """
        return between(self.scored, self.progress, self.frames).astype(np.float32)


def write_progress(
    file: Path,
    episodes: Sequence[EpisodeProgress],
    vlm_name: str,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a parquet file with a row per frame; it appears when it is complete.

    Frames of a flat curve have NaN, for which LeRobot uses its neutral weight. metadata is stored
    with vlm_name. Raises DatasetError for episodes that share frames, and without pyarrow.
    """
    arrow = import_pyarrow()
    ordered = sorted(episodes, key=lambda episode: episode.first_index)
    for before, after in pairwise(ordered):
        if before.first_index + before.frames > after.first_index:
            raise DatasetError(f'episodes {before.episode} and {after.episode} share frames')
    begins = {(each.episode, each.first_index - each.first) for each in ordered}
    if len({episode for episode, _ in begins}) < len(begins):
        raise DatasetError('two episodes have the same index')
    names = dict.fromkeys(name for each in ordered for score in each.scores for name in score.parts)
    parts = [_columns(episode, names) for episode in ordered]
    empty = _columns(None, names)
    table = arrow.table(
        {
            name: np.concatenate([kind, *(part[name] for part in parts)])
            for name, kind in empty.items()
        }
    )
    all_metadata = {**(metadata or {}), VLM_NAME: vlm_name}
    table = table.replace_schema_metadata({k.encode(): v.encode() for k, v in all_metadata.items()})
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as part:
        arrow.parquet.write_table(table, part)


def is_own_progress(file: Path) -> bool:
    """Return whether a file was written by `write_progress`."""
    try:
        with reading(file):
            names: list[str] = import_pyarrow().parquet.read_schema(file).names
    except DatasetError:
        return False
    return 'topreward_log_prob' in names


def read_progress(file: Path) -> tuple[list[EpisodeProgress], dict[str, str]]:
    """Read a file of `write_progress`: its episodes, and its metadata including vlm_name.

    The values are float32. Also reads files of version 0.1.0, which have fewer columns. Raises
    DatasetError for another file.
    """
    with reading(file), import_pyarrow().parquet.ParquetFile(file) as parquet:
        names = [name for name in parquet.schema_arrow.names if name.startswith(PART_PREFIX)]
        expected = _columns(None, [name.removeprefix(PART_PREFIX) for name in names])
        table = parquet.read(columns=list(expected))
        columns = {name: table[name].to_numpy() for name in table.column_names}
        missing = expected.keys() - columns.keys()
        if missing - ADDED_COLUMNS:
            raise DatasetError(f'{file} has no column {", ".join(sorted(missing))}')
        columns |= {name: kind for name, kind in _added(columns).items() if name in missing}
        metadata = table.schema.metadata or {}
        parts = np.stack([columns['episode_index'], columns['topreward_first']])
        changes = (np.diff(parts, prepend=parts[:, :1] - 1) != 0).any(axis=0)
        bounds = [*np.flatnonzero(changes), parts.shape[1]]
        episodes = [
            _read({name: column[a:b] for name, column in columns.items()})
            for a, b in pairwise(bounds)
        ]
        return episodes, {k.decode(): v.decode() for k, v in metadata.items()}


def _columns(episode: EpisodeProgress | None, parts: Iterable[str] = ()) -> dict[str, np.ndarray]:
    """Return the columns of an episode, LeRobot's first; None: columns without rows.

    parts are the names of parts that any score has.
    """
    count = episode.frames if episode else 0
    numbers = np.arange(count, dtype=np.int64)
    scores = _score_columns(episode, count, parts)
    is_scored = np.zeros(count, dtype=bool)
    if episode:
        is_scored[episode.scored] = True
    return {
        'index': numbers + (episode.first_index if episode else 0),
        'episode_index': np.full(count, episode.episode if episode else 0, dtype=np.int64),
        'frame_index': numbers + (episode.first if episode else 0),
        'progress_sparse': episode.per_frame() if episode else np.empty(0, dtype=np.float32),
        **scores,
        'topreward_scored': is_scored,
        'topreward_flat': np.full(count, bool(episode and episode.is_flat)),
        # The frame with which the part begins; 0 for a whole episode
        'topreward_first': np.full(count, episode.first if episode else 0, dtype=np.int64),
    }


def _score_columns(
    episode: EpisodeProgress | None, count: int, parts: Iterable[str]
) -> dict[str, np.ndarray]:
    """Return the columns of the scores' values, float32; NaN where the model gives none."""
    found = {
        **{name: lambda score, key=key: getattr(score, key) for name, key in SCORE_COLUMNS.items()},
        **{PART_PREFIX + key: lambda score, key=key: score.parts.get(key) for key in parts},
    }
    columns = {name: np.full(count, np.nan, dtype=np.float32) for name in found}
    if episode:
        for name, value in found.items():
            columns[name][episode.scored] = [value(score) for score in episode.scores]  # None: NaN
    return columns


def _added(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the columns that older files do not have."""
    log_probs = columns['topreward_log_prob']
    return {
        'topreward_model_progress': np.full_like(log_probs, np.nan),
        'topreward_model_success': np.full_like(log_probs, np.nan),
        'topreward_scored': ~np.isnan(log_probs),
        'topreward_first': np.zeros(len(log_probs), dtype=np.int64),
    }


def _read(rows: Mapping[str, Any]) -> EpisodeProgress:
    """Read an episode from its rows; raises ValueError where rows are missing."""
    begin, count = int(rows['index'][0]), len(rows['index'])
    first = int(rows['topreward_first'][0])
    numbers = np.arange(count)
    matches = (rows['index'] == begin + numbers) & (rows['frame_index'] == first + numbers)
    if not matches.all():
        raise ValueError(f'rows of episode {rows["episode_index"][0]} are missing')
    scored = np.flatnonzero(rows['topreward_scored'])
    progress = rows['progress_sparse'][scored]
    scores = [_score(rows, int(number)) for number in scored]
    return EpisodeProgress(
        episode=int(rows['episode_index'][0]),
        first_index=begin,
        frames=count,
        scored=scored,
        scores=scores,
        progress=progress,
        first=first,
    )


def _score(rows: Mapping[str, Any], number: int) -> Score:
    parts = {
        name.removeprefix(PART_PREFIX): float(column[number])
        for name, column in rows.items()
        if name.startswith(PART_PREFIX)
    }
    return Score(
        frames=0,
        parts={name: value for name, value in parts.items() if not np.isnan(value)},
        **{field: none_if_nan(float(rows[name][number])) for name, field in SCORE_COLUMNS.items()},
    )
