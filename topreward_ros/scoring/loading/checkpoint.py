# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Loads vision-language models from a folder or the hub: safetensors only, no remote code."""

from __future__ import annotations

import importlib.util
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from topreward_ros.errors import ModelError

from .adapter import find_adapter, merge_adapter
from .float8 import check_float8, use_float8
from .hub import folder_of
from .model_files import read_config
from .options import LoadOptions

NUMBERED = re.compile(r'\.\d+\.')  # a layer, block or merger of several
TORCH_DTYPES = {
    'float32': torch.float32,
    'bfloat16': torch.bfloat16,
    'float16': torch.float16,
    'float8': torch.bfloat16,  # of what stays beside it
}


@dataclass(frozen=True)
class Checkpoint:
    """A loaded model, with its folder, its options and the time [s] that loading took."""

    options: LoadOptions
    folder: Path
    model: Any
    seconds: float

    @property
    def name(self) -> str:
        """The model's name as given, with its adapter."""
        adapter = self.options.adapter
        return self.options.model + (f' with adapter {adapter}' if adapter else '')

    @property
    def family(self) -> str:
        """The `model_type` of its configuration."""
        return str(self.model.config.model_type)

    @property
    def is_plain(self) -> bool:
        """Whether the weights are not quantised."""
        return getattr(self.model.config, 'quantization_config', None) is None

    @property
    def weights(self) -> str:
        """The number format of the weights."""
        dtype = str(next(self.model.parameters()).dtype).removeprefix('torch.')
        if self.options.dtype == 'float8':
            return f'float8 beside {dtype}'
        return dtype if self.is_plain else f'quantised beside {dtype}'

    @property
    def bytes(self) -> int:
        """Memory of parameters and buffers."""
        tensors = (*self.model.parameters(), *self.model.buffers())
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def summary(self) -> str:
        """Describe the weights: name, size, device, dtype and loading time."""
        weights = next(self.model.parameters())
        return (
            f'{self.name}: {self.bytes / 2**30:.2f} GiB of weights on {weights.device} as '
            f'{self.weights}, loaded in {self.seconds:.1f} s'
        )


@dataclass(frozen=True)
class WeightForm:
    """How the weights of a folder differ from those that transformers saves.

    config: the model's configuration, None where config.json is; renamed: patterns of names, and
    what replaces them; elsewhere: beginnings of the names of weights that are read elsewhere;
    unused: of those that may be missing; has_tokenizer: whether a tokenizer must lie beside them.
    """

    config: Any = None
    renamed: Mapping[str, str] = field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    has_tokenizer: bool = True


def load_checkpoint(options: LoadOptions | str, form: WeightForm | None = None) -> Checkpoint:
    """Load a model, by name or with options, from a folder or from the hub by its id.

    Raises ModelError, with what to do, where the model does not exist, lacks files or weights or
    is of an unknown kind, or the device, quantization, attention or adapter is not available.
    """
    if isinstance(options, str):
        options = LoadOptions(options)
    start, form = time.monotonic(), form or WeightForm()
    device = torch_device(options.device)
    adapter = None if options.adapter is None else find_adapter(options.adapter)
    folder = folder_of(options.model)
    _check_files(folder, form)
    if options.dtype == 'float8':
        check_float8(device)
    model = _load(folder, options, device, form)
    if adapter is not None:
        model = merge_adapter(model, adapter)
    if options.dtype == 'float8':
        use_float8(model)
    model = model.eval().requires_grad_(False)
    return Checkpoint(options, folder, model, time.monotonic() - start)


def torch_device(name: str) -> torch.device:
    """Return the device of this name ("auto": a GPU if available); ModelError if unusable."""
    if name == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f'device {name!r} cannot be used here ({reason}); use "auto" or "cpu", or '
            'install a build of torch that supports it'
        ) from error
    return device


def torch_dtype(name: str, device: torch.device) -> torch.dtype:
    """Return the dtype of this name; "auto" is bfloat16 on a GPU that supports it, else float32."""
    if name != 'auto':
        return TORCH_DTYPES[name]
    if device.type == 'cuda' and torch.cuda.is_bf16_supported():
        return torch.bfloat16
    return torch.float32


def _check_files(folder: Path, form: WeightForm) -> None:
    read_config(folder)
    if form.has_tokenizer and not (folder / 'tokenizer.json').is_file():
        raise ModelError(f'{folder} has no tokenizer.json: expected a model in Hugging Face layout')
    if not any(folder.glob('*.safetensors')):
        raise ModelError(
            f'{folder} has no weights: expected *.safetensors (other formats are not loaded, as '
            'they can run code)'
        )


def _load(folder: Path, options: LoadOptions, device: torch.device, form: WeightForm) -> Any:
    from transformers import AutoModelForImageTextToText
    from transformers.utils import logging

    if not sys.stderr.isatty():  # no progress bar in the log of a node
        logging.disable_progress_bar()
    logging.set_verbosity_error()  # what does not fit is told below, in one line
    placement = _placement(device) | _quantization(options.quantization, device)
    own = {'config': form.config} if form.config is not None else {}
    own |= {'key_mapping': dict(form.renamed)} if form.renamed else {}
    try:
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=torch_dtype(options.dtype, device),
            attn_implementation=options.attention,
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            **placement,
            **own,
        )
        model, info = loaded
        if not placement:
            model = model.to(device)
    except torch.cuda.OutOfMemoryError as error:
        raise ModelError(
            f'{folder} does not fit into the memory of {device}: choose a smaller model, or '
            'quantization 8bit or 4bit'
        ) from error
    except Exception as error:  # transformers and safetensors raise nearly everything
        raise ModelError(f'{folder} could not be loaded: {_reason(error)}') from error
    _check_names(folder, info, form)
    return model


def _check_names(folder: Path, info: Mapping[str, Any], form: WeightForm) -> None:
    """Raise ModelError for weights that are missing, or have no place in the model."""
    missing = sorted(key for key in info['missing_keys'] if not key.startswith(form.unused))
    if missing:  # transformers initialises these at random
        raise ModelError(
            f'{folder} lacks {len(missing)} of the weights, {missing[0]} among them: the copy is '
            'incomplete or belongs to another model'
        )
    misfits = sorted(
        key
        for key in info['unexpected_keys']
        if NUMBERED.search(key) and not key.startswith(form.elsewhere)
    )
    if misfits:
        raise ModelError(
            f'{folder} has weights of {misfits[0]} and {len(misfits) - 1} others that its '
            'config.json has no place for: they belong to another model'
        )


def _placement(device: torch.device) -> dict[str, Any]:
    """Load directly to the device if accelerate is installed, else through the host's memory."""
    if device.type != 'cpu' and importlib.util.find_spec('accelerate'):
        return {'device_map': {'': device}}
    return {}


def _quantization(kind: str, device: torch.device) -> dict[str, Any]:
    if kind == 'none':
        return {}
    if not importlib.util.find_spec('bitsandbytes') or not importlib.util.find_spec('accelerate'):
        raise ModelError(
            f'quantization {kind} needs bitsandbytes and accelerate: '
            "pip install 'topreward_ros[quantized]'"
        )
    if device.type != 'cuda':
        raise ModelError(f'quantization {kind} needs a CUDA device, not {device}')
    from transformers import BitsAndBytesConfig

    # The vision tower is small and sensitive, and scores are read from the output matrix.
    config = BitsAndBytesConfig(
        load_in_8bit=kind == '8bit',
        load_in_4bit=kind == '4bit',
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=['visual', 'model.visual', 'lm_head'],  # transformers 4.x, 5.x
    )
    return {'device_map': {'': device}, 'quantization_config': config}


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f'{type(error).__name__}: {lines[0] if lines else "no reason given"}'
