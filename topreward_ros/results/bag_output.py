# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward score --bag`: a copy of the bag with the messages of the live node added."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from topreward_ros.files import StoredResults
from topreward_ros.recordings.bags.episodes import BagEpisode
from topreward_ros.recordings.bags.source import BagSource
from topreward_ros.recordings.clip import ClipError
from topreward_ros.recordings.recording import Source
from topreward_ros.scoring.sampling import NANOSECONDS

from .output import Output, OutputReport, Reading, need_format
from .score_table import Row
from .scored_bag import Begun, PublishedScore, write_scored_bag


class BagOutput(Output):
    """Writes `bag/`: the topics of the source's bag, with Progress and SuccessDetected."""

    def check(self, sources: Sequence[str]) -> None:
        need_format('--bag', 'bag', sources)

    def write_source(
        self, folder: Path, source: Source, rows: Mapping[str, Sequence[Row]]
    ) -> OutputReport:
        """Write the bag; an existing one with the same scores is left unchanged.

        Every prefix has to be scored. Raises ClipError where the target exists and is no bag of
        this command.
        """
        assert isinstance(source, BagSource)  # checked
        target = folder / 'bag'
        done = OutputReport(f'{target}: the bag with progress, successes and events added')
        table = {name: [row.cells() for row in rows[name]] for name in sorted(rows)}
        scores = hashlib.sha256(json.dumps(table).encode()).hexdigest()
        stored = StoredResults(
            folder / 'bag.json', {'reading': _plain(self.reading), 'scores': scores}
        )
        if target.exists():
            if not stored.file.exists():
                raise ClipError(
                    f'{target} exists and was not written by `topreward score`: choose another '
                    '--save'
                )
            if stored.read() is not None:
                return done
            shutil.rmtree(target)
        stored.begin()
        published: list[PublishedScore] = []
        for recording, episode in zip(source.recordings, source.episodes, strict=True):
            if recording.name in rows:
                published += _published(rows[recording.name], episode, self.reading)
        write_scored_bag(source.bag, target, published)
        stored.finish()
        return done


def _plain(reading: Reading) -> dict[str, Any]:
    return dict(json.loads(json.dumps(dataclasses.asdict(reading))))


def _published(
    rows: Sequence[Row], episode: BagEpisode, reading: Reading
) -> Iterator[PublishedScore]:
    live, detector = reading.start(), reading.events.start()
    for row in rows:
        stamp = episode.first_stamp + round(row.time * NANOSECONDS)
        step, seconds = live.update(row.score), row.time - rows[0].time
        events = detector.update(step, seconds)
        yield PublishedScore(
            stamp=stamp,
            time=episode.bag_time(stamp),
            episode=episode.number,
            task=row.task,
            score=row.score,
            step=step,
            reward_model=row.reward_model,
            events=tuple(Begun(event, detector.highest, seconds) for event in events),
        )
