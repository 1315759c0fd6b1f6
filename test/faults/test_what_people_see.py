# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a person looks at: pictures, lines on the terminal, exit codes, and played runs."""

from __future__ import annotations

import csv
import importlib.util
import itertools
import logging
import os
import signal
import subprocess
import sys
import time
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image, ImageDraw

from topreward_ros.commands.arguments import DEMO_MODEL_NOTE
from topreward_ros.commands.calibrate.make import make_calibration
from topreward_ros.commands.demo import plot as demo_plot
from topreward_ros.commands.evaluate import plot as evaluate_plot
from topreward_ros.commands.evaluate.measuring import CONTROLS, REAL, Measurement
from topreward_ros.commands.evaluate.methods import LOG_PROB, STATIC, Curve
from topreward_ros.commands.failures import named
from topreward_ros.commands.main import main
from topreward_ros.commands.score.clip_scores import Plan, score_clip
from topreward_ros.commands.score.episode import EpisodeScoring, ScoreError
from topreward_ros.commands.score.run import ScoreOptions, score_files
from topreward_ros.demo.example import TASK
from topreward_ros.demo.model import FOLDER
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.errors import ModelError
from topreward_ros.files import ResultsError, check_file
from topreward_ros.recordings.clip import Clip, ClipError, paced
from topreward_ros.recordings.clip_source import open_clip
from topreward_ros.recordings.recording import Recording
from topreward_ros.recordings.source_options import SourceOptions
from topreward_ros.results import lettering
from topreward_ros.results import plot as run_plot
from topreward_ros.results.calibration_file import (
    CalibrationError,
    check_calibration,
    write_calibration,
)
from topreward_ros.results.overlay import write_overlay
from topreward_ros.results.score_table import Row
from topreward_ros.results.video import write_video
from topreward_ros.reward.fit_scale import Attempt
from topreward_ros.reward.success import SuccessDetector
from topreward_ros.scoring.engine.video import fit
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.sampling import NANOSECONDS, Sampling
from topreward_ros.scoring.score import Identity, Score

from ..domains import COMMANDS_DOMAIN
from ..toy_scorer import ToyScorer

needs_ros = pytest.mark.skipif(importlib.util.find_spec('rclpy') is None, reason='ROS 2 is missing')
ENVIRON = {
    **os.environ,
    'ROS_DOMAIN_ID': str(COMMANDS_DOMAIN),
    'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
}
IDENTITY = Identity('m', 'abc', 'one', 'float32')
SENTENCE = 'Put the red block into the blue cup, and wipe the table with the sponge. '

# Kind: a text of any length and script, which must be whole, or visibly cut, inside its picture

TEXTS = {
    'long': SENTENCE * 12,
    'one long word': 'W' * 1000,
    'a line break': 'Put it\n\tinto the cup.',
    'mathematics': r'Put $x$ into $\frac$ and \$y.',
    'Cyrillic': 'Поставь красный кубик в чашку. ' * 9,
    'Chinese': '把红色的方块放进杯子里。' * 30,
    'Devanagari, emoji, control characters': 'लाल 🟥 ब्लॉक \x1b[31m \ud800 \u202e ' * 9,
    'empty': '',
}
Drawn = list[Any]  # matplotlib's figures


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """The figures that are saved in a test."""
    drawn: Drawn = []
    for module in (run_plot, evaluate_plot, demo_plot):
        monkeypatch.setattr(module, 'save_png', lambda figure, _: drawn.append(figure))
    return drawn


def still(seconds: float = 6.0, height: int = 48, width: int = 64) -> Clip:
    images = [np.full((height, width, 3), 9 * k, np.uint8) for k in range(round(2 * seconds))]
    return Clip('still', 2.0, seconds, lambda: paced(iter(images), 2.0))


def rows_of(task: str, count: int = 12) -> list[Row]:
    return [
        Row(
            k / 2, 1, Score(k + 1, log_prob=k - 20.0, log_prob_false=-1.0), k / 20, 0.0, '', 0, task
        )
        for k in range(count)
    ]


def measurement(task: str) -> Measurement:
    curve = Curve(np.linspace(0, 1, 4), np.array([-9.0, -5.0, -3.0, -1.0]))
    curves = {each: {LOG_PROB: curve, STATIC: curve} for each in (REAL, *CONTROLS)}
    return Measurement(task, range(1, 5), task, True, np.linspace(0, 1, 4), {}, curves)


PICTURES: dict[str, Callable[[str], None]] = {
    'run': lambda text: run_plot.plot_run(
        Path(), still(), rows_of(text), (3.0, 3.2), text or DEMO_MODEL_NOTE
    ),
    'evaluation': lambda text: evaluate_plot.plot_curves(Path(), [measurement(text)] * 3),
}
OTHERS: dict[str, Callable[[str], None]] = {
    'run of one score': lambda text: run_plot.plot_run(Path(), still(), rows_of(text, 1)),
    'evaluation of one': lambda text: evaluate_plot.plot_curves(Path(), [measurement(text)]),
    'evaluation of many': lambda text: evaluate_plot.plot_curves(Path(), [measurement(text)] * 13),
    'successes': lambda text: evaluate_plot.plot_success(Path(), [measurement(text)] * 2),
    'demo': lambda _: demo_plot.plot_episodes(
        Path(),
        [
            demo_plot.EpisodeCurve(SceneEpisode(k, kind), [0.5], [0.3], 0.5)
            for k, kind in enumerate(('success', 'undone', 'wrong_object'))
        ],
    ),
}


@pytest.mark.parametrize(
    ('draw', 'text'),
    [
        *(
            pytest.param(draw, text, id=f'{name} {kind}')
            for name, draw in PICTURES.items()
            for kind, text in TEXTS.items()
        ),
        *(pytest.param(draw, TEXTS['long'], id=name) for name, draw in OTHERS.items()),
    ],
)
def test_every_text_is_inside_its_picture(
    figures: Drawn, draw: Callable[[str], None], text: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        draw(text)
        (figure,) = figures
        check_inside(figure)


def check_inside(figure: Any) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    right, top = figure.get_size_inches() * figure.dpi
    axes = [axis for each in figure.axes for axis in (each.xaxis, each.yaxis)]
    ticks = {label for axis in axes for label in axis.get_ticklabels()}  # beyond the limits, too
    for each in set(figure.findobj(Text)) - ticks:
        if each.get_text().strip() and each.get_visible():
            box = each.get_window_extent(renderer)
            assert box.x0 >= -1 and box.x1 <= right + 1, each.get_text()
            assert box.y0 >= -1 and box.y1 <= top + 1, each.get_text()


@pytest.mark.parametrize(
    ('text', 'shown'),
    [
        ('Put $x$ into $y$', 'Put $x$ into $y$'),
        ('Put it\n\tinto the cup.', 'Put it into the cup.'),
        ('a\x1b[31mb\u202ec\u200e', 'a[31mbc'),
        ('a\ud800b', 'a\ufffdb'),
        ('把红 ab 色', '[2 characters] ab [1 character]'),
        ('', ''),
    ],
)
def test_a_text_that_no_font_has_is_readable(
    monkeypatch: pytest.MonkeyPatch, text: str, shown: str
) -> None:
    monkeypatch.setattr(lettering, '_installed', tuple)
    lettering._others.cache_clear()
    assert lettering.lettered(text) == shown
    lettering._others.cache_clear()


def test_any_text_is_wrapped_into_its_width() -> None:
    """400 texts of random characters of all planes, with spaces; a line is never too long."""
    random = np.random.default_rng(0)
    for _ in range(400):
        codes = random.integers(0, random.choice([0x80, 0x600, 0x3000, 0x110000]), 60)
        text = ''.join(chr(code) if code % 7 else ' ' for code in codes)[: random.integers(61)]
        size, width, most = (float(random.choice(each)) for each in ((8, 12), (90, 700), (1, 3)))
        lines = lettering.wrapped(text, size, width, int(most))
        assert len(lines) <= most
        for line in lines:
            assert lettering.measured(line, size) <= width and line.strip() == line
            assert not any(unicodedata.category(each) in ('Cc', 'Cs') for each in line)
        if not lines or not lines[-1].endswith('…'):  # nothing is lost
            assert ''.join(lines).replace(' ', '') == lettering.lettered(text).replace(' ', '')


@pytest.fixture
def chinese_font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A font on the system that has two Chinese characters, each a full square wide."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for point in ((0, 800), (800, 800), (800, 0)):
        pen.lineTo(point)
    pen.closePath()
    names = ['.notdef', 'a', 'b']
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(names)
    font.setupCharacterMap({ord('把'): 'a', ord('红'): 'b'})
    font.setupGlyf(dict.fromkeys(names, pen.glyph()))
    font.setupHorizontalMetrics({name: (1000, 0) for name in names})
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({'familyName': 'Two Squares', 'styleName': 'Regular'})
    font.setupOS2()
    font.setupPost()
    file = tmp_path / 'fonts' / 'two.ttf'
    file.parent.mkdir()
    font.save(file)
    monkeypatch.setattr(lettering, '_installed', lambda: (str(file),))
    lettering._others.cache_clear()
    yield 'Two Squares'
    lettering._others.cache_clear()


def test_a_font_of_the_system_that_has_the_characters_is_used(
    chinese_font: str, figures: Drawn, tmp_path: Path
) -> None:
    assert lettering.lettered('把 a 红色') == '把 a 红[1 character]'
    assert lettering.families('把红a把红') == [chinese_font, 'DejaVu Sans']
    assert lettering.measured('把红', 50) == 100  # two squares
    assert lettering.wrapped('把红把红把红', 10, 35, 2) == ['把红把', '红把红']
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        run_plot.plot_run(Path(), still(), rows_of('把红'))
        check_inside(figures[0])
    # In the overlay, each square is 80 % of its size wide and high, and black
    canvas = Image.new('L', (100, 40), 255)
    lettering.draw(ImageDraw.Draw(canvas), (0, 0), '把红', 20, '#000000')
    ink = np.asarray(canvas) < 128
    assert ink.sum() == pytest.approx(2 * 16 * 16, rel=0.1)
    assert ink[:, 16:20].sum() == 0 and ink[:, 20:36].any()
    write_overlay(tmp_path / 'o.mp4', still(), rows_of('把红' * 99))


def test_characters_without_a_font_are_remarked_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(lettering, '_installed', tuple)
    monkeypatch.setattr(lettering, '_told', set())
    lettering._others.cache_clear()
    with caplog.at_level(logging.WARNING), warnings.catch_warnings():
        warnings.simplefilter('error')
        for task in ('把红色的方块放进杯子里。', '打开灯。', 'लाल'):
            run_plot.plot_run(tmp_path / 'p.png', still(), rows_of(task))
    lettering._others.cache_clear()
    (record,) = caplog.records
    assert record.getMessage().startswith('no font here has 把红色的方块放进杯子里。: ')


# Kind: an array as a reader gives it, read-only, mirrored or of another order, before torch


@pytest.mark.parametrize(
    'change',
    [
        lambda image: np.asarray(Image.fromarray(image)),
        lambda image: np.frombuffer(image.tobytes(), np.uint8).reshape(image.shape),
        lambda image: np.broadcast_to(image, image.shape),
        lambda image: np.ascontiguousarray(image[:, ::-1])[:, ::-1],
        np.asfortranarray,
    ],
    ids=['of a picture', 'of a message', 'broadcast', 'mirrored', 'by columns'],
)
@pytest.mark.parametrize('size', [(48, 64), (32, 32)])
def test_no_array_makes_torch_warn(
    change: Callable[[np.ndarray], np.ndarray], size: tuple[int, int]
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    # In a process of its own: torch warns once
    code = (
        'import sys, warnings, numpy as np; warnings.simplefilter("error")\n'
        'from topreward_ros.scoring.engine.video import fit\n'
        'image = np.zeros((48, 64, 3), np.uint8); image.flags.writeable = False\n'
        'fit(image, (32, 32))'
    )
    if size == (32, 32) and change is np.asfortranarray:  # once
        subprocess.run([sys.executable, '-c', code], check=True, timeout=60)
    assert (fit(change(image), size) == fit(image.copy(), size)).all()


# Kind: a command whose reader has gone


@pytest.mark.parametrize(
    'arguments',
    [('--help',), ('--version',), ('score', '--help'), ('demo', '--tasks'), ('evaluate', '--help')],
    ids=' '.join,
)
@pytest.mark.parametrize('unbuffered', ['', '1'])
def test_a_closed_pipe_is_silent(arguments: tuple[str, ...], unbuffered: str) -> None:
    read, write = os.pipe()
    os.close(read)
    result = subprocess.run(
        [sys.executable, '-m', 'topreward_ros.commands.main', *arguments],
        stdout=write,
        stderr=subprocess.PIPE,
        env={**os.environ, 'PYTHONUNBUFFERED': unbuffered},
        timeout=60,
        check=False,
    )
    os.close(write)
    # Unbuffered, argparse discards the error itself and exits with 0
    assert result.returncode in ((141,) if not unbuffered else (0, 141)) and result.stderr == b''


# Kind: what is wrong is known before the model is loaded, told once, and has the right exit code


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with recordings, whole and broken, in which no model can be loaded."""
    monkeypatch.chdir(tmp_path)
    pictures = [np.full((48, 64, 3), 20 * k, np.uint8) for k in range(12)]
    write_video(tmp_path / 'good.mp4', pictures, 4.0)
    (tmp_path / 'bad.mp4').write_bytes(b'no video at all')
    (tmp_path / 'file').write_text('')
    (tmp_path / 'images').mkdir()
    for k, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / 'images' / f'{k}.png')
    attempt = Attempt(
        np.linspace(-9, -1, 8), np.arange(8) / 2, np.arange(1, 9), np.zeros(8), is_success=True
    )
    write_calibration(
        tmp_path / 'slow.yaml', make_calibration([attempt], ['x'], IDENTITY, 1.0, window=1, hold=1)
    )

    def load(*_: object) -> None:
        raise ModelError('the model was loaded')

    monkeypatch.setattr('topreward_ros.scoring.families.load_scorer', load)
    return tmp_path


MISSING = 'does not exist: expected a video file or a folder of images'
TOO_SLOW = (
    'topreward: slow.yaml does not hold here: it was made at 1 frames a second; here fps is 2. '
    'Calibrate again, or use the settings it was made with'
)
NO_TASK = 'it has no task: set one with --task "Put the block into the cup."'
BLANK = (
    'topreward: --task: the task is blank: describe in a sentence what the robot should have done'
)
X = ('--task', 'x')


@pytest.mark.parametrize(
    ('arguments', 'code', 'lines'),
    [
        (('score', 'no.mp4', *X), 1, [f'topreward: no.mp4 {MISSING}']),
        (
            ('score', 'no.mp4', 'none.mp4', *X),
            1,
            [
                f'no.mp4 {MISSING}',
                f'none.mp4 {MISSING}',
                'topreward: 2 of 2 recordings could not be scored',
            ],
        ),
        (('score', 'good.mp4'), 1, [f'topreward: {NO_TASK}']),
        (
            ('score', 'good.mp4', 'images'),
            1,
            [
                f'good.mp4: {NO_TASK}',
                f'images: {NO_TASK}',
                'topreward: 2 of 2 recordings could not be scored',
            ],
        ),
        (
            ('score', 'good.mp4', *X, '--bag', '--calibration', 'slow.yaml'),
            1,
            [TOO_SLOW.replace('slow.yaml', 'the calibration')],
        ),
        (('evaluate', 'good.mp4', *X, '--calibration', 'slow.yaml'), 1, [TOO_SLOW]),
        (('evaluate', 'good.mp4'), 1, [f'topreward: good: {NO_TASK}']),
        (('calibrate', 'no.mp4', *X), 1, [f'topreward: no.mp4 {MISSING}']),
        (('score', 'good.mp4', '--task', ' '), 2, [BLANK]),
        (('evaluate', 'good.mp4', '--task', ' '), 2, [BLANK]),
        (('calibrate', 'good.mp4', '--task', ' '), 2, [BLANK]),
        (
            ('score', 'good.mp4', 'good.mp4', *X),
            2,
            ['topreward: two sources have the same name: score them into different folders'],
        ),
        (
            ('score', 'good.mp4', *X, '--set', 'fps=4'),
            2,
            ['topreward: --calibration and --set only apply to --bag: add --bag'],
        ),
        (
            ('evaluate', 'good.mp4', *X, '--max-frames', '30'),
            2,
            ['topreward: max_frames is 30; expected a multiple of 4: pairs, half dropped'],
        ),
        (
            ('score', 'good.mp4', *X, '--adapter', 'a', '--quantization', '4bit'),
            2,
            None,
        ),
        (('score', 'good.mp4', *X), 1, ['topreward: the model was loaded']),
    ],
    ids=lambda value: ' '.join(value) if isinstance(value, tuple) else '',
)
@pytest.mark.usefixtures('world')
def test_an_error_is_told_once_before_the_model_is_loaded(
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    lines: list[str] | None,
) -> None:
    save = ('--save', 'out.yaml' if arguments[0] == 'calibrate' else 'out')
    assert main([*arguments, *save]) == code
    out, err = capsys.readouterr()
    if lines is None:  # in the words of another module
        assert err.startswith('topreward: ') and err.count('\n') == 1
    else:
        assert err.splitlines() == lines
    assert out.strip() == ''


@pytest.mark.parametrize('command', ['score', 'evaluate', 'calibrate'])
@pytest.mark.usefixtures('world')
def test_results_that_cannot_be_written_are_refused_before_the_model_is_loaded(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([command, 'good.mp4', *X, '--save', 'file/below/results']) == 1
    assert 'cannot be created' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('file', 'reason'),
    [
        ('/proc/a.csv', 'the folder /proc is not writable'),  # even for root
        ('/proc/1/new/a.csv', 'the folder /proc/1/new cannot be created'),
        ('file/a.csv', 'the folder file cannot be created'),
        ('x' * 250 + '.csv', 'File name too long'),
        ('images', 'images is a folder'),
        ('new/a.csv', ''),
    ],
)
@pytest.mark.usefixtures('world')
def test_a_place_for_results_is_tried(file: str, reason: str) -> None:
    if not reason:
        check_file(Path(file), '--parquet')
        assert list(Path('new').iterdir()) == []
        return
    with pytest.raises(ResultsError, match=reason) as raised:
        check_file(Path(file), '--parquet')
    assert reason.endswith('folder') or '--parquet' in str(raised.value)


@needs_ros
@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        (('play', '--set', 'fps=0'), 'fps is 0.0; expected 0.01 to 30.0'),
        (('play', '--set', 'history=all'), "history is 'all'; expected one of thin, last"),
        (('play', '--set', 'max_frames=6'), 'max_frames is 6; expected a multiple of 4'),
        (('play', 'good.mp4', '--task', ' '), BLANK.removeprefix('topreward: ')),
        (
            ('play', 'good.mp4'),
            'a clip needs a task in words: --task "Put the block into the cup."',
        ),
        (('run', '--camera', 'x', '--set', 'fps=0'), 'fps is 0.0; expected 0.01 to 30.0'),
        (('publish', '--fps', '-1'), 'fps is -1.0; expected 0.0 to 1000.0'),
        (('publish', '--speed', 'nan'), 'speed is nan; expected 0.0 to 1000.0'),
        (('publish', '--wait', '-1'), 'wait_for_subscribers is -1; expected 0 to 100'),
        (('scene', '--episodes', '2'), '--episodes needs a folder to write to: set it with --save'),
    ],
    ids=lambda value: ' '.join(value) if isinstance(value, tuple) else '',
)
@pytest.mark.usefixtures('world')
def test_wrong_arguments_of_nodes_end_with_2(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], reason: str
) -> None:
    assert main(list(arguments)) == 2
    assert capsys.readouterr().err == f'topreward: {reason}\n'


def test_one_failure_of_several_is_told_once(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ScoreOptions(
        ('good.mp4', 'bad.mp4', 'no.mp4', 'images'),
        world / 'out [/red]',
        Plan(2.0),
        SourceOptions('x'),
    )
    with pytest.raises(ScoreError, match='2 of 4 recordings could not be scored'):
        score_files(ToyScorer(LoadOptions('m')), options)
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in err.splitlines()] == ['bad.mp4', 'no.mp4']
    # Names are no markup, and the numbers are those of the pictures
    assert f'{options.save}/good: 6 scores, toy progress from 0.0' in out
    with (options.save / 'images' / 'scores.csv').open() as stream:
        progress = [float(row['progress']) for row in csv.DictReader(stream)]
    assert progress == pytest.approx([0.0])  # the first of the images, at 30 per second


def test_a_recording_that_cannot_be_measured_is_told_once(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut() -> Iterator[tuple[float, np.ndarray]]:
        yield from itertools.islice(still().frames(), 3)
        raise ClipError('it broke off')

    recordings = [Recording('a', Clip('a', 2.0, 6.0, cut), 'x'), Recording('b', still(), 'x', True)]
    monkeypatch.setattr('topreward_ros.recordings.labelled.open_recordings', lambda *_: recordings)
    monkeypatch.setattr(
        'topreward_ros.scoring.families.load_scorer', lambda _: ToyScorer(LoadOptions('m'))
    )
    assert main(['evaluate', 'a', 'b', '--save', 'out', '--methods', 'topreward']) == 1
    out, err = capsys.readouterr()
    told = [line for line in err.splitlines() if 'recordings ━' not in line]
    assert told == ['a: it broke off', 'topreward: 1 of 2 recordings could not be measured']
    assert 'it broke off' not in out and '1 recordings: 1 successes' in out
    assert '- a: it broke off' in (world / 'out' / 'report.md').read_text()


@pytest.mark.parametrize(
    ('name', 'error', 'line'),
    [
        ('a.mp4', ValueError('a.mp4 is empty'), 'a.mp4 is empty'),
        ('a.mp4', ValueError('it is empty'), 'a.mp4: it is empty'),
        ('a.mp4', ValueError(), 'a.mp4: ValueError'),
    ],
)
def test_a_name_is_not_doubled(name: str, error: Exception, line: str) -> None:
    assert named(name, error) == line


@pytest.mark.parametrize(
    ('changed', 'words'),
    [
        ({'anchors': None}, '15 prefixes instead of every prefix'),
        ({'fps': 4.0}, '2.0 frames per second instead of 4.0 frames per second'),
        ({'max_frames': 8, 'anchors': 3}, '15 prefixes instead of 3 prefixes, at most 64 frames '),
        ({'history': 'last'}, 'the history thin instead of the history last'),
    ],
    ids=str,
)
def test_other_options_are_named_in_words(
    tmp_path: Path, changed: Mapping[str, Any], words: str
) -> None:
    recording = Recording('r', still(), 'x')
    scorer = ToyScorer(LoadOptions('m'))
    plan = {'fps': 2.0, 'anchors': 15, 'max_frames': 64}
    watch = lambda frames, _: frames  # noqa: E731
    EpisodeScoring(scorer.identity, Plan(**plan)).run(scorer, recording, tmp_path / 'r', watch)
    other = EpisodeScoring(scorer.identity, Plan(**{**plan, **changed}))
    with pytest.raises(ScoreError) as raised:
        other.run(scorer, recording, tmp_path / 'r', watch)
    assert str(raised.value).startswith(f'{tmp_path / "r"} holds scores of {words}')


@pytest.mark.parametrize(
    ('window', 'hold', 'words'),
    [(0, 2, 'window is 0; expected 1 or more'), (3, 0, 'hold is 0; expected 1 or more')],
)
def test_the_wrong_number_alone_is_named(window: int, hold: int, words: str) -> None:
    with pytest.raises(ValueError) as raised:
        SuccessDetector(-1.0, window, hold)
    assert str(raised.value) == words


@pytest.mark.parametrize(
    ('fps', 'identity', 'reason'),
    [
        (1.0, IDENTITY, ''),
        (1.0, None, ''),
        (2.0, None, 'it was made at 1 frames a second; here fps is 2'),
        (1.0, Identity('n', 'xyz', 'one', 'float32'), 'it was made with another model, m (abc)'),
        (1.0, Identity('m', 'abc', 'two', 'float32'), "it was made with the prompt layout 'one'"),
    ],
)
def test_one_error_for_a_calibration_that_does_not_hold(
    fps: float, identity: Identity | None, reason: str
) -> None:
    attempt = Attempt(
        np.linspace(-9, -1, 8), np.arange(8) / 2, np.arange(1, 9), np.zeros(8), is_success=True
    )
    calibration = make_calibration([attempt], ['x'], IDENTITY, 1.0, window=1, hold=1)
    if not reason:
        check_calibration(calibration, fps, identity)
        return
    with pytest.raises(CalibrationError) as raised:
        check_calibration(calibration, fps, identity, 'c.yaml')
    assert str(raised.value).startswith(f'c.yaml does not hold here: {reason}')


# Kind: a process of a command that ends by itself


@needs_ros
@pytest.mark.parametrize(
    ('code', 'words'),
    [
        ('raise SystemExit(3)', 'exit code 3'),
        ('import os; os.kill(os.getpid(), 9)', 'SIGKILL'),
        ('import os; os.kill(os.getpid(), 15)', 'SIGTERM'),
        ('import os, signal; os.kill(os.getpid(), signal.SIGRTMIN + 1)', 'signal 35'),
    ],
)
@pytest.mark.parametrize(
    ('log', 'reason'),
    [
        (
            '[INFO] [1.5] [a.b]: loading x ...\n[ERROR] [2.5] [a.b]: configuring failed: no x\n'
            '[INFO] [3.5] [a.b]: bye\n',
            ': configuring failed: no x',
        ),
        ('[INFO] [1.5] [a.b]: loading\nvideo_publisher: no.mp4 is broken\n', ': no.mp4 is broken'),
        ('[ERROR] [1.5] [a]: x: two\nlines\n[INFO] [2.5] [a]: y', ': x: two\nlines'),
        (
            '[INFO] [1.5] [a]: x\nTraceback:\n  file\nMemoryError',
            ': Traceback:\n  file\nMemoryError',
        ),
        ('[WARN] [1.5] [a]: x\n', '; see {log}'),
        ('', '; see {log}'),
    ],
)
def test_how_and_why_a_node_ended(
    tmp_path: Path, code: str, words: str, log: str, reason: str
) -> None:
    from topreward_ros.nodes.sessions.processes import end_of

    file = tmp_path / 'node.log'
    file.write_text(log)
    process = subprocess.Popen([sys.executable, '-S', '-c', code])
    process.wait()
    assert end_of('the node ended', process, file) == (
        f'the node ended ({words}){reason.format(log=file)}'
    )


# Kind: grid points that a played run misses


@needs_ros
@pytest.mark.parametrize(
    ('scores', 'due', 'is_paced', 'missed', 'warning'),
    [
        (
            4,
            17,
            False,
            13,
            '13 of 17 grid points were missed: use --rate auto, which waits for each score.',
        ),
        (16, 17, True, 1, '1 of 17 grid points were missed.'),
        (17, 17, False, 0, ''),
        (18, 17, False, 0, ''),
        (4, 0, False, None, ''),
    ],
)
def test_missed_points_are_told(
    scores: int, due: int, is_paced: bool, missed: int | None, warning: str
) -> None:
    from topreward_ros.commands.play.summary import Summary

    summary = Summary(scores, due, [(2, 'images refused')], is_paced)
    assert summary.warning == warning
    assert summary.content() == {
        'scores': scores,
        'due': due or None,
        'missed': missed,
        'lost': {'images refused': 2},
    }


class FakeNode:
    """A camera, a session and a recorder, behind which a node answers as it is told.

    answers: for each image that is due, in turn: how often it is lost, and whether it is scored.
    """

    def __init__(self, times: list[float], answers: Mapping[int, tuple[int, bool]]) -> None:
        self.clip = Clip(
            'c', 10.0, 9.0, lambda: ((t, np.zeros((2, 2, 3), np.uint8)) for t in times)
        )
        self.recorder = self
        self.is_awaited = True
        self.health, self.health_time, self.newest_stamp = None, 0.0, 0
        self.window = Sampling().window()
        self.answers = answers
        self.kept: list[int] = []
        self.scored: list[int] = []
        self.clock = 0
        self.is_behind = False  # an image came while one was waiting
        self._lost = 0
        self._work: tuple[int, float] | None = None

    def tick(self, stamp: int) -> None:
        assert stamp >= self.clock, 'the clock was set back'
        self.clock = stamp

    def show(self, _image: np.ndarray, stamp: int) -> None:
        if self.window.judge(stamp).value != 'keep':
            return
        lost, _ = self.answers.get(len(self.kept), (0, True))
        if self._lost < lost:
            self._lost += 1
            return
        self.is_behind |= self._work is not None
        self._lost = 0
        self.window.take(stamp)
        self.kept.append(stamp)
        self._work = stamp, time.monotonic() + 0.02

    def listen(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.001))
        if self._work and time.monotonic() > self._work[1]:
            _, is_scored = self.answers.get(len(self.kept) - 1, (0, True))
            if is_scored:
                self.newest_stamp = self._work[0]
                self.scored.append(self._work[0])
            self._work = None
        self.health_time = time.monotonic()

    def count(self, *_: str) -> int:
        return len(self.kept)

    def fact(self, _: str) -> str:
        return str(int(self._work is not None))


@needs_ros
@pytest.mark.parametrize(
    ('answers', 'scored'),
    [({}, 17), ({4: (1, True)}, 17), ({4: (0, False)}, 16), ({0: (1, False), 9: (2, True)}, 16)],
    ids=['all is well', 'one is lost', 'one is not scored', 'several'],
)
def test_a_paced_run_misses_no_point(
    monkeypatch: pytest.MonkeyPatch, answers: dict[int, tuple[int, bool]], scored: int
) -> None:
    from topreward_ros.nodes.sessions import paced_playback

    monkeypatch.setattr(paced_playback, 'RETRY', 0.03)
    node: Any = FakeNode([k / 10 for k in range(83)], answers)
    shown: list[float] = []
    playback = paced_playback.PacedPlayback(node, node, Sampling().window(), lambda: None)
    playback.play(shown.append)
    assert shown == pytest.approx([k / 2 for k in range(17)])
    first = node.kept[0]
    assert [(stamp - first) / NANOSECONDS for stamp in node.kept] == pytest.approx(shown)
    assert len(node.scored) == scored and not node.is_behind


@needs_ros
def test_a_paced_run_ends_when_scoring_has_stopped() -> None:
    from topreward_ros.nodes.common.diagnostics import LEVEL_ERROR
    from topreward_ros.nodes.sessions.paced_playback import PacedPlayback

    node: Any = FakeNode([k / 10 for k in range(83)], {})
    node.health = SimpleNamespace(level=LEVEL_ERROR)
    PacedPlayback(node, node, Sampling().window(), lambda: None).play(lambda _: None)
    assert len(node.kept) == 1


@needs_ros
@pytest.mark.slow
def test_a_paced_run_has_the_scores_of_the_file(tmp_path: Path) -> None:
    """Over DDS, at four frames a second: each point is scored, as the file's is."""
    command = [sys.executable, '-m', 'topreward_ros.commands.main', 'play', '--rate', 'auto']
    result = subprocess.run(
        [*command, '--save', 'out [red]', '--set', 'fps=4'],
        cwd=tmp_path,
        env=ENVIRON,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    with (tmp_path / 'out [red]' / 'scores.csv').open() as stream:
        played = [(float(row['time']), float(row['log_prob'])) for row in csv.DictReader(stream)]
    rows = score_clip(
        load_scorer(str(FOLDER)), open_clip(None), TASK, Plan(4.0), lambda frames, _: frames
    )
    assert len(played) == len(rows) == 42
    expected = [(row.time, row.score.log_prob) for row in rows]
    np.testing.assert_allclose(played, expected, atol=1e-3)
    assert 'out [red]/scores.csv' in result.stdout


@needs_ros
@pytest.mark.slow
def test_a_start_that_fails_leaves_its_folder_usable(tmp_path: Path) -> None:
    """The node is killed before the first score: told by which signal, twice in one folder."""
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, '-m', 'topreward_ros.commands.main', 'play', '--save', 'out'],
            cwd=tmp_path,
            env=ENVIRON,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        os.kill(node_of(process), signal.SIGKILL)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert err == 'topreward: the node did not start (SIGKILL); see out/reward_node.log\n'
        assert [file.name for file in (tmp_path / 'out').iterdir()] == ['reward_node.log']


def node_of(command: subprocess.Popen[str]) -> int:
    """Return the child process of a command that runs the reward node, once it does."""
    children = Path(f'/proc/{command.pid}/task/{command.pid}/children')
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for child in children.read_text().split():
            if b'nodes.reward.node' in Path(f'/proc/{child}/cmdline').read_bytes():
                return int(child)
        time.sleep(0.02)
    raise AssertionError('the command has started no node')
