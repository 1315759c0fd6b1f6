# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Atomic writing of files and folders, and results that a later run can resume from."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topreward_ros.errors import TopRewardError

ASKED, UNDER_WAY = 'asked', 'under way'


class ResultsError(TopRewardError):
    """Results that cannot be written, or that would overwrite others."""


def part_of(path: Path) -> Path:
    """Return the temporary path of a file or folder until it is complete."""
    return path.with_name(f'.{path.name}.part')


@contextlib.contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, which replaces the file on success."""
    part = part_of(file)
    yield part
    part.replace(file)


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder to write to, which is renamed on success and removed otherwise."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f'.{folder.name}-'))
    try:
        yield part
        part.chmod(0o755)
        try:
            part.rename(folder)
        except OSError:
            if not folder.exists():  # it exists where another process was faster
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_text(file: Path, text: str) -> None:
    """Write a text as UTF-8, atomically."""
    with whole_file(file) as part:
        part.write_text(text, encoding='utf-8')


def write_json(file: Path, content: Mapping[str, object]) -> None:
    """Write a JSON object, atomically."""
    write_text(file, json.dumps(content, ensure_ascii=False, indent=1))


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object; ResultsError for anything else."""
    try:
        content = json.loads(file.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ResultsError(
            f'{file} is not JSON: {error}; remove it and its results to start again'
        ) from error
    if not isinstance(content, dict):
        raise ResultsError(f'{file} is not a JSON object; remove it and its results to start again')
    return content


@dataclass(frozen=True)
class StoredResults:
    """Results that a later run can reuse: a JSON file with the request and the results.

    Where the results are other files next to it, `begin` marks them as incomplete before the work,
    and `finish` as complete afterwards.
    """

    file: Path
    request: Mapping[str, object]

    def begin(self) -> None:
        """Mark the results as incomplete."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.file, {UNDER_WAY: dict(self.request)})

    def finish(self, content: Mapping[str, object] | None = None) -> None:
        """Write the results together with the request; they are complete."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_json(self.file, {ASKED: dict(self.request), **(content or {})})

    def read(self) -> dict[str, Any] | None:
        """Return what `finish` wrote; None if incomplete, missing or of another request."""
        if not self.file.exists():
            return None
        content = read_json(self.file)
        # Version 0.1.0 wrote the request alone where the results are other files
        return content if content.get(ASKED, content) == dict(self.request) else None

    def other(self) -> dict[str, Any] | None:
        """Return the request of complete results that exist here, if it is another one."""
        if not self.file.exists():
            return None
        content = read_json(self.file)
        request = content.get(ASKED, content)
        if UNDER_WAY in content or request == dict(self.request):
            return None
        return request if isinstance(request, dict) else {}


def check_file(file: Path, option: str = '--save') -> None:
    """Raise ResultsError, before the work, if no file of this name can be written."""
    if file.is_dir():
        raise ResultsError(f'{file} is a folder; expected the path of a file to write')
    check_folder(file.parent, option)
    part = part_of(file)
    try:
        if not part.exists():
            part.touch()
            part.unlink()
    except OSError as error:
        raise ResultsError(
            f'{file} cannot be written ({error.strerror or error}): give another path with {option}'
        ) from error


def check_folder(folder: Path, option: str = '--save') -> None:
    """Create the folder; ResultsError, which names the option, if it cannot be or be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsError(
            f'the folder {folder} cannot be created: {error}; give another one with {option}'
        ) from error
    try:
        with tempfile.TemporaryFile(dir=folder):  # permissions do not tell, as of a read-only disk
            pass
    except OSError as error:
        reason = error.strerror or error
        raise ResultsError(
            f'the folder {folder} is not writable ({reason}): give another one with {option}'
        ) from error
