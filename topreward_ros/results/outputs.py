# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The optional outputs of `topreward score`: one entry each, imported when used.

To add an output, write a subclass of `Output` and register it here, which adds a flag.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .output import Output, Reading


@dataclass(frozen=True)
class OutputKind:
    """An output's help text and its class; as a string the class is "module:class".

    every_prefix: whether it needs a score of every prefix; takes_path: whether the flag may be
    followed by the path to write to.
    """

    help: str
    output: str | type[Output]
    every_prefix: bool = False
    takes_path: bool = False

    def make(self, reading: Reading, model: str, path: Path | None = None) -> Output:
        """Import the class and return an output."""
        if not isinstance(self.output, str):
            return self.output(reading, model, path)
        module, _, name = self.output.partition(':')
        output: Output = getattr(importlib.import_module(module), name)(reading, model, path)
        return output


OUTPUTS: dict[str, OutputKind] = {
    'overlay': OutputKind(
        'write overlay.mp4: the video with the progress curve below',
        'topreward_ros.results.overlay:OverlayOutput',
    ),
    'bag': OutputKind(
        'for a bag: write a copy with /topreward/progress, success_detected and events added, '
        'as the node would publish them; scores every prefix',
        'topreward_ros.results.bag_output:BagOutput',
        every_prefix=True,
    ),
    'parquet': OutputKind(
        "for a LeRobot dataset: write the progress of every frame for LeRobot's RA-BC to PATH, a "
        'folder or a file *.parquet; default: the folder of results',
        'topreward_ros.results.lerobot_output:ParquetOutput',
        takes_path=True,
    ),
}


def make_outputs(
    names: Iterable[str], reading: Reading, model: str, paths: Mapping[str, Path]
) -> list[Output]:
    """Return the outputs of these names; paths are those that the user gave, by name."""
    return [OUTPUTS[name].make(reading, model, paths.get(name)) for name in names]
