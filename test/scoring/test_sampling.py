# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import pairwise

import pytest

from topreward_ros.scoring.sampling import FrameWindow, Sampling, Verdict

SECOND = 1_000_000_000


def run(window: FrameWindow, stamps: list[int]) -> list[float]:
    times = []
    for stamp in stamps:
        if window.judge(stamp) is Verdict.KEEP:
            times.append(window.take(stamp).time)
        else:
            window.skip(stamp)
    return times


def test_a_30_hz_camera_on_a_grid_of_2_fps() -> None:
    stamps = [5 * SECOND + round(k * SECOND / 30) for k in range(91)]
    assert run(FrameWindow(fps=2), stamps) == [0, 0.5, 1, 1.5, 2, 2.5, 3]


def test_jitter_does_not_move_the_grid() -> None:
    jitter = [0, 3, -4, 7, -8, 2, -1, 5]  # [ms]
    stamps = [SECOND + k * SECOND // 2 + jitter[k] * 1_000_000 for k in range(8)]
    assert run(FrameWindow(fps=2), stamps) == [k / 2 for k in range(8)]


def test_a_camera_slower_than_the_grid() -> None:
    window = FrameWindow(fps=10)
    window.take(0)
    sample = window.take(round(0.7 * SECOND))
    assert sample.time == pytest.approx(0.7)
    assert sample.missed == 6


def test_repeated_stamps_are_kept_once() -> None:
    assert run(FrameWindow(), [SECOND] * 10) == [0]


def test_jumps() -> None:
    window = FrameWindow(fps=2, max_gap=10)
    run(window, [100 * SECOND, 101 * SECOND])
    assert window.judge(100 * SECOND) is Verdict.JUMPED_BACK
    assert window.judge(111 * SECOND) is Verdict.KEEP
    assert window.judge(113 * SECOND) is Verdict.JUMPED_AHEAD
    window.start()
    assert window.judge(SECOND) is Verdict.KEEP


def test_a_step_back_between_kept_frames_is_a_jump_too() -> None:
    window = FrameWindow(fps=1)
    run(window, [10 * SECOND, int(10.5 * SECOND)])
    assert window.judge(int(10.3 * SECOND)) is Verdict.JUMPED_BACK


def test_images_out_of_order_are_skipped() -> None:
    window = FrameWindow(fps=2)
    stamps = [10.0, 10.3, 10.25, 10.5, 10.45, 10.8, 10.72, 11.0]
    assert run(window, [round(stamp * SECOND) for stamp in stamps]) == [0, 0.5, 1]
    assert window.judge(round(10.89 * SECOND)) is Verdict.JUMPED_BACK


def test_long_episodes_are_thinned_and_the_grid_doubles() -> None:
    window = FrameWindow(fps=2, max_frames=8)
    taken = []
    for k in range(200):
        stamp = k * SECOND // 2
        if window.judge(stamp) is Verdict.KEEP:
            taken.append(window.take(stamp))
            assert window.frames <= 8
    thinned = [k for k, sample in enumerate(taken) if sample.thin]
    assert thinned == [8, 12, 16, 20, 24]
    steps = [b.time - a.time for a, b in pairwise(taken)]
    assert steps[:8] == [0.5] * 8 and steps[8:12] == [1.0] * 4 and steps[12:16] == [2.0] * 4
    assert all(sample.missed == 0 for sample in taken)


@pytest.mark.parametrize(
    'bad', [{'fps': 0}, {'max_frames': 6}, {'max_frames': 0}, {'max_gap': 0.1}, {'history': 'all'}]
)
def test_invalid_settings(bad: dict) -> None:
    with pytest.raises(ValueError):
        FrameWindow(**bad)


@pytest.mark.parametrize('fps', [0.3, 0.7, 2, 3, 7, 29.97])
def test_a_frame_at_exactly_the_stamp_that_is_due(fps: float) -> None:
    window = FrameWindow(fps=fps)
    window.take(SECOND)
    for _ in range(500):
        before = window.next_stamp
        assert before is not None and window.judge(before) is Verdict.KEEP
        assert window.take(before).missed == 0
        assert window.next_stamp > before


def test_a_thinning_is_near_in_the_later_half_of_the_window() -> None:
    window = FrameWindow(fps=1, max_frames=8)
    samples = [window.take(k * SECOND) for k in range(9)]
    assert [sample.is_near for sample in samples] == [False] * 4 + [True] * 5
    assert [sample.thin for sample in samples] == [False] * 8 + [True]
    assert window.frames == 5


def test_with_the_last_frames_the_grid_stays() -> None:
    """Every frame tells how many before it stay, so that one that is lost changes no number."""
    window = FrameWindow(fps=2, max_frames=8, history='last')
    samples = []
    for k in range(50):
        samples.append(window.take(k * SECOND // 2))
        assert window.frames == min(k + 1, 8) and window.interval == 0.5
    assert [sample.time for sample in samples] == [k / 2 for k in range(50)]
    assert all(sample.keep == 7 and not sample.thin for sample in samples)
    assert not any(sample.is_near for sample in samples), 'no thinning is to be prepared'
    last = window.take_last(50 * SECOND // 2 - SECOND // 4)
    assert (last.time, last.keep, last.thin, window.frames) == (24.75, 7, False, 8)
    assert FrameWindow(fps=2, max_frames=8).take(0).keep is None


def test_the_name_of_a_history() -> None:
    assert Sampling().history_name == Sampling(max_frames=8).history_name == 'thin'
    assert Sampling(max_frames=8, history='last').history_name == 'last 8'


def test_taking_a_frame_that_is_not_due() -> None:
    window = FrameWindow()
    window.take(0)
    with pytest.raises(ValueError):
        window.take(1)
