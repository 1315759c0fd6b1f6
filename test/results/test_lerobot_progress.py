# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The progress file is what LeRobot's RA-BC loader expects, by its rules restated here."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pa = pytest.importorskip('pyarrow')
import pyarrow.parquet as pq

from topreward_ros.recordings.lerobot.files import DatasetError
from topreward_ros.results.lerobot_progress import (
    ADDED_COLUMNS,
    PROGRESS_FILE,
    EpisodeProgress,
    read_progress,
    write_progress,
)
from topreward_ros.scoring.score import Score

MODEL = 'Qwen/Qwen3-VL-8B-Instruct'


def episode(
    index: int, first: int, frames: int, scored: list[int], progress: list[float]
) -> EpisodeProgress:
    count = len(scored)
    log_probs = zip(-np.linspace(20, 5, count), -np.linspace(1, 8, count), strict=True)
    return EpisodeProgress(
        episode=index,
        first_index=first,
        frames=frames,
        scored=np.array(scored),
        scores=[Score(n, float(a), float(b)) for n, (a, b) in enumerate(log_probs, start=1)],
        progress=np.array(progress),
    )


# Rising, flat, falling, and one that rises so slowly that its weights lie between 0 and 1
RISING = episode(0, 0, 21, [0, 10, 20], [0.0, 0.5, 1.0])
FLAT = episode(1, 21, 5, [0, 4], [math.nan, math.nan])
FALLING = episode(2, 26, 9, [0, 8], [1.0, 0.0])
SLOW = episode(4, 35, 101, [0, 100], [0.0, 0.1])
EPISODES = [RISING, FLAT, FALLING, SLOW]


def rabc_weights(
    file: Path, chunk: int, kappa: float = 0.01, epsilon: float = 1e-6, fallback: float = 1.0
) -> tuple[dict[int, float], float, float]:
    """The weight of each frame by the rules of LeRobot's RABCWeights, and the mean and the
    standard deviation of the deltas that it takes them by.

    Rows are looked up by `index`; NaN is as if the row had no progress. An episode reaches from
    its smallest index to its largest. The delta of a frame is to the frame a chunk later, or to
    the last one. The mean counts as 0 at least, the deviation as epsilon. Above kappa the weight
    is 1, below 0 it is 0, between them linear over mean +- 2 deviations; without a delta fallback.
    """
    table = pq.read_table(file).to_pydict()
    progress = {
        i: p
        for i, p in zip(table['index'], table['progress_sparse'], strict=True)
        if not math.isnan(p)
    }
    episode_of = dict(zip(table['index'], table['episode_index'], strict=True))
    end = {e: max(i for i in episode_of if episode_of[i] == e) + 1 for e in episode_of.values()}

    def delta(i: int) -> float:
        later = min(i + chunk, end[episode_of[i]] - 1)
        return progress[later] - progress[i] if i in progress and later in progress else math.nan

    deltas = np.array([delta(i) for i in progress])
    deltas = deltas[~np.isnan(deltas)]
    mean = max(float(deltas.mean()), 0.0) if len(deltas) else 0.0
    deviation = max(float(deltas.std()), epsilon) if len(deltas) else epsilon

    def weight(d: float) -> float:
        if math.isnan(d):
            return fallback
        if d > kappa or d < 0:
            return float(d > kappa)
        return min(max((d - (mean - 2 * deviation)) / (4 * deviation + epsilon), 0.0), 1.0)

    return {i: weight(delta(i)) for i in episode_of}, mean, deviation


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_progress(tmp_path / PROGRESS_FILE, EPISODES, MODEL, {'fps': '2.0'})
    return tmp_path / PROGRESS_FILE


def test_the_columns_are_those_of_lerobot_and_more(file: Path) -> None:
    schema = pq.read_schema(file)
    assert [(field.name, str(field.type)) for field in schema] == [
        ('index', 'int64'),
        ('episode_index', 'int64'),
        ('frame_index', 'int64'),
        ('progress_sparse', 'float'),
        ('topreward_log_prob', 'float'),
        ('topreward_log_prob_false', 'float'),
        ('topreward_model_progress', 'float'),
        ('topreward_model_success', 'float'),
        ('topreward_scored', 'bool'),
        ('topreward_flat', 'bool'),
        ('topreward_first', 'int64'),
    ]
    assert schema.metadata == {b'vlm_name': MODEL.encode(), b'fps': b'2.0'}
    assert [path.name for path in file.parent.iterdir()] == [PROGRESS_FILE]


def test_a_row_for_each_frame(file: Path) -> None:
    table = pq.read_table(file).to_pydict()
    assert table['index'] == list(range(136))
    assert table['episode_index'] == [0] * 21 + [1] * 5 + [2] * 9 + [4] * 101
    assert table['frame_index'] == [k for n in (21, 5, 9, 101) for k in range(n)]
    assert table['progress_sparse'][:21] == pytest.approx([k / 20 for k in range(21)])
    assert all(math.isnan(p) for p in table['progress_sparse'][21:26])
    assert table['progress_sparse'][26:35] == pytest.approx([1 - k / 8 for k in range(9)])
    assert table['topreward_flat'] == [21 <= i < 26 for i in range(136)]
    scored = [i for i, p in enumerate(table['topreward_log_prob']) if not math.isnan(p)]
    assert scored == [0, 10, 20, 21, 25, 26, 34, 35, 135]
    assert table['topreward_scored'] == [i in scored for i in range(136)]
    assert [table['topreward_log_prob'][i] for i in scored[:3]] == [-20, -12.5, -5]
    assert [table['topreward_log_prob_false'][i] for i in scored[:3]] == [-1, -4.5, -8]


def test_a_file_of_version_0_1_0_is_read(file: Path) -> None:
    """It lacks the columns that came later."""
    expected, metadata = read_progress(file)
    table = pq.read_table(file)
    later = sorted(ADDED_COLUMNS)
    pq.write_table(table.drop_columns(later), file)
    old, old_metadata = read_progress(file)
    assert old_metadata == metadata and repr(old) == repr(expected)
    pq.write_table(table.drop_columns(['topreward_log_prob']), file)
    with pytest.raises(DatasetError, match='no column topreward_log_prob'):
        read_progress(file)


def test_progress_is_constant_before_and_after_the_scored_frames() -> None:
    progress = episode(0, 0, 8, [2, 4], [0.2, 0.8]).per_frame()
    assert progress.dtype == np.float32
    assert progress == pytest.approx([0.2, 0.2, 0.2, 0.5, 0.8, 0.8, 0.8, 0.8])


def test_the_weights_that_lerobot_computes(file: Path) -> None:
    weights, mean, deviation = rabc_weights(file, chunk=5)
    assert all(weights[i] == 1 for i in range(20))  # rising by 0.25 a chunk
    assert all(weights[i] == 1 for i in range(21, 26))  # flat: the neutral weight
    assert all(weights[i] == 0 for i in range(26, 34))  # falling
    slow = [weights[i] for i in range(35, 135)]
    expected = (0.005 - (mean - 2 * deviation)) / (4 * deviation)
    assert 0 < expected < 1 and slow[:95] == pytest.approx([expected] * 95, abs=1e-4)
    # Towards an episode's end the delta shrinks to nothing.
    nothing = (0 - (mean - 2 * deviation)) / (4 * deviation)
    ends = [weights[i] for i in (20, 34, 135)]
    assert ends == pytest.approx([nothing] * 3, abs=1e-4)


def test_a_flat_dataset_weighs_nothing(tmp_path: Path) -> None:
    write_progress(tmp_path / 'p.parquet', [FLAT], MODEL)
    weights, mean, deviation = rabc_weights(tmp_path / 'p.parquet', chunk=2, fallback=0.75)
    assert set(weights.values()) == {0.75} and (mean, deviation) == (0.0, 1e-6)


def test_pandas_reads_it_as_lerobot_does(file: Path) -> None:
    pandas = pytest.importorskip('pandas')
    frame = pandas.read_parquet(file)
    assert len(frame) == 136
    row: Any = next(row for _, row in frame.iterrows())
    assert int(row['index']) == 0 and not np.isnan(row['progress_sparse'])


def test_it_is_read_back(file: Path) -> None:
    read, metadata = read_progress(file)
    assert metadata == {'vlm_name': MODEL, 'fps': '2.0'}
    for ours, theirs in zip(read, EPISODES, strict=True):
        assert (ours.episode, ours.first_index, ours.frames, ours.is_flat) == (
            theirs.episode,
            theirs.first_index,
            theirs.frames,
            theirs.is_flat,
        )
        assert np.array_equal(ours.scored, theirs.scored)
        assert ours.progress == pytest.approx(theirs.progress, nan_ok=True)
        for name in ('log_prob', 'log_prob_false'):
            expected = [getattr(score, name) for score in theirs.scores]
            assert [getattr(score, name) for score in ours.scores] == pytest.approx(expected)


@pytest.mark.parametrize('progress', [[0.2, 0.4, 0.9], [math.nan] * 3])
def test_progress_of_the_model_itself(tmp_path: Path, progress: list[float]) -> None:
    """A model without a log-probability; its curve may be flat, too."""
    scores = [Score(n, progress=0.5 + n / 10) for n in (1, 2, 3)]
    written = EpisodeProgress(0, 0, 9, np.array([0, 4, 8]), scores, np.array(progress))
    write_progress(tmp_path / 'p.parquet', [written], MODEL)
    table = pq.read_table(tmp_path / 'p.parquet').to_pydict()
    for name in ('topreward_log_prob', 'topreward_log_prob_false'):
        assert all(map(math.isnan, table[name]))
    assert [i for i, scored in enumerate(table['topreward_scored']) if scored] == [0, 4, 8]
    ((back,), _) = read_progress(tmp_path / 'p.parquet')
    assert back.scored.tolist() == [0, 4, 8] and back.is_flat is written.is_flat
    assert back.progress == pytest.approx(written.progress, nan_ok=True)
    assert [score.log_prob for score in back.scores] == [None] * 3


def test_success_and_parts_of_the_model_itself(tmp_path: Path) -> None:
    """Each as the scores have it, also where only some episodes do."""
    scores = [
        Score(0, progress=0.25, success=0.5, parts={'done': 0.5, 'near': 2.0}),
        Score(0, progress=0.5, parts={'done': 0.75}),
    ]
    written = EpisodeProgress(0, 0, 9, np.array([0, 8]), scores, np.array([0.25, 0.5]))
    write_progress(tmp_path / 'p.parquet', [written, FLAT], MODEL)
    names = pq.read_schema(tmp_path / 'p.parquet').names
    assert {'topreward_part.done', 'topreward_part.near'} < set(names)
    (first, second), _ = read_progress(tmp_path / 'p.parquet')
    assert first.scores == scores
    assert [score.parts for score in second.scores] == [{}, {}]
    assert [score.success for score in second.scores] == [None, None]


def test_episodes_are_ordered_by_their_frames(tmp_path: Path) -> None:
    write_progress(tmp_path / 'p.parquet', EPISODES[::-1], MODEL)
    assert pq.read_table(tmp_path / 'p.parquet')['index'].to_pylist() == list(range(136))


def test_no_episodes_are_a_file_without_rows(tmp_path: Path) -> None:
    write_progress(tmp_path / 'new' / 'p.parquet', [], MODEL)
    assert read_progress(tmp_path / 'new' / 'p.parquet') == ([], {'vlm_name': MODEL})


def test_a_failed_write_leaves_the_file_before_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()

    def fail(table: Any, part: Path) -> None:
        part.write_bytes(b'PAR1')
        raise OSError('no space left')

    monkeypatch.setattr(pq, 'write_table', fail)
    with pytest.raises(OSError, match='no space left'):
        write_progress(file, [RISING], MODEL)
    assert file.read_bytes() == before


def test_episodes_that_share_frames_are_rejected(tmp_path: Path) -> None:
    other = episode(1, 20, 5, [0, 4], [0.0, 1.0])
    with pytest.raises(DatasetError, match='episodes 0 and 1 share frames'):
        write_progress(tmp_path / 'p.parquet', [RISING, other], MODEL)
    same = episode(0, 21, 5, [0, 4], [0.0, 1.0])
    with pytest.raises(DatasetError, match='two episodes have the same index'):
        write_progress(tmp_path / 'p.parquet', [RISING, same], MODEL)


@pytest.mark.parametrize(
    ('scored', 'progress'),
    [
        ([], []),
        ([0, 5], [0.0, 1.0]),
        ([-1, 2], [0.0, 1.0]),
        ([2, 1], [0.0, 1.0]),
        ([0, 0], [0.0, 1.0]),
        ([0, 1], [0.0]),
        ([0, 1], [0.0, 1.1]),
        ([0, 1], [0.0, math.nan]),
    ],
)
def test_invalid_scores_are_rejected(scored: list[int], progress: list[float]) -> None:
    with pytest.raises(DatasetError, match=r'scored|progress'):
        episode(0, 0, 5, scored, progress)


def test_other_files_are_rejected(file: Path, tmp_path: Path) -> None:
    table = pq.read_table(file)
    other = tmp_path / 'other.parquet'
    for wrong, message in (
        (table.drop_columns(['topreward_log_prob']), 'no column topreward_log_prob'),
        (table.slice(0, 20).slice(3), 'cannot be read: rows of episode 0 are missing'),
    ):
        pq.write_table(wrong, other)
        with pytest.raises(DatasetError, match=message):
            read_progress(other)
    other.write_bytes(b'PAR1')
    with pytest.raises(DatasetError, match='cannot be read'):
        read_progress(other)
    with pytest.raises(DatasetError, match='cannot be read'):
        read_progress(tmp_path / 'none.parquet')
