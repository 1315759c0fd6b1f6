# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Linear layers of a language model in 8-bit floats, for GPUs that multiply them (Ada, Hopper).

Each row of a weight, and each token, is divided by a scale of its own and rounded to e4m3, which
has three bits of fraction; products are accumulated in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from topreward_ros.errors import ModelError, first_line

from ..engine.fused import fused

FLOAT8 = torch.float8_e4m3fn
MULTIPLE = 16  # of both sides of a weight, for the kernels
LEAST_CAPABILITY = (8, 9)  # Ada
LEAST_SCALE = 1e-12


class Float8Linear(nn.Module):
    """A linear layer without bias: weight e4m3 (out, in), scale float32 (out, 1)."""

    weight: torch.Tensor
    scale: torch.Tensor

    def __init__(self, weight: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer('weight', weight)
        self.register_buffer('scale', scale)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return (..., out) of values (..., in), in their dtype."""
        from torch.nn.functional import ScalingType

        rows = values.flatten(0, -2)
        rounded, scale = quantized(rows)
        product = F.scaled_mm(
            rounded,
            self.weight.t(),
            scale,
            ScalingType.RowWise,
            self.scale.t(),
            ScalingType.RowWise,
            output_dtype=torch.bfloat16,  # the only one with scales by row
        )
        return product.to(values.dtype).view(*values.shape[:-1], -1)

    @classmethod
    def of(cls, linear: nn.Linear) -> Float8Linear:
        return cls(*quantized(linear.weight.detach()))

    @classmethod
    def joined(cls, layers: Sequence[Float8Linear]) -> Float8Linear:
        """Return one layer whose output is that of all, one after the other; they share memory."""
        whole = cls(
            torch.cat([each.weight.view(torch.uint8) for each in layers]).view(FLOAT8),
            torch.cat([each.scale for each in layers]),
        )
        start = 0
        for layer in layers:
            stop = start + len(layer.weight)
            layer.weight, layer.scale = whole.weight[start:stop], whole.scale[start:stop]
            start = stop
        return whole


@fused(0)
def quantized(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows (n, size) as e4m3, and the scale of each, float32 (n, 1), to multiply it with."""
    wide = rows.float()
    scale = wide.abs().amax(dim=1, keepdim=True) / torch.finfo(FLOAT8).max
    scale = scale.clamp(min=LEAST_SCALE)
    return (wide / scale).to(FLOAT8), scale


def check_float8(device: torch.device) -> None:
    """Raise ModelError where torch or the device cannot multiply 8-bit floats."""
    if not hasattr(F, 'scaled_mm'):
        raise ModelError(
            f'dtype float8 needs torch 2.10 or newer, not {torch.__version__}: use dtype bfloat16'
        )
    if device.type == 'cuda':
        found = torch.cuda.get_device_capability(device)
        if found < LEAST_CAPABILITY:
            raise ModelError(
                f'dtype float8 needs a GPU of compute capability 8.9 (Ada, Hopper) or newer; '
                f'{torch.cuda.get_device_name(device)} has {found[0]}.{found[1]}: use bfloat16, or '
                'quantization 8bit'
            )
    try:
        _try_product(device)
    except RuntimeError as error:
        raise ModelError(
            f'dtype float8: torch {torch.__version__} has no such product on {device} '
            f'({first_line(error)}): use dtype bfloat16'
        ) from error


def _try_product(device: torch.device) -> None:
    layer = nn.Linear(MULTIPLE, MULTIPLE, bias=False, device=device)
    Float8Linear.of(layer)(torch.zeros(1, MULTIPLE, device=device))


def use_float8(model: Any) -> int:
    """Replace the linear layers of the language model's decoder; return how many.

    The vision tower, embeddings and output matrix stay as they are, and layers of other sizes than
    multiples of MULTIPLE. ModelError where no layer is left.
    """
    count = 0
    for layer in model.model.language_model.layers:
        for parent in list(layer.modules()):
            for name, child in list(parent.named_children()):
                if _fits(child):
                    setattr(parent, name, Float8Linear.of(child))
                    count += 1
    if not count:
        raise ModelError('dtype float8: the model has no linear layers for it; use bfloat16')
    return count


def _fits(module: nn.Module) -> bool:
    return (
        type(module) is nn.Linear
        and module.bias is None
        and not any(side % MULTIPLE for side in module.weight.shape)
    )
