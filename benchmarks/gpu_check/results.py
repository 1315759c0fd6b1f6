# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Results of checks: lines of JSON at once, limits of time, and what is asked of them."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

LEAST_SECONDS = 5.0  # without which no check is begun
FILE = 'results.jsonl'


class OutOfTimeError(BaseException):
    """A check that has used up its time; no library takes it for an error of its own."""


@dataclass(frozen=True)
class Demand:
    """What is asked of a result: a value that must not exceed a limit."""

    text: str
    limit: float
    value: float

    @property
    def is_met(self) -> bool:
        return self.value <= self.limit


class Results:
    """Writes results to a file and keeps the demands; end is a time of the steady clock [s]."""

    def __init__(self, folder: Path, seconds: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / FILE
        self._file.write_text('', encoding='utf-8')
        self._end = time.monotonic() + seconds
        self._console = Console(markup=False)
        self.demands: list[Demand] = []
        self.failed: list[str] = []

    def tell(self, name: str, **values: Any) -> None:
        """Write a result, and print it in short."""
        line = json.dumps({'check': name, **values})
        with self._file.open('a', encoding='utf-8') as stream:
            stream.write(line + '\n')
        self._console.print(line[:300], highlight=False, markup=False, soft_wrap=True)

    def demand(self, text: str, limit: float, value: float) -> None:
        """Keep a demand for the table at the end, and write it."""
        demand = Demand(text, limit, value)
        self.demands.append(demand)
        self.tell('demand', text=text, limit=limit, value=value, met=demand.is_met)

    def run(self, name: str, seconds: float, check: Callable[[], None]) -> None:
        """Run a check within its time [s]; what goes wrong is a result, too."""
        left = self._end - time.monotonic()
        if left < LEAST_SECONDS:
            self.tell(name, skipped=f'{left:.0f} s were left')
            return
        began = time.monotonic()
        try:
            with _limit(min(seconds, left)):
                check()
        except (Exception, OutOfTimeError) as error:
            self.failed.append(name)
            self.tell(name, error=f'{type(error).__name__}: {error}'[:600])
        self.tell(f'{name}: time', seconds=round(time.monotonic() - began, 1))

    def show(self) -> None:
        """Print what was asked, and what came of it."""
        table = Table('what is asked', title='GPU check')
        for column in ('at most', 'measured', 'met'):
            table.add_column(column, justify='right')
        for demand in self.demands:
            numbers = f'{demand.limit:.3g}', f'{demand.value:.3g}'
            table.add_row(demand.text, *numbers, 'yes' if demand.is_met else 'NO')
        self._console.print(table)
        if self.failed:
            self._console.print(f'failed: {", ".join(self.failed)}', style='red')


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise OutOfTimeError(f'its {seconds:.0f} s are over')

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
