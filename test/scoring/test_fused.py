# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Functions that are compiled for a GPU: when they are, and that one compilation serves all calls.

torch's tracer runs here as on a GPU; only its kernels are not made.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from topreward_ros.scoring.engine import vision_tower
from topreward_ros.scoring.engine.decoder_layer import (
    added_and_normed,
    gated,
    normed_and_rotated,
)
from topreward_ros.scoring.engine.fused import Fused, compiling, relative_error
from topreward_ros.scoring.engine.split_attention import merged
from topreward_ros.scoring.loading.float8 import quantized


def of_merged(n: int) -> tuple[Any, ...]:
    return *(torch.randn(2, 4 * n, size) for size in (8, 1, 8, 1)), 4


CASES: dict[Fused, Callable[[int], tuple[Any, ...]]] = {
    gated: lambda n: (torch.randn(n, 32),),
    added_and_normed: lambda n: (*torch.randn(2, n, 16), torch.randn(16), 1e-6),
    vision_tower.added_and_normed: lambda n: (
        *torch.randn(2, 1, n, 16),
        *torch.randn(2, 16),
        1e-6,
    ),
    normed_and_rotated: lambda n: (
        torch.randn(n, 64)[:, :32].view(n, 4, 8),  # as split off a joined product
        torch.randn(8),
        torch.randn(n, 8),
        torch.randn(n, 8),
        1e-6,
    ),
    vision_tower.rotated_pair: lambda n: (
        torch.randn(1, n, 3, 2, 8)[:, :, :2],
        torch.randn(n, 1, 1, 8),
        torch.randn(n, 1, 1, 8),
    ),
    merged: of_merged,
    quantized: lambda n: (torch.randn(n, 16),),
}


@pytest.fixture(params=CASES, ids=lambda function: function.name)
def function(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Fused:
    """As on a GPU, not compiled yet."""
    monkeypatch.setattr(Fused, '_is_worth_it', staticmethod(lambda values: True))
    fresh = Fused(request.param._function, request.param._tokens)
    monkeypatch.setitem(CASES, fresh, CASES[request.param])
    return fresh


def test_one_compilation_serves_all_numbers_of_tokens(
    function: Fused, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs: list[object] = []

    def backend(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph

    compile_ = torch.compile
    monkeypatch.setattr(torch, 'compile', lambda call, options: compile_(call, backend=backend))
    with torch.inference_mode(), compiling():
        for count in (12, 5, 40):
            inputs = CASES[function](count)
            assert relative_error(function(*inputs), function._function(*inputs)) < 1e-6
    assert function.problem == '' and len(graphs) == 1


def test_nothing_is_compiled_elsewhere(function: Fused, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no step is recorded, or for a single token."""
    monkeypatch.setattr(torch, 'compile', None)
    function(*CASES[function](6))
    if function.name != 'merged':  # its rows are those of all heads of a group
        with compiling():
            function(*CASES[function](1))
    assert function.problem == ''


@pytest.mark.parametrize('kind', ['missing', 'wrong'])
def test_what_cannot_be_compiled_runs_as_it_is(
    function: Fused, monkeypatch: pytest.MonkeyPatch, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    def compiled(*inputs: Any) -> Any:
        if kind == 'missing':
            raise RuntimeError('Failed to find C compiler.\nPlease specify via CC')
        right = function._function(*inputs)
        return 2 * right if isinstance(right, torch.Tensor) else [2 * e.float() for e in right]

    monkeypatch.setattr(torch, 'compile', lambda call, options: partial(compiled))
    inputs = CASES[function](6)
    with compiling():
        for _ in range(2):
            assert relative_error(function(*inputs), function._function(*inputs)) == 0
    expected = {'missing': 'Failed to find C compiler.', 'wrong': 'compiled, it is off by 1'}
    assert function.problem.startswith(expected[kind])
    assert len(caplog.records) == 1 and function.name in caplog.text
