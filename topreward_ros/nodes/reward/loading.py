# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Loading of the reward node's models, whether they fit its settings, and what is told of them."""

from __future__ import annotations

from topreward_ros.errors import ModelError, TopRewardError
from topreward_ros.results.calibration_file import check_calibration
from topreward_ros.reward.calibration import Calibration
from topreward_ros.scoring.loading.memory import freeze_garbage_collection, memory_in_use
from topreward_ros.scoring.score import Identity, Scorer

from .scoring_worker import WORKER
from .settings import RewardSettings


def load_fitting_scorer(settings: RewardSettings, calibration: Calibration | None) -> Scorer:
    """Load a scorer and warm it up, in the worker's thread.

    Raises as `check_success` and `check_calibration`.
    """
    scorer = WORKER.scorer(settings.load_options)
    check_success(settings, scorer, calibration)
    _warm_up(scorer, settings)
    if calibration is not None:
        check_settings(settings, calibration, scorer.identity)
    return scorer


def load_second_scorer(settings: RewardSettings) -> Scorer:
    """Load the second model's scorer and warm it up, in the worker's thread.

    Raises ModelError, which names the parameter.
    """
    try:
        scorer = WORKER.scorer(settings.second_load_options)
    except TopRewardError as error:
        raise ModelError(f'second_opinion: {error}') from error
    _warm_up(scorer, settings)
    return scorer


def _warm_up(scorer: Scorer, settings: RewardSettings) -> None:
    if settings.warm_up:
        width, height = settings.warm_up
        scorer.warm_up(height, width, settings.max_frames)
    freeze_garbage_collection()


def check_settings(
    settings: RewardSettings, calibration: Calibration, identity: Identity | None = None
) -> None:
    """Raise as `check_calibration` for these settings."""
    history = settings.sampling.history_name
    check_calibration(calibration, settings.fps, identity, settings.calibration, history)


def check_success(
    settings: RewardSettings, scorer: Scorer, calibration: Calibration | None
) -> None:
    """Raise ValueError for a threshold of success that this scorer has no evidence for."""
    if not scorer.tells_success:
        settings.reward.check_success(scorer.reward_model, calibration)


def describe(scorer: Scorer) -> str:
    return f'{scorer.summary}, scored by {type(scorer).__name__}: {scorer.mode}'


def memory() -> str:
    used, place = memory_in_use()
    return f'{used / 2**20:.0f} MiB {place}'


def footprint(scorer: Scorer) -> str:
    """Return the memory that a scorer holds, in words."""
    return 'unknown' if scorer.footprint is None else str(scorer.footprint)
