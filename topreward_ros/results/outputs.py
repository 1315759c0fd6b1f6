# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The optional outputs of `topreward score`: one entry each, imported when it is needed.

To add an output, write a subclass of `Output` and register it here: it becomes a flag.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .output import Output, Reading


@dataclass(frozen=True)
class OutputKind:
    """An output's help text and its class, which as text is "module:class".

    every_prefix says that it needs a score of every prefix.
    """

    help: str
    output: str | type[Output]
    every_prefix: bool = False

    def make(self, reading: Reading, model: str) -> Output:
        """Import and make the output."""
        if not isinstance(self.output, str):
            return self.output(reading, model)
        module, _, name = self.output.partition(':')
        made: Output = getattr(importlib.import_module(module), name)(reading, model)
        return made


OUTPUTS: dict[str, OutputKind] = {
    'overlay': OutputKind(
        'a video with the curve drawn in', 'topreward_ros.results.overlay:OverlayOutput'
    ),
    'bag': OutputKind(
        'of a bag: one with /topreward/progress and /topreward/success_detected beside its '
        'topics, as the node would publish them; scores every prefix',
        'topreward_ros.results.bag_output:BagOutput',
        every_prefix=True,
    ),
    'parquet': OutputKind(
        'of a LeRobot dataset: progress as RA-BC reads it',
        'topreward_ros.results.lerobot_output:ParquetOutput',
    ),
}


def make_outputs(names: Iterable[str], reading: Reading, model: str) -> list[Output]:
    """Make the outputs of these names."""
    return [OUTPUTS[name].make(reading, model) for name in names]
