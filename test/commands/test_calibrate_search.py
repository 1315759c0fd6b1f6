# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward calibrate --search` keeps what is better on recordings that it did not choose by."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from topreward_ros.commands.calibrate import attempts as scored
from topreward_ros.commands.calibrate.search import Choices, Search, read_wordings
from topreward_ros.commands.calibrate.search_report import search_lines
from topreward_ros.commands.main import main
from topreward_ros.demo.drawing import film
from topreward_ros.demo.model import FOLDER
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.demo.tasks import known_tasks
from topreward_ros.recordings.clip import Clip
from topreward_ros.recordings.recording import Recording
from topreward_ros.results.calibration_file import CalibrationError, read_calibration
from topreward_ros.results.video import write_video
from topreward_ros.reward.calibration import DIFFERENCE, TASK, TRUE, VALUES
from topreward_ros.reward.live import RewardOptions
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.score import Episode, Identity, Score, Scorer

from .demo_world import recordings

GOOD = 'The robot should {task}'
# Names three other tasks
BAD = 'Put the green block on the box, the red block on the mat, the blue block on the tray. {task}'
KINDS = ('short', 'wrong_object', 'wrong_target')


class Brightness(Scorer):
    """log P rises with the brightness in the good wording, and falls in the bad one.

    As it is, the task tells nothing of success; with " False", it tells all.
    """

    def __init__(self, frame_fit: str = 'paper') -> None:
        self._frame_fit = frame_fit

    @property
    def identity(self) -> Identity:
        return Identity('toy', 'f', f'toy {self._frame_fit}', 'float32')

    def start(self, tasks: str | Sequence[str]) -> Episode:
        return BrightEpisode(tasks if isinstance(tasks, str) else tasks[0])


class BrightEpisode(Episode):
    def __init__(self, task: str) -> None:
        self._task, self._levels = task, list[float]()

    @property
    def frames(self) -> int:
        return len(self._levels)

    def append(self, frame: np.ndarray, time: float) -> None:
        self._levels.append(float(frame.mean()) / 255)

    def thin(self) -> None:
        raise NotImplementedError

    def keep_last(self, count: int) -> None:
        raise NotImplementedError

    def scores(self) -> tuple[Score, ...]:
        level, start = self._levels[-1], self._task[:3]
        value = {'The': level, 'Not': -level}.get(start, 0.01 * self.frames)
        return (Score(self.frames, value - 5, -5 - (level if start == 'Put' else 0)),)


def bright(name: str, top: int, is_success: bool, count: int = 12) -> Recording:
    images = [np.full((16, 16, 3), round(k * top / count), np.uint8) for k in range(count)]
    clip = Clip(name, 4.0, count / 4, lambda: ((k / 4, image) for k, image in enumerate(images)))
    return Recording(name, clip, 'Put it there.', is_success)


def some() -> list[Recording]:
    return [
        *(bright(f's{k}', 200 + k, True) for k in range(4)),
        *(bright(f'f{k}', 90 + k, False) for k in range(3)),
    ]


def search(folder: Path, choices: Choices, console: Console | None = None) -> Search:
    return Search(choices, folder, 3, 2, 64, console or Console(file=io.StringIO()))


def test_the_bad_is_not_chosen_and_the_good_is(tmp_path: Path) -> None:
    choices = Choices([4.0], ['paper'], [TASK, 'Not {task}', 'The task: {task}'])
    found = search(tmp_path, choices).run(Brightness, some())
    assert [each.setting.wording[:3] for each in found.candidates] == ['{ta', 'Not', 'The']
    assert found.selection.aucs.tolist() == [0.5, 0.0, 1.0]
    assert found.kept.setting.wording == 'The task: {task}'
    lines = '\n'.join(search_lines(found))
    assert 'kept: 4 fps, paper, "The task: {task}", true' in lines
    assert 'held out (each' in lines and 's3 1.00; failures f0 1.00' in lines
    worse = search(tmp_path, Choices([4.0], ['paper'], [TASK, 'Not {task}']))
    kept = worse.run(Brightness, some())
    assert kept.kept is kept.candidates[0]
    assert 'kept: the default, as no setting separates' in search_lines(kept)[-1]


def test_true_minus_false_and_rates(tmp_path: Path) -> None:
    found = search(tmp_path, Choices([4.0, 2.0], ['paper'], values=VALUES)).run(Brightness, some())
    settings = [(each.setting.fps, each.setting.value) for each in found.candidates]
    assert settings == [(4, TRUE), (4, DIFFERENCE), (2, TRUE), (2, DIFFERENCE)]
    assert found.selection.aucs.tolist() == [0.5, 1.0, 0.5, 1.0]
    assert found.kept.setting.value == DIFFERENCE and found.kept.setting.fps == 4


def test_all_are_judged_by_the_same_recordings(tmp_path: Path) -> None:
    """What the default cannot use is left out of all; what cannot use the rest is left out."""
    told = io.StringIO()
    console = Console(file=told, width=200)
    given = [*some(), bright('brief', 200, True, count=2)]
    choices = Choices([4.0, 1.0, 2.0], ['paper', 'aspect'])
    found = search(tmp_path, choices, console).run(Brightness, given)
    assert 'brief' not in [each.name for each in found.recordings]
    assert len(found.recordings) == 7
    assert {each.setting.fps for each in found.candidates} == {4.0, 2.0}
    assert {len(each.attempts) for each in found.candidates} == {7}
    assert '1 fps, paper, "{task}", true: left out' in told.getvalue()


def test_a_fit_that_changes_nothing_is_not_tried(tmp_path: Path) -> None:
    told = io.StringIO()
    console = Console(file=told, width=200)
    choices = Choices([4.0], ['paper', 'aspect'])
    found = search(tmp_path, choices, console).run(lambda _: Brightness(), some())
    assert len(found.candidates) == 1
    assert 'frame_fit aspect is not tried: this model scores as with paper' in told.getvalue()


def test_what_was_scored_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an interrupt in the third of four settings, only what is missing is scored."""
    choices = Choices([4.0, 2.0], ['paper'], [TASK, 'The task: {task}'], VALUES)
    done: list[tuple[str, float]] = []
    attempt = scored.attempt

    def counted(scorer: Scorer, recording: Recording, plan: Any, watch: Any) -> Any:
        if len(done) == 17 and is_cut:
            raise KeyboardInterrupt
        done.append((recording.task, plan.fps))
        return attempt(scorer, recording, plan, watch)

    monkeypatch.setattr(scored, 'attempt', counted)
    is_cut = True
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, choices).run(Brightness, some())
    is_cut = False
    first = search(tmp_path, choices).run(Brightness, some())
    assert len(done) == 28 and done.count(('The task: Put it there.', 2.0)) == 7
    again = search(tmp_path, choices).run(Brightness, some())
    assert len(done) == 28
    assert again.selection.aucs.tolist() == first.selection.aucs.tolist()


def test_scores_of_earlier_versions_are_completed(tmp_path: Path) -> None:
    search(tmp_path, Choices([4.0], ['paper'])).run(Brightness, some())
    for file in tmp_path.glob('*.json'):
        content = json.loads(file.read_text())
        for name in scored.FALSE:
            del content[name]
        file.write_text(json.dumps(content))
    found = search(tmp_path, Choices([4.0], ['paper'], values=VALUES)).run(Brightness, some())
    assert found.selection.aucs.tolist() == [0.5, 1.0]


@pytest.mark.parametrize('count', [1, 3])
def test_too_few_recordings(tmp_path: Path, count: int) -> None:
    given = [bright(f's{k}', 200, True) for k in range(4)][:count]
    failed = [bright(f'f{k}', 99, False) for k in range(4 - count)]
    with pytest.raises(CalibrationError, match=f'there are {count} successes and {4 - count} f'):
        search(tmp_path, Choices([4.0], ['paper'])).run(Brightness, [*given, *failed])


def test_wordings_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / 'wordings.txt'
    file.write_text(f'# mine\n\n  {GOOD}  \n{{task}} Now {{it}} is done.\n', encoding='utf-8')
    assert read_wordings(file) == [GOOD, '{task} Now {it} is done.']
    for content, reason in (
        ('', 'no wording'),
        ('Put it there.', 'line 1: the wording is'),
        (f'{GOOD}\n{{task}} {{task}}', 'line 2'),
        ('{task}' + 'x' * 500, 'at most 500'),
    ):
        file.write_text(content, encoding='utf-8')
        with pytest.raises(CalibrationError, match=reason):
            read_wordings(file)
    file.write_bytes(b'\xff\xfe\x00')
    with pytest.raises(CalibrationError, match='not UTF-8'):
        read_wordings(file)
    with pytest.raises(CalibrationError, match='cannot be read'):
        read_wordings(tmp_path / 'none')


@pytest.mark.parametrize(
    ('more', 'reason'),
    [
        (['--search-fps', '1'], '--search-fps has no effect without --search'),
        (['--search-values', 'true'], '--search-values has no effect without --search'),
        (['--search', '--false-alarms', '0.2'], 'their promise would not hold'),
        (['--search', '--search-fps', '0.1'], '--search-fps: '),
    ],
)
def test_options_that_do_not_go_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], reason: str
) -> None:
    save = str(tmp_path / 'calibration.yaml')
    assert main(['calibrate', str(tmp_path), '--task', 'a', '--save', save, *more]) == 2
    assert reason in capsys.readouterr().err


def test_the_demos_model_is_not_asked_in_the_bad_wording(tmp_path: Path) -> None:
    """In its world the task as it is does well, and the bad wording does badly."""
    given = [*recordings(range(600, 603), ['success']), *recordings(range(610, 613), KINDS)]
    choices = Choices([2.0], ['aspect'], [TASK, GOOD, BAD], VALUES)
    found = search(tmp_path, choices).run(lambda _: load_scorer(str(FOLDER)), given)
    aucs = {
        (each.setting.wording, each.setting.value): auc
        for each, auc in zip(found.candidates, found.selection.aucs, strict=True)
    }
    assert aucs[TASK, TRUE] == aucs[GOOD, DIFFERENCE] == 1 > aucs[BAD, TRUE]
    assert found.kept is found.candidates[0]
    assert (found.selection.choices == 0).all()
    # With the bad one as it is asked, that is, where there is nothing better to begin with
    turned = search(tmp_path, Choices([2.0], ['aspect'], [BAD, GOOD, TASK]))
    chosen = turned.run(lambda _: load_scorer(str(FOLDER)), given)
    assert chosen.kept.setting.wording == GOOD
    assert chosen.selection.held_out.mean() == 1 > chosen.selection.default.mean()


def scenes(folder: Path) -> None:
    """Two successes and two failures as videos, all of one task."""
    task = known_tasks()[0]
    for kind, seeds in (('success', (600, 601)), ('failure', (610, 611))):
        (folder / kind).mkdir(parents=True)
        for seed in seeds:
            episode = SceneEpisode(seed, 'success' if kind == 'success' else 'still', task)
            write_video(folder / kind / f'{seed}.mp4', film(episode, 4.0, 96, 96), 4.0)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip('av')
    scenes(tmp_path / 'demos')
    wordings, save = tmp_path / 'wordings.txt', tmp_path / 'out' / 'calibration.yaml'
    wordings.write_text(f'{GOOD}\n{BAD}\n', encoding='utf-8')
    task = known_tasks()[0].say()
    options = ['--task', task, '--save', str(save), '--fps', '2', '--device', 'cpu']
    options += ['--search-fps', '4', '--search-wordings', str(wordings), '--search']
    assert main(['calibrate', str(tmp_path / 'demos'), *options]) == 0
    told = capsys.readouterr().out
    assert '12 settings, by their ROC-AUC over 2 successes and 2 failures' in told
    assert 'held out' in told and 'kept: the default' in told
    made = read_calibration(save)
    assert (made.fps, made.wording, made.value, made.tasks) == (2.0, TASK, TRUE, (task,))
    assert 'wording:' not in save.read_text(encoding='utf-8').partition('version')[2]
    written = json.loads((save.with_suffix('.scores') / 'search.json').read_text())
    assert len(written['settings']) == 12
    assert written['kept'] == {'fps': 2.0, 'frame_fit': 'paper', 'wording': TASK, 'value': TRUE}
    assert written['held out']['interval'] is None
    assert set(written['held out']['shares of pairs']['failures']) == {
        'failure/610',
        'failure/611',
    }


def test_what_is_kept_is_what_the_node_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A calibration of true minus false in a wording: the file, and live progress by it."""
    from topreward_ros.commands.calibrate import run_search

    pytest.importorskip('av')
    for kind, tops in (('success', (200, 210, 220)), ('failure', (90, 95, 99))):
        (tmp_path / kind).mkdir()
        for top in tops:
            frames = [image for _, image in bright('', top, True).clip.frames()]
            write_video(tmp_path / kind / f'{top}.mp4', frames, 4.0)
    (tmp_path / 'wordings').write_text('Put: {task}')  # of which " False" tells all
    monkeypatch.setattr(run_search, 'load', lambda options: Brightness(options.frame_fit))
    save = tmp_path / 'calibration.yaml'
    options = ['--task', 'Do it.', '--fps', '4', '--save', str(save), '--search']
    options += ['--search-wordings', str(tmp_path / 'wordings'), '--search-fps', '4']
    assert main(['calibrate', str(tmp_path), *options]) == 0
    told = capsys.readouterr().out
    assert 'kept: 4 fps, paper, "Put: {task}", true minus false' in told
    assert 'length_bias none: log P("True") - log P("False") rises from' in told
    assert 'normalization: calibrated, fps: 4, frame_fit: paper' in told
    made = read_calibration(save)
    assert (made.wording, made.value, made.layout) == ('Put: {task}', DIFFERENCE, 'toy paper')
    assert made.ask('Do it.') == 'Put: Do it.' and made.tasks == ('Do it.',)
    live = RewardOptions('calibrated').start(made)
    episode = Brightness().start(made.ask('Do it.'))
    steps = []
    for _, image in bright('', 210, True).clip.frames():
        episode.append(image, 0.0)
        steps.append(live.update(episode.score()))
    assert steps[0].progress < 0.1 and steps[-1].progress > 0.9
    (success,) = [step.success for step in steps if step.success]
    assert success.evidence == 'log_prob_difference' and success.score > 0
    with pytest.raises(ValueError, match='set normalization to calibrated'):
        RewardOptions('fixed').start(made)
    with pytest.raises(ValueError, match='lacks one of them'):
        live.update(Score(1, -1.0))
