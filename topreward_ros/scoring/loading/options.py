# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How to load a model; imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from ..frames import DEFAULT_MAX_PIXELS

DTYPES = ('float32', 'bfloat16', 'float16')
QUANTIZATIONS = ('none', '8bit', '4bit')
SCORERS = ('auto', 'streaming', 'recompute')


@dataclass(frozen=True)
class LoadOptions:
    """How to load a model and score with it; ValueError for a value that is none of the choices.

    model: folder or hub id; device: "auto" or what torch calls it; dtype: "auto" (bfloat16 on a
    GPU that has it, else float32) or one of DTYPES; attention: the implementation's name in
    transformers; quantization: one of QUANTIZATIONS, through bitsandbytes; adapter: folder or hub
    id of a LoRA adapter that is merged into the weights, which are then not quantised; scorer:
    "streaming", "recompute", or "auto" by the family; max_pixels: frames are shrunk to at most
    this many [px].
    """

    model: str
    device: str = 'auto'
    dtype: str = 'auto'
    attention: str = 'sdpa'
    quantization: str = 'none'
    adapter: str | None = None
    scorer: str = 'auto'
    max_pixels: int = DEFAULT_MAX_PIXELS

    def __post_init__(self) -> None:
        for name, choices in (
            ('dtype', ('auto', *DTYPES)),
            ('quantization', QUANTIZATIONS),
            ('scorer', SCORERS),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f'{name} is {getattr(self, name)!r}; expected one of {", ".join(choices)}'
                )
        if self.adapter is not None and self.quantization != 'none':
            raise ValueError(
                f'the adapter {self.adapter!r} cannot be merged into weights in '
                f'{self.quantization}: use quantization none, or a model it is merged into already'
            )
