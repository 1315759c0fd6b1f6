# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Options of loading a model; imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from ..frame_fits import DEFAULT_MAX_PIXELS, FRAME_FITS

DTYPES = ('float32', 'bfloat16', 'float16', 'float8')
QUANTIZATIONS = ('none', '8bit', '4bit')
SCORERS = ('auto', 'streaming', 'recompute')
REWARD_MODELS = ('topreward', 'robometer', 'roboreward', 'large_reward_model')


@dataclass(frozen=True)
class LoadOptions:
    """How to load a model and score with it; raises ValueError for an invalid choice.

    model: folder or hub id; device: "auto" or a torch device; dtype: "auto" (bfloat16 on a GPU that
    supports it, else float32) or one of DTYPES (float8: the decoder's weights, with bfloat16 for
    the rest); attention: implementation by its name in transformers; quantization: one of
    QUANTIZATIONS, with bitsandbytes; adapter: folder or hub id of a LoRA adapter to merge into the
    weights, which must not be quantised, or of the three that large_reward_model switches between;
    scorer: "streaming", "recompute", or "auto" by the family; reward_model: one of REWARD_MODELS,
    or "auto" by the checkpoint; frame_fit: one of FRAME_FITS; max_pixels [px]: larger frames are
    shrunk to this.
    """

    model: str
    device: str = 'auto'
    dtype: str = 'auto'
    attention: str = 'sdpa'
    quantization: str = 'none'
    adapter: str | None = None
    scorer: str = 'auto'
    reward_model: str = 'auto'
    frame_fit: str = 'paper'
    max_pixels: int = DEFAULT_MAX_PIXELS

    def __post_init__(self) -> None:
        for name, choices in (
            ('dtype', ('auto', *DTYPES)),
            ('quantization', QUANTIZATIONS),
            ('scorer', SCORERS),
            ('reward_model', ('auto', *REWARD_MODELS)),
            ('frame_fit', FRAME_FITS),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f'{name} is {getattr(self, name)!r}; expected one of {", ".join(choices)}'
                )
        if self.dtype == 'float8' and self.quantization != 'none':
            raise ValueError(f'dtype is float8 and quantization {self.quantization}: expected one')
        if self.adapter is not None and self.quantization != 'none':
            raise ValueError(
                f'the adapter {self.adapter!r} cannot be merged into weights in '
                f'{self.quantization}: use quantization none, or a model with the adapter merged'
            )
