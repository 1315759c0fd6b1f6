# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which scorer a model gets: one line per family, imported when it is needed.

A family is what a checkpoint's config.json calls `model_type`, or the name of a scorer that is no
checkpoint. To add one, register a callable, or the text "module:callable", that takes LoadOptions
and returns a `Scorer`:

    FAMILIES['my_family'] = 'my_package.scoring:make_scorer'
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path

from topreward_ros.errors import ModelError

from .loading.hub import folder_of
from .loading.options import LoadOptions
from .score import Scorer

MakeScorer = Callable[[LoadOptions], Scorer]

TOPREWARD = 'topreward_ros.scoring.reward_models.topreward.scorers:make_scorer'
THROUGH_PROCESSOR = 'topreward_ros.scoring.other_models.processor_model:make_scorer'

FAMILIES: dict[str, str | MakeScorer] = {
    'qwen3_vl': TOPREWARD,
    'qwen3_vl_moe': TOPREWARD,
    'qwen2_vl': THROUGH_PROCESSOR,
    'qwen2_5_vl': THROUGH_PROCESSOR,
}


def load_scorer(options: LoadOptions | str) -> Scorer:
    """Load a model and return its scorer; a text is the model's name, with default options.

    Raises ModelError, with what to do, for a model that cannot be found or loaded as asked.
    """
    if isinstance(options, str):
        options = LoadOptions(options)
    return maker_of(options)(options)


def maker_of(options: LoadOptions) -> MakeScorer:
    """Return what makes the scorer of this model, from its name or its config.json."""
    if options.model in FAMILIES and not Path(options.model).exists():
        return _resolve(FAMILIES[options.model])
    family = _family_of(folder_of(options.model))
    # Unknown families may still be read by their own processor, which says why if not.
    return _resolve(FAMILIES.get(family, THROUGH_PROCESSOR))


def _family_of(folder: Path) -> str:
    file = folder / 'config.json'
    if not file.is_file():
        raise ModelError(f'{folder} has no config.json: expected a model in Hugging Face layout')
    try:
        return str(json.loads(file.read_text(encoding='utf-8'))['model_type'])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f'{file} does not say a model_type: {error!r}') from error


def _resolve(maker: str | MakeScorer) -> MakeScorer:
    if not isinstance(maker, str):
        return maker
    module, _, name = maker.partition(':')
    found: MakeScorer = getattr(importlib.import_module(module), name)
    return found
