# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward publish`: its arguments."""

from __future__ import annotations

import argparse
from typing import Any

from topreward_ros.errors import ArgumentsError

from ..arguments import CLIP_HELP, add_remap, add_transport, remapping


def add_parser(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser('publish', help='publish a clip as a camera')
    parser.add_argument('clip', nargs='?', help=CLIP_HELP)
    parser.add_argument(
        '--topic', default='/camera/image_raw', help='image topic; default: %(default)s'
    )
    parser.add_argument(
        '--fps', type=float, default=0.0, help="images per second; default: the clip's own rate"
    )
    parser.add_argument(
        '--speed',
        type=float,
        default=1.0,
        help='playback speed; 1 is real time, 0 as fast as possible; default: %(default)s',
    )
    parser.add_argument('--loop', action='store_true', help='repeat the clip until interrupted')
    parser.add_argument(
        '--clock', action='store_true', help='publish the time of the clip on /clock'
    )
    parser.add_argument(
        '--wait',
        type=int,
        default=0,
        help='number of subscribers to wait for before publishing; default: %(default)s',
    )
    add_remap(parser)
    add_transport(parser)
    parser.set_defaults(command=publish)


def publish(options: argparse.Namespace) -> int:
    """Publish the clip until it is over."""
    from topreward_ros.nodes.cameras.video_publisher import PublisherSettings, run_node
    from topreward_ros.nodes.common.parameter_table import check

    settings = {
        'source': options.clip or '',
        'fps': options.fps,
        'speed': options.speed,
        'loop': options.loop,
        'image_transport': options.image_transport or 'raw',
        'publish_clock': options.clock,
        'wait_for_subscribers': options.wait,
    }
    try:
        check(PublisherSettings(**settings))
    except ValueError as error:
        raise ArgumentsError(str(error)) from error
    topic = options.topic
    names = (f'image_raw:={topic}', f'image_raw/compressed:={topic}/compressed')
    return run_node(
        [],
        settings,
        cli_args=['--ros-args', *remapping(*names, *options.remap)],
    )
