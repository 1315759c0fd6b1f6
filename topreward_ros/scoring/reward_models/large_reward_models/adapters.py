# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The authors' three LoRA adapters on one model, switched from question to question.

A folder each: completion, progress (for the process question) and contrastive. They are not merged,
as that would take three models. Each changes layers of the language model, and may bring a vision
tower of its own; those without one share the model's, and what it has encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from topreward_ros.errors import ModelError

from ...engine.chat_model import ChatModel
from ...engine.chat_prompt import Image, Part
from ...engine.geometry import geometry_of
from ...engine.kept_turn import KeptTurn
from ...engine.prompt import Segment
from ...engine.qwen3_vl import Engine, engine_of
from ...loading.adapter import (
    FILE_CONFIG,
    check_complete,
    check_loaded,
    find_adapter,
    telling_misfits,
)
from ...loading.checkpoint import Checkpoint, load_checkpoint, torch_device, torch_dtype
from ...loading.hub import folder_of
from ...loading.options import LoadOptions
from ...loading.weight_names import weight_names
from .recompute import RecomputedChatModel
from .rewards import QuestionModels

COMPLETION, PROGRESS, CONTRASTIVE = NAMES = ('completion', 'progress', 'contrastive')
VISION = 'visual'  # name of the vision tower among what an adapter may bring as a whole
LAYERS = '.language_model.layers.'


class AdaptedChatModel(ChatModel):
    """A model that takes on an adapter before it answers."""

    def __init__(self, checkpoint: Checkpoint, engine: Engine, adopt: Callable[[], None]) -> None:
        super().__init__(checkpoint, engine)
        self._adopt = adopt

    def encode(self, image: torch.Tensor) -> Image:
        self._adopt()
        return super().encode(image)

    def _log_probs(
        self, turn: list[Segment], answers: list[list[int]], kept: KeptTurn | None
    ) -> list[float]:
        self._adopt()
        return super()._log_probs(turn, answers, kept)

    def generate(self, parts: Sequence[Part], limit: int) -> str:
        self._adopt()
        return super().generate(parts, limit)


class AdaptedRecompute(AdaptedChatModel, RecomputedChatModel):
    """The same through transformers' own forward."""


def has_several(adapter: str) -> bool:
    """Whether a folder or hub id holds adapters in folders of their own."""
    folder = folder_of(adapter)
    return not (folder / FILE_CONFIG).is_file() and any(folder.glob(f'*/{FILE_CONFIG}'))


def load_adapted(options: LoadOptions) -> QuestionModels:
    """Load a model with an adapter for each question; ModelError as `load_checkpoint`."""
    assert options.adapter is not None
    if options.dtype == 'float8':
        raise ModelError('several adapters cannot be used in float8: choose another dtype')
    folders = {name: _find(folder_of(options.adapter), name) for name in NAMES}
    device = torch_device(options.device)
    dtype = str(torch_dtype(options.dtype, device)).removeprefix('torch.')
    # Placed on a device at once, a model was seen to stay without an adapter's weights: the
    # authors' note in vlm_reward_server.py.
    plain = load_checkpoint(replace(options, adapter=None, device='cpu', dtype=dtype))
    engine_of(plain)  # its family is one that can be run
    adapted = _attach(plain.model, folders)
    model = adapted.get_base_model().to(device).eval().requires_grad_(False)
    checkpoint = replace(plain, options=options, model=model)
    geometry, visual = geometry_of(checkpoint), model.model.visual
    own = getattr(visual, 'modules_to_save', {})
    shared = Engine(model, geometry, getattr(visual, 'original_module', visual))

    kind = AdaptedRecompute if options.scorer == 'recompute' else AdaptedChatModel

    def question_model(name: str) -> ChatModel:
        engine = Engine(model, geometry, own[name]) if name in own else shared
        return kind(checkpoint, engine, lambda: _adopt(adapted, name))

    completion, progress, contrastive = map(question_model, NAMES)
    return QuestionModels(completion, process=progress, contrast=contrastive)


def _find(root: Path, name: str) -> Path:
    """Return an adapter's folder; ModelError where it changes what cannot be switched."""
    if not (root / name).is_dir():
        raise ModelError(f'{root} has no folder {name}: expected {", ".join(NAMES)}')
    folder = find_adapter(str(root / name))
    for _, key in weight_names(folder):
        if not (LAYERS in key if 'lora_' in key else f'.{VISION}.' in key):
            raise ModelError(
                f'{folder} changes {key}; expected LoRA weights of the language model, or a '
                'vision tower as a whole'
            )
    return folder


def _attach(model: Any, folders: dict[str, Path]) -> Any:
    """Return peft's model with all adapters, none of them merged."""
    import peft

    adapted: Any = None
    for name in (PROGRESS, COMPLETION, CONTRASTIVE):  # wrappers of the vision tower come first
        folder = folders[name]
        with telling_misfits(folder):
            config = peft.LoraConfig.from_pretrained(str(folder), local_files_only=True)
            config.inference_mode = True
            if VISION in (config.modules_to_save or ()):
                config.modules_to_save = [VISION]  # modules inside of it are named beside it
            if adapted is None:
                adapted = peft.get_peft_model(model, config, name, autocast_adapter_dtype=False)
            else:
                adapted.add_adapter(name, config, autocast_adapter_dtype=False)
            result = adapted.load_adapter(
                str(folder), name, local_files_only=True, autocast_adapter_dtype=False
            )
            missing = [key for key in result.missing_keys if f'.{name}.' in key]
            # of modules inside the vision tower, which is complete where nothing is missing
            again = [key for key in result.unexpected_keys if f'.{VISION}.' in key and not missing]
            unexpected = [key for key in result.unexpected_keys if key not in again]
            check_complete(folder, unexpected, missing)
            check_loaded(adapted, folder, name)
    return adapted


def _adopt(adapted: Any, name: str) -> None:
    if adapted.active_adapter != name:
        adapted.set_adapter(name)
