# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A policy that gets better by the rewards of a model that looks on; the truth is only reported.

    python -m examples.learning.online FOLDER --rewards robometer true noise --seeds 0 1 2 3 4

In the demo's drawn world or with a simulated arm, after Large Reward Models (arXiv 2603.16065): a
policy is cloned from imperfect demonstrations and refined by PPO (arXiv 1707.06347) on the progress
that a model sees.
"""
