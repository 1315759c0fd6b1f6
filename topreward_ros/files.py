# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files that appear when they are whole, and results that an interrupted run finds again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topreward_ros.errors import TopRewardError

ASKED, UNDER_WAY = 'asked', 'under way'


class ResultsError(TopRewardError):
    """Results that cannot be written, or that stand where others are to be written."""


def part_of(path: Path) -> Path:
    """The name that a file or folder has until it is whole."""
    return path.with_name(f'.{path.name}.part')


@contextlib.contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """Yield a name to write to, which becomes the file's when all went well."""
    part = part_of(file)
    yield part
    part.replace(file)


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to write to, which gets the folder's name when all went well."""
    part = part_of(folder)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    yield part
    part.rename(folder)


def write_text(file: Path, text: str) -> None:
    """Write it as UTF-8."""
    with whole_file(file) as part:
        part.write_text(text, encoding='utf-8')


def write_json(file: Path, content: Mapping[str, object]) -> None:
    write_text(file, json.dumps(content, ensure_ascii=False, indent=1))


def read_json(file: Path) -> dict[str, Any]:
    """Read what `write_json` wrote; ResultsError for anything else."""
    try:
        content = json.loads(file.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ResultsError(f'{file} is not JSON: {error}; remove it to begin anew') from error
    if not isinstance(content, dict):
        raise ResultsError(f'{file} holds no JSON object; remove it to begin anew')
    return content


@dataclass(frozen=True)
class Kept:
    """Results that a later run finds again: a JSON file with what was asked for and what came out.

    Where the results are other files beside it, `begin` marks them as under way before the work,
    and `finish` says afterwards that they are whole.
    """

    file: Path
    asked: Mapping[str, object]

    def begin(self) -> None:
        """Mark the results as not whole yet."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.file, {UNDER_WAY: dict(self.asked)})

    def finish(self, content: Mapping[str, object] | None = None) -> None:
        """Write what came out, with what was asked for."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.file, {ASKED: dict(self.asked), **(content or {})})

    def read(self) -> dict[str, Any] | None:
        """What `finish` wrote; None where nothing is whole, or something else was asked for."""
        if not self.file.exists():
            return None
        content = read_json(self.file)
        return content if content.get(ASKED) == dict(self.asked) else None

    def other(self) -> dict[str, Any] | None:
        """What whole results that stand here were asked for, where that is something else."""
        if not self.file.exists():
            return None
        content = read_json(self.file)
        asked = content.get(ASKED)
        if UNDER_WAY in content or asked == dict(self.asked):
            return None
        return asked if isinstance(asked, dict) else {}


def check_file(file: Path) -> None:
    """ResultsError where no file of this name can be written: better said before the work."""
    if file.is_dir():
        raise ResultsError(f'{file} is a folder; expected the name of a file to write')
    check_folder(file.parent)


def check_folder(folder: Path) -> None:
    """Make the folder; ResultsError where that is not possible or nothing can be written in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsError(f'{folder} cannot be a folder to write to: {error}') from error
    if not os.access(folder, os.W_OK):
        raise ResultsError(f'nothing can be written to {folder}: name another place with --save')
