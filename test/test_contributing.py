# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What CONTRIBUTING.md says of the code is so."""

from __future__ import annotations

import re

import pytest

from tools.counts import (
    CHECKOUT,
    MEMBERS,
    WALKS,
    files_of_member,
    longest_file,
    longest_function,
    walk,
)

PACKAGE = CHECKOUT / 'topreward_ros'
MOST = dict(zip(WALKS, (15, 18), strict=True))


@pytest.mark.parametrize('name', WALKS)
def test_a_walk_is_short_and_along_files_that_exist(name: str) -> None:
    files = walk(WALKS[name])
    assert 10 < len(files) <= MOST[name]
    assert [file for file in files if not (PACKAGE / file).is_file()] == []


@pytest.mark.parametrize('name', MEMBERS)
def test_a_new_member_is_a_file_and_an_entry(name: str) -> None:
    assert 1 <= len(files_of_member(PACKAGE, MEMBERS[name])) <= 2


def test_the_counts_are_those_of_now() -> None:
    text = (CHECKOUT / 'CONTRIBUTING.md').read_text(encoding='utf-8')
    rows = re.findall(r'^\| (.*?) \| [\d.]+ \| ([\d.]+) \|$', text, re.MULTILINE)
    table = {name.split(' (')[0]: float(value) for name, value in rows}
    for member, pattern in MEMBERS.items():
        assert table[f'files to touch for {member}'] == len(files_of_member(PACKAGE, pattern))
    for name, heading in WALKS.items():
        assert table[f'files in the walk of {name}'] == len(walk(heading))
    assert table['longest file'] >= longest_file(PACKAGE)[0]
    assert table['longest function'] >= longest_function(PACKAGE)[0]


def test_the_map_names_what_there_is() -> None:
    text = (CHECKOUT / 'CONTRIBUTING.md').read_text(encoding='utf-8')
    map_ = text[text.index('```text') : text.index('```\n', text.index('```text'))]
    inside = map_[map_.index('topreward_ros/') : map_.index('\ntest/')]
    for module in PACKAGE.glob('*/'):
        if (module / '__init__.py').is_file():
            assert f'{module.name}/' in inside, f'{module} is not on the map'
    stems = {file.stem for file in PACKAGE.rglob('*.py')}
    for name in re.findall(r'\b([a-z_]+)\.py\b', inside):
        assert name in stems, f'{name}.py is on the map and does not exist'
