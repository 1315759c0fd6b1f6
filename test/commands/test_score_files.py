# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The files written for sources; outdated ones are not reused."""

from __future__ import annotations

import dataclasses
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from rosbags.rosbag2 import Reader

from topreward_ros.commands.score.clip_scores import Plan, score_clip
from topreward_ros.commands.score.episode import ScoreError
from topreward_ros.commands.score.run import ScoreOptions, score_files
from topreward_ros.demo.drawing import film
from topreward_ros.demo.model import FOLDER, SETTINGS
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.errors import ArgumentsError, TopRewardError
from topreward_ros.recordings.clip import ClipError
from topreward_ros.recordings.recording import clip_notes
from topreward_ros.recordings.source_options import SourceOptions
from topreward_ros.recordings.sources import open_source
from topreward_ros.results.calibration_file import CalibrationError
from topreward_ros.results.output import Reading
from topreward_ros.results.score_table import read_rows
from topreward_ros.results.video import write_image_bag, write_video
from topreward_ros.reward.calibration import Calibration, LengthBias, Scale
from topreward_ros.reward.live import RewardOptions
from topreward_ros.scoring.loading.checkpoint import load_checkpoint
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer
from topreward_ros.scoring.score import Scorer

from ..recordings.bag_builder import SECOND, pixels, raw, write_bag
from ..recordings.lerobot_builder import draw, write_v21, write_v30
from .demo_world import recording, unwatched

PLAN = Plan(fps=4.0, anchors=None)
READING = Reading(RewardOptions(**SETTINGS))


@pytest.fixture(scope='module')
def demo() -> Scorer:
    return StreamingScorer(load_checkpoint(str(FOLDER)))


def video(file: Path, seed: int) -> str:
    """Write a video of an episode; return its task."""
    episode = SceneEpisode(seed, 'success')
    write_video(file, film(episode, 8.0, 64, 64), 8.0)
    return episode.task.say()


def bag(folder: Path, seed: int = 3) -> None:
    episode = SceneEpisode(seed, 'success')
    frames = film(episode, 8.0, 64, 64)
    write_image_bag(folder, frames, 8.0, episode.task.say(), '/image')


def options(tmp_path: Path, *sources: Path, **more: object) -> ScoreOptions:
    return ScoreOptions(tuple(map(str, sources)), tmp_path / 'out', PLAN, **more)  # type: ignore[arg-type]


def test_another_source_of_the_same_name_is_rejected(tmp_path: Path, demo: Scorer) -> None:
    task = video(tmp_path / 'a.mp4', 3)
    (tmp_path / 'other').mkdir()
    video(tmp_path / 'other' / 'a.mp4', 4)
    read = SourceOptions(task=task)
    score_files(demo, options(tmp_path, tmp_path / 'a.mp4', read=read))
    score_files(demo, options(tmp_path, tmp_path / 'a.mp4', read=read))
    with pytest.raises(ScoreError, match='choose another folder'):
        score_files(demo, options(tmp_path, tmp_path / 'other' / 'a.mp4', read=read))


def test_another_camera_is_another_source(tmp_path: Path, demo: Scorer) -> None:
    write_v21(tmp_path / 'data', draw()[:2])
    score_files(demo, options(tmp_path, tmp_path / 'data', read=SourceOptions(camera='top')))
    with pytest.raises(ScoreError, match='could not be scored'):
        score_files(demo, options(tmp_path, tmp_path / 'data', read=SourceOptions(camera='wrist')))


def test_folders_with_other_files_are_not_changed(tmp_path: Path, demo: Scorer) -> None:
    bag(tmp_path / 'run')
    kept = tmp_path / 'out' / 'run' / 'scores.csv'
    kept.parent.mkdir(parents=True)
    kept.write_text('mine', encoding='utf-8')
    with pytest.raises(ScoreError, match='another recording'):
        score_files(demo, options(tmp_path, tmp_path / 'run'))
    assert kept.read_text(encoding='utf-8') == 'mine'
    kept.unlink()
    (kept.parent / 'bag').mkdir()
    with pytest.raises(ClipError, match='was not written by `topreward score`'):
        score_files(demo, options(tmp_path, tmp_path / 'run', outputs=('bag',), reading=READING))
    assert (kept.parent / 'bag').exists()


def test_a_bag_with_the_messages_of_the_node(tmp_path: Path, demo: Scorer) -> None:
    bag(tmp_path / 'run')
    score_files(demo, options(tmp_path, tmp_path / 'run', outputs=('bag',), reading=READING))
    rows = read_rows(tmp_path / 'out' / 'run' / 'scores.csv')
    with Reader(tmp_path / 'out' / 'run' / 'bag') as reader:
        counts = {connection.topic: connection.msgcount for connection in reader.connections}
    assert counts['/image'] > len(rows) == counts['/topreward/progress'] > 10
    assert counts['/topreward/success_detected'] == 1 and counts['/topreward/task'] == 1
    assert counts['/topreward/events'] == 1


def test_a_calibration_of_another_model_is_rejected(tmp_path: Path, demo: Scorer) -> None:
    identity = demo.identity
    scale = Scale((0.0, 1.0), (-3.5, 0.0), -0.1, math.nan, 0.2, 1.0)
    calibration = Calibration(
        model='m',
        fingerprint=identity.fingerprint,
        layout=identity.layout,
        fps=4.0,
        tasks=('a',),
        successes=4,
        failures=0,
        window=3,
        hold=2,
        plain=scale,
        static=None,
        bias=LengthBias(),
    )
    bag(tmp_path / 'run')
    reading = Reading(RewardOptions('calibrated'), calibration)
    score_files(demo, options(tmp_path, tmp_path / 'run', outputs=('bag',), reading=reading))
    foreign = dataclasses.replace(
        reading, calibration=dataclasses.replace(calibration, fingerprint='x')
    )
    with pytest.raises(CalibrationError, match='another model'):
        score_files(demo, options(tmp_path, tmp_path / 'run', outputs=('bag',), reading=foreign))
    last = dataclasses.replace(PLAN, max_frames=8, history='last')
    asked = options(tmp_path, tmp_path / 'run', outputs=('bag',), reading=reading)
    with pytest.raises(CalibrationError, match='thin; here it is last with max_frames 8'):
        score_files(demo, dataclasses.replace(asked, plan=last))


@pytest.mark.parametrize('write', [write_v21, write_v30])
def test_progress_of_a_dataset(tmp_path: Path, demo: Scorer, write) -> None:  # type: ignore[no-untyped-def]
    episodes = draw()[:3]
    write(tmp_path / 'data', episodes)
    read = SourceOptions(camera='top')
    score_files(demo, options(tmp_path, tmp_path / 'data', read=read, outputs=('parquet',)))
    table = pq.read_table(tmp_path / 'out' / 'data' / 'topreward_progress.parquet')
    assert table.schema.metadata[b'vlm_name'] == demo.identity.model.encode()
    assert table['index'].to_pylist() == list(range(sum(each.frames for each in episodes)))
    log_probs = np.array(table['topreward_log_prob'].to_pylist(), float)
    for number, recorded in enumerate(open_source(str(tmp_path / 'data'), read).recordings):
        rows = score_clip(demo, recorded.clip, recorded.task, PLAN, unwatched)
        of_it = np.array(table['episode_index'].to_pylist()) == number
        values = log_probs[of_it]
        assert (~np.isnan(values)).sum() == len(rows)
        for row in rows:
            assert values[round(row.time * 10)] == pytest.approx(row.score.log_prob, abs=1e-4)


def test_outputs_that_do_not_fit_the_source(tmp_path: Path, demo: Scorer) -> None:
    read = SourceOptions(task=video(tmp_path / 'a.mp4', 3))
    with pytest.raises(ClipError, match='needs a bag'):
        score_files(
            demo,
            options(tmp_path, tmp_path / 'a.mp4', read=read, outputs=('bag',), reading=READING),
        )
    with pytest.raises(ClipError, match='needs a LeRobot dataset'):
        score_files(demo, options(tmp_path, tmp_path / 'a.mp4', read=read, outputs=('parquet',)))
    with pytest.raises(ScoreError, match='could not be scored'):
        score_files(demo, options(tmp_path / 'new', tmp_path / 'a.mp4', tmp_path / 'b.mp4'))


def test_results_are_not_written_into_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'run').mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentsError, match='into itself'):
        ScoreOptions(('run',), Path()).check()
    (tmp_path / 'file').write_text('')
    with pytest.raises(TopRewardError, match='cannot be created'):
        ScoreOptions(('run',), tmp_path / 'file').check()


def test_an_episode_that_cannot_be_read_is_left_out_of_the_table(
    tmp_path: Path, demo: Scorer, capsys: pytest.CaptureFixture[str]
) -> None:
    episodes = draw()[:2]
    write_v21(tmp_path / 'data', episodes)
    read = SourceOptions(camera='top')
    score_files(demo, options(tmp_path, tmp_path / 'data', read=read))
    for file in (tmp_path / 'data/data/chunk-000').glob('*1.parquet'):
        state = file.stat()
        file.write_bytes(b'?' * state.st_size)
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(ScoreError, match='1 of 2 recordings could not be scored'):
        score_files(demo, options(tmp_path, tmp_path / 'data', read=read, outputs=('parquet',)))
    assert 'episode_000001.parquet cannot be read' in capsys.readouterr().err
    table = pq.read_table(tmp_path / 'out' / 'data' / 'topreward_progress.parquet')
    assert len(table) == episodes[0].frames


def test_equal_stamps_cause_a_note(tmp_path: Path) -> None:
    write_bag(tmp_path / 'still', [raw(SECOND, pixels(k), delay=k * SECOND) for k in range(4)])
    source = open_source(str(tmp_path / 'still'), SourceOptions('x'))
    (note,) = clip_notes(source.recordings)
    assert 'all 4 images have the stamp' in note
    source.close()


def test_a_folder_of_videos_and_ids(tmp_path: Path) -> None:
    (tmp_path / 'films').mkdir()
    video(tmp_path / 'films' / 'a.mp4', 3)
    shutil.copy(tmp_path / 'films' / 'a.mp4', tmp_path / 'films' / 'b.mp4')
    source = open_source(str(tmp_path / 'films'), SourceOptions(task='x'))
    assert [each.name for each in source.recordings] == ['films/a', 'films/b']
    shutil.copy(tmp_path / 'films' / 'a.mp4', tmp_path / 'films' / 'b.mkv')
    source = open_source(str(tmp_path / 'films'), SourceOptions(task='x'))
    assert [each.name for each in source.recordings] == ['films/a', 'films/b.mkv', 'films/b.mp4']
    with pytest.raises(ClipError, match='the source is empty'):
        open_source(' ', SourceOptions(task='x'))
    for mistyped in (tmp_path / 'films' / 'c.mp4', tmp_path / 'film'):
        with pytest.raises(ClipError, match='does not exist'):
            open_source(str(mistyped), SourceOptions(task='x'))


def test_anchors_are_even_in_time_where_a_clip_is_thinned(demo: Scorer) -> None:
    each = recording(3)
    rows = score_clip(demo, each.clip, each.task, Plan(4.0, 5, 8), unwatched)
    assert len(rows) == 5
    steps = np.diff([row.time for row in rows])
    assert steps.max() < 2.2 * steps.min()
