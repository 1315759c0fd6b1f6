# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scorer of each model family, imported when it is needed.

A family is the `model_type` in a checkpoint's config.json, or the name of a scorer without a
checkpoint. To add one, register a callable, or the text "module:callable", that takes LoadOptions
and returns a `Scorer`:

    FAMILIES['my_family'] = 'my_package.scoring:make_scorer'
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from pathlib import Path

from topreward_ros.errors import ModelError, TopRewardError, one_line

from .loading.hub import folder_of
from .loading.model_files import CONFIG, read_config
from .loading.options import LoadOptions
from .loading.weight_names import is_robometer
from .score import Scorer

LOGGER = logging.getLogger(__name__)
MakeScorer = Callable[[LoadOptions], Scorer]

ROOM = 'topreward_ros.scoring.reward_models'
MAKER_TOPREWARD = f'{ROOM}.topreward.scorers:make_scorer'
MAKER_PROCESSOR = 'topreward_ros.scoring.other_models.processor_model:make_scorer'

FAMILIES: dict[str, str | MakeScorer] = {
    'qwen3_vl': MAKER_TOPREWARD,
    'qwen3_vl_moe': MAKER_TOPREWARD,
    'qwen2_vl': MAKER_PROCESSOR,
    'qwen2_5_vl': MAKER_PROCESSOR,
}

# What a checkpoint of a Qwen3-VL is asked, or which heads it is read by
REWARD_MODELS: dict[str, str | MakeScorer] = {
    'topreward': MAKER_TOPREWARD,
    'robometer': f'{ROOM}.robometer.scorers:make_scorer',
    'roboreward': f'{ROOM}.roboreward.scorers:make_scorer',
    'large_reward_model': f'{ROOM}.large_reward_models.scorers:make_scorer',
}


def load_scorer(options: LoadOptions | str) -> Scorer:
    """Load a model, by name or with options, and return its scorer.

    Raises ModelError, with what to do, for a model that cannot be found or loaded with the options.
    """
    if isinstance(options, str):
        options = LoadOptions(options)
    make = maker_of(options)
    try:
        return make(options)
    except TopRewardError:
        raise
    except Exception as error:  # a configuration that nobody can have meant
        LOGGER.debug('a model could not be loaded', exc_info=True)
        raise ModelError(
            f'{options.model} could not be loaded: its files do not fit each other, or are damaged '
            f'({one_line(error)})'
        ) from error


def maker_of(options: LoadOptions) -> MakeScorer:
    """Return the callable that makes the scorer of a model, by its name or its config.json."""
    if options.model in FAMILIES and not Path(options.model).exists():
        return _resolve(FAMILIES[options.model])
    folder = folder_of(options.model)
    kind = _kind_of(options, folder) if options.reward_model == 'auto' else options.reward_model
    if kind not in ('', 'topreward'):
        return _resolve(REWARD_MODELS[kind])
    family = _family_of(folder)
    # Unknown families are tried with their own processor, which reports why if it cannot.
    return _resolve(FAMILIES.get(family, MAKER_PROCESSOR))


def _kind_of(options: LoadOptions, folder: Path) -> str:
    """Return the reward model that a checkpoint was trained as; empty for a stock one.

    Robometer tells by its heads; RoboReward has the files of a stock model, and tells by its name.
    """
    if is_robometer(folder):
        return 'robometer'
    return 'roboreward' if 'roboreward' in options.model.lower() else ''


def _family_of(folder: Path) -> str:
    config = read_config(folder)
    family = config.get('model_type')
    if not isinstance(family, str):
        raise ModelError(f'{folder / CONFIG} has no valid model_type: it is {family!r:.100}')
    return family


def _resolve(maker: str | MakeScorer) -> MakeScorer:
    if not isinstance(maker, str):
        return maker
    module, _, name = maker.partition(':')
    make_scorer: MakeScorer = getattr(importlib.import_module(module), name)
    return make_scorer
