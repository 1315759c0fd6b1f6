# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The SROS 2 policy allows what the nodes create, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

rclpy = pytest.importorskip('rclpy', reason='ROS 2 is not available: pip install .[kilted,test]')

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from topreward_ros.nodes.reset.node import EpisodeResetNode
from topreward_ros.nodes.reward.node import RewardNode
from topreward_ros.share import share_directory

POLICY = ElementTree.parse(share_directory() / 'config' / 'sros2_policy.xml')
ACTION = '/_action/'
NAMESPACE = '/policy'  # other tests have a node of the same name, and the graph takes either
# Made by rclpy only on some versions, or with a parameter
OPTIONAL = {'/clock', '/parameter_events', 'get_type_description', 'follow_joint_trajectory'}


def allowed(node: str, kind: str, right: str) -> set[str]:
    """Return the full names that the policy allows a node to publish, reply, ..."""
    groups = POLICY.findall(f".//profile[@node='{node}']/{kind}s[@{right}='ALLOW']/{kind}")
    names = (group.text or '' for group in groups)
    return {f'/{node}/{name[2:]}' if name.startswith('~/') else f'/{name}' for name in names}


def created(observer: Node, name: str) -> dict[tuple[str, str], set[str]]:
    """Return what a node has created, by kind and right; the parts of actions are left out."""
    queries: dict[tuple[str, str], Callable[..., Any]] = {
        ('topic', 'publish'): observer.get_publisher_names_and_types_by_node,
        ('topic', 'subscribe'): observer.get_subscriber_names_and_types_by_node,
        ('service', 'reply'): observer.get_service_names_and_types_by_node,
        ('service', 'request'): observer.get_client_names_and_types_by_node,
    }
    return {
        key: {
            topic.removeprefix(NAMESPACE)
            for topic, _ in query(name, NAMESPACE)
            if ACTION not in topic
        }
        for key, query in queries.items()
    }


@pytest.fixture
def nodes(tmp_path: Path, checkpoint_folder: Path) -> Iterator[list[Any]]:
    joints = {'joints': ['a'], 'home': [0.0], 'lower_limits': [-1.0], 'upper_limits': [1.0]}
    values = {'reset': 'home_motion,trigger', 'log_file': str(tmp_path / 'log.csv'), **joints}
    executor = SingleThreadedExecutor()
    parameter = rclpy.parameter.Parameter
    overrides = [parameter(name, value=value) for name, value in values.items()]
    model = [parameter('model', value=str(checkpoint_folder)), parameter('task', value='x')]
    model.append(parameter('publish_reward', value=True))
    model.append(parameter('second_opinion', value=str(checkpoint_folder)))
    made = [
        RewardNode(parameter_overrides=model, namespace=NAMESPACE),
        EpisodeResetNode(parameter_overrides=overrides, namespace=NAMESPACE),
    ]
    for node in made:
        executor.add_node(node)
        executor.create_task(node.start_automatically)
    while any(node.state != 'active' for node in made):
        executor.spin_once(timeout_sec=0.1)
    yield made
    for node in made:
        node.close()
        node.destroy_node()


def test_the_policy_is_what_the_nodes_create(nodes: list[Any]) -> None:
    for node in nodes:
        name = node.get_name()
        end = time.monotonic() + 20
        # The graph learns of what was created last a moment later
        while any(map(any, differences(node, name))) and time.monotonic() < end:
            time.sleep(0.1)
        for missing, surplus in differences(node, name):
            assert missing == set(), f'{name} may not'
            assert surplus == set(), f'{name} need not'


def differences(node: Node, name: str) -> list[tuple[set[str], set[str]]]:
    """Return, by kind and right, what a node has created and may not, and the other way round."""
    found = []
    for (kind, right), names in created(node, name).items():
        policy = allowed(name, kind, right)
        surplus = {each for each in policy - names if not each.endswith(tuple(OPTIONAL))}
        found.append((names - policy, surplus))
    return found
