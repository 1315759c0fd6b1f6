# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""CUDA graphs: a sequence of kernels recorded once and launched at once ever after."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..loading.checkpoint import Checkpoint

Run = Callable[[], torch.Tensor]
# Makes of a call another one that does the same on the same memory
Record = Callable[[Run], Run]


def why_not_recorded(checkpoint: Checkpoint) -> str:
    """Why the steps of this model cannot be recorded as CUDA graphs; empty where they can."""
    weights = next(checkpoint.model.parameters())
    if not weights.is_cuda:
        return f'the device is {weights.device.type}, which has no CUDA graphs'
    if checkpoint.family.endswith('_moe'):
        return 'a mixture of experts asks the device where its tokens go'
    if not checkpoint.is_plain:
        return 'the weights are quantised'
    return ''


class GraphRecorder:
    """Records on one device, into memory that all its graphs share: no two of them run at once.

    What a replay returns is overwritten by the next replay of any of them.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        # One stream for all: each has a workspace of its own, for as long as the process lives.
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()
        # The pool is gone with the last graph that uses it, and cannot be used again.
        self._keeper = self._capture(lambda: torch.zeros(1, device=device))

    def __call__(self, run: Run) -> Run:
        """As `Record`; the call is made three times."""
        here = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):  # what is made at first use must not be recorded
            for _ in range(2):
                run()
        here.wait_stream(self._stream)
        return self._capture(run)

    def _capture(self, run: Run) -> Run:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(
            graph, pool=self._pool, stream=self._stream, capture_error_mode='thread_local'
        ):
            output = run()

        def replay() -> torch.Tensor:
            graph.replay()
            return output

        return replay
