# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`--as` gives the numbers of the published implementations (tools/make_published_scores.py)."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from topreward_ros.commands.main import main
from topreward_ros.commands.score.clip_scores import Plan, score_clip
from topreward_ros.commands.score.published import Authors, LeRobot
from topreward_ros.demo.model import FOLDER
from topreward_ros.demo.pattern import pattern_frame
from topreward_ros.errors import ModelError
from topreward_ros.recordings.clip import Clip, ClipError
from topreward_ros.results.video import write_video
from topreward_ros.reward.values import between
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.frame_fits import PUBLISHED_LOADING
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.score import Scorer

from ..recordings.lerobot_builder import marked, write_v30
from ..toy_scorer import ToyScorer

GOLDEN = json.loads((Path(__file__).parents[1] / 'published_scores.json').read_text('utf-8'))
CASES = [(name, clip) for name in GOLDEN for clip in GOLDEN[name]['clips']]


def clip_of(height: int, width: int, count: int, fps: float) -> Clip:
    def frames() -> Any:
        for k in range(count):
            yield k / fps, pattern_frame(k / max(1, count - 1), height, width)

    return Clip('pattern', fps, count / fps, frames)


@pytest.fixture(scope='module')
def scorers(checkpoint_folder: Path) -> dict[tuple[str, str], Scorer]:
    folder = str(checkpoint_folder)
    return {
        (name, scorer): load_scorer(LoadOptions(folder, 'cpu', scorer=scorer, **options))
        for name, options in PUBLISHED_LOADING.items()
        for scorer in ('streaming', 'recompute')
    }


@pytest.mark.parametrize(
    ('name', 'case', 'scorer'),
    [
        pytest.param(name, case, scorer, id=f'{name}-{case["clip"]}-{scorer}')
        for name, case in CASES
        for scorer in ('streaming', 'recompute')
        if scorer == 'streaming' or case['clip'][0] < 480  # which takes long
    ],
)
def test_scores_equal_the_published_ones(
    scorers: Any, name: str, case: dict[str, Any], scorer: str
) -> None:
    plan = Plan(2.0, case['prefixes'], published=name)
    rows = score_clip(
        scorers[name, scorer], clip_of(*case['clip']), GOLDEN[name]['task'], plan, lambda f, _: f
    )
    assert [row.score.log_prob for row in rows] == pytest.approx(case['log_prob'], abs=1e-4)
    if name == 'authors':
        fps = case['clip'][3]
        assert [round(row.time * fps) + 1 for row in rows] == case['ends']
        false = [row.score.log_prob_false for row in rows]
        assert false == pytest.approx(case['log_prob_false'], abs=1e-4)
        assert [row.progress for row in rows] == pytest.approx(case['progress'], abs=1e-3)
    else:
        _, _, count, fps = case['clip']
        ends = np.array([round(row.time * fps) for row in rows])
        progress = between(ends, np.array([row.progress for row in rows]), count)
        assert progress == pytest.approx(np.array(case['progress_per_frame']), abs=1e-3)


def test_a_step_that_is_not_whole_takes_the_rounded_frames() -> None:
    prefixes = Authors().prefixes(60, 15.0, 2.0, 15)  # every 7.5 frames; halves to the even one
    assert prefixes.shown == [0, 8, 15, 22, 30, 38, 45, 52]
    assert prefixes.times == [number / 15 for number in prefixes.shown]
    assert prefixes.ends == [1, 5, 9, 13, 17, 22, 26, 30, 34, 38, 43, 47, 51, 55, 60]
    assert prefixes.lengths() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 7, 8, 8]


@pytest.mark.parametrize(
    ('count', 'clip_fps', 'most', 'ends'),
    [
        (1, 30.0, 15, [1]),
        (2, 30.0, 15, [2]),
        (3, 1.0, 15, [1, 2, 3]),
        (4, 30.0, None, [1, 2, 3, 4]),
    ],
)
def test_few_frames(count: int, clip_fps: float, most: int | None, ends: list[int]) -> None:
    prefixes = Authors().prefixes(count, clip_fps, 2.0, most)
    assert prefixes.ends == ends and prefixes.shown[0] == 0
    assert prefixes.lengths() == [max(1, sum(n < end for n in prefixes.shown)) for end in ends]


def test_lerobot_labels_every_frame_as_two_a_second() -> None:
    prefixes = LeRobot().prefixes(31, 30.0, 2.0, 3)
    assert list(prefixes.shown) == list(range(31)) and prefixes.times[3] == 1.5
    assert prefixes.ends == prefixes.lengths() == [1, 16, 31]
    assert LeRobot().prefixes(3, 30.0, 2.0, 15).ends == [1, 2, 3]


def test_other_models_and_fits_are_refused(scorers: Any) -> None:
    clip = clip_of(64, 64, 3, 10.0)
    score = partial(score_clip, clip=clip, task='x', watch=lambda frames, _: frames)
    with pytest.raises(ModelError, match='is no Qwen3-VL'):
        score(ToyScorer(LoadOptions('toy')), plan=Plan(published='authors'))
    with pytest.raises(ModelError, match='by the fit aspect, and authors use paper'):
        score(scorers['lerobot', 'streaming'], plan=Plan(published='authors'))
    with pytest.raises(ModelError, match='by the fit paper, and lerobot use aspect'):
        score(scorers['authors', 'streaming'], plan=Plan(published='lerobot'))


def test_a_model_for_small_frames_cannot_score_as_lerobot(checkpoint_folder: Path) -> None:
    options = LoadOptions(str(checkpoint_folder), frame_fit='aspect', max_pixels=4096)
    with pytest.raises(ModelError, match='LeRobot shows frames of up to 160x128'):
        score_clip(
            load_scorer(options),
            clip_of(120, 160, 3, 10.0),
            'x',
            Plan(published='lerobot'),
            lambda frames, _: frames,
        )


def test_more_frames_than_the_authors_show_at_their_size(scorers: Any) -> None:
    """From 385 on their processor makes them smaller, as the clip has too many pixels."""
    scorer = scorers['authors', 'streaming']
    assert scorer.engine.geometry.clip_size(384, 244, 244) == (256, 256)
    image = pattern_frame(0.5, 64, 64)
    still = Clip('still', 2.0, 192.5, lambda: iter([(k / 2, image) for k in range(385)]))
    with pytest.raises(ModelError, match='makes frames smaller where there are 385'):
        score_clip(scorer, still, 'x', Plan(2.0, 2, published='authors'), lambda frames, _: frames)


def test_an_empty_clip(scorers: Any) -> None:
    with pytest.raises(ClipError, match='has no frames'):
        score_clip(
            scorers['authors', 'streaming'],
            clip_of(64, 64, 0, 10.0),
            'x',
            Plan(published='authors'),
            lambda frames, _: frames,
        )


@pytest.mark.parametrize(
    ('arguments', 'code', 'reason'),
    [
        (('--frame-fit', 'aspect'), 2, '--as authors sets --frame-fit itself: leave it out'),
        (('--max-pixels', '4096'), 2, '--as authors sets --max-pixels itself: leave it out'),
        (('--bag',), 2, '--as authors scores other prefixes than the node does'),
        (('--max-frames', '32'), 2, '--as authors sets --max-frames itself: leave it out'),
    ],
)
def test_options_that_do_not_fit(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    reason: str,
) -> None:
    write_video(tmp_path / 'a.mp4', [image for _, image in clip_of(64, 64, 8, 10.0).frames()], 10.0)
    save = '--save', str(tmp_path / 'out')
    source = 'score', str(tmp_path / 'a.mp4'), '--task', 'x', '--as', 'authors'
    assert main([*source, *save, *arguments]) == code
    assert reason in capsys.readouterr().err


def test_a_model_that_was_trained_with_another_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo's, had it been trained with frames of their own shape."""
    model = shutil.copytree(FOLDER, tmp_path / 'model')
    file = model / 'video_preprocessor_config.json'
    file.write_text(json.dumps({**json.loads(file.read_text()), 'frame_fit': 'aspect'}))
    arguments = ('--model', str(model))
    reason = 'is given frames by the fit aspect, and authors use paper'
    test_options_that_do_not_fit(tmp_path, capsys, arguments, 1, reason)


def test_a_parquet_as_lerobot_writes_it(tmp_path: Path, checkpoint_folder: Path) -> None:
    """Every frame of a dataset, as its table has them; other prefixes are not mixed in."""
    write_v30(tmp_path / 'data', marked((6, 4), ('Open it.', 'Close it.')))
    model = '--model', str(checkpoint_folder), '--device', 'cpu', '--camera', 'top'
    command = [
        'score',
        str(tmp_path / 'data'),
        *model,
        '--anchors',
        '3',
        '--save',
        str(tmp_path / 'out'),
    ]
    file = tmp_path / 'own.parquet'
    assert main([*command, '--as', 'lerobot', '--parquet', str(file)]) == 0
    table = pq.read_table(file).to_pydict()
    assert table['frame_index'] == [*range(6), *range(4)] and table['index'] == list(range(10))
    scored = [k for k, flag in enumerate(table['topreward_scored']) if flag]
    assert scored == [0, 3, 5, 6, 7, 9]  # round(linspace(1, 6, 3)) is 1, 4, 6; of 4 it is 1, 2, 4
    assert main(command) == 1  # the folder holds others
