# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is written of a whole source: a bag, or a table of progress."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..reward.calibration import Calibration
from ..reward.live import RewardOptions
from ..reward.progress import min_max
from ..scoring.score import Score
from ..scoring.window import NANOSECONDS
from .bags.episodes import BagEpisode
from .bags.scored import Told, write_scored_bag
from .clip import ClipError
from .lerobot.dataset import DatasetEpisode
from .lerobot.progress import PROGRESS_FILE, EpisodeProgress, write_progress
from .score_table import Row
from .sources import Source
from .whole_files import write_json


@dataclass(frozen=True)
class Reading:
    """How scores become what the live node would have published of them."""

    options: RewardOptions
    calibration: Calibration | None = None


def write_bag(
    folder: Path, source: Source, rows: Mapping[str, Sequence[Row]], reading: Reading
) -> None:
    """`bag/` in the folder, with Progress and SuccessDetected beside the bag's own topics, as the
    node would publish them. One that is there already, of the same scores, is left as it is.

    Every prefix has to be scored. Raises ClipError for a source that is no bag, and where
    something else is in the way.
    """
    if source.bag is None:
        raise ClipError(f'{source.name} is no bag, so there is none to write progress into')
    scores = hashlib.sha256(repr(sorted(rows.items())).encode()).hexdigest()
    asked = {'reading': _plain(reading), 'scores': scores}
    marker, target = folder / 'bag.json', folder / 'bag'
    if target.exists():
        if not marker.exists():
            raise ClipError(
                f'{target} is there and not of `topreward score`: choose another --save'
            )
        if json.loads(marker.read_text(encoding='utf-8')) == asked:
            return
        shutil.rmtree(target)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(marker, {'under way': asked})
    told: list[Told] = []
    for recording, episode in zip(source.recordings, source.bag_episodes, strict=True):
        if recording.name in rows:
            told += _told(rows[recording.name], episode, recording.task, reading)
    write_scored_bag(source.bag, target, told)
    write_json(marker, asked)


def _plain(reading: Reading) -> dict[str, Any]:
    return dict(json.loads(json.dumps(dataclasses.asdict(reading))))


def _told(rows: Sequence[Row], episode: BagEpisode, task: str, reading: Reading) -> Iterator[Told]:
    live = reading.options.start(reading.calibration)
    for row in rows:
        stamp = episode.first_stamp + round(row.time * NANOSECONDS)
        yield Told(
            stamp=stamp,
            time=episode.bag_time(stamp),
            episode=episode.number,
            task=task,
            score=Score(row.log_prob, row.log_prob_false, row.frames),
            step=live.update(row.log_prob, row.frames),
            normalization=live.normalization.name,
        )


def write_parquet(
    folder: Path, source: Source, rows: Mapping[str, Sequence[Row]], model: str
) -> tuple[Path, dict[str, Exception]]:
    """The file with the progress of a dataset's frames, as LeRobot's RA-BC loader reads it, and
    the episodes that it could not tell of.

    Raises ClipError for a source that is no dataset.
    """
    if source.dataset is None:
        raise ClipError(f'{source.name} is no LeRobot dataset, whose frames progress is told of')
    episodes: list[EpisodeProgress] = []
    left_out: dict[str, Exception] = {}
    for recording, episode in zip(source.recordings, source.episodes, strict=True):
        if recording.name not in rows:
            continue
        try:
            episodes.append(_progress(episode, rows[recording.name]))
        except (ClipError, ValueError) as error:
            left_out[recording.name] = error
    file = folder / PROGRESS_FILE
    write_progress(file, episodes, model)
    return file, left_out


def _progress(episode: DatasetEpisode, scored: Sequence[Row]) -> EpisodeProgress:
    table = episode.table()
    log_probs = np.array([row.log_prob for row in scored])
    return EpisodeProgress(
        episode=episode.index,
        first_index=table.first_index,
        frames=episode.frames,
        scored=table.numbers([row.time for row in scored]),
        log_probs=log_probs,
        log_probs_false=np.array([row.log_prob_false for row in scored]),
        progress=min_max(log_probs),
    )
