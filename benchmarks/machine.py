# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Facts about the machine, and the output of benchmarks."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console


def machine() -> dict[str, str]:
    """Return facts that times depend on."""
    return {
        'CPU': f'{_cpu_model()}, {os.cpu_count()} cores',
        'Python': platform.python_version(),
        'load before': f'{os.getloadavg()[0]:.2f}',
    }


def show_facts(console: Console, facts: Mapping[str, str]) -> None:
    """Print the facts, a line each."""
    for key, fact in facts.items():
        console.print(f'{key}: {fact}', highlight=False)


def write_json(
    file: Path | None, facts: dict[str, str], rows: list[dict[str, Any]], **more: Any
) -> None:
    """Write facts, rows and further values as JSON, if a file is given."""
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps({'facts': facts, 'rows': rows, **more}, indent=2)
        file.write_text(content + '\n', encoding='utf-8')


def size(text: str) -> tuple[int, int]:
    """Parse width and height, such as 640x480."""
    width, height = map(int, text.split('x'))
    return width, height


def _cpu_model() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:
        lines = []
    models = (line.partition(':')[2].strip() for line in lines if line.startswith('model name'))
    return next(models, platform.processor() or platform.machine())
