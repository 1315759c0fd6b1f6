# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""LoRA adapters: merged into the weights, so that the model is run as any other.

Files are safetensors only, as a model's are. Whatever of an adapter finds no place in the model
is an error: left out, the score would silently be the bare model's.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from topreward_ros.errors import ModelError

from .hub import folder_of

CONFIG = 'adapter_config.json'
WEIGHTS = 'adapter_model.safetensors'
PICKLED = 'adapter_model.bin'


def find_adapter(name: str) -> Path:
    """The folder of a LoRA adapter in peft's layout, from a folder or the hub.

    Raises ModelError where peft is not installed, the adapter is not there, is of another kind or
    has weights in a format that can run code.
    """
    if not importlib.util.find_spec('peft'):
        raise ModelError(f"the adapter {name!r} needs peft: pip install 'topreward_ros[lora]'")
    folder = folder_of(name)
    file = folder / CONFIG
    if not file.is_file():
        raise ModelError(f'{name!r} has no {CONFIG}: expected a LoRA adapter in the layout of peft')
    try:
        config = json.loads(file.read_text(encoding='utf-8'))
        kind = config['peft_type']
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f'{file} does not describe an adapter of peft: {error!r}') from error
    if kind != 'LORA':
        raise ModelError(f'{name!r} is an adapter of the kind {kind}; expected LORA')
    if not (folder / WEIGHTS).is_file():
        raise ModelError(
            f'{name!r} has no {WEIGHTS}: save the adapter as safetensors ({PICKLED} is not loaded, '
            'as it can run code)'
        )
    return folder


def merged(model: Any, folder: Path) -> Any:
    """The model with the adapter in its weights; the model that is given is used up.

    Raises ModelError where the weights are quantised or the adapter was made for another model.
    """
    import peft

    if getattr(model.config, 'quantization_config', None) is not None:
        raise ModelError(
            f'the adapter {folder} cannot be merged into quantised weights: load a model in full '
            'precision'
        )
    try:
        config = peft.LoraConfig.from_pretrained(str(folder), local_files_only=True)
        config.inference_mode = True
        adapted = peft.get_peft_model(model, config)
        result = adapted.load_adapter(str(folder), 'default', local_files_only=True)
        _check_placed(folder, result)
        return adapted.merge_and_unload(safe_merge=True)
    except ModelError:
        raise
    except Exception as error:  # peft raises nearly everything
        reason = (str(error).strip() or 'no reason given').splitlines()[:3]
        raise ModelError(
            f'the adapter {folder} does not fit the model, or is damaged; it has to be made for '
            f'this very one ({type(error).__name__}: {" ".join(map(str.strip, reason))})'
        ) from error


def _check_placed(folder: Path, result: Any) -> None:
    """ModelError where weights of the adapter found no place, or places found no weights."""
    own = ('lora_', 'modules_to_save')
    missing = [key for key in result.missing_keys if any(name in key for name in own)]
    left = [*result.unexpected_keys, *missing]
    if left:
        raise ModelError(
            f'{len(left)} weights of the adapter {folder} do not fit the model, {left[0]} among '
            'them: it was made for another one'
        )
