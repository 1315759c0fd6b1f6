# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Both scorers reproduce the scores of the paper's own stack (tools/make_golden_scores.py)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from topreward_ros.demo.pattern import pattern_frame
from topreward_ros.scoring.loading.checkpoint import Checkpoint
from topreward_ros.scoring.reward_models.topreward.recompute import RecomputeScorer
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer

GOLDEN = json.loads((Path(__file__).parents[1] / 'golden_scores.json').read_text(encoding='utf-8'))


@pytest.mark.parametrize('scorer_class', [RecomputeScorer, StreamingScorer])
@pytest.mark.parametrize('case', GOLDEN['cases'], ids=lambda c: f'{c["size"]}-{c["frames"]}')
def test_scores_equal_the_papers_stack(checkpoint: Checkpoint, scorer_class, case: dict) -> None:
    episode = scorer_class(checkpoint).start(case['task'])
    for k in range(case['frames']):
        episode.append(pattern_frame(k / 14, *case['size']), k / GOLDEN['fps'])
    score = episode.score()
    assert score.log_prob == pytest.approx(case['log_prob'], abs=1e-4)
    assert score.log_prob_false == pytest.approx(case['log_prob_false'], abs=1e-4)
