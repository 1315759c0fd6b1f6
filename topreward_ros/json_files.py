# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read JSON that others wrote: any Unicode encoding, and no more than fits into memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

MOST_BYTES = 16 * 2**20


def read_json(file: Path, most: int = MOST_BYTES) -> object:
    """Return the content of a JSON file of at most so many bytes; raises OSError, or ValueError."""
    size = file.stat().st_size
    if size > most:
        raise ValueError(f'it has {size} bytes; expected at most {most}')
    return _parse(file.read_bytes())


def read_json_lines(file: Path) -> Iterator[object]:
    """Yield the content of each line, read one at a time; raises OSError, or ValueError."""
    with file.open('rb') as stream:
        encoding = json.detect_encoding(stream.read(4))
    with file.open(encoding=encoding) as lines:
        while line := lines.readline(MOST_BYTES + 1):
            if len(line) > MOST_BYTES:
                raise ValueError(f'a line has more than {MOST_BYTES} characters')
            if line.strip():
                yield _parse(line)


def _parse(text: str | bytes) -> object:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError('it is nested too deeply') from None
