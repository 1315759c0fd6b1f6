# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A score is chosen without the recordings that judge the choice."""

from __future__ import annotations

import numpy as np
import pytest

from topreward_ros.reward.metrics import roc_auc
from topreward_ros.reward.pair_selection import Selection, pair_interval, select


def scores(k: int, s: int, f: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.integers(0, 8, (k, s)) / 1.0, random.integers(0, 8, (k, f)) / 1.0


def test_each_pair_is_judged_by_the_best_of_the_others() -> None:
    """Against a plain loop; small integers, so that there are ties."""
    good, bad = scores(6, 5, 4)
    found = select(good, bad)
    for i in range(5):
        for j in range(4):
            rest = [
                roc_auc(list(np.delete(g, i)), list(np.delete(b, j)))
                for g, b in zip(good, bad, strict=True)
            ]
            assert found.choices[i, j] == int(np.argmax(np.round(rest, 9)))
            choice = found.choices[i, j]
            assert found.held_out[i, j] == roc_auc([good[choice, i]], [bad[choice, j]])
    for k, auc in enumerate(found.aucs):
        assert auc == pytest.approx(roc_auc(list(good[k]), list(bad[k])))
    assert found.chosen == int(np.argmax(found.aucs))
    assert found.default.mean() == pytest.approx(found.aucs[0])


@pytest.mark.parametrize('seed', range(5))
def test_what_is_held_out_has_no_part_in_its_choice(seed: int) -> None:
    """Whatever a pair's own scores are, the choice that judges it is the same."""
    good, bad = scores(8, 6, 5, seed)
    before = select(good, bad).choices
    random = np.random.default_rng(seed)
    for i, j in ((0, 0), (3, 2), (5, 4)):
        other_good, other_bad = good.copy(), bad.copy()
        other_good[:, i], other_bad[:, j] = random.normal(0, 99, 8), random.normal(0, 99, 8)
        after = select(other_good, other_bad)
        assert after.choices[i, j] == before[i, j]
        assert (after.choices != before).any(), 'it has a part in the choices of others'


def test_luck_in_a_long_list_is_not_kept() -> None:
    """The best of forty scores of pure noise looks good, and does not when it is held out."""
    random = np.random.default_rng(1)
    found: list[Selection] = [
        select(random.normal(size=(40, 8)), random.normal(size=(40, 8))) for _ in range(40)
    ]
    assert np.mean([each.aucs[each.chosen] for each in found]) > 0.75
    assert np.mean([each.held_out.mean() for each in found]) < 0.6
    assert not all(each.is_better for each in found)


def test_what_is_better_is_kept_and_a_tie_is_the_default() -> None:
    random = np.random.default_rng(2)
    noise = random.normal(size=(3, 6)), random.normal(size=(3, 6))
    good, bad = np.vstack([noise[0], np.arange(6) + 1.0]), np.vstack([noise[1], -np.arange(6.0)])
    found = select(good, bad)
    assert found.chosen == 3 and found.is_better and found.held_out.mean() == 1
    again = select(good[[3, 0, 3]], bad[[3, 0, 3]])
    assert again.chosen == 0 and not again.is_better and (again.choices == 0).all()
    never = np.full((2, 3), -np.inf)
    assert select(never, never).held_out.tolist() == [[0.5] * 3] * 3


def test_the_interval_is_over_recordings() -> None:
    low, high = pair_interval(np.ones((10, 12)))
    assert low == high == 1
    half = np.repeat([[1.0], [0.0]], 6, axis=0) * np.ones((1, 12))
    low, high = pair_interval(half)
    assert low < 0.3 and high > 0.7, 'twelve recordings, not 144 pairs'


@pytest.mark.parametrize(('s', 'f'), [(1, 5), (5, 1), (0, 3)])
def test_too_few_to_hold_a_pair_out(s: int, f: int) -> None:
    with pytest.raises(ValueError, match='expected 2 of each'):
        select(np.zeros((2, s)), np.zeros((2, f)))


def test_nan_is_an_error() -> None:
    with pytest.raises(ValueError, match='NaN'):
        select(np.array([[0.0, np.nan]]), np.zeros((1, 2)))
