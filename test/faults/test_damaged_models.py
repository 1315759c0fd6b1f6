# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints, adapters and calibrations that are damaged: one line that names the file."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from topreward_ros.demo.model import FOLDER
from topreward_ros.errors import ModelError
from topreward_ros.results.calibration_file import (
    CalibrationError,
    read_calibration,
    write_calibration,
)
from topreward_ros.reward.calibration import Calibration, LengthBias, Scale
from topreward_ros.scoring.families import load_scorer
from topreward_ros.scoring.loading.adapter import find_adapter
from topreward_ros.scoring.loading.options import LoadOptions

Damage = Callable[[Path], object]
WEIGHTS = 'model.safetensors'


@pytest.fixture
def folder(checkpoint_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint_folder, tmp_path / 'damaged'))


def check(folder: Path, name: str) -> None:
    with pytest.raises(ModelError) as raised:
        load_scorer(LoadOptions(str(folder)))
    assert '\n' not in str(raised.value) and len(str(raised.value)) < 600
    assert name in str(raised.value)


CONTENTS = {
    'empty': b'',
    'cut': b'{"added_tokens": [{"id": 3, "con',
    'list': b'[]',
    'null': b'null',
    'number': b'3',
    'text': b'"x"',
    'binary': bytes(range(256)),
    'deep list': b'[' * 100_000,
    'deep object': b'{"a":' * 50_000,
}


# Kind: a file of JSON that is none, or none of an object.
@pytest.mark.parametrize('content', CONTENTS)
@pytest.mark.parametrize(
    'name', ['config.json', 'tokenizer.json', 'video_preprocessor_config.json']
)
def test_files_that_are_no_json_object(folder: Path, name: str, content: str) -> None:
    (folder / name).write_bytes(CONTENTS[content])
    check(folder, name)


# Kind: numbers that nobody can have meant. Some would fill the memory, or never end.
@pytest.mark.parametrize('value', [-1, 0, 10**9, 1e300, 'x', None, 1.5, [], {}, True])
@pytest.mark.parametrize(
    ('section', 'name'),
    [
        ('text_config', 'num_hidden_layers'),
        ('text_config', 'hidden_size'),
        ('text_config', 'vocab_size'),
        ('vision_config', 'depth'),
        ('vision_config', 'patch_size'),
        ('vision_config', 'num_heads'),
    ],
)
def test_impossible_numbers(folder: Path, section: str, name: str, value: Any) -> None:
    config = json.loads((folder / 'config.json').read_text())
    config[section][name] = value
    (folder / 'config.json').write_text(json.dumps(config))
    check(folder, f'config.json is damaged: {name} is')


def edited(name: str, *keys: str, value: Any) -> Damage:
    """Return what sets a value in a JSON file."""

    def edit(folder: Path) -> None:
        content = inner = json.loads((folder / name).read_text())
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        (folder / name).write_text(json.dumps(content))

    return edit


def header(edit: Callable[[dict[str, Any], str], object]) -> Damage:
    """Return what changes the header of the weights; edit gets it, and the name of a tensor."""

    def change(folder: Path) -> None:
        data = (folder / WEIGHTS).read_bytes()
        (size,) = struct.unpack('<Q', data[:8])
        content = json.loads(data[8 : 8 + size])
        edit(content, next(name for name in content if name != '__metadata__'))
        text = json.dumps(content).encode()
        (folder / WEIGHTS).write_bytes(struct.pack('<Q', len(text)) + text + data[8 + size :])

    return change


def weights(content: Callable[[bytes], bytes]) -> Damage:
    return lambda folder: (folder / WEIGHTS).write_bytes(content((folder / WEIGHTS).read_bytes()))


def index(content: str) -> Damage:
    """Return what makes the weights one shard of an index with this content."""

    def write(folder: Path) -> None:
        (folder / WEIGHTS).rename(folder / 'model-00001-of-00001.safetensors')
        (folder / 'model.safetensors.index.json').write_text(content)

    return write


def unlink(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


# Kind: files that do not fit each other.
@pytest.mark.parametrize(
    'damage',
    [
        edited('config.json', 'model_type', value=[]),
        edited('config.json', 'text_config', value='x'),
        edited('config.json', 'vision_config', value=[]),
        edited('config.json', 'text_config', 'num_hidden_layers', value=1),
        edited('config.json', 'text_config', 'num_hidden_layers', value=9),
        edited('config.json', 'text_config', 'hidden_size', value=96),
        edited('config.json', 'vision_config', 'depth', value=1),
        edited('config.json', 'vision_config', 'deepstack_visual_indexes', value=[]),
        edited('tokenizer.json', 'added_tokens', value=[]),
        edited('tokenizer.json', 'added_tokens', value=[3]),
        edited('tokenizer.json', 'added_tokens', value='x'),
        edited('tokenizer.json', 'model', value={}),
        unlink('config.json'),
        unlink('tokenizer.json'),
        unlink(WEIGHTS),
        weights(lambda data: data[: len(data) // 2]),
        weights(lambda data: b''),
        weights(lambda data: os.urandom(4000)),
        weights(lambda data: struct.pack('<Q', 2**62) + data[8:]),
        weights(lambda data: struct.pack('<Q', 2) + b'[]'),
        header(lambda content, name: content[name].update(shape=[1])),
        header(lambda content, name: content[name].update(dtype='Q7')),
        header(lambda content, name: content[name].update(data_offsets=[0, 10**12])),
        header(lambda content, name: content.update(other=content.pop(name))),
        index('[]'),
        index('{}'),
        index('{"weight'),
        index('{"weight_map": []}'),
        index('{"metadata": {}, "weight_map": {"a": "model-00009.safetensors"}}'),
        index('{"metadata": {}, "weight_map": {"a": "../../../etc/passwd"}}'),
        index('{"metadata": {}, "weight_map": {"a": 3}}'),
        index('[' * 100_000),
    ],
)
def test_files_that_do_not_fit_each_other(folder: Path, damage: Damage) -> None:
    damage(folder)
    check(folder, str(folder))


@pytest.mark.parametrize(
    'mean', [None, [], [0.5], [0.5, 0.5, 'x'], [0.5, 0.5, float('nan')], 0.5, [1e30, 0, 0]]
)
def test_pixel_values_that_are_none(folder: Path, mean: Any) -> None:
    for name in ('image_mean', 'image_std'):
        content = {'image_mean': [0.5] * 3, 'image_std': [0.5] * 3, name: mean}
        (folder / 'video_preprocessor_config.json').write_text(json.dumps(content))
        check(folder, 'video_preprocessor_config.json is damaged')


@pytest.mark.parametrize('content', [*CONTENTS, 'no type'])
def test_damaged_adapters(tmp_path: Path, content: str) -> None:
    pytest.importorskip('peft')
    (tmp_path / 'adapter_config.json').write_bytes(CONTENTS.get(content, b'{}'))
    with pytest.raises(ModelError, match=r'adapter_config\.json') as raised:
        find_adapter(str(tmp_path))
    assert '\n' not in str(raised.value)


def calibration() -> Calibration:
    scale = Scale((0.0, 0.5, 1.0), (-3.0, -1.0, -0.1), -0.3, 1.0, 0.1, 1.0)
    bias = LengthBias((0.0, 0.1))
    return Calibration('m', 'f', 'l', 2.0, ('Lift it.',), 2, 1, 3, 2, scale, scale, bias)


BOMB = 'a: &a [x, x, x, x, x, x, x, x]\n' + ''.join(
    f'{new}: &{new} [*{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}]\n'
    for old, new in zip('abcdefg', 'bcdefgh', strict=True)
)


# Kind: calibrations that are none.
@pytest.mark.parametrize(
    'content',
    [
        *('', '[]', '3', 'null', 'version: 1', 'a: [', '\t', BOMB, f'{BOMB}fps: *h\nversion: 1\n'),
        *('[' * 20_000, '{a: ' * 5000, f'version: {"9" * 5000}', '!!python/object:os.system {}'),
    ],
)
def test_files_that_are_no_calibration(tmp_path: Path, content: str) -> None:
    file = tmp_path / 'c.yaml'
    file.write_text(content)
    with pytest.raises(CalibrationError, match=r'c\.yaml') as raised:
        read_calibration(file)
    assert '\n' not in str(raised.value) and len(str(raised.value)) < 600


def test_a_file_that_is_too_large_or_binary(tmp_path: Path) -> None:
    file = tmp_path / 'c.yaml'
    for content in (b'# ' + b'x' * 2_000_000, b'\xff\xfe\x00\x01', bytes(range(256))):
        file.write_bytes(content)
        with pytest.raises(CalibrationError, match=r'c\.yaml'):
            read_calibration(file)
    with pytest.raises(CalibrationError, match='cannot be read'):
        read_calibration(tmp_path)


@pytest.mark.parametrize(
    ('keys', 'value'),
    [
        (('fps',), 0.0),
        (('fps',), float('nan')),
        (('fps',), '2'),
        (('window',), 0),
        (('window',), 10**9),
        (('hold',), 1.5),
        (('plain', 'threshold'), float('inf')),
        (('plain', 'threshold'), 1e12),
        (('plain', 'levels'), [-1.0, -2.0, -3.0]),
        (('plain', 'levels'), [-1e300, -2.0, -1.0]),
        (('plain', 'points'), [0.0, 2.0, 1.0]),
        (('plain', 'points'), ['x']),
        (('plain', 'roc_auc'), [1]),
        (('plain',), None),
        (('bias', 'curve'), [float('nan')]),
        (('bias', 'curve'), [10**400]),
        (('bias',), []),
        (('model',), 3),
        (('more',), 3),
        (('tasks',), 3),
    ],
)
def test_nonsense_in_a_calibration(tmp_path: Path, keys: tuple[str, ...], value: Any) -> None:
    file = tmp_path / 'c.yaml'
    write_calibration(file, calibration())
    assert read_calibration(file) == calibration()
    content = inner = yaml.safe_load(file.read_text())
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(CalibrationError, match=r'c\.yaml is not a calibration'):
        read_calibration(file)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.floats(0, 1), change=st.text(max_size=20), length=st.integers(0, 30))
def test_any_calibration_file(tmp_path: Path, place: float, change: str, length: int) -> None:
    file = tmp_path / 'c.yaml'
    write_calibration(file, calibration())
    text = file.read_text()
    start = round(place * len(text))
    file.write_bytes((text[:start] + change + text[start + length :]).encode('utf-8', 'replace'))
    try:
        read = read_calibration(file)
    except CalibrationError as error:
        assert str(error) and '\n' not in str(error)
    else:
        assert all(low < high for low, high in pairwise(read.plain.levels))


def test_the_demo_model_is_whole() -> None:
    assert load_scorer(LoadOptions(str(FOLDER))).identity.fingerprint
