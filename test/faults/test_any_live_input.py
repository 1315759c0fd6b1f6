# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Any stamps, tasks and parameters, however a stranger may choose them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip('rclpy', reason='ROS 2 is not available: pip install .[kilted,test]')

from rclpy.lifecycle import LifecycleNode
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from topreward_ros.msg import Progress
from topreward_ros.nodes.common.argument_errors import ARGUMENT_ERRORS, reason
from topreward_ros.nodes.common.parameter_files import warn_of_unused_files
from topreward_ros.nodes.common.parameter_table import descriptions
from topreward_ros.nodes.common.rclpy_versions import silent_rcl
from topreward_ros.nodes.reset.node import EpisodeResetNode
from topreward_ros.nodes.reset.settings import ResetSettings
from topreward_ros.nodes.reward.episode import LiveScoring
from topreward_ros.nodes.reward.node import RewardNode
from topreward_ros.nodes.reward.scoring_requests import EpisodeRequest, Frame, ScoringResult
from topreward_ros.nodes.reward.settings import RewardSettings
from topreward_ros.nodes.reward.stamp_check import FAR
from topreward_ros.scoring.questions import printable
from topreward_ros.scoring.score import Score

FUZZED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NODES = [(RewardNode, RewardSettings), (EpisodeResetNode, ResetSettings)]
WHOLE = st.integers(-(2**63), 2**63 - 1)


class Channel:
    """In place of the model's thread: every frame is scored at once."""

    is_served = True
    waiting = 0

    def __init__(self) -> None:
        self.requests: list[EpisodeRequest] = []
        self.episodes: list[list[Frame]] = []  # the frames of each
        self._is_open = False

    def begin(self, request: EpisodeRequest) -> None:
        self.requests.append(request)
        self.episodes.append([])
        self._is_open = True

    def end(self) -> None:
        self._is_open = False

    def append(self, frame: Frame, most: int) -> bool:
        assert self._is_open, 'a frame of no episode'
        frames = self.episodes[-1]
        frames.append(frame)
        self.requests[-1].on_scored(ScoringResult(frame, Score(len(frames), -1.0), 0.01))
        return True


class Live:
    """Live scoring on a real node, of which images and tasks are handed to it directly."""

    def __init__(self, node: LifecycleNode) -> None:
        self.channel = Channel()
        self.published: list[Any] = []
        self.given_up: list[str] = []
        self.scoring = LiveScoring(
            node,
            self.channel,  # type: ignore[arg-type]
            lambda height, width: lambda image: image,
            'toy',
            RewardSettings,
            give_up=self.given_up.append,
            publish=self.published.append,
        )

    @property
    def episode(self) -> Any:
        return self.scoring.facts()['episode']

    def show(self, message: Image) -> None:
        self.scoring.images._on_image(message)


@pytest.fixture(scope='module')
def node() -> Iterator[LifecycleNode]:
    node = LifecycleNode('any_live_input')
    yield node
    node.destroy_node()


# Stamps around the clock, at the ends of their type, and anywhere
NOW = st.integers(-3_000_000_000, 3_000_000_000)  # from now [ns]
STAMPS = st.one_of(
    NOW.map(lambda offset: ('now', offset)),
    st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**32 - 1)),
    st.sampled_from([(0, 0), (-1, 0), (2**31 - 1, 2**32 - 1), (-(2**31), 0)]),
)


def stamped(stamp: tuple[Any, int], now: int) -> Image:
    message = Image(height=4, width=4, encoding='rgb8', step=12, data=bytes(48))
    if stamp[0] == 'now':
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(now + stamp[1], 10**9)
    else:
        message.header.stamp.sec, message.header.stamp.nanosec = stamp
    return message


# Kind: whatever a camera's clock says, images are counted, kept in order or refused with a reason,
# and no latency is made up.
@FUZZED
@given(stamps=st.lists(STAMPS, max_size=30), frame_ids=st.lists(st.text(max_size=3), max_size=2))
def test_any_stamps(node: LifecycleNode, stamps: list[Any], frame_ids: list[str]) -> None:
    live = Live(node)
    try:
        live.scoring.take_task('lift it')
        now = node.get_clock().now().nanoseconds
        messages = [stamped(stamp, now) for stamp in stamps]
        for k, message in enumerate(messages):
            if frame_ids:
                message.header.frame_id = frame_ids[k * len(frame_ids) // len(messages)]
            live.show(message)
        counts = live.scoring.images.counts
        before = [m for m in messages if m.header.stamp.sec * 10**9 + m.header.stamp.nanosec < 0]
        assert counts.taken == len(messages) and counts.refused == len(before)
        assert counts.kept == sum(map(len, live.channel.episodes))
        assert len(live.channel.episodes) == 1 + counts.jumps
        for frames in live.channel.episodes:
            stamps_kept = [f.header.stamp.sec * 10**9 + f.header.stamp.nanosec for f in frames]
            times = [frame.sample.time for frame in frames]
            assert stamps_kept == sorted(set(stamps_kept)) and times == sorted(set(times))
            assert all(math.isfinite(time) for time in times)
        latencies = [m.latency for m in live.published if isinstance(m, Progress)]
        assert len(latencies) == counts.kept
        assert all(math.isnan(each) or abs(each) <= FAR + 1 for each in latencies)
        level, message = live.scoring.health()
        assert message and live.given_up == []
        if len(set(frame_ids)) == 2 and any(m.header.frame_id == frame_ids[1] for m in messages):
            assert counts.kept == 0 or level  # told, unless all of one were refused
        assert all(str(value) for value in live.scoring.facts().values())
    finally:
        live.scoring.close()


@given(st.text(max_size=60))
def test_any_task_is_one_line_of_a_log(text: str) -> None:
    assert len(printable(text).splitlines()) <= 1 and printable(text).isprintable()
    assert printable(f'a\n\x1b[2Kb{text}').startswith('a  [2Kb')


# Kind: a task is scored as it is, or refused with a reason; never the one before it.
@FUZZED
@given(texts=st.lists(st.text(max_size=60) | st.text('<|>imvpadeos_\n ', max_size=40), max_size=6))
def test_any_tasks(node: LifecycleNode, texts: list[str]) -> None:
    live = Live(node)
    try:
        for text in texts:
            live.scoring.take_task(text)
            _, message = live.scoring.health()
            began, answer = live.scoring.restart()
            if began:
                assert live.channel.requests[-1].task == text and text.strip()
            else:
                assert answer and message
            count = len(live.published)
            for offset in (0, 600_000_000):  # the first may be of the episode before
                live.show(stamped(('now', offset), node.get_clock().now().nanoseconds))
            assert (len(live.published) > count) == began
            assert all(message.task == text for message in live.published[count:])
    finally:
        live.scoring.close()


VALUES = st.one_of(
    st.booleans(),
    WHOLE,
    st.floats(),
    st.text(max_size=12),
    st.lists(st.booleans(), max_size=3),
    st.lists(WHOLE, max_size=3),
    st.lists(st.floats(), max_size=3),
    st.lists(st.text(max_size=5), max_size=3),
    st.lists(st.binary(min_size=1, max_size=1), max_size=3),
)


def any_values(data: st.DataObject, table: type) -> dict[str, Any]:
    """Draw values for some parameters: of any type, or of the default's and near it."""
    values = {}
    for name in data.draw(st.lists(st.sampled_from(list(descriptions(table))), max_size=4)):
        default = getattr(table(), name)
        if isinstance(default, bool):
            near: Any = st.booleans()
        elif isinstance(default, float):
            near = st.floats(-2 * abs(default) - 1, 2 * abs(default) + 1) | st.integers(-3, 30)
        elif isinstance(default, int):
            near = st.integers(-1, 2 * default + 8)
        elif isinstance(default, tuple):
            near = st.lists(st.floats(-2, 2) | st.text(max_size=4), max_size=3).map(
                lambda items: [each for each in items if type(each) is type(items[0])]
            )
        else:
            near = st.sampled_from([default, *(descriptions(table)[name].choices or ('', 'x'))])
        values[name] = data.draw(near | VALUES)
    return values


def parameters_of(values: dict[str, Any]) -> list[Parameter]:
    """Return those that a message can carry; for the others rclpy has no type."""
    made = []
    for name, value in values.items():
        try:
            parameter = Parameter(name, value=value)
            parameter.to_parameter_msg()
        except (AssertionError, TypeError, ValueError, UnicodeEncodeError):
            continue
        made.append(parameter)
    return made


# Kind: parameters are taken as they are, or refused by name; what was valid stays.
@pytest.mark.parametrize(('kind', 'table'), NODES)
@FUZZED
@given(data=st.data())
def test_any_parameter_set_later(
    any_nodes: dict[type, Any], kind: type, table: type, data: st.DataObject
) -> None:
    node = any_nodes[kind]
    for parameter in parameters_of(any_values(data, table)):
        before = node.get_parameter(parameter.name).value
        (result,) = node.set_parameters([parameter])
        after = node.get_parameter(parameter.name).value
        if result.successful:
            assert after == parameter.value or list(after) == list(parameter.value)
        else:
            assert result.reason and list_or_value(after) == list_or_value(before)
        read = dataclasses.asdict(node._read_settings())
        assert list_or_value(read[parameter.name]) == list_or_value(after)


def list_or_value(value: Any) -> Any:
    return value if isinstance(value, str) or not hasattr(value, '__iter__') else list(value)


@pytest.fixture(scope='module')
def any_nodes() -> Iterator[dict[type, Any]]:
    nodes = {kind: kind(namespace='/any') for kind, _ in NODES}
    yield nodes
    for node in nodes.values():
        node.close()
        node.destroy_node()


@pytest.mark.parametrize(('kind', 'table'), NODES)
@FUZZED
@given(data=st.data())
def test_any_parameters_at_start(kind: Any, table: type, data: st.DataObject) -> None:
    start(kind, parameter_overrides=parameters_of(any_values(data, table)))


# Kind: a parameter file is read, or refused in one line.
@pytest.mark.parametrize(('kind', 'table'), NODES)
@FUZZED
@given(data=st.data())
def test_any_parameter_file(kind: Any, table: type, tmp_path: Path, data: st.DataObject) -> None:
    values = {
        name: value if not isinstance(value, list) else [each for each in value if each != b'']
        for name, value in any_values(data, table).items()
    }
    content = bytearray(yaml.safe_dump({'/**': {'ros__parameters': values}}).encode())
    begin, end = sorted(data.draw(st.integers(0, len(content))) for _ in range(2))
    if data.draw(st.booleans()):
        content[begin : min(end, begin + 20)] = data.draw(st.binary(max_size=12))
    file = tmp_path / 'params.yaml'
    file.write_bytes(content)
    start(kind, cli_args=['--ros-args', '--params-file', str(file)])
    watch = SimpleNamespace(
        get_fully_qualified_name=lambda: '/a', get_logger=lambda: SimpleNamespace(warning=print)
    )
    warn_of_unused_files(watch, ['--params-file', str(file)])  # type: ignore[arg-type]


def start(kind: Any, **options: Any) -> None:
    """Make a node; it has valid settings, or is refused as a user is told."""
    try:
        with silent_rcl():
            node = kind(namespace='/any', **options)
    except ARGUMENT_ERRORS as error:
        assert reason(error) and '\n' not in reason(error)
        return
    try:
        assert node._read_settings()
    finally:
        node.close()
        node.destroy_node()
