# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Turn whatever goes wrong while a bag is read into the BagError that fits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import BagError, BrokenBagError


@contextmanager
def faults_of(path: Path) -> Iterator[None]:
    """Turn any exception of reading into a BagError that begins with the path."""
    try:
        yield
    except BagError as error:
        if str(path) in str(error):
            raise
        raise type(error)(f'{path}: {error}') from error
    except OSError as error:
        raise BagError(f'{path} cannot be read: {error.strerror or error}') from error
    except Exception as error:  # decoders raise nearly everything on broken data
        text = str(error) or type(error).__name__
        raise BrokenBagError(
            f'{path} is cut short or broken ({text}): if it was copied, copy it again'
        ) from error
