# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings are sampled and scored as in the live node; `topreward score` can be continued."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from topreward_ros.commands.main import main
from topreward_ros.commands.score.clip_scores import Plan, score_clip
from topreward_ros.demo.drawing import film
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.errors import FrameError
from topreward_ros.recordings.clip import Clip, ClipError
from topreward_ros.results.score_table import read_rows
from topreward_ros.results.video import write_video
from topreward_ros.scoring.loading.checkpoint import Checkpoint
from topreward_ros.scoring.reward_models.topreward.recompute import RecomputeScorer
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer

from .run_command import topreward

TASK = 'Put the block into the cup.'


def clip(count: int, fps: float = 10.0) -> Clip:
    random = np.random.default_rng(count)
    frames = [(k / fps, random.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for k in range(count)]
    return Clip('clip', fps, count / fps, lambda: iter(frames))


def unwatched(frames: Iterable[np.ndarray], count: int) -> Iterable[np.ndarray]:
    return frames


def test_frames_are_kept_by_their_time(checkpoint: Checkpoint) -> None:
    rows = score_clip(StreamingScorer(checkpoint), clip(41), TASK, Plan(fps=2.0), unwatched)
    assert [row.time for row in rows] == pytest.approx([k / 2 for k in range(9)])
    assert [row.score.frames for row in rows] == list(range(1, 10))
    episode = RecomputeScorer(checkpoint).start(TASK)
    images = [image for _, image in clip(41).frames()]
    for k, row in enumerate(rows):
        episode.append(images[5 * k], k / 2)
        score = episode.score()
        assert row.score.log_prob == pytest.approx(score.log_prob, abs=1e-4)
        assert row.score.log_prob_false == pytest.approx(score.log_prob_false, abs=1e-4)


def test_anchored_scores_are_a_subset_of_dense_ones(checkpoint: Checkpoint) -> None:
    scorer = StreamingScorer(checkpoint)
    dense = score_clip(scorer, clip(100), TASK, Plan(fps=5.0), unwatched)
    some = score_clip(scorer, clip(100), TASK, Plan(fps=5.0, anchors=4), unwatched)
    assert [row.score.frames for row in some] == [1, 17, 34, 50]
    for row in some:
        assert row.score.log_prob == pytest.approx(
            dense[row.score.frames - 1].score.log_prob, abs=1e-4
        )
    assert {min(row.progress for row in some), max(row.progress for row in some)} == {0.0, 1.0}
    assert sum(row.reward for row in some) == pytest.approx(some[-1].progress - some[0].progress)


def test_a_long_clip_is_thinned_as_in_the_node(checkpoint: Checkpoint) -> None:
    plan = Plan(fps=10.0, max_frames=8)
    rows = score_clip(StreamingScorer(checkpoint), clip(20), TASK, plan, unwatched)
    assert max(row.score.frames for row in rows) == 8 and len(rows) < 20
    window, episode = plan.window(), StreamingScorer(checkpoint).start(TASK)
    expected = []
    for time, image in clip(20).frames():
        stamp = round(time * 1e9)
        if window.judge(stamp).value == 'keep':
            sample = window.take(stamp)
            if sample.thin:
                episode.thin()
            episode.append(image, sample.time)
            expected.append(episode.score().log_prob)
    assert [row.score.log_prob for row in rows] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize('anchors', [None, 5])
def test_the_last_frames_of_a_long_clip(checkpoint: Checkpoint, anchors: int | None) -> None:
    """Each score is that of a clip of its newest eight frames, at their times."""
    scorer = StreamingScorer(checkpoint)
    plan = Plan(fps=10.0, anchors=anchors, max_frames=8, history='last')
    rows = score_clip(scorer, clip(20), TASK, plan, unwatched)
    images = [image for _, image in clip(20).frames()]
    assert len(rows) == (anchors or 20) and rows[-1].time == pytest.approx(1.9)
    for row in rows:
        count = round(row.time * 10) + 1
        episode = scorer.start(TASK)
        for k in range(max(0, count - 8), count):
            episode.append(images[k], k / 10)
        expected = episode.score()
        assert row.score.frames == expected.frames == min(count, 8)
        assert row.score.log_prob == pytest.approx(expected.log_prob, abs=1e-4)
    thinned = score_clip(scorer, clip(20), TASK, Plan(fps=10.0, max_frames=8), unwatched)
    assert abs(thinned[-1].score.log_prob - rows[-1].score.log_prob) > 0.01


@pytest.mark.parametrize('max_frames', [64, 8])
@pytest.mark.parametrize('count', [41, 44, 45, 46])
def test_the_last_frame_is_scored(checkpoint: Checkpoint, count: int, max_frames: int) -> None:
    """Also between two points of the grid, which has one at 4.0 and one at 4.5 s."""
    scorer = StreamingScorer(checkpoint)
    plan = Plan(fps=2.0, max_frames=max_frames)
    grid = score_clip(scorer, clip(count), TASK, plan, unwatched)
    whole = dataclasses.replace(plan, to_the_end=True)
    rows = score_clip(scorer, clip(count), TASK, whole, unwatched)
    assert rows[-1].time == pytest.approx((count - 1) / 10)
    assert len(rows) == len(grid) + (grid[-1].time + 0.01 < rows[-1].time)
    assert max_frames == 8 or len(rows) == {41: 9, 44: 10, 45: 10, 46: 10}[count]
    for one, other in zip(rows, grid, strict=False):
        assert one.score.log_prob == pytest.approx(other.score.log_prob, abs=1e-4)
    for anchors in (1, 3):
        some = dataclasses.replace(whole, anchors=anchors)
        chosen = score_clip(scorer, clip(count), TASK, some, unwatched)
        assert len(chosen) == anchors and chosen[-1].time == rows[-1].time
        assert chosen[-1].score.log_prob == pytest.approx(rows[-1].score.log_prob, abs=1e-4)


@pytest.mark.parametrize(
    ('times', 'last'),
    [
        ((0.0, 0.5, 1.0, 0.95), 1.0),  # out of order, as in a bag
        ((0.0, 0.5, 1.0, 1.0), 1.0),
        ((0.0, 0.5, 1.0, 1.2, 1.15), 1.2),
        ((0.0, 0.5, 1.0, 1.2, 1.2), 1.2),
    ],
)
def test_the_last_frame_is_the_newest(
    checkpoint: Checkpoint, times: tuple[float, ...], last: float
) -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    odd = Clip('odd', 10.0, 1.3, lambda: iter([(time, image) for time in times]))
    plan = Plan(fps=2.0, to_the_end=True)
    rows = score_clip(StreamingScorer(checkpoint), odd, TASK, plan, unwatched)
    assert [row.time for row in rows] == sorted({0.0, 0.5, 1.0, last})


def test_a_last_frame_that_is_broken_is_left_out(checkpoint: Checkpoint) -> None:
    def broken() -> np.ndarray:
        raise FrameError('broken')

    def pictures() -> Any:
        for time, image in clip(44).frames():
            yield time, broken if time > 4.25 else partial(np.asarray, image)

    cut = dataclasses.replace(clip(44), pictures=pictures)
    plan = Plan(fps=2.0, to_the_end=True)
    rows = score_clip(StreamingScorer(checkpoint), cut, TASK, plan, unwatched)
    assert rows[-1].time == pytest.approx(4.0)


def test_a_flat_curve_has_no_progress(checkpoint: Checkpoint) -> None:
    (row,) = score_clip(StreamingScorer(checkpoint), clip(1), TASK, Plan(), unwatched)
    assert math.isnan(row.progress) and math.isnan(row.reward) and row.score.log_prob < 0


def test_a_clip_without_frames_or_with_falling_times(checkpoint: Checkpoint) -> None:
    scorer = StreamingScorer(checkpoint)
    with pytest.raises(ClipError, match='no frames'):
        score_clip(scorer, clip(0), TASK, Plan(), unwatched)
    image = np.zeros((64, 64, 3), np.uint8)
    falling = Clip('falling', 1.0, 2.0, lambda: iter([(1.0, image), (0.5, image)]))
    with pytest.raises(ClipError, match='jumped back'):
        score_clip(scorer, falling, TASK, Plan(), unwatched)


@pytest.mark.parametrize(
    ('flag', 'times'), [('--anchors=3', [0, 1.5, 2.3]), ('--dense', [0, 0.5, 1.0, 1.5, 2.0])]
)
def test_the_command_ends_with_the_last_frame_unless_every_prefix_is_asked_for(
    tmp_path: Path, checkpoint_folder: Path, flag: str, times: list[float]
) -> None:
    write_video(tmp_path / 'a.mp4', [image for _, image in clip(24).frames()], 10.0)
    source = 'score', str(tmp_path / 'a.mp4'), '--task', 'x', '--model', str(checkpoint_folder)
    assert main([*source, '--device', 'cpu', '--save', str(tmp_path / 'out'), flag]) == 0
    rows = read_rows(tmp_path / 'out/a/scores.csv')
    assert [row.time for row in rows] == pytest.approx(times)


@pytest.mark.slow
def test_the_command(tmp_path: Path) -> None:
    """Without ROS: a broken recording does not end the run, and a second run continues it."""
    episode = SceneEpisode(3, 'success')
    write_video(tmp_path / 'good.mp4', film(episode, 10.0, 96, 96), 10.0)
    (tmp_path / 'bad.mp4').write_bytes(b'no video at all')
    folder = tmp_path / 'images'
    folder.mkdir()
    for k in range(4):
        Image.new('RGB', (64, 64), (60 * k, 0, 0)).save(folder / f'{k}.png')
    sources = [tmp_path / name for name in ('bad.mp4', 'good.mp4', 'images')]
    arguments = ('--task', episode.task.say(), '--fps', 4, '--dense', '--save', tmp_path / 'out')
    first = topreward('score', *sources, *arguments)
    assert first.returncode == 1 and '1 of 3 recordings could not be scored' in first.stderr
    assert 'bad.mp4' not in first.stdout
    assert sum('bad.mp4' in line for line in first.stderr.splitlines()) == 1
    with (tmp_path / 'out' / 'good' / 'scores.csv').open(encoding='utf-8') as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == round(4 * float(rows[-1]['time'])) + 1
    assert float(rows[0]['progress']) < 0.1 and float(rows[-1]['progress']) > 0.9
    assert (tmp_path / 'out' / 'images' / 'progress.png').read_bytes().startswith(b'\x89PNG')
    second = topreward('score', *sources[1:], *arguments)
    assert second.returncode == 0 and second.stdout.count('scored already') == 2, second.stderr
    other = topreward(
        'score', *sources[1:2], *arguments, '--anchors', 3, '--task', 'Close the door.'
    )
    assert other.returncode == 1 and 'choose another folder with --save' in other.stderr


def test_wrong_arguments_are_rejected(tmp_path: Path) -> None:
    result = topreward('score', tmp_path / 'a.mp4', '--task', 'x', '--max-frames', 30)
    assert result.returncode == 2 and 'multiple of 4' in result.stderr
    result = topreward('score', tmp_path / 'a.mp4', tmp_path / 'b' / 'a.mp4', '--task', 'x')
    assert result.returncode == 2 and 'same name' in result.stderr
    result = topreward('score', tmp_path / 'a.mp4', '--task', ' ')
    assert result.returncode == 2 and 'the task is blank' in result.stderr
