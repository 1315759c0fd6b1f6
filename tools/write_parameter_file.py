# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes config/topreward.yaml from the table in topreward_ros/nodes/settings.py.

python tools/write_parameter_file.py
"""

from __future__ import annotations

import dataclasses
import textwrap
from pathlib import Path

import yaml

from topreward_ros.nodes.settings import DESCRIPTIONS, Settings

HEADER = """\
# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Every parameter of the reward node with its default. Written by tools/write_parameter_file.py.
/**:
  ros__parameters:
"""


def parameter_file() -> str:
    lines = []
    for field in dataclasses.fields(Settings):
        described = DESCRIPTIONS[field.name]
        facts = [described.text]
        if described.choices:
            facts.append(f'One of: {", ".join(described.choices)}.')
        if described.range:
            kind = type(field.default)
            facts.append('From {} to {}.'.format(*map(kind, described.range)))
        facts.append(f'Set {described.change.value}.')
        comment = textwrap.wrap(' '.join(facts), 92)
        lines += ['', *(f'    # {line}' for line in comment)]
        lines.append('    ' + yaml.safe_dump({field.name: field.default}).strip())
    return HEADER + '\n'.join(lines[1:]) + '\n'


def main() -> None:
    target = Path(__file__).parents[1] / 'config' / 'topreward.yaml'
    target.write_text(parameter_file(), encoding='utf-8')
    print(f'{len(DESCRIPTIONS)} parameters -> {target}')


if __name__ == '__main__':
    main()
