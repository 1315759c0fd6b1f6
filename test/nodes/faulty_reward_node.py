# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The real reward node with a model that is slow or fails: FAULTS names how, as JSON.

load_seconds and score_seconds are waited before loading and scoring; load_error is raised instead
of loading, and score_error at the score of that number.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from topreward_ros.nodes.reward import node as reward_node
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingEpisode

FAULTS: dict[str, Any] = json.loads(os.environ['FAULTS'])


def main() -> int:
    load_fitting_scorer = reward_node.load_fitting_scorer
    scores = StreamingEpisode.scores
    made = 0

    def faulty_load(settings: Any, calibration: Any) -> Any:
        time.sleep(FAULTS.get('load_seconds', 0))
        if 'load_error' in FAULTS:
            raise RuntimeError(FAULTS['load_error'])
        StreamingEpisode.scores = scores  # type: ignore[method-assign]
        scorer = load_fitting_scorer(
            settings, calibration
        )  # which warms up by scoring: without faults
        StreamingEpisode.scores = faulty_scores  # type: ignore[method-assign]
        return scorer

    def faulty_scores(episode: StreamingEpisode) -> Any:
        nonlocal made
        made += 1
        time.sleep(FAULTS.get('score_seconds', 0))
        if made == FAULTS.get('score_error'):
            raise RuntimeError('no memory left')
        return scores(episode)

    reward_node.load_fitting_scorer = faulty_load
    return reward_node.main()


if __name__ == '__main__':
    sys.exit(main())
