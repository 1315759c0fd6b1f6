# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Counts of the code: what a change touches, and the longest file and function.

python -m tools.counts                 # of this checkout
python -m tools.counts OTHER_CHECKOUT  # longest file and function of another one
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
# A member of each registry: a text by which the files that know of it are found
MEMBERS = {
    'a model family': r"'qwen2_vl'|class ProcessorModel",
    'an output': r"'overlay'|class OverlayOutput",
    'a dataset format': r'open_dataset_source',
    'a normalization': r"'running': lambda|class RunningNormalization",
}
WALKS = {'one live score': '### One live score', '`topreward score`': '### One `topreward score'}


def longest_file(package: Path) -> tuple[int, str]:
    """Lines and name of the longest file."""
    return max(
        (len(file.read_text(encoding='utf-8').splitlines()), str(file.relative_to(package)))
        for file in package.rglob('*.py')
    )


def longest_function(package: Path) -> tuple[int, str]:
    """Lines and name of the longest function."""
    return max(
        ((node.end_lineno or node.lineno) - node.lineno + 1, f'{file.name}: {node.name}')
        for file in package.rglob('*.py')
        for node in ast.walk(ast.parse(file.read_text(encoding='utf-8')))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def files_of_member(package: Path, pattern: str) -> list[str]:
    """The files that would be written or changed to add a member like this one."""
    return sorted(
        str(file.relative_to(package))
        for file in package.rglob('*.py')
        if re.search(pattern, file.read_text(encoding='utf-8'))
    )


def walk(heading: str) -> list[str]:
    """The files that a walk in CONTRIBUTING.md names, each once; a bare name is one of before."""
    text = (CHECKOUT / 'CONTRIBUTING.md').read_text(encoding='utf-8')
    section = text[text.index(heading) :].split('\n#')[0]
    named = dict.fromkeys(re.findall(r'`([a-z0-9_/]+\.py)`', section))
    return [name for name in named if '/' in name]


def main() -> None:
    package = (Path(sys.argv[1]) if len(sys.argv) > 1 else CHECKOUT) / 'topreward_ros'
    print(f'longest file: {longest_file(package)}')
    print(f'longest function: {longest_function(package)}')
    if package.parent != CHECKOUT:
        return
    for name, pattern in MEMBERS.items():
        files = files_of_member(package, pattern)
        print(f'files to touch for {name}: {len(files)} ({", ".join(files)})')
    for name, heading in WALKS.items():
        print(f'files in the walk of {name}: {len(walk(heading))}')


if __name__ == '__main__':
    main()
