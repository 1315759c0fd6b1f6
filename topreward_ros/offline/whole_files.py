# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files that appear under their name when they are whole."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path


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
