# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the arms' model says of a few held-out episodes of both arms.

tools/demo_models/evaluate_arms.py evaluates it on many more.
"""

from __future__ import annotations

import pytest

from examples.arm_sim.installed import SimulatorError, check_installed

try:
    check_installed()
except SimulatorError as _error:
    pytest.skip(str(_error), allow_module_level=True)

from tools.demo_models.evaluate_arms import ArmEvaluation
from topreward_ros.demo.model import FOLDER_ARMS
from topreward_ros.reward.metrics import value_order_correlation
from topreward_ros.scoring.families import load_scorer

SEED = 90_000  # of neither the training nor the card


@pytest.mark.slow
@pytest.mark.parametrize('arm', ['so101', 'panda'])
def test_it_sees_what_was_done(arm: str) -> None:
    evaluation = ArmEvaluation(arm, load_scorer(str(FOLDER_ARMS)))
    try:
        done = [evaluation.attempt('success', SEED + k) for k in range(2)]
        failed = [
            evaluation.attempt(kind, SEED + 10)
            for kind in ('short', 'dropped', 'wrong_object', 'wrong_target', 'still')
        ]
        assert all(each.is_done for each in done) and not any(each.is_done for each in failed)
        for each in done:
            assert value_order_correlation(each.values) > 0.9
            assert abs(each.values - each.truth).mean() < 0.08
        for each in (*done, *failed):
            assert each.is_judged_rightly
        assert max(each.final for each in failed) < min(each.final for each in done)
        assert max(each.final for each in failed[2:]) < 0.3
        assert evaluation.still(SEED) < 0.05
    finally:
        evaluation.close()
