# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""tools/demo_models/average.py: the mean of two stages of a training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tools.demo_models import average


def stage(folder: Path, value: float, width: int = 3) -> Path:
    folder.mkdir()
    save_file({'a': torch.full((2, width), value).half()}, folder / average.WEIGHTS)
    (folder / 'config.json').write_text(f'{{"value": {value}}}')
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    monkeypatch.setattr('sys.argv', ['average', *map(str, folders)])
    average.main()


def test_the_mean_beside_the_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other, new = stage(tmp_path / 'one', 1.0), stage(tmp_path / 'other', 2.0), tmp_path / 'new'
    run(monkeypatch, one, other, new)
    assert torch.equal(load_file(new / average.WEIGHTS)['a'], torch.full((2, 3), 1.5).half())
    assert (new / 'config.json').read_text() == '{"value": 2.0}'
    with pytest.raises(SystemExit):
        run(monkeypatch, one, other, new)


def test_other_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = stage(tmp_path / 'one', 1.0), stage(tmp_path / 'other', 2.0, width=4)
    with pytest.raises(SystemExit):
        run(monkeypatch, one, other, tmp_path / 'new')
    assert 'have different weights' in capsys.readouterr().err
    assert not (tmp_path / 'new').exists()
