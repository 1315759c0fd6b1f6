# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Imports between packages follow fixed rules, and no import cycles exist.

Module names in strings count as imports, too: modules that are imported when needed, or started as
processes.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from topreward_ros.commands.main import ROS_MODULES

CHECKOUT = Path(__file__).parents[1]
PACKAGE = CHECKOUT / 'topreward_ros'
BASE = {'errors', 'files', 'json_files', 'share', 'lazy_exports', 'interrupts'}
# What a subpackage may import from the others
MAY_IMPORT: dict[str, set[str]] = {
    'interrupts': set(),
    'errors': {'interrupts'},
    'share': set(),
    'json_files': set(),
    'lazy_exports': set(),
    'files': {'errors'},
    'scoring': BASE,
    'reward': {'lazy_exports'},
    'demo': {'scoring', *BASE},
    'recordings': {'scoring', 'reward', 'demo', *BASE},
    'results': {'scoring', 'reward', 'demo', 'recordings', *BASE},
    'nodes': {'scoring', 'reward', 'demo', 'recordings', 'results', 'action', 'msg', *BASE},
    'commands': {'scoring', 'reward', 'demo', 'recordings', 'results', 'nodes', *BASE},
    'learning': {'scoring', 'reward', 'nodes', *BASE},
    'executables': {'nodes', 'commands', *BASE},
}
MODULE = re.compile(r'topreward_ros(?:\.[a-z0-9_]+)+')


def imported(file: Path, text: str | None = None) -> set[str]:
    """Return the absolute names of all modules that a file imports or names anywhere."""
    package = ['topreward_ros', *file.relative_to(PACKAGE).parts[:-1]]
    names: set[str] = set()
    tree = ast.parse(file.read_text(encoding='utf-8') if text is None else text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            stem = '.'.join([*base, *([node.module] if node.module else [])])
            names |= {stem, *(f'{stem}.{alias.name}' for alias in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            # A string that is a module's name, or begins with one, but not prose
            names |= {match[0] for match in [MODULE.match(node.value)] if match}
    return names


def rooms(names: set[str]) -> set[str]:
    parts = [name.split('.') for name in names]
    return {part[1] for part in parts if part[0] == 'topreward_ros' and len(part) > 1}


def module_of(file: Path) -> str:
    parts = file.relative_to(CHECKOUT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def files() -> list[Path]:
    return sorted(file for file in PACKAGE.rglob('*.py') if file != PACKAGE / '__init__.py')


def test_every_package_has_rules() -> None:
    assert {module_of(file).split('.')[1] for file in files()} == MAY_IMPORT.keys()


@pytest.mark.parametrize('room', MAY_IMPORT)
def test_imports_point_one_way(room: str) -> None:
    members = [file for file in files() if module_of(file).split('.')[1] == room]
    known = MAY_IMPORT.keys() | {'action', 'msg'}
    for file in members:
        names = imported(file)
        others = rooms(names) & known - {room}
        assert others <= MAY_IMPORT[room], f'{file} imports {others - MAY_IMPORT[room]}'
        tops = {name.partition('.')[0] for name in names}
        if room != 'nodes':
            assert not tops & set(ROS_MODULES), f'{file} imports {tops & set(ROS_MODULES)}'
        if room == 'reward':
            foreign = {top for top in tops if top not in sys.stdlib_module_names}
            assert foreign <= {'numpy', 'topreward_ros'}, f'{file} imports {foreign}'


def test_every_package_of_ros_is_known() -> None:
    """A missing one is then reported as such by any command, and not as a bug."""
    tops = {name.split('.')[0] for file in files() for name in imported(file)}
    of_ros = {top for top in tops if re.fullmatch(r'rclpy|\w+_(msgs|srvs|interfaces)', top)}
    assert of_ros == set(ROS_MODULES)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    cycles: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in graph[name]:
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            cut = stack.index(name)
            group, stack[cut:] = stack[cut:], []
            if len(group) > 1 or name in graph[name]:
                cycles.append(sorted(group))

    for name in graph:
        if name not in index:
            visit(name)
    return cycles


def import_graph() -> dict[str, set[str]]:
    known = {module_of(file): file for file in files()}
    # A package does not import what it exports lazily
    lazy = {module_of(file) for file in files() if file.name == '__init__.py'}
    return {
        name: set() if name in lazy else (imported(file) & known.keys()) - {name}
        for name, file in known.items()
    }


def test_no_import_cycles() -> None:
    assert circles(import_graph()) == []


def test_the_checks_can_fail() -> None:
    file = PACKAGE / 'reward' / 'live.py'
    text = "from ..scoring import score\ncommand = ['-m', 'topreward_ros.commands.main']\n"
    assert rooms(imported(file, text)) == {'scoring', 'commands'}
    assert rooms(imported(file, "f'topreward_ros.nodes.{name}'")) == {'nodes'}
    assert circles({'a': {'b'}, 'b': {'c'}, 'c': {'a'}, 'd': {'a'}}) == [['a', 'b', 'c']]


def run(code: str) -> None:
    subprocess.run([sys.executable, '-c', code], check=True, cwd='/')


def test_scoring_and_reward_run_without_ros_and_torchvision() -> None:
    run(
        'import sys; sys.modules.update(rclpy=None, torchvision=None)\n'
        'import topreward_ros.scoring.families, topreward_ros.reward.live\n'
        'import topreward_ros.commands.main\n'
        "assert 'topreward_ros.msg' not in sys.modules"
    )


HEAVY = (
    "loaded = {'torch', 'transformers', 'matplotlib'} & set(sys.modules); assert not loaded, loaded"
)


@pytest.mark.parametrize(
    'code',
    [
        'import topreward_ros.nodes.reward.node',
        'import topreward_ros.nodes.reset.node',
        'import topreward_ros.nodes.cameras.video_publisher',
        'import topreward_ros.scoring, topreward_ros.reward, topreward_ros.recordings',
        'from topreward_ros.scoring import LoadOptions, Sampling, curve, load_scorer',
        'from topreward_ros.commands.main import make_parser\n'
        "make_parser().parse_args(['run', '--camera', 'a', '--set', 'fps=4'])",
        'from topreward_ros.commands.main import make_parser; make_parser().format_help()',
    ],
)
def test_starting_needs_no_model_library(code: str) -> None:
    if 'nodes' in code:
        pytest.importorskip('rclpy', reason='ROS 2 is not here')
    run(f'import sys\n{code}\n{HEAVY}')


@pytest.mark.parametrize('room', ['scoring', 'reward', 'recordings'])
def test_exported_names_exist(room: str) -> None:
    run(
        f'import topreward_ros.{room} as room\n'
        'missing = [name for name in room.__all__ if not hasattr(room, name)]\n'
        'assert room.__all__ and not missing, missing\n'
        f'from topreward_ros.{room} import *\n'
        # In any order of imports: no submodule may shadow a name
        'import types\n'
        'assert not [n for n in room.__all__ if isinstance(getattr(room, n), types.ModuleType)]'
    )


@pytest.mark.parametrize('room', ['scoring', 'reward', 'recordings'])
def test_type_checkers_see_the_exported_names(room: str) -> None:
    """The names under TYPE_CHECKING are those of `lazy_exports`, from the same modules."""
    tree = ast.parse((PACKAGE / room / '__init__.py').read_text(encoding='utf-8'))
    checked = {
        name.name: node.module
        for condition in tree.body
        if isinstance(condition, ast.If)
        for node in condition.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    modules: dict[str, tuple[str, ...]] = ast.literal_eval(calls[0].args[1])
    assert checked == {name: module for module, names in modules.items() for name in names}


def test_no_room_uses_its_own_exports() -> None:
    """A module imports names from where they are defined; exports are for users of the package."""
    for room in ('scoring', 'reward', 'recordings'):
        for file in (PACKAGE / room).rglob('*.py'):
            tree = ast.parse(file.read_text(encoding='utf-8'))
            depth = len(file.relative_to(PACKAGE / room).parts)
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and file.name != '__init__.py':
                    absolute = node.module == f'topreward_ros.{room}'
                    relative = node.level == depth and node.module is None
                    assert not absolute and not relative, f'{file}: line {node.lineno}'
