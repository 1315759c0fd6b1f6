# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Processors of the reward model `topreward_ros`; LeRobot finds the function by its name."""

from __future__ import annotations

from typing import Any

from lerobot.processor import (
    AddBatchDimensionProcessorStep,
    PolicyAction,
    PolicyProcessorPipeline,
    policy_action_to_transition,
    transition_to_policy_action,
)
from lerobot.utils.constants import (
    POLICY_POSTPROCESSOR_DEFAULT_NAME,
    POLICY_PREPROCESSOR_DEFAULT_NAME,
)

from .configuration_topreward_ros import TopRewardRosConfig


def make_topreward_ros_pre_post_processors(
    config: TopRewardRosConfig, dataset_stats: dict[str, dict[str, Any]] | None = None
) -> tuple[
    PolicyProcessorPipeline[dict[str, Any], dict[str, Any]],
    PolicyProcessorPipeline[PolicyAction, PolicyAction],
]:
    """Return a preprocessor, which makes a batch of a single sample, and an empty postprocessor.

    Pictures stay as and where they are: the engine fits them on the CPU, as Pillow does, and moves
    what it needs. Statistics of the dataset are not used.
    """
    preprocessor = PolicyProcessorPipeline[dict[str, Any], dict[str, Any]](
        steps=[AddBatchDimensionProcessorStep()], name=POLICY_PREPROCESSOR_DEFAULT_NAME
    )
    postprocessor = PolicyProcessorPipeline[PolicyAction, PolicyAction](
        steps=[],
        name=POLICY_POSTPROCESSOR_DEFAULT_NAME,
        to_transition=policy_action_to_transition,
        to_output=transition_to_policy_action,
    )
    return preprocessor, postprocessor
