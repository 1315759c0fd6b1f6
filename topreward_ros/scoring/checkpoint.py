# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Loading a vision-language model: from a folder or the hub, safetensors only, no remote code."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .adapter import find_adapter, merged
from .errors import ModelError
from .hub import folder_of
from .prompt import PromptTokens
from .video import CLIP_FRAMES, DEFAULT_MAX_PIXELS, Geometry

DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}
QUANTIZATIONS = ('none', '8bit', '4bit')
STREAMING_FAMILIES = ('qwen3_vl', 'qwen3_vl_moe')


@dataclass(frozen=True)
class LoadOptions:
    """How to load a model; ValueError for a value that is none of the choices.

    device: "auto" or what torch calls it; dtype: "auto" (bfloat16 on a GPU that has it, else
    float32) or a name in DTYPES; attention: the implementation's name in transformers;
    quantization: one of QUANTIZATIONS, through bitsandbytes; adapter: folder or hub id of a LoRA
    adapter that is merged into the weights, which are then not quantised.
    """

    device: str = 'auto'
    dtype: str = 'auto'
    attention: str = 'sdpa'
    quantization: str = 'none'
    adapter: str | None = None

    def __post_init__(self) -> None:
        if self.dtype not in ('auto', *DTYPES):
            raise ValueError(
                f'dtype is {self.dtype!r}; expected auto or one of {", ".join(DTYPES)}'
            )
        if self.quantization not in QUANTIZATIONS:
            raise ValueError(
                f'quantization is {self.quantization!r}; expected one of {", ".join(QUANTIZATIONS)}'
            )
        if self.adapter is not None and self.quantization != 'none':
            raise ValueError(
                f'the adapter {self.adapter!r} cannot be merged into weights in '
                f'{self.quantization}: use quantization none, or a model it is merged into already'
            )

    def torch_device(self) -> torch.device:
        """The device; ModelError where it is not there."""
        if self.device == 'auto':
            return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
        try:
            device = torch.device(self.device)
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise ModelError(
                f'device {self.device!r} cannot be used here ({reason}); use "auto" or "cpu", or '
                'install a build of torch for this device'
            ) from error
        return device

    def torch_dtype(self, device: torch.device) -> torch.dtype:
        if self.dtype != 'auto':
            return DTYPES[self.dtype]
        if device.type == 'cuda' and torch.cuda.is_bf16_supported():
            return torch.bfloat16
        return torch.float32


@dataclass(frozen=True)
class Checkpoint:
    """A loaded model with the folder its files are in."""

    name: str
    folder: Path
    model: Any
    seconds: float
    adapter: str | None = None

    @property
    def family(self) -> str:
        return str(self.model.config.model_type)

    @property
    def streams(self) -> bool:
        """Whether StreamingScorer can score with it."""
        return self.family in STREAMING_FAMILIES

    @property
    def is_plain(self) -> bool:
        """Whether the weights are as they are computed with, none quantised."""
        return getattr(self.model.config, 'quantization_config', None) is None

    @property
    def bytes(self) -> int:
        """Memory of the weights."""
        tensors = (*self.model.parameters(), *self.model.buffers())
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def summary(self) -> str:
        weights = next(self.model.parameters())
        name = self.name if self.adapter is None else f'{self.name} with adapter {self.adapter}'
        return (
            f'{name}: {self.bytes / 2**30:.2f} GiB of weights on {weights.device} as '
            f'{str(weights.dtype).removeprefix("torch.")}, loaded in {self.seconds:.1f} s'
        )

    def qwen3_vl(self) -> Any:
        """The model, where it is a Qwen3-VL; else ModelError."""
        if not self.streams:
            raise ModelError(
                f'{self.name} is a {self.family}; streaming needs one of '
                f'{", ".join(STREAMING_FAMILIES)}. Set scorer to "recompute" for other families'
            )
        return self.model

    def prompt_tokens(self) -> PromptTokens:
        return PromptTokens(self.folder / 'tokenizer.json')

    def geometry(self, max_pixels: int = DEFAULT_MAX_PIXELS) -> Geometry:
        vision: Any = getattr(self.model.config, 'vision_config', None)
        if getattr(vision, 'temporal_patch_size', None) != 2:
            raise ModelError(
                f'{self.name} is a {self.family}, which does not read a video in pairs of frames; '
                f'expected one of {", ".join(STREAMING_FAMILIES)}, or of the kind of qwen2_5_vl'
            )
        norm = _normalization(self.folder)
        # One that was made for smaller frames than the published models is not given larger ones.
        own = _pixels_per_clip(self.folder) // CLIP_FRAMES
        max_pixels = min(max_pixels, own) if own < DEFAULT_MAX_PIXELS else max_pixels
        return Geometry(vision.patch_size, vision.spatial_merge_size, *norm, max_pixels)


def load_checkpoint(name: str, options: LoadOptions | None = None) -> Checkpoint:
    """Load a model from a folder, or from the hub by its id.

    Raises ModelError with what to do where it is not there, lacks files or weights, is of an
    unknown kind, or the device, the quantization, the attention or the adapter cannot be had.
    """
    options = options or LoadOptions()
    began = time.monotonic()
    device = options.torch_device()
    adapter = None if options.adapter is None else find_adapter(options.adapter)
    folder = folder_of(name)
    _check_files(folder)
    model = _load(folder, options, device)
    if adapter is not None:
        model = merged(model, adapter)
    model = model.eval().requires_grad_(False)
    return Checkpoint(name, folder, model, time.monotonic() - began, options.adapter)


def _check_files(folder: Path) -> None:
    for file in ('config.json', 'tokenizer.json'):
        if not (folder / file).is_file():
            raise ModelError(f'{folder} has no {file}: expected a model in Hugging Face layout')
    if not any(folder.glob('*.safetensors')):
        raise ModelError(
            f'{folder} has no weights: expected *.safetensors (other formats are not loaded, as '
            'they can run code)'
        )


def _load(folder: Path, options: LoadOptions, device: torch.device) -> Any:
    from transformers import AutoModelForImageTextToText
    from transformers.utils import logging

    if not sys.stderr.isatty():  # a node's log is no place for a progress bar
        logging.disable_progress_bar()
    placement = _placement(device) | _quantization(options.quantization, device)
    try:
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=options.torch_dtype(device),
            attn_implementation=options.attention,
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            **placement,
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
    if info['missing_keys']:  # transformers would go on with random numbers in their place
        missing = sorted(info['missing_keys'])
        raise ModelError(
            f'{folder} lacks {len(missing)} of the weights, {missing[0]} among them: the copy is '
            'incomplete or belongs to another model'
        )
    return model


def _placement(device: torch.device) -> dict[str, Any]:
    """Load straight to the device where accelerate is there: else through the host's memory."""
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

    # The vision tower is small and sensitive, and the output matrix is what a score is read from.
    config = BitsAndBytesConfig(
        load_in_8bit=kind == '8bit',
        load_in_4bit=kind == '4bit',
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=['visual', 'model.visual', 'lm_head'],  # transformers 4.x, 5.x
    )
    return {'device_map': {'': device}, 'quantization_config': config}


def _normalization(folder: Path) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and deviation of pixels from the processor's configuration; Qwen3-VL's by default."""
    for name in ('video_preprocessor_config.json', 'preprocessor_config.json'):
        if (folder / name).is_file():
            config = json.loads((folder / name).read_text(encoding='utf-8'))
            if 'image_mean' in config and 'image_std' in config:
                mean, std = config['image_mean'], config['image_std']
                return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])
    return (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


def _pixels_per_clip(folder: Path) -> int:
    """What the processor's configuration allows a whole clip [px]; Qwen3-VL's by default."""
    default = DEFAULT_MAX_PIXELS * CLIP_FRAMES
    file = folder / 'video_preprocessor_config.json'
    if not file.is_file():
        return default
    size = json.loads(file.read_text(encoding='utf-8')).get('size') or {}
    return int(size.get('longest_edge') or default)


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f'{type(error).__name__}: {lines[0] if lines else "no reason given"}'
