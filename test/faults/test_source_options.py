# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Options of `topreward score` that do not fit the source, and where its files are written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pa = pytest.importorskip('pyarrow')
import pyarrow.parquet as pq

from topreward_ros.commands.main import main
from topreward_ros.recordings.labelled import open_recordings
from topreward_ros.recordings.source_options import SourceOptions
from topreward_ros.recordings.sources import open_source
from topreward_ros.results.video import write_video
from topreward_ros.scoring import families
from topreward_ros.scoring.loading.options import LoadOptions

from ..recordings import lerobot_builder as builder
from ..toy_scorer import ToyScorer


def video(file: Path) -> None:
    write_video(file, [np.full((32, 32, 3), 9 * k, np.uint8) for k in range(6)], 3.0)


# Kind: which episodes; what is read, or the reason
CHOSEN: dict[str, list[int] | str] = {
    '0 2': [0, 2],
    '1-3': [1, 2, 3],
    '3,0': [0, 3],
    '0-1 3 3': [0, 1, 3],
    '4': 'v3.0 has no episode 4: it has 4, from 0 to 3',
    '2-9': 'v3.0 has no episode 9: it has 4, from 0 to 3',
    '3-1': 'the episodes 3-1 end before they begin',
    'first': "'first' is neither the number of an episode nor a span",
    '-1': "'-1' is neither the number of an episode nor a span",
    '9999999999': "'9999999999' is neither the number",
    '0:5 7': "'7' is not a span in seconds",
}


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return what runs `topreward score` in a folder with sources, on a scorer without a model."""
    monkeypatch.chdir(tmp_path)
    texts = ('Open it.', 'Close it.', 'Lift it.', 'Drop it.')
    builder.write_v30(Path('v3.0'), builder.marked((6, 4, 5, 7), texts), per_file=4)
    video(Path('a.mp4'))
    Path('pictures').mkdir()
    Path('pictures/0.png').write_bytes(builder.png(np.zeros((32, 32, 3), np.uint8)))
    Path('clips').mkdir()
    video(Path('clips/a.mp4'))
    Path('clips/curves.json').write_text('{"clips": [{"file": "a.mp4", "task": "Wave."}]}')
    Path('bag').mkdir()
    Path('bag/metadata.yaml').write_text('rosbag2_bagfile_information: {}')
    monkeypatch.setattr(families, 'load_scorer', lambda _: ToyScorer(LoadOptions('toy')))

    def score(*arguments: str) -> int:
        try:
            return main(['score', *arguments])
        except SystemExit as error:
            return int(error.code or 0)

    return score


@pytest.mark.parametrize('text', CHOSEN)
def test_episodes_of_a_dataset(commands: Any, text: str, capsys: Any) -> None:
    expected = CHOSEN[text]
    code = commands('v3.0', '--camera', 'top', '--episodes', *text.split())
    if isinstance(expected, str):
        assert code != 0 and expected in capsys.readouterr().err
        assert not list(Path().glob('topreward_scores/*'))
    else:
        written = sorted(file.name for file in Path('topreward_scores/v3.0').iterdir())
        assert written == [f'episode_{number:06d}' for number in expected]


# Kind: options that have no effect on the source are errors before the model is loaded
DATASET, BAG, VIDEO = 'a LeRobot dataset', 'a bag', 'a video or a folder of such'
IMAGES, CURVES = 'a folder of images, or raw video', 'a folder with curves.json'
SPANS, NUMBERS = '--episodes START:END', '--episodes NUMBER'
RATED = f'--folder-fps is for {CURVES} or {IMAGES}'
NO_EFFECT: dict[str, str] = {
    'a.mp4 --task x --episodes 0:1': f'{SPANS} is for {BAG}, and a.mp4 is {VIDEO}\n',
    'a.mp4 --task x --episodes 1': f'{NUMBERS} is for {DATASET}, and a.mp4 is {VIDEO}\n',
    'bag --episodes 1': f'{NUMBERS} is for {DATASET}, and bag is {BAG}: give {SPANS}\n',
    'v3.0 --episodes 0:1': f'{SPANS} is for {BAG}, and v3.0 is {DATASET}: give {NUMBERS}\n',
    'a.mp4 --task x --camera top': f'--camera is for {DATASET}, and a.mp4 is {VIDEO}\n',
    'pictures --task x --camera top': f'--camera is for {DATASET}, and pictures is {IMAGES}\n',
    'bag --camera top': f'--camera is for {DATASET}, and bag is {BAG}\n',
    'v3.0 --image-topic /a': f'--image-topic is for {BAG}, and v3.0 is {DATASET}\n',
    'clips --image-topic /a': f'--image-topic is for {BAG}, and clips is {CURVES}\n',
    'a.mp4 --task x --folder-fps 8': f'{RATED}, and a.mp4 is {VIDEO}\n',
    'v3.0 --folder-fps 8': f'{RATED}, and v3.0 is {DATASET}\n',
    'v3.0 --max-gap 8': f'--max-gap is for {BAG}, and v3.0 is {DATASET}\n',
    'a.mp4 v3.0 --image-topic /a': f'--image-topic is for {BAG}, and a.mp4 is {VIDEO}\n',
    'a.mp4 --task x --parquet': f'--parquet needs {DATASET}, which a.mp4 is not\n',
    'v3.0 a.mp4 --parquet': f'--parquet needs {DATASET}, which a.mp4 is not\n',
    'v3.0 --bag': f'--bag needs {BAG}, which v3.0 is not\n',
}


@pytest.mark.parametrize('text', NO_EFFECT)
def test_options_without_effect(
    commands: Any, text: str, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: object) -> None:
        raise AssertionError('the model was loaded')

    monkeypatch.setattr(families, 'load_scorer', load)
    assert commands(*text.split()) == 1
    assert NO_EFFECT[text] in capsys.readouterr().err


@pytest.mark.parametrize('command', ['calibrate', 'evaluate'])
def test_options_without_effect_on_labelled_recordings(
    commands: Any, command: str, capsys: Any
) -> None:
    Path('all/failure').mkdir(parents=True)
    video(Path('all/failure/b.mp4'))
    assert main([command, 'all', '--task', 'x', '--camera', 'top']) == 1
    expected = f'--camera is for {DATASET}, and all/failure/b.mp4 is {VIDEO}\n'
    assert capsys.readouterr().err.endswith(expected)


def test_an_option_for_some_of_the_sources_is_said(commands: Any, capsys: Any) -> None:
    assert commands('v3.0', 'a.mp4', '--task', 'x', '--camera', 'top') == 0
    assert '--camera is for a LeRobot dataset, and a.mp4 is a video' in capsys.readouterr().out
    assert commands('missing.png', '--camera', 'top') == 1
    assert 'missing.png does not exist' in capsys.readouterr().err


def test_score_has_the_tasks_of_curves_json(commands: Any, capsys: Any) -> None:
    video(Path('clips/b.mp4'))
    assert commands('clips') == 0
    assert 'clips: b.mp4 is not read\n' in capsys.readouterr().out
    asked = json.loads(Path('topreward_scores/clips/a/asked.json').read_text())
    assert asked['asked']['task'] == 'Wave.'
    (recording,) = open_source('clips').recordings
    assert (recording.name, recording.task) == ('clips/a', 'Wave.')
    assert [each.name for each in open_recordings(['clips'], SourceOptions())] == ['a']


# Kind: where the progress file is written
PATHS = {
    (): 'topreward_scores/v3.0/topreward_progress.parquet',
    ('v3.0/sarm_progress.parquet',): 'v3.0/sarm_progress.parquet',
    ('v3.0',): 'v3.0/topreward_progress.parquet',
    ('new/folder',): 'new/folder/topreward_progress.parquet',
    ('new/a.parquet',): 'new/a.parquet',
}


@pytest.mark.parametrize('path', PATHS)
def test_where_the_progress_is_written(commands: Any, path: tuple[str, ...], capsys: Any) -> None:
    arguments = ('v3.0', '--camera', 'top', '--episodes', '0-1', '--parquet', *path)
    assert commands(*arguments) == 0
    table = pq.read_table(PATHS[path]).to_pydict()
    assert table['index'] == list(range(10)) and table['episode_index'] == [0] * 6 + [1] * 4
    assert f'{PATHS[path]}: progress of 2 episodes' in capsys.readouterr().out
    assert commands(*arguments) == 0  # written by this command, so it may be again


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        (('v3.0', '--parquet', 'theirs.parquet'), 'theirs.parquet exists and was not written by'),
        (('v3.0', '--parquet', 'a.mp4'), 'a.mp4 cannot be created'),
        (('v3.0', '--parquet', 'dir.parquet'), 'dir.parquet is a folder'),
        (('v3.0', 'copy', '--parquet', 'new'), '--parquet new is for one dataset, and there are 2'),
    ],
)
def test_where_the_progress_is_not_written(
    commands: Any, arguments: tuple[str, ...], reason: str, capsys: Any
) -> None:
    shutil.copytree('v3.0', 'copy')
    Path('dir.parquet').mkdir()
    theirs = pa.table({'index': [0], 'progress_sparse': [0.5]})
    pq.write_table(theirs, 'theirs.parquet')
    assert commands(*arguments, '--camera', 'top') == 1
    assert reason in capsys.readouterr().err
    assert pq.read_table('theirs.parquet') == theirs
