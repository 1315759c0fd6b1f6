# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The real reward node with a slow or failing model, according to FAULTS (JSON).

load_seconds and score_seconds are delays before loading and scoring; load_error is raised instead
of loading; failing_scores are the numbers of the scores that fail, with the error of that name:
RuntimeError, MemoryError, SystemExit, KeyboardInterrupt, or thread, which ends the scoring thread.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from topreward_ros.nodes.reward import node as reward_node
from topreward_ros.nodes.reward.scoring_worker import ScoringWorker
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingEpisode

FAULTS: dict[str, Any] = json.loads(os.environ['FAULTS'])


ERRORS = {
    each.__name__: each for each in (RuntimeError, MemoryError, SystemExit, KeyboardInterrupt)
}
NEXT_TURN = ScoringWorker._next_turn


def end_thread(_worker: ScoringWorker) -> None:
    ScoringWorker._next_turn = NEXT_TURN  # type: ignore[method-assign]
    raise SystemExit


def main() -> int:
    load_fitting_scorer = reward_node.load_fitting_scorer
    scores = StreamingEpisode.scores
    count = 0

    def faulty_load(settings: Any, calibration: Any) -> Any:
        time.sleep(FAULTS.get('load_seconds', 0))
        if 'load_error' in FAULTS:
            raise RuntimeError(FAULTS['load_error'])
        StreamingEpisode.scores = scores  # type: ignore[method-assign]
        # Loading includes the warm-up, which scores without faults.
        scorer = load_fitting_scorer(settings, calibration)
        StreamingEpisode.scores = faulty_scores  # type: ignore[method-assign]
        return scorer

    def faulty_scores(episode: StreamingEpisode) -> Any:
        nonlocal count
        count += 1
        time.sleep(FAULTS.get('score_seconds', 0))
        if count in FAULTS.get('failing_scores', ()):
            if FAULTS['error'] == 'thread':
                ScoringWorker._next_turn = end_thread  # type: ignore[method-assign]
            else:
                raise ERRORS[FAULTS['error']]('the device is gone')
        return scores(episode)

    reward_node.load_fitting_scorer = faulty_load
    return reward_node.main()


if __name__ == '__main__':
    sys.exit(main())
