# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
r"""RoboReward's question (arXiv 2601.00675), after the video in a chat turn.

    the rubric and the task<|im_end|>\n<|im_start|>assistant\nANSWER:

The next token is the grade, a digit from 1 to 5. The published way lets the model write its answer
and reads the digit; here the probabilities of the five are read, and the mean grade is the result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...questions import Tokens, check_task, single_tokens
from ...score import Score

# Verbatim from the model card of teetone/RoboReward-8B
RUBRIC = (
    'Given the task, assign a discrete progress score reward (1,2,3,4,5) for the robot in the '
    'video in the format: ANSWER: <score>\n'
    'Rubric for end-of-episode progress (judge only the final state without time limits):\n'
    '1 - No Success: Final state shows no goal-relevant change for the command.\n'
    '2 - Minimal Progress: Final state shows a small but insufficient change toward the goal.\n'
    '3 - Partial Completion: The final state shows good progress toward the goal but violates '
    'more than one requirement or a major requirement.\n'
    '4 - Near Completion: Final state is correct in region and intent but misses a single minor '
    'requirement.\n'
    '5 - Perfect Completion: Final state satisfies all requirements.\n'
    '\n'
    'Task: '
)
ANSWER = 'ANSWER: '  # with the blank, which is a token of its own before a digit
GRADES = ('1', '2', '3', '4', '5')


@dataclass(frozen=True)
class RubricQuestion:
    """A `VideoQuestion` whose answer is a grade."""

    layout: str = 'roboreward-1'
    reward_model: str = 'roboreward'

    def ids(self, tokens: Tokens, task: str) -> list[int]:
        """See `VideoQuestion`."""
        return [
            *tokens.text(RUBRIC + check_task(task)),
            tokens.special('<|im_end|>'),
            *tokens.text('\n'),
            tokens.special('<|im_start|>'),
            *tokens.text('assistant\n'),
            *tokens.text(ANSWER),
        ]

    def answers(self, tokens: Tokens) -> tuple[int, ...]:
        """See `VideoQuestion`."""
        return single_tokens(tokens, GRADES)

    def score(self, frames: int, log_probs: Sequence[float]) -> Score:
        """Return progress, the mean grade scaled to [0, 1], and success, P(5).

        Probabilities are normalised over the five grades; the published scale is (grade - 1) / 4.
        """
        largest = max(log_probs)
        weights = [math.exp(each - largest) for each in log_probs]
        total = math.fsum(weights)
        mean = math.fsum(k * weight for k, weight in enumerate(weights)) / total
        progress = min(mean / (len(GRADES) - 1), 1.0)
        return Score(frames, progress=progress, success=weights[-1] / total)


ROBOREWARD = RubricQuestion()
