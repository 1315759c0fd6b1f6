# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Signals to real processes in every state: gone in time, with 0, and with nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from topreward_ros.demo.model import FOLDER

from ..domains import NODES_DOMAIN

rclpy = pytest.importorskip('rclpy', reason='ROS 2 is not available: pip install .[kilted,test]')

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.parameter import Parameter

# [s]; what would not end takes 20 s and more
GONE = 10.0
DOMAIN = {'ROS_DOMAIN_ID': str(NODES_DOMAIN), 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}
CODE = (
    'from topreward_ros import executables; print("begun", flush=True); executables.{}(); '
    'print("not reached")'
)
INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
MODEL = ('-p', f'model:={FOLDER}', '-p', 'autostart:=true', '-p', 'warm_up_size:=""')


class Graph:
    """The nodes that another process sees."""

    def __init__(self, context: Any) -> None:
        self.node = rclpy.create_node('watcher', context=context)

    def until(self, name: str, is_there: bool, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + 20.0
        while (name in self.node.get_node_names()) != is_there:
            assert time.monotonic() < end, f'{name}: {not is_there}'
            assert not is_there or process.poll() is None
            time.sleep(0.02)


@pytest.fixture(scope='module')
def context() -> Iterator[Any]:
    """A context of its own: other tests of this process may use the default one."""
    context = rclpy.Context()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in DOMAIN.items():
            patch.setenv(name, value)
        rclpy.init(args=[], context=context)
    yield context
    rclpy.shutdown(context=context)


@pytest.fixture(scope='module')
def graph(context: Any) -> Iterator[Graph]:
    graph = Graph(context)
    yield graph
    graph.node.destroy_node()


@dataclass(frozen=True)
class State:
    """A process, what its log contains once it is in this state, and the signal that ends it.

    delay is from there to the signal [s]; node is the name in the graph; times says how often the
    signal is sent.
    """

    executable: str
    arguments: tuple[str, ...]
    text: str
    number: signal.Signals
    node: str = ''
    times: int = 1
    delay: float = 0.0
    code: int = 0


RUN = ('run', '--camera', '/x', '--model', str(FOLDER))
SLOW = ('--ros-args', '-p', 'fps:=0.01')


# The kind: a signal to a node, by what the node is doing
@pytest.mark.parametrize(
    'state',
    [
        State('reward_node', (), 'begun', INT),  # ROS is being imported
        State('reward_node', (), 'begun', HUP, delay=0.3),
        State('reward_node', (), 'begun', TERM, 'topreward'),  # unconfigured
        State('reward_node', ('--ros-args', *MODEL), 'loading', INT, 'topreward'),
        State('reward_node', ('--ros-args', *MODEL), 'loading', HUP, 'topreward', 3, 0.5),
        State('reward_node', ('--ros-args', *MODEL), 'subscribed to', TERM, 'topreward', 2),
        State('topreward', RUN, 'loading', TERM, 'topreward', delay=0.5),
        State('topreward', RUN, 'loading', INT, 'topreward', code=130),
        State('episode_reset_node', ('--ros-args', *MODEL[2:4]), 'reset:', INT, 'episode_reset', 2),
        State('scene_camera', (), 'kind:', HUP, 'scene', 2),
        State('video_publisher', SLOW, 'playing', TERM, 'video_publisher'),
        State('video_publisher', ('--ros-args', '-p', 'wait_for_subscribers:=1'), 'begun', HUP,
              'video_publisher', 2),
    ],
    ids=lambda state: f'{state.executable}-{state.text}-{state.number.name}'.replace(' ', '-'),
)  # fmt: skip
def test_a_signal(graph: Graph, tmp_path: Path, state: State) -> None:
    log = tmp_path / 'log'
    with log.open('w') as stream:
        process = start(state, stream, tmp_path)
    try:
        wait_for(state.text, log, process)
        if state.node:
            graph.until(state.node, True, process)
        time.sleep(state.delay)
        began = time.monotonic()
        for _ in range(state.times):
            process.send_signal(state.number)
            time.sleep(0.05)
        assert process.wait(timeout=20) == state.code, log.read_text()
        assert time.monotonic() - began < GONE, log.read_text()
    finally:
        process.kill()
    if state.node:
        graph.until(state.node, False, process)
        assert time.monotonic() - began < GONE  # not a ghost until its lease is over
    output = log.read_text()
    assert not [word for word in ('Traceback', 'Warning', 'not reached') if word in output], output


def start(state: State, stream: object, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, '-c', CODE.format(state.executable), *state.arguments],
        stdout=stream,  # type: ignore[call-overload]
        stderr=subprocess.STDOUT,
        cwd=folder,
        env={**os.environ, **DOMAIN, 'ROS_LOG_DIR': str(folder), 'HOME': str(folder)},
    )


def wait_for(text: str, log: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 40.0
    while text not in log.read_text():
        assert time.monotonic() < end and process.poll() is None, log.read_text()
        time.sleep(0.01)


# The kind: a call that is not answered yet when the node ends; see test_resets.py as well
@pytest.mark.parametrize('number', [INT, TERM])
def test_whoever_waits_for_a_transition_is_answered(launch: Any, number: signal.Signals) -> None:
    harness = launch(faults={'load_seconds': 60.0})
    client = harness.node.create_client(ChangeState, '/own/topreward/change_state')
    harness.until(client.service_is_ready)
    request = ChangeState.Request()
    request.transition.id = Transition.TRANSITION_CONFIGURE
    answer = client.call_async(request)
    harness.until(lambda: 'loading' in harness.output())
    process, began = harness.process.process, time.monotonic()
    process.send_signal(number)
    while not answer.done():
        harness.executor.spin_once(timeout_sec=0.05)
        assert time.monotonic() < began + GONE
    assert answer.result().success is False
    assert process.wait(timeout=20) == 0 and time.monotonic() - began < GONE
    assert 'failed' not in harness.output()


# The kind: what is written just before a process leaves without a teardown
LEAVING = """
import atexit, logging, sys, tempfile
from pathlib import Path
from topreward_ros import interrupts
folder = tempfile.TemporaryDirectory(dir='.')
logging.basicConfig(filename='logged')
atexit.register(lambda: Path('at_exit').write_text('written'))
logging.error('logged')
sys.stdout.write('x' * 100_000)
sys.stderr.write('an error')
interrupts.leave({code})
"""


@pytest.mark.parametrize('code', [0, 1, 130])
def test_leaving_loses_nothing(tmp_path: Path, code: int) -> None:
    result = subprocess.run(
        [sys.executable, '-c', LEAVING.format(code=code)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (result.returncode, result.stdout, result.stderr) == (code, 'x' * 100_000, 'an error')
    assert (tmp_path / 'at_exit').read_text() == 'written'
    assert 'logged' in (tmp_path / 'logged').read_text()
    assert {path.name for path in tmp_path.iterdir()} == {'at_exit', 'logged'}


# The kind: signals to a command, once and again, while it works and while it saves
COMMAND = """
import signal, sys, time
from pathlib import Path
from topreward_ros import interrupts

{before}
interrupts.at_once(130, interrupts.MESSAGE)

def main():
    try:
        with interrupts.handled():
            try:
                print('begun', flush=True)
                time.sleep({work})
            finally:
                time.sleep({saving})
                Path('saved').touch()
            return 0
    except KeyboardInterrupt:
        return 130

interrupts.leave(main())
"""


@pytest.mark.parametrize(
    ('signals', 'times', 'code', 'is_saved'),
    [
        ([INT], (60, 0), 130, True),
        ([TERM], (60, 0), 130, True),
        ([HUP], (60, 0), 130, True),
        ([INT, INT], (60, 0.3), 130, True),  # one press, passed on by a parent process as well
        ([INT, None, INT], (60, 60), 130, False),  # twice pressed
        ([TERM, None, INT], (60, 60), 130, False),
        ([HUP], (0.3, 0), 0, True),  # under nohup
    ],
)
def test_a_signal_to_a_command(
    tmp_path: Path,
    signals: list[signal.Signals | None],
    times: tuple[float, float],
    code: int,
    is_saved: bool,
) -> None:
    ignored = 'signal.signal(signal.SIGHUP, signal.SIG_IGN)' if code == 0 else ''
    script = COMMAND.format(before=ignored, work=times[0], saving=times[1])
    log = tmp_path / 'log'
    with log.open('w') as stream:
        process = subprocess.Popen(
            [sys.executable, '-c', script], stdout=stream, stderr=subprocess.STDOUT, cwd=tmp_path
        )
    wait_for('begun', log, process)
    for number in signals:
        if number is None:
            time.sleep(0.8)
        else:
            process.send_signal(number)
            time.sleep(0.05)
    assert process.wait(timeout=GONE) == code, log.read_text()
    assert (tmp_path / 'saved').exists() == is_saved
    assert log.read_text().replace('topreward: interrupted\n', '') == 'begun\n'


# The kind: wrong arguments of ROS, each in one line with what is expected
SEVERAL = 'has a list of several types in line 1: write all of its numbers with a decimal point'


@pytest.mark.parametrize(
    ('arguments', 'content', 'message'),
    [
        (('-r', 'image=x'), '', "remapping 'image=x' is not valid: expected FROM:=TO"),
        (('-r', 'image:=/a//b'), '', "remapping 'image:=/a//b' is not valid"),
        (('-r', '__ns:=left'), '', "namespace 'left' is not valid: expected such as /left_arm"),
        (('-r', '__node:=a-b'), '', "node name 'a-b' is not valid"),
        (('-p', 'fps'), '', "parameter 'fps' cannot be read: expected NAME:=VALUE"),
        (('-p', 'fps:=x'), '', "fps is 'x'; expected a number"),
        (('-p', 'fps:=0'), '', 'fps is 0.0; expected 0.1 to 120.0'),
        (('-p', 'width:=64.5'), '', 'width is 64.5; expected a whole number'),
        (('-p', 'kinds:=[1, 2]'), '', 'kinds is [1, 2]; expected a list of texts'),
        (('-p', 'wait_for_running:=1'), '', 'wait_for_running is 1; expected true or false'),
        (('--log-level', 'loud'), '', "log level 'loud' is unknown: expected debug, info"),
        (('--loud',), '', 'ROS does not know the argument --loud'),
        (('--params-file',), '', '--params-file needs a value behind it'),
        (('--params-file', 'none.yaml'), '', 'params file none.yaml cannot be read: '),
        (('--params-file', 'p'), 'a: [', 'params file p cannot be read as parameters: '),
        (('--params-file', 'p'), 'scene: {fps: 2}', 'are not below a name and ros__parameters'),
        (('--params-file', 'p'), '/**: {ros__parameters: {fps: [1, 2.5]}}', SEVERAL),
    ],
)  # fmt: skip
def test_wrong_arguments_of_ros(
    tmp_path: Path, arguments: tuple[str, ...], content: str, message: str
) -> None:
    (tmp_path / 'p').write_text(content)
    code, output = ended('scene_camera', tmp_path, '--ros-args', *arguments)
    lines = output.splitlines()
    assert code == 1 and len(lines) == 2, output
    assert message in lines[1] and '.c:' not in lines[1]


# The kind: names that are parameters, or arguments of a command
@pytest.mark.parametrize(
    ('executable', 'arguments', 'message'),
    [
        ('episode_reset_node', ('reward_node:=a-b',), 'configuring failed: a name of a topic, '),
        ('episode_reset_node', ('trigger_service:=9x',), 'name token must not start with a number'),
        ('episode_reset_node', ('reset:=home_motion', 'joints:=[a]', 'joint_states_topic:=a//b'),
         "topic name '/a//b' is not valid: expected letters, digits and _"),
        ('topreward', ('run', '--camera', '9x'), "remapping 'image:=9x' is not valid"),
        ('topreward', ('run', '--camera', 'x', '--namespace', 'a-b'),
         "namespace '/a-b' is not valid: expected such as /left_arm"),
        ('topreward', ('run', '--camera', 'x', '--params-file', 'none.yaml'),
         'none.yaml does not exist: expected a YAML file'),
        ('topreward', ('publish', '--topic', 'a b'), "remapping 'image_raw:=a b' is not valid"),
        ('topreward', ('scene', '--topic', 'a-b'), "remapping 'image_raw:=a-b' is not valid"),
    ],
)  # fmt: skip
def test_wrong_names(
    tmp_path: Path, executable: str, arguments: tuple[str, ...], message: str
) -> None:
    if executable != 'topreward':
        given = ('autostart:=true', 'log_file:=""', *arguments)
        arguments = ('--ros-args', *(word for each in given for word in ('-p', each)))
    code, output = ended(executable, tmp_path, *arguments)
    assert code == 1 and message in output, output
    assert output.count('\n') == 2 and 'Traceback' not in output


def ended(executable: str, folder: Path, *arguments: str) -> tuple[int, str]:
    """Return the exit code and the output of a process that ends by itself."""
    log = folder / 'log'
    with log.open('w') as stream:
        process = start(State(executable, arguments, '', INT), stream, folder)
    return process.wait(timeout=30), log.read_text()


@pytest.mark.parametrize(
    ('executable', 'line'),
    [
        ('reward_node', '  fps: 2.0'),
        ('episode_reset_node', '  reward_node: topreward'),
        ('video_publisher', '  jpeg_quality: 90'),
        ('scene_camera', '  seed: 0'),
        ('topreward', "  --version   show program's version number and exit"),
    ],
)
def test_help(tmp_path: Path, executable: str, line: str) -> None:
    code, output = ended(executable, tmp_path, '--help')
    assert code == 0 and output.splitlines()[1].startswith('usage: ')
    assert line in output.splitlines(), output
    code, output = ended(executable, tmp_path, '--fps', '4')
    assert code == 2 and 'error: ' in output


# The kind: parameters in other types, or under other names


@pytest.fixture
def node(context: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A reset node with the parameters of the test, as on a command line."""
    from topreward_ros.nodes.reset.node import EpisodeResetNode

    words = [word for each in request.param for word in ('-p', each)]
    node = EpisodeResetNode(context=context, cli_args=['--ros-args', *words])
    yield node
    node.close()
    node.destroy_node()


NUMBERS = ('episode_time:=20', 'lower_limits:=[0, -1]', 'stall_change:=0.5', 'task_seed:=7')


@pytest.mark.parametrize('node', [NUMBERS], indirect=True)
def test_whole_numbers_are_numbers(node: Any) -> None:
    expected = {
        'episode_time': 20.0, 'lower_limits': [0.0, -1.0], 'stall_change': 0.5, 'task_seed': 7,
    }  # fmt: skip
    for name, value in expected.items():
        taken = node.get_parameter(name).value
        taken = taken if isinstance(value, float | int) else list(taken)
        assert taken == value and type(taken) is type(value), name
    later = [Parameter('speed', value=2), Parameter('home', value=[1, 2])]  # as `ros2 param set`
    assert node.set_parameters_atomically(later).successful
    speed, home = node.get_parameter('speed').value, node.get_parameter('home').value
    assert (speed, list(home)) == (2.0, [1.0, 2.0]) and isinstance(speed, float)
    for wrong in (True, 'x', 9):  # of another type, and out of range
        assert not node.set_parameters_atomically([Parameter('speed', value=wrong)]).successful
    assert node.get_parameter('speed').value == 2.0


@pytest.mark.parametrize(
    ('given', 'warnings'),
    [
        ('/**: {ros__parameters: {episode_tim: 3.0, xyz: 1, use_sim_time: true}}', [
            'no parameter is named episode_tim; did you mean episode_time?',
            'no parameter is named xyz; --help lists those that there are',
        ]),
        ('reset_node: {ros__parameters: {speed: 1.0}}', [
            'has no parameters for /left/episode_reset: they are for /reset_node',
        ]),
        ('', ['has no parameters for /left/episode_reset: they are for no node']),
        ('/left: {episode_reset: {ros__parameters: {speed: 1}}}', []),
        ('/**/episode_reset: {ros__parameters: {speed: 1}}', []),
        ('/*/episode_reset: {ros__parameters: {speed: 1}}', []),
    ],
)  # fmt: skip
def test_parameters_that_nothing_uses(tmp_path: Path, given: str, warnings: list[str]) -> None:
    (tmp_path / 'p').write_text(given)
    arguments = ('--ros-args', '-r', '__ns:=/left', '--params-file', 'p', *MODEL[2:4])
    log = tmp_path / 'log'
    with log.open('w') as stream:
        process = start(State('episode_reset_node', arguments, '', INT), stream, tmp_path)
    wait_for('reset:', log, process)
    process.send_signal(INT)
    assert process.wait(timeout=20) == 0
    lines = [line for line in log.read_text().splitlines() if '[WARN]' in line]
    assert len(lines) == len(warnings), lines
    for warning in warnings:
        assert any(warning in line for line in lines), lines
