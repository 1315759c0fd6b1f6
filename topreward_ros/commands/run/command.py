# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward run`: its arguments."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from topreward_ros.errors import ArgumentsError, TopRewardError

from ..arguments import (
    add_node_arguments,
    add_remap,
    check_settings,
    check_task_argument,
    remapping,
    typed,
)


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser(
        'run', help='run the reward node on a camera, configured and activated'
    )
    parser.add_argument(
        '--camera',
        required=True,
        action='append',
        help='image topic to score; repeat it for several cameras, whose nodes topreward_1, '
        'topreward_2, ... share one model',
    )
    parser.add_argument(
        '--task', help='what the robot shall do, in words; a new one can be published on ~/task'
    )
    parser.add_argument('--namespace', default='', help='namespace of the node and its topics')
    parser.add_argument('--params-file', type=Path, help='YAML file of node parameters')
    parser.add_argument(
        '--use-sim-time', action='store_true', default=None, help='use the time on /clock'
    )
    levels = ('debug', 'info', 'warn', 'error', 'fatal')
    parser.add_argument(
        '--log-level', default='info', choices=levels, help='least severity; default: %(default)s'
    )
    add_remap(parser)
    add_node_arguments(parser, 'that of --params-file, else Qwen/Qwen3-VL-8B-Instruct')
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Run the node until interrupted; for several cameras, several nodes in one process."""
    from topreward_ros.nodes.common.middleware import image_topic
    from topreward_ros.nodes.reward.node import run_nodes
    from topreward_ros.nodes.reward.settings import DESCRIPTIONS, RewardSettings

    check_task_argument(options.task)
    if options.params_file and not options.params_file.is_file():
        raise TopRewardError(f'{options.params_file} does not exist: expected a YAML file')
    # Only explicit arguments; all other parameters are as in the file
    settings: dict[str, Any] = {'autostart': True}
    for name in ('task', 'model', 'reward_model', 'image_transport', 'use_sim_time'):
        if (value := getattr(options, name)) is not None:
            settings[name] = value
    settings |= {
        name: typed(name, text, getattr(RewardSettings, name, None)) for name, text in options.set
    }
    if not options.params_file:  # which may have the others of a pair
        known = {name: value for name, value in settings.items() if name in DESCRIPTIONS}
        check_settings(known)
    file = ['--params-file', str(options.params_file)] if options.params_file else []
    several = len(options.camera) > 1
    if file and several:
        _check_names(options.params_file)
    nodes = []
    for number, topic in enumerate(options.camera, start=1):
        camera = image_topic(topic, settings.get('image_transport', 'raw'))
        rules = [f'image:={camera}', *options.remap]
        if several:
            rules.append(f'__node:=topreward_{number}')
        if namespace := options.namespace.strip('/'):
            rules.append(f'__ns:=/{namespace}')
        nodes.append({'cli_args': ['--ros-args', *remapping(*rules)]})
    return run_nodes(
        ['--ros-args', '--log-level', options.log_level, *file],
        nodes,
        settings,
    )


def _check_names(params_file: Path) -> None:
    """Raise ArgumentsError for parameters that no node of several would use."""
    import yaml

    try:
        names = list(yaml.safe_load(params_file.read_text(encoding='utf-8')))
    except (OSError, yaml.YAMLError, TypeError) as error:
        raise ArgumentsError(f'{params_file} cannot be read: {error}') from error
    if {'topreward', '/topreward'} & set(names):
        raise ArgumentsError(
            f'{params_file} has parameters for the node topreward; the nodes of several cameras '
            'are topreward_1, topreward_2, ...: use /** instead'
        )
