# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""CUDA graph capture and replay."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..loading.checkpoint import Checkpoint

Run = Callable[[], torch.Tensor]
# Captures a call and returns its replay, which works on the same memory
Record = Callable[[Run], Run]


def capture_problem(checkpoint: Checkpoint) -> str:
    """Return why the steps of this model cannot be captured as CUDA graphs; empty if they can."""
    weights = next(checkpoint.model.parameters())
    if not weights.is_cuda:
        return f'the device is {weights.device.type}, which has no CUDA graphs'
    if checkpoint.family.endswith('_moe'):
        return 'a mixture of experts synchronises with the device to route its tokens'
    if not checkpoint.is_plain:
        return 'the weights are quantised'
    return ''


class GraphRecorder:
    """Captures CUDA graphs on one device; they share one memory pool and must not run at once.

    The output of a replay is overwritten by the next replay of any of the graphs.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        # One stream for all: each stream keeps a workspace for the life of the process.
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()
        # A pool is freed with its last graph and cannot be used again; this graph keeps it alive.
        self._pool_keeper = self._capture(lambda: torch.zeros(1, device=device))

    def __call__(self, run: Run) -> Run:
        """See `Record`; the call is made twice to warm up and once under capture."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):  # lazy initialisation must not be captured
            for _ in range(2):
                run()
        current.wait_stream(self._stream)
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


def milliseconds(call: Callable[[], object], repeats: int = 5, calls: int = 8) -> float:
    """Return the least time [ms] of a call in a CUDA graph, on CUDA's current device.

    Raises RuntimeError where the call cannot be captured.
    """
    stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # lazy initialisation must not be captured
        for _ in range(2):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    with torch.cuda.graph(graph, stream=stream, capture_error_mode='thread_local'):
        for _ in range(calls):
            call()
    times = []
    for _ in range(repeats):
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        began.record()
        graph.replay()
        ended.record()
        ended.synchronize()
        times.append(began.elapsed_time(ended) / calls)
    return min(times)
