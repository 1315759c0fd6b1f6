# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Functions of a few small operations, which torch compiles to one kernel each for a GPU.

One by one, such operations read and write all their values and take a third of a live step. They
are compiled where a step is recorded, and nowhere else: a forward of its own never waits for a
compiler. What has no compiler, or comes out different, runs as it is written.
"""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import torch

from topreward_ros.errors import first_line

LARGEST_ERROR = 0.02  # relative, of half precision
_compiling: ContextVar[bool] = ContextVar('compiling', default=False)
_fused: list[Fused] = []
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def compiling() -> Iterator[None]:
    """In this block, fused functions of tensors on a GPU in half precision are compiled ones."""
    token = _compiling.set(True)
    try:
        yield
    finally:
        _compiling.reset(token)


class Fused:
    """A function of tensors, and of numbers that never change, which can be compiled.

    tokens: for each of its tensors the dimension that varies from call to call, if any does.
    """

    def __init__(self, function: Callable[..., Any], tokens: tuple[int | None, ...]) -> None:
        functools.update_wrapper(self, function)
        self.name = function.__name__
        self._function, self._tokens = function, tokens
        self._compiled: Callable[..., Any] | None = None
        self.problem = ''  # why it is not compiled

    def __call__(self, *inputs: Any) -> Any:
        if not _compiling.get() or self.problem or not self._is_worth_it(inputs[0]):
            return self._function(*inputs)
        for each, dimension in zip(inputs, self._tokens, strict=False):
            if dimension is not None:
                if each.shape[dimension] == 1:  # which torch would compile anew
                    return self._function(*inputs)
                torch._dynamo.maybe_mark_dynamic(each, dimension)
        if self._compiled is None:
            return self._compile(inputs)
        return self._compiled(*inputs)

    @property
    def state(self) -> str:
        return self.problem or ('as it is' if self._compiled is None else 'compiled')

    @staticmethod
    def _is_worth_it(values: torch.Tensor) -> bool:
        return values.is_cuda and values.dtype in (torch.bfloat16, torch.float16)

    def _compile(self, inputs: tuple[Any, ...]) -> Any:
        """Compile for the first inputs and return what the function returns for them."""
        expected = self._function(*inputs)
        try:
            # One thread: a pool of processes is slower for functions as small as these
            compiled = torch.compile(self._function, options={'compile_threads': 1})
            error = relative_error(compiled(*inputs), expected)
        except Exception as failure:  # of many kinds: no compiler, no header files, no space
            self.problem = first_line(failure) or type(failure).__name__
        else:
            if error < LARGEST_ERROR:
                self._compiled = compiled
            else:
                self.problem = f'compiled, it is off by {error:.2g}'
        if self.problem:
            _log.warning('%s is not compiled: %s', self.name, self.problem)
        return expected


def fused(*tokens: int | None) -> Callable[[Callable[..., Any]], Fused]:
    """Decorate a function that can be compiled; see `Fused`."""

    def decorate(function: Callable[..., Any]) -> Fused:
        _fused.append(Fused(function, tokens))
        return _fused[-1]

    return decorate


def states() -> dict[str, str]:
    """Return of each fused function whether it is compiled, or why it is not."""
    return {each.name: each.state for each in _fused}


def relative_error(found: Any, expected: Any) -> float:
    """Return the largest relative error of one tensor, or of several."""
    if isinstance(expected, torch.Tensor):
        found, expected = [found], [expected]
    pairs = zip(found, expected, strict=True)
    return max(
        float((mine.float() - truth.float()).norm() / truth.float().norm().clamp(min=1e-12))
        for mine, truth in pairs
    )
