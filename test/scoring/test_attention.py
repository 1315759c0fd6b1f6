# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What new tokens attend to, in parts and with a number of keys that only the device knows."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from topreward_ros.scoring.engine import counted_attention, split_attention
from topreward_ros.scoring.engine.attention import AttentionPart, PartAttention, additive
from topreward_ros.scoring.engine.counted_attention import (
    LARGEST_ERROR,
    PLAIN,
    Way,
    counted_error,
    counted_on,
    quickest,
    ways_on,
)
from topreward_ros.scoring.engine.key_value_cache import CacheShape

HEADS, KEY_HEADS, SIZE = 4, 2, 8
SHAPE = CacheShape(1, KEY_HEADS, SIZE, torch.float32, torch.device('cpu'))


def naive(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, seen: torch.Tensor
) -> torch.Tensor:
    """Softmax over what is seen, head by head, (n, heads * size)."""
    group = len(query) // len(keys)
    keys, values = (each.repeat_interleave(group, 0) for each in (keys, values))
    scores = query @ keys.transpose(1, 2) / keys.shape[-1] ** 0.5
    mixed = scores.masked_fill(~seen, float('-inf')).softmax(-1) @ values
    return mixed.transpose(0, 1).reshape(query.shape[1], -1)


def in_float32(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, used: torch.Tensor
) -> torch.Tensor:
    """Bottom-right causal attention to the first `used` keys; the rest may be anything."""
    count = query.shape[1]
    rows, columns = (torch.arange(each, device=query.device) for each in (count, keys.shape[1]))
    return naive(query, keys, values, columns <= used.long() - count + rows[:, None])


def numbers(heads: int, count: int) -> torch.Tensor:
    return torch.randn(heads, count, SIZE)


@settings(deadline=None)
@given(
    past=st.integers(0, 9),
    new=st.integers(0, 4),
    branches=st.lists(
        st.tuples(st.integers(0, 9), st.integers(1, 4), st.booleans()), min_size=1, max_size=4
    ),
    counted=st.booleans(),
)
def test_parts_equal_one_attention_with_a_mask(
    past: int, new: int, branches: list[tuple[int, int, bool]], counted: bool
) -> None:
    torch.manual_seed(past)
    parts, start = [AttentionPart(0, new, past)] if new else [], new
    for root, count, has_mask in branches:
        mask = torch.rand(count, count) < 0.5
        mask.fill_diagonal_(True)
        part = AttentionPart(start, start + count, min(root, past + new))
        parts.append(replace(part, mask=mask) if has_mask else part)
        start += count
    seen = torch.zeros(start, past + start, dtype=torch.bool)
    for part in parts:
        seen[part.start : part.stop, : part.root] = True
        seen[part.start : part.stop, past + part.start : past + part.stop] = part.own
    query, keys, values = numbers(HEADS, start), *(numbers(KEY_HEADS, past + start),) * 2
    rows = [start - 1, 0]
    attention = PartAttention(parts, past, rows, lambda each: each, in_float32 if counted else None)
    expected = naive(query, keys, values, seen)
    assert torch.allclose(attention(query, keys, values), expected, atol=1e-5)
    some = attention.of_rows(query[:, rows], keys, values)
    assert torch.allclose(some, expected[rows], atol=1e-5)


def test_what_counts_keys_is_tried_before_it_is_used() -> None:
    def causal_from_the_top(query, keys, values, used):  # as flash attention before 2.1
        seen = torch.ones(query.shape[1], keys.shape[1], dtype=torch.bool).tril()
        return naive(query, keys, values, seen)

    def all_keys(query, keys, values, used):  # as where the number is ignored
        return in_float32(query, keys, values, torch.tensor([keys.shape[1]]))

    def another_group(query, keys, values, used):  # heads of a group taken for neighbours'
        return in_float32(query, keys.flip(0), values.flip(0), used)

    assert counted_error(in_float32, SHAPE, HEADS) < 1e-5
    for wrong in (causal_from_the_top, all_keys, another_group):
        assert counted_error(wrong, SHAPE, HEADS) > LARGEST_ERROR


def test_nothing_is_counted_on_a_cpu() -> None:
    assert counted_on(SHAPE, HEADS) is None
    assert ways_on(SHAPE, HEADS) == [PLAIN]
    assert quickest([PLAIN], SHAPE, (4, 16, 8), HEADS, lambda call: 1.0) == (PLAIN, {})


@pytest.mark.parametrize(
    ('times', 'chosen'),
    [
        ({'counted': 1.0, 'slow': 2.0}, 'counted'),
        ({'counted': 1.05, 'slow': 1.0}, 'counted'),  # not worth a step for each length
        ({'counted': 3.0, 'slow': 1.0}, 'slow'),
        ({'slow': 1.0}, 'slow'),  # the other is not for this shape
        ({}, 'masked'),
    ],
)
def test_the_quickest_way_is_chosen(times: dict[str, float], chosen: str) -> None:
    """Ways that this device does not offer have no time; one for all lengths wins a tie."""
    called = []

    def measure(call) -> float:
        assert call().shape == (4, HEADS * SIZE)
        name = names[len(called)]
        called.append(name)
        if name not in times and name != 'masked':
            raise RuntimeError('No available kernel')
        return times.get(name, 9.0)

    ways = [Way('counted', in_float32), Way('slow'), PLAIN]
    names = [way.name for way in ways]
    way, measured = quickest(ways, SHAPE, (4, 16, 8), HEADS, measure)
    assert way.name == chosen and measured == {**times, 'masked': 9.0}


def test_a_way_that_is_wrong_is_not_chosen_however_quick() -> None:
    def from_the_top(query, keys, values, used):
        return in_float32(query, keys, values, used - 1)

    ways = [Way('counted', from_the_top), PLAIN]
    assert quickest(ways, SHAPE, (4, 16, 8), HEADS, lambda call: 1.0) == (PLAIN, {'masked': 1.0})


def naive_with_sums(query, keys, values, mask):
    """Stand in for cuDNN, which only a GPU has."""
    scores = query @ keys.transpose(1, 2) / keys.shape[-1] ** 0.5
    scores = scores if mask is None else scores + mask
    return scores.softmax(-1) @ values, scores.logsumexp(-1, keepdim=True)


@pytest.mark.parametrize(('new', 'prefix', 'masked_keys'), [(1, 5, 3), (4, 1, 4), (7, 20, 12)])
def test_split_attention_equals_one_with_a_mask(
    monkeypatch: pytest.MonkeyPatch, new: int, prefix: int, masked_keys: int
) -> None:
    monkeypatch.setattr(split_attention, '_attend', naive_with_sums)
    query, cached = numbers(HEADS, new), prefix + masked_keys
    keys, values = numbers(KEY_HEADS, cached), numbers(KEY_HEADS, cached)
    seen = torch.arange(cached) <= torch.arange(cached - new, cached)[:, None]
    mask = additive(seen[:, prefix:], query, keys)
    mixed = split_attention.split_attention(query, keys, values, prefix, mask)
    assert (mixed - naive(query, keys, values, seen)).abs().max() < 1e-5


def test_flash_is_refused_where_it_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """An older torch, a GPU without flash attention or a dtype that it does not take."""

    half = CacheShape(1, KEY_HEADS, SIZE, torch.bfloat16, torch.device('cuda'))
    for outcome in (AttributeError('no such operator'), RuntimeError('needs Ampere'), 0.7):

        def error(*_: object, outcome: Exception | float = outcome) -> float:
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr(counted_attention, 'counted_error', error)
        assert counted_on.__wrapped__(half, HEADS) is None
    monkeypatch.setattr(counted_attention, 'counted_error', lambda *_: 0.001)
    assert counted_on.__wrapped__(half, HEADS) is counted_attention.flash
    wide = CacheShape(1, KEY_HEADS, SIZE, torch.float32, torch.device('cuda'))
    assert counted_on.__wrapped__(wide, HEADS) is None


needs_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason='flash attention is of GPUs')


@needs_a_gpu
def test_flash_counts_keys_as_masked_attention_does() -> None:
    shape = CacheShape(1, 2, 64, torch.bfloat16, torch.device('cuda'))
    if torch.cuda.get_device_capability() >= (8, 0):
        assert counted_on(shape, 8) is not None
