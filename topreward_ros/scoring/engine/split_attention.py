# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Attention to a long prefix that all new tokens see, and by mask to the keys after it, by cuDNN.

No mask hides anything of the prefix, where nearly all work is; cuDNN's kernels for Hopper take less
than half the time without one. Both results are merged by the sums of their exponentials, as flash
attention merges its blocks (arXiv 2205.14135).
"""

from __future__ import annotations

import torch

from .fused import fused


def split_attention(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, prefix: int, mask: torch.Tensor
) -> torch.Tensor:
    """Attend to the first keys, and through an additive mask (group * n, m) to m others.

    Query (heads, n, size), keys and values (key heads, prefix + m, size); (n, heads * size) comes
    out. Query heads of a group are rows of one head, as in `masked`. Raises RuntimeError where
    there is no cuDNN for it.
    """
    group, size = len(query) // len(keys), query.shape[-1]
    rows = query.reshape(len(keys), -1, size)
    before = _attend(rows, keys[:, :prefix], values[:, :prefix], None)
    after = _attend(rows, keys[:, prefix:], values[:, prefix:], mask)
    return torch.as_tensor(merged(*before, *after, group))


@fused(1, 1, 1, 1)
def merged(
    one: torch.Tensor, one_sum: torch.Tensor, two: torch.Tensor, two_sum: torch.Tensor, group: int
) -> torch.Tensor:
    """Merge attention to two sets of keys, each (heads, group * n, size), with tokens as rows.

    The sums, float32 (heads, group * n, 1), are logarithms of those of the exponentials.
    """
    share = torch.sigmoid(one_sum - two_sum)
    mixed = torch.lerp(two.float(), one.float(), share).to(one.dtype)
    return mixed.unflatten(1, (group, -1)).permute(2, 0, 1, 3).flatten(1)


def _attend(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mixed values, and the logarithms of the sums."""
    attend = torch.ops.aten._scaled_dot_product_cudnn_attention
    with_sums, without_dropout, is_causal, without_debugging = True, 0.0, False, False
    mixed, sums, *_ = attend(
        *(each[None] for each in (query, keys, values)),
        mask,
        *(with_sums, without_dropout, is_causal, without_debugging),
    )
    return mixed[0], sums[0].view(*query.shape[:2], 1)
