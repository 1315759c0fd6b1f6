# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Layouts for Foxglove and PlotJuggler: each parses and names what the node publishes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from topreward_ros.scoring.families import FAMILIES

from ..nodes.toy_stage import NAMESPACE, staged
from ..toy_scorer import ToyScorer
from .example_files import EXAMPLES

FOXGLOVE, PLOTJUGGLER = (
    EXAMPLES / 'layouts' / name for name in ('foxglove.json', 'plotjuggler.xml')
)
MESSAGES = Path(__file__).parents[2] / 'msg'
DECLARATION = re.compile(r'^([\w/]+(?:\[\])?) (\w+) *(?:#.*)?$', re.MULTILINE)


def fields(message: str) -> dict[str, str]:
    """Return the fields of a message of msg/ with their types; constants are none."""
    text = (MESSAGES / f'{message}.msg').read_text(encoding='utf-8')
    return {name: kind for kind, name in DECLARATION.findall(text)}


@pytest.fixture(scope='module')
def topics() -> Iterator[dict[str, str]]:
    """The topics that an active reward node publishes, with their types."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FAMILIES, 'toy', ToyScorer)
        with staged(publish_reward=True) as stage:
            stage.start()
            published = stage.node.get_publisher_names_and_types_by_node('topreward', NAMESPACE)
            yield {name.removeprefix(NAMESPACE): kinds[0] for name, kinds in published}


def check(topic: str, field: str, topics: dict[str, str]) -> None:
    """Fail unless the topic has this field of numbers or text."""
    package, _, message = topics[topic].rpartition('/msg/')
    assert package == 'topreward_ros', topic
    name, _, index = field.partition('[')
    kind = fields(message)[name]
    assert kind.endswith('[]') == bool(index), f'{topic} {field} is a {kind}'
    assert '/' not in kind


def foxglove_values(panels: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the topics and fields of all curves."""
    values = [path['value'] for panel in panels.values() for path in panel.get('paths', ())]
    assert all(path.count('.') == 1 for path in values)
    return [(topic, field) for topic, _, field in (value.partition('.') for value in values)]


def panels_of(layout: Any) -> list[str]:
    if isinstance(layout, str):
        return [layout]
    return [*panels_of(layout['first']), *panels_of(layout['second'])]


def test_the_fields_of_messages_are_read() -> None:
    assert fields('Progress')['parts'] == 'float32[]' and fields('Progress')['scene'] == 'uint8'
    assert set(fields('Event')) >= {'header', 'event', 'highest'}
    assert 'SUCCESS' not in fields('Event') and 'SCENE_UNKNOWN' not in fields('Progress')


def test_foxglove(topics: dict[str, str]) -> None:
    layout = json.loads(FOXGLOVE.read_text(encoding='utf-8'))
    panels = layout['configById']
    assert sorted(panels_of(layout['layout'])) == sorted(panels)
    for topic, field in foxglove_values(panels):
        check(topic, field, topics)
    image = panels['Image!camera']['imageMode']['imageTopic']
    assert topics[image] == 'sensor_msgs/msg/Image'
    raw = panels['RawMessages!success']['topicPath']
    assert topics[raw] == 'topreward_ros/msg/SuccessDetected'
    assert {field.partition('[')[0] for _, field in foxglove_values(panels)} >= {
        'progress', 'success', 'reward', 'parts', 'event',
    }  # fmt: skip


def test_plotjuggler(topics: dict[str, str]) -> None:
    root = ElementTree.parse(PLOTJUGGLER).getroot()
    curves = [curve.attrib['name'] for curve in root.iter('curve')]
    for curve in curves:
        topic, _, field = curve.rpartition('/')
        check(topic, field, topics)
    shown = {curve.rpartition('/')[2].partition('[')[0] for curve in curves}
    assert shown >= {'progress', 'success', 'reward', 'parts'}
    for splitter in root.iter('DockSplitter'):
        sizes = splitter.attrib['sizes'].split(';')
        assert int(splitter.attrib['count']) == len(sizes) == len(splitter.findall('*'))


@pytest.mark.parametrize(
    ('topic', 'field'),
    [
        ('/topreward/progress', 'best'),
        ('/topreward/progress', 'parts'),
        ('/topreward/progress', 'reward[0]'),
        ('/topreward/progress', 'header'),
        ('/topreward/progres', 'reward'),
    ],
)
def test_a_wrong_name_is_found(topic: str, field: str, topics: dict[str, str]) -> None:
    with pytest.raises((AssertionError, KeyError)):
        check(topic, field, topics)
