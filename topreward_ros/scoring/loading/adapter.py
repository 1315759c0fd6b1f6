# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""LoRA adapters, merged into the weights when the model is loaded.

Only safetensors files are loaded, as for models. Adapter weights that do not match the model are
an error, since ignoring them would silently score with the base model.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from topreward_ros.errors import ModelError

from .hub import folder_of
from .model_files import read_object

FILE_CONFIG = 'adapter_config.json'
FILE_WEIGHTS = 'adapter_model.safetensors'
FILE_PICKLED = 'adapter_model.bin'


def find_adapter(name: str) -> Path:
    """Return the folder of a LoRA adapter in peft's layout, from a folder or the hub.

    Raises ModelError where peft is not installed, or the adapter does not exist, is of another
    kind, or has weights in a format that can run code.
    """
    if not importlib.util.find_spec('peft'):
        raise ModelError(f"the adapter {name!r} needs peft: pip install 'topreward_ros[lora]'")
    folder = folder_of(name)
    file = folder / FILE_CONFIG
    if not file.is_file():
        raise ModelError(f"{name!r} has no {FILE_CONFIG}: expected a LoRA adapter in peft's layout")
    kind = read_object(file).get('peft_type')
    if kind is None:
        raise ModelError(f'{file} does not describe a peft adapter: it has no peft_type')
    if kind != 'LORA':
        raise ModelError(f'{name!r} is an adapter of the kind {kind}; expected LORA')
    if not (folder / FILE_WEIGHTS).is_file():
        raise ModelError(
            f'{name!r} has no {FILE_WEIGHTS}: save the adapter as safetensors ({FILE_PICKLED} is '
            'not loaded, as it can run code)'
        )
    return folder


def merge_adapter(model: Any, folder: Path) -> Any:
    """Merge the adapter into the weights and return the model, which replaces the one given.

    Raises ModelError where the weights are quantised or the adapter was made for another model.
    """
    import peft

    if getattr(model.config, 'quantization_config', None) is not None:
        raise ModelError(
            f'the adapter {folder} cannot be merged into quantised weights: load a model in full '
            'precision'
        )
    with telling_misfits(folder):
        config = peft.LoraConfig.from_pretrained(str(folder), local_files_only=True)
        config.inference_mode = True
        adapted = peft.get_peft_model(model, config)
        result = adapted.load_adapter(str(folder), 'default', local_files_only=True)
        check_complete(folder, result.unexpected_keys, result.missing_keys)
        check_loaded(adapted, folder, 'default')
        return adapted.merge_and_unload(safe_merge=True)


@contextmanager
def telling_misfits(folder: Path) -> Iterator[None]:
    """Raise ModelError for whatever peft raises because of the adapter in this folder."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:  # peft raises nearly everything
        reason = (str(error).strip() or 'no reason given').splitlines()[:3]
        raise ModelError(
            f'the adapter {folder} does not fit the model, or is damaged; use an adapter that was '
            f'made for it ({type(error).__name__}: {" ".join(map(str.strip, reason))})'
        ) from error


def check_complete(folder: Path, unexpected: Iterable[str], missing: Iterable[str]) -> None:
    """Raise ModelError where adapter weights are missing or do not exist in the model."""
    own = ('lora_', 'modules_to_save')
    mismatched = [*unexpected, *(key for key in missing if any(name in key for name in own))]
    if mismatched:
        raise ModelError(
            f'{len(mismatched)} weights of the adapter {folder} do not fit the model, '
            f'{mismatched[0]} among them: it was made for another one'
        )


def check_loaded(adapted: Any, folder: Path, name: str) -> None:
    """Raise ModelError unless every weight of an adapter of peft's model is that of its file.

    What peft reports does not tell: it passes over whole modules that the file lacks, and loading
    into a weight that is not materialised, as of a model that was dispatched, does nothing.
    """
    import peft
    import torch
    from safetensors import safe_open

    own = peft.get_peft_model_state_dict(adapted, adapter_name=name, save_embedding_layers=False)
    content: Any
    with safe_open(folder / FILE_WEIGHTS, 'pt') as content:
        names = set(content.keys())
        lost = [key for key in own if key not in names]
        if lost:
            raise ModelError(
                f'the adapter {folder} lacks {len(lost)} of its weights, {lost[0]} among them: the '
                'copy is incomplete, or was made for another model'
            )

        def is_loaded(key: str, value: torch.Tensor) -> bool:
            if value.is_meta:
                return False
            expected = content.get_tensor(key).to(value.device, value.dtype)
            return bool(torch.allclose(value, expected, rtol=0, atol=0, equal_nan=True))

        unloaded = [key for key, value in own.items() if not is_loaded(key, value)]
    if unloaded or not own:
        raise ModelError(
            f'{len(unloaded) or "all"} weights of the adapter {folder} were not loaded'
            f'{f", {unloaded[0]} among them" if unloaded else ""}: load the model with device cpu, '
            'or merge the adapter into it beforehand'
        )
