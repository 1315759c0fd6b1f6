# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files that appear under their name when they are whole."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..scoring.errors import TopRewardError


@contextlib.contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """A name to write to, that becomes the file's when all went well."""
    part = file.with_name(f'.{file.name}.part')
    yield part
    part.replace(file)


def write_text(file: Path, text: str) -> None:
    """Write it as UTF-8."""
    with whole_file(file) as part:
        part.write_text(text, encoding='utf-8')


def write_json(file: Path, content: Mapping[str, object]) -> None:
    write_text(file, json.dumps(content, ensure_ascii=False, indent=1))


def keep(file: Path, asked: Mapping[str, object], content: Mapping[str, object]) -> None:
    """Write what was found, with what was asked for, so that an interrupted run goes on."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, {'asked': dict(asked), **content})


def kept(file: Path, asked: Mapping[str, object]) -> dict[str, Any] | None:
    """What `keep` wrote; None where there is nothing, or something else was asked for."""
    if not file.exists():
        return None
    content: dict[str, Any] = json.loads(file.read_text(encoding='utf-8'))
    return content if content['asked'] == dict(asked) else None


def check_file(file: Path) -> None:
    """TopRewardError where no file of this name can be written: better told before the work."""
    if file.is_dir():
        raise TopRewardError(f'{file} is a folder; expected the name of a file to write')
    check_folder(file.parent)


def check_folder(folder: Path) -> None:
    """Make it; TopRewardError where that is not possible or nothing can be written in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TopRewardError(f'{folder} cannot be a folder to write to: {error}') from error
    if not os.access(folder, os.W_OK):
        raise TopRewardError(f'nothing can be written to {folder}: name another place with --save')
