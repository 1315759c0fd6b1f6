# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward evaluate` finds what was published of a video beside it, and compares itself."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from topreward_ros.commands.evaluate.answers import AnswerCheck
from topreward_ros.commands.main import main
from topreward_ros.demo.pattern import pattern_frame
from topreward_ros.demo.random_robometer import write_random_robometer
from topreward_ros.recordings.published_answers import AnswersError, read_answers, unclaimed
from topreward_ros.recordings.source_options import SourceOptions
from topreward_ros.recordings.sources import open_source
from topreward_ros.recordings.video import open_video
from topreward_ros.results.video import write_video
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.options import LoadOptions

pytest.importorskip('av')

TASK = 'Pick up the green cup'
FRAMES, TOLERANCE = 17, 1e-4
EXAMPLES = Path(__file__).parents[3] / 'shared' / 'robometer_examples'
REWARDS, SUCCESS = '_rewards.npy', '_rewards_success_probs.npy'


@pytest.fixture(scope='module')
def robometer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('robometer') / 'tiny'
    write_random_robometer(folder)
    return folder


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A video of its own folder, without answers."""
    file = tmp_path / 'videos' / 'jaco_pick_up_cup.mp4'
    film(file)
    return file


def film(file: Path, count: int = FRAMES) -> None:
    file.parent.mkdir(exist_ok=True)
    frames = (pattern_frame(k / count, 64, 96) for k in range(count))
    write_video(file, frames, 10.0)


def publish(video: Path, name: str, progress: Any, success: Any) -> None:
    np.save(video.parent / f'{name}{REWARDS}', np.asarray(progress))
    np.save(video.parent / f'{name}{SUCCESS}', np.asarray(success))


def recomputed(
    model: Path, video: Path, task: str, count: int, sampling: Callable[..., Any] = np.linspace
) -> np.ndarray:
    """What the model says after so many frames, scored anew for each: (count, 2) float32."""
    scorer = load_scorer(LoadOptions(str(model), 'cpu', 'float32', scorer='recompute'))
    images = [image for _, image in open_video(video).frames()]
    episode, rows = scorer.start(task), []
    for number in sampling(0, len(images) - 1, count, dtype=int):
        episode.append(images[number], 0.0)
        score = episode.score()
        rows.append((score.progress, score.success))
    return np.array(rows, np.float32)


def evaluate(source: Path, model: Path, save: Path, *more: str) -> int:
    options = ('--reward-model', 'robometer', '--model', str(model), '--save', str(save))
    return main(['evaluate', str(source), *options, '--anchors', '2', '--device', 'cpu', *more])


def report(save: Path) -> dict[str, Any]:
    return json.loads((save / 'report.json').read_text(encoding='utf-8'))


def test_the_same_weights_agree(
    robometer: Path, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = recomputed(robometer, video, TASK, 7)
    assert np.ptp(theirs, axis=0).min() > 10 * TOLERANCE, 'other frames would be noticed'
    publish(video, 'pick_up_cup', theirs[:, 0], theirs[:, 1])
    assert evaluate(video.parent, robometer, tmp_path / 'out', '--task', TASK) == 0
    told = capsys.readouterr().out
    content = report(tmp_path / 'out')
    ((name, row),) = content['figures']['answers'].items()
    assert name == 'videos/jaco_pick_up_cup' and row['answers'] == 7
    for kind in ('progress', 'success'):
        assert row[kind]['greatest'] <= TOLERANCE and row[kind]['mean'] <= row[kind]['greatest']
        assert row[kind]['correlation'] > 0.999
    assert f'| {name} | 7 | 0.0000 | 0.0000 | 1.0000 | 0.0000 |' in told
    assert 'not read' not in told and 'not compared' not in told
    kept = json.loads((tmp_path / 'out' / 'published' / f'{name}.json').read_text())
    assert kept['frames'] == np.linspace(0, FRAMES - 1, 7, dtype=int).tolist()


def test_other_answers_are_told_apart(
    robometer: Path, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Answers for other frames, of another task, and with one value changed."""
    own = recomputed(robometer, video, TASK, 7)

    def rounded(first: int, last: int, count: int, dtype: type) -> Any:
        return np.linspace(first, last, count).round().astype(dtype)

    changed = own.copy()
    changed[3] += np.where(own[3] < 0.5, 0.25, -0.25)
    for k, theirs in enumerate(
        (
            recomputed(robometer, video, TASK, 7, rounded),
            recomputed(robometer, video, 'Open the drawer.', 7),
            changed,
        )
    ):
        publish(video, 'jaco_pick_up_cup', theirs[:, 0], theirs[:, 1])
        save = tmp_path / str(k)
        assert evaluate(video.parent, robometer, save, '--task', TASK) == 0
        (row,) = report(save)['figures']['answers'].values()
        expected = np.abs(own.astype(float) - theirs.astype(float))
        for kind, gaps in zip(('progress', 'success'), expected.T, strict=True):
            assert row[kind]['greatest'] == pytest.approx(gaps.max(), abs=TOLERANCE)
            assert row[kind]['mean'] == pytest.approx(gaps.mean(), abs=TOLERANCE)
        assert row['progress']['greatest'] > 10 * TOLERANCE
    assert row['progress']['greatest'] == pytest.approx(0.25, abs=TOLERANCE)
    capsys.readouterr()


def test_our_scores_are_kept(
    robometer: Path, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = recomputed(robometer, video, TASK, 5)
    publish(video, 'jaco_pick_up_cup', theirs[:, 0], theirs[:, 1])
    scorer = load_scorer(LoadOptions(str(robometer), 'cpu', 'float32'))
    (recording,) = open_source(str(video), SourceOptions(task=TASK)).recordings
    first, again = (AnswerCheck(scorer, tmp_path / 'kept') for _ in range(2))
    first(recording)
    monkeypatch.setattr(AnswerCheck, '_scored', None)
    again(recording)
    assert again.agreements == first.agreements != {}
    publish(video, 'jaco_pick_up_cup', theirs[:4, 0], theirs[:4, 1])
    with pytest.raises(TypeError):
        again(recording)  # another number of answers is at other frames


BAD: list[tuple[Any, Any, str]] = [
    (np.array([1, 0, 1]), np.zeros(3), 'int64 of shape'),
    (np.zeros((3, 1)), np.zeros(3), 'of shape'),
    (np.zeros(0), np.zeros(0), 'of shape'),
    (np.array(0.5), np.zeros(1), 'of shape'),
    (np.array([0.1, np.nan]), np.zeros(2), 'value 1 is NaN'),
    (np.array([0.1, 0.2]), np.array([0.1, np.inf]), 'value 1 is inf'),
    (np.array([0.1, -0.2]), np.zeros(2), 'value 1 is -0.2'),
    (np.array([0.1, 1.2]), np.zeros(2), 'value 1 is 1.2'),
    (np.zeros(3), np.zeros(4), '3 answers and'),
    (np.array([0.1, {}], dtype=object), np.zeros(2), 'cannot be read'),
    (np.zeros(FRAMES + 1), np.zeros(FRAMES + 1), '18 answers are published, and the video has 17'),
]


@pytest.mark.parametrize(('progress', 'success', 'reason'), BAD, ids=lambda each: str(each)[:20])
def test_answers_that_are_not_as_expected(
    robometer: Path,
    video: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    progress: Any,
    success: Any,
    reason: str,
) -> None:
    """One line each, beside a recording that is measured all the same."""
    publish(video, 'jaco_pick_up_cup', progress, success)
    assert evaluate(video.parent, robometer, tmp_path / 'out', '--task', TASK) == 1
    told = capsys.readouterr()
    lines = [line for line in told.err.splitlines() if reason in line]
    assert len(lines) == 1 and 'Traceback' not in told.err, told.err
    assert reason in told.out and 'could not be compared' in told.err
    content = report(tmp_path / 'out')
    assert content['recordings'] == 1 and content['figures']['answers'] == {}
    assert reason in content['not compared']['videos/jaco_pick_up_cup']


def test_files_that_are_no_arrays(video: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / 'ran',))

    progress = video.parent / f'jaco_pick_up_cup{REWARDS}'
    publish(video, 'jaco_pick_up_cup', np.zeros(3), np.zeros(3))
    whole = progress.read_bytes()
    for content in (b'', b'nonsense', pickle.dumps(Evil()), whole[:20], whole[:-1]):
        progress.write_bytes(content)
        with pytest.raises(AnswersError, match='cannot be read') as raised:
            read_answers(video)
        assert '\n' not in str(raised.value)
    assert not (tmp_path / 'ran').exists()
    huge = whole.replace(b"'shape': (3,), }      ", b"'shape': (30000000,), }", 1)
    progress.write_bytes(huge)
    with pytest.raises(AnswersError):
        read_answers(video)
    with progress.open('wb') as stream:
        np.savez(stream, np.zeros(3))
    with pytest.raises(AnswersError, match='is an archive'):
        read_answers(video)


@pytest.mark.parametrize('left', [REWARDS, SUCCESS])
def test_one_file_without_the_other(video: Path, left: str) -> None:
    publish(video, 'jaco_pick_up_cup', np.zeros(3), np.zeros(3))
    (other,) = {REWARDS, SUCCESS} - {left}
    (video.parent / f'jaco_pick_up_cup{other}').unlink()
    with pytest.raises(AnswersError, match=f'lies without jaco_pick_up_cup{other}'):
        read_answers(video)


def values_of(video: Path) -> list[float] | None:
    answers = read_answers(video)
    return None if answers is None else answers.progress.tolist()


def test_whose_answers_they_are(video: Path) -> None:
    """The longest whole part of the name; a name of its own before a part of another's."""
    assert values_of(video) is None
    publish(video, 'cup', [0.1], [0.1])
    assert values_of(video) == [0.1]
    publish(video, 'pick_up_cup', [0.2], [0.2])
    assert values_of(video) == [0.2]
    publish(video, 'up_cu', [0.9], [0.9])  # no whole words
    publish(video, 'soar_cup', [0.9], [0.9])
    assert values_of(video) == [0.2] and unclaimed(video.parent) == ['cup', 'soar_cup', 'up_cu']
    other = video.with_name('pick_up_cup.mp4')
    film(other)
    assert values_of(other) == [0.2] and values_of(video) is None
    publish(video, 'jaco_pick_up_cup', [0.3], [0.3])
    assert values_of(video) == [0.3] and values_of(other) == [0.2]


def test_answers_that_could_be_of_two_videos(video: Path) -> None:
    publish(video, 'pick_up_cup', [0.2], [0.2])
    film(video.with_name('soar_pick_up_cup.mp4'))
    for each in ('jaco', 'soar'):
        with pytest.raises(AnswersError, match=r'those of jaco_.*mp4 or soar_.*mp4: rename'):
            read_answers(video.with_name(f'{each}_pick_up_cup.mp4'))
    publish(video, 'jaco_pick_u', [0.2], [0.2])
    publish(video, 'jaco_pick', [0.2], [0.2])
    two = video.with_name('jaco_pick_pick_cup.mp4')
    publish(video, 'pick_pick', [0.2], [0.2])
    with pytest.raises(AnswersError, match='could be those of jaco_pick_pick_cup'):
        read_answers(two)


def test_a_model_without_progress_says_so(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(video, 'jaco_pick_up_cup', np.zeros(3), np.zeros(3))
    options = ('--task', TASK, '--save', str(tmp_path / 'out'), '--methods', 'topreward')
    assert main(['evaluate', str(video), *options, '--anchors', '2', '--device', 'cpu']) == 0
    told = capsys.readouterr().out
    assert 'not compared, as topreward gives no progress of its own' in told
    assert 'answers' not in report(tmp_path / 'out')['figures']


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason='the recordings are not here')
def test_the_published_recordings(robometer: Path, tmp_path: Path) -> None:
    """Three real ones, their names as published, with answers of a small model in their place."""
    tasks = {
        'berkeley_rpt_stack_cup': 'Pick up the yellow cup and stack it on the other cup',
        'jaco_play_pick_up_green_cup': 'Pick up the green cup',
        'soar_put_green_stick_in_brown_bowl': 'Put green stick in brown bowl',
    }
    counts = {}
    folder = tmp_path / 'example_videos'
    folder.mkdir()
    for name, task in tasks.items():
        video = Path(shutil.copy(EXAMPLES / f'{name}.mp4', folder))
        (npy,) = (
            file
            for file in EXAMPLES.glob(f'*{REWARDS}')
            if name.endswith(file.name.removesuffix(REWARDS))
        )
        counts[f'example_videos/{name}'] = count = len(np.load(npy, allow_pickle=False))
        theirs = recomputed(robometer, video, task, count)
        publish(video, npy.name.removesuffix(REWARDS), theirs[:, 0], theirs[:, 1])
    assert evaluate(folder, robometer, tmp_path / 'out') == 0
    rows = report(tmp_path / 'out')['figures']['answers']
    assert {name: row['answers'] for name, row in rows.items()} == counts
    for row in rows.values():
        assert max(row[kind]['greatest'] for kind in ('progress', 'success')) <= TOLERANCE
