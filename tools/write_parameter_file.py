# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes config/topreward.yaml and config/episode_reset.yaml from the settings tables.

python -m tools.write_parameter_file
"""

from __future__ import annotations

import dataclasses
import textwrap
from pathlib import Path

import yaml

from topreward_ros.nodes.common.parameter_table import sentences
from topreward_ros.nodes.reset.settings import ResetSettings
from topreward_ros.nodes.reward.settings import RewardSettings

NODES = {'topreward': ('reward', RewardSettings), 'episode_reset': ('episode reset', ResetSettings)}

HEADER = """\
# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Every parameter of the {} node with its default.
# Written by tools/write_parameter_file.py.
/**:
  ros__parameters:
"""


def parameter_file(file: str) -> str:
    """Return the content of the file of this name in config/."""
    node, settings = NODES[file]
    lines = []
    texts = sentences(settings)
    for field in dataclasses.fields(settings):
        comment = textwrap.wrap(texts[field.name], 92)
        lines += ['', *(f'    # {line}' for line in comment)]
        value = list(field.default) if isinstance(field.default, tuple) else field.default
        text = yaml.safe_dump(value, default_flow_style=True, width=1000)
        lines.append(f'    {field.name}: {text.strip().removesuffix("...").strip()}')
    return HEADER.format(node) + '\n'.join(lines[1:]) + '\n'


def main() -> None:
    for file in NODES:
        target = Path(__file__).parents[1] / 'config' / f'{file}.yaml'
        target.write_text(parameter_file(file), encoding='utf-8')
        print(target)


if __name__ == '__main__':
    main()
