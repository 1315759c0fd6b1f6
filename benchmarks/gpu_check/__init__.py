# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that can be known of this package on one GPU, in under eight minutes.

python -m benchmarks.gpu_check --save results

Random weights of the published shape serve all checks, most important first. Each check has its own
limit, and each result is a line of results.jsonl the moment it is there. Needs no ROS, no network
and no weights. In small form on a CPU:

python -m benchmarks.gpu_check --device cpu --shape tiny --size 64x64
"""
