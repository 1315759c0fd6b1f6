# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How commands end after interrupts, closed pipes and bugs; and what they import."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from topreward_ros import interrupts
from topreward_ros.commands.main import BUG, COMMANDS, ROS_MODULES, main
from topreward_ros.demo import tasks as demo_tasks
from topreward_ros.demo.drawing import film
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.demo.tasks import known_tasks
from topreward_ros.errors import TopRewardError
from topreward_ros.nodes.sessions import processes
from topreward_ros.results.video import write_video

from ..domains import COMMANDS_DOMAIN

HAS_ROS = importlib.util.find_spec('rclpy') is not None
needs_ros = pytest.mark.skipif(not HAS_ROS, reason='ROS 2 is not here: pip install .[kilted,test]')
ENVIRON = {
    **os.environ,
    'ROS_DOMAIN_ID': str(COMMANDS_DOMAIN),
    'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
}
# Says when Python itself has started: what is before is not the command's to answer.
STARTED = (
    'import sys; from topreward_ros.commands.main import main; print("started", flush=True); '
    'sys.exit(main(sys.argv[1:]))'
)
SPINNING = """
import sys

from rclpy.executors import SingleThreadedExecutor

from topreward_ros.commands.main import main

spin_once = SingleThreadedExecutor.spin_once


def announced_spin(self, **options):
    print('spinning', flush=True)
    spin_once(self, **options)


SingleThreadedExecutor.spin_once = announced_spin
sys.exit(main(sys.argv[1:]))
"""
DEAF = 'import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)'
MOMENTS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0)  # [s]


def python(code: str, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, '-c', code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=ENVIRON,
    )


def ended(code: str, *arguments: str, cwd: Path | None = None) -> tuple[int, str, str]:
    """Return the exit code, and the texts on the output and on the error stream."""
    process = python(textwrap.dedent(code), *arguments, cwd=cwd)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def is_interrupted(code: int, err: str) -> bool:
    return code == 130 and err.startswith('topreward: interrupted') and err.count('\n') == 1


# Interrupts


@pytest.fixture(scope='module')
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that keeps a command busy for longer than it is looked at."""
    file = tmp_path_factory.mktemp('long') / 'clip.mp4'
    episodes = [SceneEpisode(seed, 'success') for seed in range(12)]
    frames = [frame for episode in episodes for frame in film(episode, 10.0, 96, 96)]
    write_video(file, frames, 10.0)
    return file


@pytest.mark.parametrize(
    'arguments',
    [
        ('score', 'CLIP', '--task', 'x', '--dense', '--fps', '10', '--max-frames', '1024'),
        ('evaluate', 'CLIP', '--task', 'x', '--fps', '10', '--max-frames', '1024'),
        pytest.param(('play',), marks=needs_ros),
    ],
    ids=lambda arguments: arguments[0],
)
def test_an_interrupt_at_any_moment(
    tmp_path: Path, long_clip: Path, arguments: tuple[str, ...]
) -> None:
    """While importing, loading or working: one line, and the exit code of interrupts."""
    arguments = tuple(str(long_clip) if word == 'CLIP' else word for word in arguments)
    answers = {}
    for number, moment in enumerate(MOMENTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        process = python(STARTED, *arguments, cwd=folder)
        assert process.stdout is not None and process.stdout.readline() == 'started\n'
        time.sleep(moment)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        answers[moment] = (process.returncode, err)
    assert {at: result for at, result in answers.items() if not is_interrupted(*result)} == {}


IMPORTS = """
    import sys
    from importlib.abc import MetaPathFinder

    import topreward_ros.commands.main

    class Interrupting(MetaPathFinder):
        def find_spec(self, name, path=None, target=None):
            if name == sys.argv[1]:
                {raising}

    sys.meta_path.insert(0, Interrupting())
    sys.exit(topreward_ros.commands.main.main(sys.argv[2:]))
"""


@pytest.mark.parametrize(
    ('module', 'arguments'),
    [
        ('topreward_ros.errors', ('demo',)),
        ('topreward_ros.commands.demo.command', ('demo',)),
        ('yaml', ('demo',)),
        ('numpy', ('score', 'X')),
        ('topreward_ros.commands.score.run', ('score', 'X')),
        ('rich', ('score', 'X')),
        ('torch', ('score', '.', '--task', 'x')),
        pytest.param('rclpy', ('play',), marks=needs_ros),
        pytest.param('rclpy.node', ('play',), marks=needs_ros),
    ],
)
def test_an_interrupt_during_an_import(
    tmp_path: Path, module: str, arguments: tuple[str, ...]
) -> None:
    Image.new('RGB', (64, 64)).save(tmp_path / '0.png')
    code, _, err = ended(
        IMPORTS.format(raising='raise KeyboardInterrupt'), module, *arguments, cwd=tmp_path
    )
    assert is_interrupted(code, err), err


def test_an_interrupt_that_becomes_an_import_error(tmp_path: Path) -> None:
    """As pybind11 raises it for an interrupt while it initialises a module."""
    raising = 'raise ImportError("initialization failed") from KeyboardInterrupt()'
    code, _, err = ended(
        IMPORTS.format(raising=raising), 'numpy', 'demo', '--headless', cwd=tmp_path
    )
    assert is_interrupted(code, err), err


@needs_ros
@pytest.mark.parametrize(
    'arguments',
    [
        ('play', '--save', 'out'),
        ('demo', '--save', 'out'),
        ('scene',),
        ('publish',),
        ('run', '--camera', '/camera'),
    ],
    ids=lambda arguments: arguments[0],
)
def test_an_interrupt_before_the_first_node(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """rclpy answers an interrupt by shutting down, and its extension may lose Python's own: what
    is left of it is that no node can be made.
    """
    code, _, err = ended(
        """
        import contextlib
        import signal
        import sys

        import rclpy

        from topreward_ros.commands.main import main

        init = rclpy.init

        def interrupted_init(*args, **options):
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            init(*args, **options)
            rclpy.shutdown()

        rclpy.init = interrupted_init
        sys.exit(main(sys.argv[1:]))
        """,
        *arguments,
        cwd=tmp_path,
    )
    assert is_interrupted(code, err), err


@pytest.mark.parametrize('moment', ['started', 'ended', 'killed'])
def test_no_process_outlives_an_interrupted_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Interrupted while a process is started, is asked to end, or is killed."""
    started: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, _command: object, **options: Any) -> None:
            super().__init__([sys.executable, '-c', DEAF], **options)
            started.append(self)
            if moment == 'started':
                signal.raise_signal(signal.SIGINT)

        def send_signal(self, number: int) -> None:
            super().send_signal(number)
            if moment == 'ended':
                signal.raise_signal(signal.SIGINT)

        def kill(self) -> None:
            if moment == 'killed':
                signal.raise_signal(signal.SIGINT)
            super().kill()

    monkeypatch.setattr(subprocess, 'Popen', Interrupted)
    monkeypatch.setattr(processes, 'GRACE', 0.5)
    with (
        (tmp_path / 'log').open('w') as log,
        interrupts.handled(),
        pytest.raises(KeyboardInterrupt),
        processes.ChildProcesses() as children,
    ):
        for _ in range(2):
            children.start_node('reward.node', log)
    assert len(started) == (1 if moment == 'started' else 2)
    assert all(process.returncode is not None for process in started)


@needs_ros
@pytest.mark.parametrize(('number', 'code'), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
@pytest.mark.parametrize('arguments', [('scene',), ('run', '--camera', '/camera')], ids=str)
def test_a_node_is_ended(
    tmp_path: Path, arguments: tuple[str, ...], number: signal.Signals, code: int
) -> None:
    """SIGTERM asks a node to end, which is no interruption of its work."""
    process = python(SPINNING, *arguments, cwd=tmp_path)
    assert process.stdout is not None and process.stdout.readline() == 'spinning\n'
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert ('topreward: interrupted' in err) == (code == 130)


# Closed pipes


def closed_pipe(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    read, write = os.pipe()
    os.close(read)
    try:
        return subprocess.run(
            [sys.executable, '-m', 'topreward_ros.commands.main', *arguments],
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
            cwd=cwd,
        )
    finally:
        os.close(write)


@pytest.mark.parametrize(
    'arguments',
    [
        ('demo', '--tasks'),
        ('--help',),
        ('score', '--help'),
        ('--version',),
        ('scene', '--save', 'a.mp4', '--size', '32x32'),
    ],
    ids=' '.join,
)
def test_a_closed_pipe_is_no_error(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = closed_pipe(*arguments, cwd=tmp_path)
    assert result.stderr == ''
    assert result.returncode in (0, 141)


@pytest.mark.parametrize(
    'arguments',
    [
        ('score', 'CLIP', '--task', 'x', '--save', 'out', '--fps', '1'),
        ('evaluate', 'CLIP', '--task', 'x', '--save', 'out', '--fps', '1'),
        ('calibrate', 'CLIP', '--task', 'x', '--save', 'out.yaml', '--fps', '2'),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_closed_pipe_after_work(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """However the library that prints takes it."""
    write_video(tmp_path / 'clip.mp4', film(SceneEpisode(3, 'success'), 4.0, 64, 64), 4.0)
    words = ['clip.mp4' if word == 'CLIP' else word for word in arguments]
    result = closed_pipe(*words, cwd=tmp_path)
    assert result.stderr == '' and result.returncode == 141


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        (('scene', '--fps', 'inf', '--save', 'a.mp4'), 'inf is not finite'),
        (('scene', '--fps', 'nan', '--save', 'a.mp4'), 'nan is not above 0'),
        (('score', 'a', '--fps', 'abc'), "'abc' is not a number"),
        (('score', 'a', '--max-frames', '1.5'), "'1.5' is not a whole number"),
        (('score', 'a', '--max-pixels', 'abc'), "'abc' is not a whole number"),
        pytest.param(('play', '--set', 'typo=4'), "'typo' is no parameter", marks=needs_ros),
        pytest.param(('play', '--set', 'fps'), "'fps' is not name=value", marks=needs_ros),
    ],
    ids=str,
)
def test_wrong_arguments(tmp_path: Path, arguments: tuple[str, ...], reason: str) -> None:
    code, _, err = ended(
        'import sys; from topreward_ros.commands.main import main; sys.exit(main(sys.argv[1:]))',
        *arguments,
        cwd=tmp_path,
    )
    assert code == 2 and reason in err.splitlines()[-1]


@needs_ros
@pytest.mark.parametrize(
    ('setting', 'reason'),
    [
        ('fps=abc', "--set fps: 'abc' is not a number"),
        ('success_window=abc', "--set success_window: 'abc' is not a whole number"),
        ('success_window=2.5', "--set success_window: '2.5' is not a whole number"),
    ],
)
def test_wrong_settings(capsys: pytest.CaptureFixture[str], setting: str, reason: str) -> None:
    assert main(['play', '--set', setting]) == 2
    assert capsys.readouterr().err == f'topreward: {reason}\n'


def test_the_first_line_alone(tmp_path: Path) -> None:
    command = f'{sys.executable} -m topreward_ros.commands.main demo --tasks | head -1'
    for _ in range(3):
        result = subprocess.run(
            command,
            shell=True,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            cwd=tmp_path,
        )
        assert result.stdout == f'{known_tasks()[0].say()}\n' and result.stderr == ''


# Without ROS


@pytest.mark.parametrize(
    'arguments',
    [
        ('run', '--camera', '/camera'),
        ('publish',),
        ('scene',),
        ('play',),
        ('demo',),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_machine_without_ros(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    code, _, err = ended(
        f"""
        import sys
        from importlib.abc import MetaPathFinder

        from topreward_ros.commands.main import main

        class WithoutROS(MetaPathFinder):
            def find_spec(self, name, path=None, target=None):
                if name.split('.')[0] in {ROS_MODULES}:
                    raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)

        sys.meta_path.insert(0, WithoutROS())
        sys.exit(main(sys.argv[1:]))
        """,
        *arguments,
        cwd=tmp_path,
    )
    assert code == 1 and err.count('\n') == 1, err
    assert err.startswith('topreward: ROS 2 is not available')


# Bugs, and other errors


@pytest.mark.parametrize(
    'error',
    [
        RuntimeError('boom'),
        ValueError('boom'),
        KeyError('boom'),
        ModuleNotFoundError("No module named 'boom'", name='boom'),
        ModuleNotFoundError("No module named 'boom'", name='topreward_ros.boom'),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_unexpected_exception_is_a_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    assert main_raising(error, monkeypatch) == 70
    out, err = capsys.readouterr()
    assert err.startswith('Traceback (most recent call last)') and 'boom' in err
    assert err.splitlines()[-1] == BUG and 'this is a bug' in BUG
    assert out == ''


@pytest.mark.parametrize(
    ('error', 'code', 'message'),
    [
        (TopRewardError('no such thing'), 1, 'topreward: no such thing\n'),
        (OSError(28, 'No space left on device'), 1, 'No space left on device'),
        *(
            (ModuleNotFoundError('x', name=f'{module}.sub'), 1, 'ROS 2 is not available')
            for module in (*ROS_MODULES, 'topreward_ros.msg')
        ),
        (KeyboardInterrupt(), 130, 'topreward: interrupted\n'),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else '',
)
def test_other_errors_are_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    message: str,
) -> None:
    assert main_raising(error, monkeypatch) == code
    err = capsys.readouterr().err
    assert message in err and err.startswith('topreward: ') and err.count('\n') == 1


def main_raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the exit code of a command that fails with this error."""

    def fail() -> Sequence[object]:
        raise error

    monkeypatch.setattr(demo_tasks, 'known_tasks', fail)
    return main(['demo', '--tasks'])


# Imports

HEAVY = ('torch', 'transformers', 'rclpy', 'matplotlib', 'rich', 'av', 'PIL', 'rosbags')


@pytest.mark.parametrize('command', ['', *COMMANDS])
def test_help_is_fast(command: str) -> None:
    arguments = [command, '--help'] if command else ['--help']
    assert imported_by(f'main({arguments})') == []


@pytest.mark.parametrize(
    'text',
    ['fps=4', 'normalization=probability', 'fsp=4', 'fps=a: [', 'fps'],
)
def test_a_setting_is_checked_first(text: str) -> None:
    arguments = ['play', '--set', text]
    assert imported_by(f'make_parser().parse_args({arguments})') == []


def imported_by(call: str) -> list[str]:
    """Return which of the heavy libraries are imported by this call."""
    code, out, err = ended(
        f"""
        import json, sys
        from topreward_ros.commands.main import main, make_parser

        try:
            {call}
        except SystemExit as end:
            assert end.code in (0, 2), end
        print()
        print(json.dumps(sorted(set({HEAVY}) & set(sys.modules))))
        """
    )
    assert code == 0, err
    return list(json.loads(out.splitlines()[-1]))
