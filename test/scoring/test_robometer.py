# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Robometer: equal to LeRobot's at every length, live, in one pass and by recompute."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from topreward_ros.demo.pattern import pattern_frame
from topreward_ros.demo.random_robometer import AUTHORS, LEROBOT, write_random_robometer
from topreward_ros.errors import FrameError, ModelError
from topreward_ros.scoring.clip_curve import curve
from topreward_ros.scoring.engine import key_value_cache as caches
from topreward_ros.scoring.engine.counted_attention import Way
from topreward_ros.scoring.engine.recorded_steps import RecordedSteps
from topreward_ros.scoring.engine.video import doubled
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.reward_models.robometer.layout import picture_size
from topreward_ros.scoring.reward_models.robometer.recompute import RobometerRecompute
from topreward_ros.scoring.reward_models.robometer.streaming import RobometerScorer
from topreward_ros.scoring.score import Episode, Scorer

from .test_attention import in_float32
from .test_recorded_steps import Recorder

GOLDEN = json.loads((Path(__file__).parents[1] / 'robometer_golden.json').read_text())
TOLERANCE = 1e-4
TASKS = (GOLDEN['task'], 'Open the drawer.')


@pytest.fixture(scope='module', params=[LEROBOT, AUTHORS])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp('robometer') / request.param
    write_random_robometer(made, layout=request.param)
    return made


@pytest.fixture(scope='module')
def one_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp('robometer') / 'one'
    write_random_robometer(made)
    return made


def load(folder: Path, device: str, **options: Any) -> Any:
    return load_scorer(LoadOptions(str(folder), device, 'float32', **options))


@pytest.fixture
def streaming(one_folder: Path, device: str) -> RobometerScorer:
    return load(one_folder, device)


@pytest.fixture
def recompute(one_folder: Path, device: str) -> RobometerRecompute:
    return load(one_folder, device, scorer='recompute')


def clip(size: tuple[int, int], count: int) -> list[np.ndarray]:
    return [pattern_frame(k / max(1, count - 1), *size) for k in range(count)]


def walk(scorer: Scorer, frames: list[np.ndarray], task: str) -> list[tuple[float, float]]:
    episode, values = scorer.start(task), []
    for k, frame in enumerate(frames):
        episode.append(frame, k / 3)
        values.append(pair(episode))
    episode.close()
    return values


def pair(episode: Episode) -> tuple[float, float]:
    score = episode.score()
    assert score.progress is not None and score.success is not None
    assert score.frames == episode.frames and score.log_prob is None
    return score.progress, score.success


def one_pass(scorer: Scorer, frames: list[np.ndarray], task: str) -> list[tuple[float, float]]:
    rows = curve(
        scorer, frames, [k / 3 for k in range(len(frames))], task, range(1, len(frames) + 1)
    )
    return [(row[0].progress, row[0].success) for row in rows]  # type: ignore[misc]


@pytest.mark.parametrize('scorer', ['streaming', 'recompute'])
@pytest.mark.parametrize('run', [walk, one_pass])
@pytest.mark.parametrize('golden', GOLDEN['clips'], ids=lambda each: str(each['size']))
def test_equals_lerobot(
    folder: Path, device: str, golden: dict[str, Any], run: Callable[..., Any], scorer: str
) -> None:
    """In both layouts, which hold the same weights; read off the checkpoint."""
    loaded = load(folder, device, scorer=scorer)
    values = run(loaded, clip(golden['size'], GOLDEN['frames']), GOLDEN['task'])
    expected = zip(golden['progress'], golden['success'], strict=True)
    assert np.abs(np.array(values) - np.array(list(expected))).max() <= TOLERANCE
    assert np.ptp(golden['progress']) > 100 * TOLERANCE, 'other values would be noticed'


@pytest.mark.parametrize('golden', GOLDEN['clips'], ids=lambda each: str(each['size']))
def test_ids_and_sizes_are_lerobots(streaming: RobometerScorer, golden: dict[str, Any]) -> None:
    layout, size = streaming.robometer.layout, picture_size(*golden['size'], 32, 10**6)
    assert [side // 16 for side in size] == golden['grid']
    grid, start, ids = streaming.engine.geometry.grid(size), 0, []
    for number in (1, 2):
        picture = doubled(torch.zeros(*size, 3, dtype=torch.uint8), 0.0)
        segment = layout.picture(picture, number, GOLDEN['task'], grid, start)
        ids, start = [*ids, *segment.ids], segment.next_position
    repeated = [[token, len(list(group))] for token, group in groupby(ids)]
    theirs = [each if isinstance(each, list) else [each, 1] for each in golden['ids_of_2']]
    assert repeated == theirs[: len(repeated)], 'theirs end the turn, which changes nothing'
    assert len(theirs) - len(repeated) == 2


def test_the_published_recordings() -> None:
    """LeRobot's answers with another checkpoint, where they are at hand."""
    shared = Path(__file__).parents[3] / 'shared'
    if not (shared / 'robometer_golden').is_dir():
        pytest.skip('the recordings are not here')
    av = pytest.importorskip('av')
    scorer = load(shared / 'robometer_golden' / 'checkpoint', 'cpu')
    golden = json.loads((shared / 'robometer_golden' / 'golden.json').read_text())
    for name, about in golden.items():
        with av.open(str(shared / 'robometer_examples' / f'{name}.mp4')) as video:
            frames = [frame.to_ndarray(format='rgb24') for frame in video.decode(video=0)]
        values = walk(scorer, [frames[k] for k in about['frames']], about['task'])
        expected = [(row['progress'][-1], row['success'][-1]) for row in about['rows']]
        assert np.abs(np.array(values) - np.array(expected)).max() <= TOLERANCE


def test_every_length_several_tasks_and_late_scores(
    streaming: RobometerScorer, recompute: RobometerRecompute
) -> None:
    """More pictures than a forward takes, some of them scored together."""
    one, other = streaming.start(TASKS), recompute.start(TASKS)
    for k, frame in enumerate(clip((64, 96), 25)):
        for episode in (one, other):
            episode.append(frame, k / 3)
        if k % 4 == 0 or 11 < k < 24:
            continue
        for mine, theirs in zip(one.scores(), other.scores(), strict=True):
            assert mine.progress == pytest.approx(theirs.progress, abs=TOLERANCE)
            assert mine.success == pytest.approx(theirs.success, abs=TOLERANCE)
            assert mine.frames == theirs.frames == k + 1
        assert one.scores() == one.scores(), 'asked again, nothing is run'
    assert len({score.progress for score in one.scores()}) == 2, 'tasks differ'


def test_a_score_runs_one_picture(
    streaming: RobometerScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what an earlier picture said stays: nothing is cut from the cache."""
    lengths = []
    forward = streaming.engine.forward
    monkeypatch.setattr(streaming, 'recorded', None)  # replays would not be seen

    def counting(segments: Any, *arguments: Any, **options: Any) -> torch.Tensor:
        lengths.append(sum(len(segment.ids) for segment in segments))
        return forward(segments, *arguments, **options)

    monkeypatch.setattr(streaming.engine, 'forward', counting)
    walk(streaming, clip((64, 64), 12), TASKS[0])
    assert len(lengths) == 12 and max(lengths[1:]) - min(lengths[1:]) <= 2, 'digits of its number'
    monkeypatch.setattr(caches.KeyValueCache, 'truncate', None)
    episode = streaming.start(TASKS[0])
    episode.append(clip((64, 64), 1)[0], 0.0)
    episode.score()


def test_thinning_shows_every_second_picture(
    streaming: RobometerScorer, recompute: RobometerRecompute
) -> None:
    frames = clip((64, 64), 9)
    episode, fresh = streaming.start(TASKS[0]), recompute.start(TASKS[0])
    for k, frame in enumerate(frames[:8]):
        episode.append(frame, k / 3)
        episode.score()
    episode.thin()
    assert episode.frames == 4
    episode.append(frames[8], 3.0)
    for frame in (*frames[:8:2], frames[8]):
        fresh.append(frame, 0.0)
    assert pair(episode) == pytest.approx(pair(fresh), abs=TOLERANCE)


@pytest.mark.parametrize('way', [None, Way('counted', in_float32)])
def test_recorded_steps_are_the_same(
    streaming: RobometerScorer, monkeypatch: pytest.MonkeyPatch, way: Way | None
) -> None:
    monkeypatch.setattr(caches, 'MIN_CAPACITY', 32)
    frames = clip((64, 64), 20)
    plain = walk(streaming, frames, TASKS[0])
    recorder = Recorder()
    streaming.recorded = RecordedSteps(streaming.engine, recorder, way)
    streaming.warm_up(64, 64, max_frames=20)
    recorded = recorder.recorded
    assert np.array(walk(streaming, frames, TASKS[0])) == pytest.approx(
        np.array(plain), abs=TOLERANCE
    )
    assert recorder.replayed >= 19 and recorder.recorded == recorded


def test_an_error_leaves_nothing_behind(
    streaming: RobometerScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = clip((64, 64), 6)
    expected = walk(streaming, frames, TASKS[0])
    episode = streaming.start(TASKS[0])
    with pytest.raises(ValueError, match='without frames'):
        episode.score()
    for k, frame in enumerate(frames):
        episode.append(frame, k / 3)
        if k == 3:
            with monkeypatch.context() as patch:
                broken = torch.full((1, 2), float('nan'))
                patch.setattr(episode._streams[0], '_heads', lambda _, broken=broken: broken)
                with pytest.raises(ModelError, match='not a number'):
                    episode.score()
        assert pair(episode) == pytest.approx(expected[k], abs=TOLERANCE)
    with pytest.raises(FrameError):
        episode.append(frames[0], 0.1)


@pytest.mark.parametrize(
    ('height', 'width', 'size'),
    [
        (240, 320, (256, 320)),  # halves are rounded to even
        (48, 64, (64, 64)),
        (10, 10, (64, 64)),  # at least four tokens
        (1080, 1920, (1088, 1920)),
        (5000, 5000, (4096, 4096)),
    ],
)
def test_sizes_are_those_of_qwen_vl_utils(height: int, width: int, size: tuple[int, int]) -> None:
    assert picture_size(height, width, 32, 10**9) == size


def test_it_tells_what_it_is(
    streaming: RobometerScorer, recompute: RobometerRecompute, device: str
) -> None:
    assert streaming.identity.layout == 'robometer-1, 393216 pixels'
    assert streaming.identity == recompute.identity
    assert streaming.mode.startswith('step by step' if device == 'cpu' else 'CUDA graphs')
    assert 'GiB' in streaming.summary
    small = streaming.fitter(480, 640)(np.zeros((480, 640, 3), np.uint8))
    assert small.shape == (480, 640, 3)
