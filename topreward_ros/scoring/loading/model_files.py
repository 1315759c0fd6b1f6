# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The JSON files of a checkpoint, which may be damaged, or of somebody who means no good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from topreward_ros.errors import ModelError, one_line
from topreward_ros.json_files import read_json

CONFIG = 'config.json'
MOST_BYTES = 256 * 2**20  # of a tokenizer; the largest ones have some 30 MB
# Largest values in config.json that can be meant: others would fill the memory, or take for ever
LARGEST = {
    'num_hidden_layers': 1000,
    'depth': 1000,
    'num_attention_heads': 1000,
    'num_key_value_heads': 1000,
    'num_heads': 1000,
    'num_experts': 10_000,
    'patch_size': 1000,
    'spatial_merge_size': 100,
    'temporal_patch_size': 100,
    'head_dim': 10_000,
    'hidden_size': 200_000,
    'out_hidden_size': 200_000,
    'intermediate_size': 1_000_000,
    'moe_intermediate_size': 1_000_000,
    'num_position_embeddings': 10_000_000,
    'vocab_size': 10_000_000,
}


def read_object(file: Path) -> dict[str, Any]:
    """Return the content of a JSON file, an object; raises ModelError that names the file."""
    try:
        content = read_json(file, MOST_BYTES)
    except (OSError, ValueError) as error:
        raise ModelError(f'{file} is damaged: {one_line(error)}') from error
    if not isinstance(content, dict):
        raise ModelError(f'{file} is damaged: it holds no object')
    return content


def read_config(folder: Path) -> dict[str, Any]:
    """Return the content of config.json; ModelError without one, or with an impossible number."""
    file = folder / CONFIG
    if not file.is_file():
        raise ModelError(f'{folder} has no {CONFIG}: expected a model in Hugging Face layout')
    config = read_object(file)
    for name, value in _numbers(config):
        if type(value) is not int or not 1 <= value <= LARGEST[name]:
            raise ModelError(
                f'{file} is damaged: {name} is {value!r:.100}; expected 1 to {LARGEST[name]}'
            )
    return config


def _numbers(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if name in LARGEST:
            yield name, value
        elif isinstance(value, dict):
            yield from _numbers(value)
