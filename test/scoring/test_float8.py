# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Weights in 8-bit floats: how far off they are, and where they are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from topreward_ros.demo.example import FPS, TASK, example
from topreward_ros.demo.model import FOLDER
from topreward_ros.errors import ModelError
from topreward_ros.scoring.clip_curve import curve
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading import float8
from topreward_ros.scoring.loading.float8 import Float8Linear, check_float8, quantized, use_float8
from topreward_ros.scoring.loading.options import LoadOptions


def refusal() -> str:
    try:
        check_float8(torch.device('cpu'))
    except ModelError as error:
        return str(error)
    return ''


pytestmark = pytest.mark.skipif(bool(refusal()), reason=refusal())


def linear(rows: int, columns: int, seed: int) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(columns, rows, bias=False).requires_grad_(False)


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found.float() - expected.float()).norm() / expected.float().norm())


def test_a_product_is_as_near_as_three_bits_of_fraction() -> None:
    """Each row has its own scale: a large one takes nothing from a small one."""
    layer, values = linear(48, 32, 0), torch.randn(2, 5, 32)
    layer.weight[3] *= 1000
    values[0, 1] *= 1e-4
    values[1, 2] = 0
    found, expected = Float8Linear.of(layer)(values), layer(values)
    assert found.shape == expected.shape and found.dtype == values.dtype
    for row, truth in zip(found.flatten(0, 1), expected.flatten(0, 1), strict=True):
        kept = torch.arange(48) != 3
        assert (row == 0).all() if not truth.any() else relative(row[kept], truth[kept]) < 0.06


def test_joined_layers_are_the_same_and_share_memory() -> None:
    layers = [Float8Linear.of(linear(rows, 32, rows)) for rows in (32, 16)]
    values = torch.randn(4, 32)
    apart = torch.cat([layer(values) for layer in layers], dim=-1)
    whole = Float8Linear.joined(layers)
    assert torch.equal(whole(values), apart)
    assert torch.equal(torch.cat([layer(values) for layer in layers], dim=-1), apart)
    assert all(
        each.weight.untyped_storage().data_ptr() == whole.weight.untyped_storage().data_ptr()
        for each in layers
    )


def test_nothing_is_lost_of_numbers_that_e4m3_has() -> None:
    rows = torch.tensor([[448.0, -1.0, 0.5, 0.0], [0.0, 0.0, 0.0, 0.0]])
    rounded, scale = quantized(rows)
    assert torch.equal(rounded.float() * scale, rows)


def test_scores_of_the_demo_model_in_8_bits() -> None:
    """Every prefix of its example, against float32; the identity tells the format."""
    clip = list(example())[::15]
    times = [k / FPS * 15 for k in range(len(clip))]
    scores, weights = {}, {}
    for dtype in ('float32', 'float8'):
        scorer = load_scorer(LoadOptions(str(FOLDER), dtype=dtype))
        scores[dtype] = np.array([row[0].value for row in curve(scorer, clip, times, TASK)])
        weights[dtype] = scorer.identity.weights
    assert weights == {'float32': 'float32', 'float8': 'float8 beside bfloat16'}
    assert 0 < np.abs(scores['float8'] - scores['float32']).mean() < 0.2
    assert np.corrcoef(scores['float8'], scores['float32'])[0, 1] > 0.99


def test_where_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = torch.device('cuda')
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda _: (8, 6))
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda _: 'NVIDIA RTX A4000')
    with pytest.raises(ModelError, match=r'8\.9 .*A4000 has 8\.6: use bfloat16'):
        check_float8(cuda)
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda _: (8, 9))
    monkeypatch.setattr(float8, '_try_product', lambda _: None)
    check_float8(cuda)

    def missing(device: torch.device) -> None:
        raise NotImplementedError(f"Could not run 'aten::_scaled_mm_v2' on {device}\nmore of it")

    monkeypatch.setattr(float8, '_try_product', missing)
    with pytest.raises(ModelError, match=r'on cuda \(Could .*on cuda\): use dtype bfloat16'):
        check_float8(cuda)
    monkeypatch.delattr(float8.F, 'scaled_mm')
    with pytest.raises(ModelError, match=r'needs torch 2\.10'):
        check_float8(cuda)
    with pytest.raises(ValueError, match='float8 and quantization 8bit'):
        LoadOptions('x', dtype='float8', quantization='8bit')


def test_a_model_without_layers_for_it() -> None:
    model = nn.Module()
    model.model = nn.Module()
    model.model.language_model = nn.Module()
    model.model.language_model.layers = nn.ModuleList([nn.Sequential(linear(20, 32, 0))])
    with pytest.raises(ModelError, match='no linear layers'):
        use_float8(model)
