# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a live process leaves out of its garbage collections, and how it is still given back."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from topreward_ros.scoring.loading.memory import freeze_garbage_collection, release_memory


class Model:
    """Refers to itself, as modules do through their hooks."""

    def __init__(self) -> None:
        self.own = self


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_a_collection_does_not_look_at_what_was_loaded() -> None:
    model = Model()
    freeze_garbage_collection()
    loaded = weakref.ref(model)
    del model
    gc.collect()
    assert loaded() is not None and gc.get_freeze_count() > 10_000
    later = Model()
    new = weakref.ref(later)
    del later
    gc.collect()
    assert new() is None


@pytest.mark.parametrize('is_frozen', [True, False])
def test_memory_that_is_released_is_that_of_frozen_objects_too(is_frozen: bool) -> None:
    model = Model()
    loaded = weakref.ref(model)
    if is_frozen:
        freeze_garbage_collection()
    del model
    release_memory()
    assert loaded() is None
    assert (gc.get_freeze_count() > 0) is is_frozen, 'the others stay as they were'
