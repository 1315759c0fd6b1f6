# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""LeRobot datasets with faults: the right frames and tasks, or the reason."""

from __future__ import annotations

import codecs
import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

pa = pytest.importorskip('pyarrow')
import pyarrow.parquet as pq
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from topreward_ros.json_files import MOST_BYTES
from topreward_ros.recordings.clip import ClipError
from topreward_ros.recordings.labelled import open_recordings
from topreward_ros.recordings.lerobot.dataset import DatasetEpisode, open_dataset
from topreward_ros.recordings.lerobot.files import MOST_ROWS, DatasetError
from topreward_ros.recordings.lerobot.frames import tolerance
from topreward_ros.recordings.recording import clip_notes, state_of
from topreward_ros.recordings.source_options import SourceOptions
from topreward_ros.recordings.sources import FORMATS, format_of, open_source
from topreward_ros.results.lerobot_output import ParquetOutput
from topreward_ros.results.lerobot_progress import read_progress
from topreward_ros.results.output import Reading
from topreward_ros.results.score_table import Row
from topreward_ros.results.video import write_video
from topreward_ros.scoring.score import Score

from ..recordings import lerobot_builder as builder
from ..recordings.lerobot_builder import FPS, TOP, WRIST

VERSIONS = ('v2.1', 'v3.0')
WRITE = {'v2.1': builder.write_v21, 'v3.0': builder.write_v30}
FRAMES = (6, 4, 5, 7)
TEXTS = ('Open it.', 'Close it.', 'Lift it.', 'Drop it.')  # of episodes 0 to 3
NUMBERS = [sorted(TEXTS).index(text) for text in TEXTS]
DATA = {'v2.1': 'data/chunk-000/episode_000001.parquet', 'v3.0': 'data/chunk-000/file-000.parquet'}
VIDEO = {
    'v2.1': f'videos/chunk-000/{TOP}/episode_000001.mp4',
    'v3.0': f'videos/{TOP}/chunk-000/file-000.mp4',
}
TABLE = 'meta/episodes/chunk-000/file-000.parquet'

Rows = list[dict[str, Any]]


@pytest.fixture(scope='module')
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Datasets of four episodes, all in one file in version 3.0; frames carry their numbers."""
    root = tmp_path_factory.mktemp('datasets')
    episodes = builder.marked(FRAMES, TEXTS)
    builder.write_v21(root / 'v2.1', episodes)
    builder.write_v30(root / 'v3.0', episodes, per_file=4)
    return {version: root / version for version in VERSIONS}


@pytest.fixture
def copy(folders: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return a copy of a dataset, which a test may damage."""
    return lambda version: Path(shutil.copytree(folders[version], tmp_path / version))


def edit_info(folder: Path, **changes: Any) -> None:
    file = folder / 'meta/info.json'
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def edit_table(file: Path, change: Callable[[Rows], object]) -> None:
    rows = pq.read_table(file).to_pylist()
    change(rows)
    builder.write_table(file, pa.Table.from_pylist(rows))


def edit_lines(file: Path, change: Callable[[Rows], object]) -> None:
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    change(rows)
    builder.write_lines(file, rows)


def edit_episodes(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change each row of the metadata's table of episodes."""

    def each(rows: Rows) -> None:
        for row in rows:
            change(row)

    if (folder / TABLE).exists():
        edit_table(folder / TABLE, each)
    else:
        edit_lines(folder / 'meta/episodes.jsonl', each)


def set_column(file: Path, column: str, values: Any) -> None:
    table = pq.read_table(file)
    place = table.column_names.index(column)
    builder.write_table(file, table.set_column(place, column, pa.array(values)))


def stamps(episode: DatasetEpisode) -> list[tuple[int, int]]:
    """Return the episode and frame number that each picture carries."""
    return [builder.read_stamp(image) for _, image in episode.clip.frames()]


def read(folder: Path, **more: Any) -> list[list[tuple[int, int]] | str]:
    """Return the stamps of each episode, or the reason why it cannot be read."""
    results: list[list[tuple[int, int]] | str] = []
    for episode in open_dataset(str(folder), 'top', **more).episodes:
        try:
            results.append(stamps(episode))
        except DatasetError as error:
            results.append(str(error))
    return results


def right(*numbers: int) -> list[list[tuple[int, int]] | str]:
    return [[(number, k) for k in range(FRAMES[number])] for number in numbers]


# Kind: where the task of an episode is found


def tasks_as_column(folder: Path) -> None:
    table = {'task_index': list(range(4)), 'task': sorted(TEXTS)}
    builder.write_table(folder / 'meta/tasks.parquet', pa.table(table))


def tasks_as_named_index(folder: Path) -> None:
    """As pandas writes an index that has a name of its own."""
    table = pa.table({'task_index': list(range(4)), 'words': sorted(TEXTS)})
    metadata = {b'pandas': json.dumps({'index_columns': ['words']}).encode()}
    builder.write_table(folder / 'meta/tasks.parquet', table.replace_schema_metadata(metadata))


def tasks_out_of_order(folder: Path) -> None:
    table = {
        'task_index': [2, 0, 3, 1],
        '__index_level_0__': [sorted(TEXTS)[k] for k in (2, 0, 3, 1)],
    }
    builder.write_table(folder / 'meta/tasks.parquet', pa.table(table))


def tasks_by_statistics(folder: Path) -> None:
    """The statistics have the number, so no table of frames is needed."""

    def change(row: dict[str, Any]) -> None:
        for kind in ('min', 'max'):
            row[f'stats/task_index/{kind}'] = [NUMBERS[row['episode_index']]]

    edit_episodes(folder, change)
    shutil.rmtree(folder / 'data')


def no_tasks_column(row: dict[str, Any]) -> None:
    row.pop('tasks')


@pytest.mark.parametrize(
    'spelling',
    [tasks_as_column, tasks_as_named_index, tasks_out_of_order, tasks_by_statistics, None],
)
@pytest.mark.parametrize(
    'listed',
    [
        no_tasks_column,
        lambda row: row.update(tasks=None),
        lambda row: row.update(tasks=[]),
        lambda row: row.update(tasks=[' ']),
    ],
)
def test_tasks_of_version_3(copy: Any, spelling: Any, listed: Any) -> None:
    folder = copy('v3.0')
    edit_episodes(folder, listed)
    if spelling:
        spelling(folder)
    episodes = open_dataset(str(folder), 'top').episodes
    assert [(each.index, each.task) for each in episodes] == list(enumerate(TEXTS))
    assert [each.clip.notes for each in episodes] == [[]] * 4


@pytest.mark.parametrize('listed', [no_tasks_column, lambda row: row.update(tasks=[])])
def test_tasks_of_version_2(copy: Any, listed: Any) -> None:
    folder = copy('v2.1')
    edit_episodes(folder, listed)
    assert [each.task for each in open_dataset(str(folder), 'top').episodes] == list(TEXTS)


# Kind: frames of one episode with several tasks; its task numbers, and what becomes of it
SEVERAL: dict[str, tuple[list[int], list[tuple[str, int, int]], str]] = {
    'one after the other': (
        [1, 1, 3, 3, 3, 0],
        [('Drop it.', 0, 2), ('Open it.', 2, 5), ('Close it.', 5, 6)],
        'an episode whose task changes is scored in parts, one for each task',
    ),
    'listed but not used': ([3] * 6, [('Open it.', 0, 6)], ''),
    'paraphrases': (
        [2, 1, 2, 1, 2, 2],
        [('Lift it.', 0, 6)],
        'an episode whose tasks alternate is scored for the task of its first frame',
    ),
    'not in the table': (
        [1, 1, 1, 9, 9, 9],
        [('Lift it.', 0, 6)],
        'the tasks of frames are not known, so an episode has the first that it lists: '
        'meta/{} has no task 9',
    ),
}


@pytest.mark.parametrize('version', VERSIONS)
@pytest.mark.parametrize('name', SEVERAL)
def test_several_tasks_in_one_episode(copy: Any, version: str, name: str) -> None:
    numbers, parts, note = SEVERAL[name]
    folder = copy(version)

    def several(row: dict[str, Any]) -> None:
        if row['episode_index'] == 0:
            row['tasks'] = ['Lift it.', 'Drop it.']

    def renumber(rows: Rows) -> None:
        for row, number in zip(rows, numbers, strict=False):
            row['task_index'] = number

    edit_episodes(folder, several)
    edit_table(folder / DATA[version].replace('000001', '000000'), renumber)
    source = open_source(str(folder), SourceOptions(camera='top', episodes=(range(2),)))
    *of_first, other = source.dataset.episodes  # type: ignore[attr-defined]
    assert [(e.task, e.first, e.first + e.frames) for e in of_first] == parts
    assert [stamps(each) for each in of_first] == [
        [(0, k) for k in range(a, b)] for _, a, b in parts
    ]
    assert next(time for time, _ in of_first[-1].clip.frames()) == 0
    assert (other.task, stamps(other)) == (TEXTS[1], right(1)[0])
    # An episode's label is of its end
    assert [e.success for e in of_first] == [None] * (len(parts) - 1) + [True]
    file = 'tasks.parquet' if version == 'v3.0' else 'tasks.jsonl'
    notes = [f'{version}: {note.format(file)}'] if note else []
    assert clip_notes(source.recordings) == notes
    names = [each.name for each in source.recordings]
    ends = [''] if len(parts) == 1 else [f'_part_{k + 1}' for k in range(len(parts))]
    assert names == [f'{version}/episode_000000{end}' for end in ends] + [
        f'{version}/episode_000001'
    ]
    # A task that the user gives is that of the whole
    (whole,) = open_dataset(str(folder), 'top', task='Push.', chosen=[range(1)]).episodes
    assert (whole.task, whole.part, stamps(whole)) == ('Push.', 0, right(0)[0])


def test_progress_of_parts(copy: Any, tmp_path: Path) -> None:
    """The progress of a part is not drawn into the next one."""
    folder = copy('v3.0')
    edit_episodes(folder, no_tasks_column)
    edit_table(folder / DATA['v3.0'], lambda rows: [row.update(task_index=3) for row in rows[6:8]])
    source = open_source(str(folder), SourceOptions(camera='top', episodes=(range(1, 2),)))
    row = Row(0.0, 1, Score(1, -1.0, -2.0), 0.0, 0.0, 'x', 0.0, '')
    rows = {
        f'v3.0/episode_000001_part_{part}': [row, Row(0.1, 1, row.score, 1.0, 0.0, 'x', 0.0, '')]
        for part in (1, 2)
    }
    ParquetOutput(Reading(), 'm', tmp_path / 'p.parquet').write_source(tmp_path, source, rows)
    table = pq.read_table(tmp_path / 'p.parquet').to_pydict()
    assert table['progress_sparse'] == [0, 1, 0, 1]
    assert table['index'] == [6, 7, 8, 9] and table['frame_index'] == [0, 1, 2, 3]
    assert table['episode_index'] == [1] * 4 and table['topreward_first'] == [0, 0, 2, 2]
    parts, _ = read_progress(tmp_path / 'p.parquet')
    assert [(each.episode, each.first, each.first_index) for each in parts] == [
        (1, 0, 6),
        (1, 2, 8),
    ]


# Kind: times in the metadata that are not those of the video. The whole is 22 frames, 10 a second;
# the episodes begin at 0, 0.6, 1.0 and 1.5 s. What is given: the shift of those from 1 on [s]
OVERLAP = (
    'episode 1 begins at {:.4f} s of ' + VIDEO['v3.0'] + ' and overlaps by {:.4f} s with episode 0'
)
BEGINS = (
    'an episode begins at {:.4f} s in the metadata, and its frames at {:.4f} s: a drift of {:.4f} s'
)
NEAR = (
    'the timestamps of the episode that begins at {:.4f} s are up to {:.4f} s from the frames of '
    'the video; expected at most 0.0001 s, as in LeRobot'
)
SHIFTS: dict[float, list[str]] = {
    -0.07: [
        OVERLAP.format(0.53, 0.07),
        BEGINS.format(0.93, 1, 0.07),
        BEGINS.format(1.43, 1.5, 0.07),
    ],
    -0.1: [OVERLAP.format(0.5, 0.1), BEGINS.format(0.9, 1, 0.1), BEGINS.format(1.4, 1.5, 0.1)],
    0.1: [BEGINS.format(b + 0.1, b, 0.1) for b in (0.6, 1.0, 1.5)],
    0.07: [BEGINS.format(b + 0.07, b, 0.07) for b in (0.6, 1.0, 1.5)],
    0.03: [NEAR.format(b + 0.03, 0.03) for b in (0.6, 1.0, 1.5)],
    -0.002: [NEAR.format(b - 0.002, 0.002) for b in (0.6, 1.0, 1.5)],
    0.00005: [],
    0.0: [],
}


@pytest.mark.parametrize('shift', SHIFTS)
def test_an_episode_has_no_frame_of_its_neighbour(copy: Any, shift: float) -> None:
    folder = copy('v3.0')

    def change(row: dict[str, Any]) -> None:
        for side in ('from', 'to') if row['episode_index'] else ():
            row[f'videos/{TOP}/{side}_timestamp'] += shift

    edit_episodes(folder, change)
    first, *others = read(folder)
    assert first == right(0)[0]
    if not SHIFTS[shift]:
        assert others == right(1, 2, 3)
    for reason, expected in zip(others, SHIFTS[shift], strict=False):
        assert isinstance(reason, str) and reason.endswith(expected)


@pytest.mark.parametrize('number', [0, 1, 2, 3])
@pytest.mark.parametrize('shift', [0.07, 0.1])
def test_neighbours_of_a_shifted_episode_are_right(copy: Any, number: int, shift: float) -> None:
    folder = copy('v3.0')

    def change(row: dict[str, Any]) -> None:
        for side in ('from', 'to') if row['episode_index'] == number else ():
            row[f'videos/{TOP}/{side}_timestamp'] += shift

    edit_episodes(folder, change)
    for each, result in enumerate(read(folder)):
        if each == number:
            assert isinstance(result, str) and f'{shift:.4f} s' in result
        else:
            assert [result] == right(each)


def all_at_the_beginning(row: dict[str, Any]) -> None:
    row[f'videos/{TOP}/to_timestamp'] -= row[f'videos/{TOP}/from_timestamp']
    row[f'videos/{TOP}/from_timestamp'] = 0.0


def exchanged(row: dict[str, Any]) -> None:
    """Episode 1 is said to be where episode 3 begins, so one of them is wrong, and both chain."""
    if row['episode_index'] == 1:
        row[f'videos/{TOP}/from_timestamp'], row[f'videos/{TOP}/to_timestamp'] = 1.5, 1.9


@pytest.mark.parametrize(
    ('change', 'wrong'), [(all_at_the_beginning, (0, 1, 2, 3)), (exchanged, (1, 3))]
)
def test_two_episodes_in_one_place(copy: Any, change: Any, wrong: tuple[int, ...]) -> None:
    folder = copy('v3.0')
    edit_episodes(folder, change)
    for number, result in enumerate(read(folder)):
        if number in wrong:
            assert isinstance(result, str) and f'episode {number} begins at' in result
        else:
            assert result == right(number)[0]


def test_one_video_for_all_episodes(copy: Any) -> None:
    folder = copy('v2.1')
    shutil.copy(folder / VIDEO['v2.1'], folder / 'all.mp4')
    edit_info(folder, video_path='all.mp4')
    for number, reason in enumerate(read(folder)):
        assert isinstance(reason, str)
        assert f'episode {number} begins at 0.0000 s of all.mp4 and overlaps' in reason


# Kind: timestamps in the table that are not those of the frames
DRIFT = (
    'the timestamps of episode 1 are up to {:.4f} s from those of its frames; expected at most '
    '0.0001 s, as in LeRobot'
)
TIMES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    'slow clock': (lambda t: t * 1.01, DRIFT.format(0.003)),
    'jitter': (lambda t: t + 0.02 * (t > 0.15), DRIFT.format(0.02)),
    'late': (lambda t: t + 0.04, DRIFT.format(0.04)),
    'a frame late': (lambda t: t + 0.1, DRIFT.format(0.1)),
    'a frame early': (lambda t: t - 0.1, DRIFT.format(0.1)),
    'another rate': (lambda t: t * 2, DRIFT.format(0.3)),
    'rounding': (lambda t: t.astype(np.float32) + np.float32(5e-5), ''),
}  # fmt: skip


def set_timestamps(file: Path, values: np.ndarray) -> None:
    """Replace those of episode 1."""
    table = pq.read_table(file)
    times = table['timestamp'].to_numpy().copy()
    own = table['episode_index'].to_numpy() == 1
    times = times.astype(values.dtype)
    times[own] = values
    set_column(file, 'timestamp', times)


@pytest.mark.parametrize('name', TIMES)
@pytest.mark.parametrize('version', VERSIONS)
def test_timestamps_that_drift(copy: Any, version: str, name: str) -> None:
    change, reason = TIMES[name]
    folder = copy(version)
    set_timestamps(folder / DATA[version], change(np.arange(4) / FPS))
    result = read(folder)
    assert [result[k] for k in (0, 2, 3)] == right(0, 2, 3)
    if reason:
        assert isinstance(result[1], str) and result[1].endswith(reason)
    else:
        assert result[1] == right(1)[0]


@pytest.mark.parametrize('offset', [1, 3])
def test_a_video_that_begins_late(copy: Any, offset: int) -> None:
    """LeRobot takes the video's own times, from which the timestamps then drift."""
    folder = copy('v2.1')
    with av.open(str(folder / VIDEO['v2.1']), 'w', options={'movflags': '+faststart'}) as container:
        stream = container.add_stream('mpeg4', rate=FPS)
        stream.width, stream.height, stream.pix_fmt = builder.WIDTH, builder.HEIGHT, 'yuv420p'
        grey = np.full((builder.HEIGHT, builder.WIDTH, 3), 90, np.uint8)
        for k in range(4):
            frame = av.VideoFrame.from_ndarray(builder.stamp(grey, 1, k), format='rgb24')
            frame.pts = k + offset
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    result = read(folder)[1]
    assert isinstance(result, str)
    assert result.endswith(BEGINS.format(0, offset / FPS, offset / FPS))


@pytest.mark.parametrize('seconds', [100, 3000, 40000])
def test_the_tolerance_has_room_for_float32(seconds: int) -> None:
    times = seconds + np.arange(300) / 30
    rounded = times.astype(np.float32).astype(np.float64)
    assert (np.abs(rounded - times) <= tolerance(times)).all()
    assert tolerance(times).max() < 1e-4 + seconds * 2e-7


# Kind: JSON in any Unicode encoding
ENCODINGS = ('utf-8', 'utf-8-sig', 'utf-16', 'utf-32', 'utf-16-le', 'utf-16-be')
TASK = 'Öffne die Schublade – 引き出しを開ける.'


@pytest.mark.parametrize('encoding', ENCODINGS)
def test_byte_order_marks(copy: Any, encoding: str) -> None:
    folder = copy('v2.1')
    tasks = [{'task_index': k, 'task': TASK} for k in range(4)]
    (folder / 'meta/tasks.jsonl').write_text(
        ''.join(json.dumps(t, ensure_ascii=False) + '\r\n' for t in tasks)
    )
    edit_episodes(folder, no_tasks_column)
    for file in (folder / 'meta').glob('*.json*'):
        file.write_text(file.read_text('utf-8'), encoding)
    mark = {'utf-16-le': codecs.BOM_UTF16_LE, 'utf-16-be': codecs.BOM_UTF16_BE}.get(encoding, b'')
    for file in (folder / 'meta').glob('*.json*'):
        file.write_bytes(mark + file.read_bytes())
    assert [each.task for each in open_dataset(str(folder), 'top').episodes] == [TASK] * 4
    assert read(folder) == right(0, 1, 2, 3)


# Kind: JSON that is too much
DEEP = '[' * 100_000 + ']' * 100_000


def sparse(file: Path) -> None:
    with file.open('wb') as stream:
        stream.truncate(10**11)


@pytest.mark.parametrize(
    ('name', 'reason'),
    [
        ('info.json', f'it has 100000000000 bytes; expected at most {MOST_BYTES}'),
        ('episodes.jsonl', f'a line has more than {MOST_BYTES} characters'),
        ('episodes_stats.jsonl', f'a line has more than {MOST_BYTES} characters'),
    ],
)
def test_huge_json(copy: Any, name: str, reason: str) -> None:
    folder = copy('v2.1')
    sparse(folder / 'meta' / name)
    with pytest.raises(DatasetError, match=reason):
        open_dataset(str(folder), 'top')


@pytest.mark.parametrize(
    'content', [DEEP, '{"a":' * 100_000, '9' * 5000, '{"fps": 1e999, ' + '"a":{"b":' * 50_000]
)
@pytest.mark.parametrize('name', ['info.json', 'episodes.jsonl', 'episodes_stats.jsonl'])
def test_json_that_is_no_metadata(copy: Any, name: str, content: str) -> None:
    folder = copy('v2.1')
    (folder / 'meta' / name).write_text(content)
    with pytest.raises(DatasetError, match=f'meta/{name} cannot be read'):
        open_dataset(str(folder), 'top')
    (folder / 'curves.json').write_text(content)
    shutil.rmtree(folder / 'meta')
    with pytest.raises(ClipError, match='not as expected'):
        open_recordings([str(folder)], SourceOptions())


@pytest.mark.parametrize('name', [TABLE, 'meta/tasks.parquet'])
def test_few_bytes_that_are_many_rows(copy: Any, name: str) -> None:
    folder = copy('v3.0')
    edit_episodes(folder, no_tasks_column)
    builder.write_table(folder / name, pa.table({'task_index': np.zeros(MOST_ROWS + 1, np.int64)}))
    assert (folder / name).stat().st_size < 10_000
    try:
        (note,) = open_dataset(str(folder), 'top').episodes[0].clip.notes
    except DatasetError as error:
        note = str(error)
    assert note.endswith(f'{name} has {MOST_ROWS + 1} rows; expected at most {MOST_ROWS}')


# Kind: numbers in info.json that are none, or none of that kind
@pytest.mark.parametrize('key', ['fps', 'chunks_size'])
@pytest.mark.parametrize(
    'value', [0, -1, 10**400, 1e300, 1e-300, float('nan'), float('inf'), True, '10', None, [10], {}]
)
def test_numbers_of_info(copy: Any, key: str, value: Any) -> None:
    folder = copy('v3.0')
    edit_info(folder, **{key: value})
    with pytest.raises(DatasetError, match=rf'{key} in meta/info\.json is missing or invalid'):
        open_dataset(str(folder), 'top')


@pytest.mark.parametrize('value', [-1, 10**400, 1e300, 1.5, float('nan'), True, '4', None, [4], {}])
@pytest.mark.parametrize('key', ['length', 'episode_index'])
def test_numbers_of_episodes(copy: Any, key: str, value: Any) -> None:
    folder = copy('v2.1')
    edit_episodes(folder, lambda row: row['episode_index'] == 1 and row.update({key: value}))
    with pytest.raises(
        DatasetError, match=f'an episode whose {key} is .*; expected a whole number'
    ):
        open_dataset(str(folder), 'top')


# Kind: path templates that are none
TEMPLATES: dict[str, str] = {
    'data/{episode_chunk:0999999999d}.parquet': 'an invalid path template',
    'data/{episode_index:100}.parquet': 'an invalid path template',
    'data/{episode_index:>999999999}': 'an invalid path template',
    'data/{episode_index:{episode_chunk}}': 'an invalid path template',
    'data/{episode_index:.999999999f}': 'an invalid path template',
    'data/{episode_index.__class__.__mro__}': 'an invalid path template',
    'data/{episode_index.real}.parquet': 'an invalid path template',
    'data/{episode_index[0]}': 'an invalid path template',
    'data/{episode_index!r}': 'an invalid path template',
    'data/{0}': 'an invalid path template',
    'data/{}': 'an invalid path template',
    'data/{no_such_name}': 'an invalid path template',
    'data/{': 'an invalid path template',
    'data/}': 'an invalid path template',
    '{{' * 2000 + '../{episode_index:06d}.parquet': 'is missing',
    'data/' + '{episode_index:99}' * 200: 'is not the path of a file',
    '../{episode_index:06d}.parquet': 'leads out of the dataset',
    'data/../../{episode_index:06d}.parquet': 'leads out of the dataset',
    '/etc/{episode_index}': 'leads out of the dataset',
    '': 'leads out of the dataset',
    'data/\n{episode_index}': 'is not the path of a file',
    'data/\0{episode_index}': 'is not the path of a file',
    'data/\ud800{episode_index}': 'is not the path of a file',
    'x' * 300 + '{episode_index}': 'is missing',
}


@pytest.mark.parametrize('template', TEMPLATES, ids=lambda text: ascii(text[:40]))
def test_path_templates(copy: Any, template: str) -> None:
    folder = copy('v2.1')
    edit_info(folder, data_path=template)
    for reason in read(folder):
        assert isinstance(reason, str) and len(reason) < 6000
        assert TEMPLATES[template] in reason
    good = json.loads((folder / 'meta/info.json').read_text())['video_path']
    edit_info(folder, data_path='data/chunk-{episode_chunk:03}/episode_{episode_index:06d}.parquet')
    assert read(folder) == right(0, 1, 2, 3)
    edit_info(folder, video_path=template)
    assert all(isinstance(reason, str) for reason in read(folder))
    edit_info(folder, video_path=good, features={'../../../etc': {'dtype': 'video'}})
    with pytest.raises(DatasetError, match='leads out of the dataset'):
        next(open_dataset(str(folder)).episodes[0].clip.frames())


def test_too_long_a_template(copy: Any) -> None:
    folder = copy('v2.1')
    edit_info(folder, data_path='{episode_index:99}' * 1000)
    with pytest.raises(DatasetError, match=r'data_path in meta/info\.json is missing or inv'):
        open_dataset(str(folder), 'top')


# Kind: links that lead out of the dataset; each file, and the version that has it
LINKS = [
    ('v2.1', 'meta/info.json'),
    ('v2.1', 'meta/episodes.jsonl'),
    ('v2.1', 'meta/episodes_stats.jsonl'),
    ('v2.1', DATA['v2.1']),
    ('v2.1', VIDEO['v2.1']),
    ('v2.1', 'data'),
    ('v2.1', 'videos/chunk-000'),
    ('v3.0', TABLE),
    ('v3.0', 'meta/episodes'),
    ('v3.0', 'meta/tasks.parquet'),
    ('v3.0', DATA['v3.0']),
    ('v3.0', VIDEO['v3.0']),
]


@pytest.mark.parametrize(('version', 'name'), LINKS)
def test_links_out_of_the_dataset(copy: Any, tmp_path: Path, version: str, name: str) -> None:
    folder = copy(version)
    if name == 'meta/tasks.parquet':
        edit_episodes(folder, no_tasks_column)
    outside = tmp_path / 'outside'
    shutil.move(folder / name, outside)
    (folder / name).symlink_to(outside)
    message = 'out of the dataset: copy the file into the dataset'
    try:
        results = read(folder)
    except DatasetError as error:
        assert message in str(error)
    else:
        episodes = open_dataset(str(folder), 'top').episodes
        reasons = [*map(str, results), *(note for each in episodes for note in each.clip.notes)]
        assert any(message in reason for reason in reasons)
        assert [each.task for each in episodes][1:] == (
            ['', '', ''] if 'tasks' in name else [*TEXTS[1:]]
        )
    # A link to a file of the dataset is one of its files
    (folder / name).unlink()
    shutil.move(outside, folder / 'within')
    (folder / name).symlink_to(folder / 'within')
    assert read(folder) == right(0, 1, 2, 3)


def test_an_image_that_is_a_link(copy: Any, tmp_path: Path) -> None:
    folder = copy('v2.1')
    (tmp_path / 'secret.png').write_bytes(builder.png(np.zeros((8, 8, 3), np.uint8)))
    (folder / 'link.png').symlink_to(tmp_path / 'secret.png')
    os.mkfifo(folder / 'pipe.png')
    for name, reason in (('link.png', 'out of the dataset'), ('pipe.png', 'is missing')):
        edit_table(
            folder / DATA['v2.1'],
            lambda rows, name=name: rows[0].update({WRIST: {'bytes': None, 'path': name}}),
        )  # type: ignore[misc]
        with pytest.raises(DatasetError, match=reason):
            next(open_dataset(str(folder), 'wrist').episodes[1].clip.frames())


def test_the_cache_of_the_hub_consists_of_links(copy: Any, tmp_path: Path) -> None:
    folder = copy('v3.0')
    snapshot, blobs = tmp_path / 'datasets--a--b/snapshots/abc', tmp_path / 'datasets--a--b/blobs'
    blobs.mkdir(parents=True)
    for number, file in enumerate(sorted(each for each in folder.rglob('*') if each.is_file())):
        link = snapshot / file.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(file, blobs / str(number))
        link.symlink_to(Path(os.path.relpath(blobs / str(number), link.parent)))
    assert read(snapshot) == right(0, 1, 2, 3)


# Kind: names of folders
@pytest.mark.parametrize('version', VERSIONS)
@pytest.mark.parametrize(
    'name', ['2026-02-01T10:30:00', 'http:', '-data', '数据 集', 'a\nb', '50%']
)
def test_names_of_folders(copy: Any, monkeypatch: Any, version: str, name: str) -> None:
    folder = copy(version)
    monkeypatch.chdir(folder.parent)
    folder.rename(name)
    assert read(Path(name)) == right(0, 1, 2, 3)


def test_a_video_that_is_shown_upside_down(copy: Any) -> None:
    folder = copy('v2.1')
    content = bytearray((folder / VIDEO['v2.1']).read_bytes())
    matrix = content.index(b'tkhd') + 44
    corner = (builder.WIDTH << 16, builder.HEIGHT << 16)
    turned = struct.pack('>9i', -(1 << 16), 0, 0, 0, -(1 << 16), 0, *corner, 1 << 30)
    content[matrix : matrix + 36] = turned
    (folder / VIDEO['v2.1']).write_bytes(content)
    images = [image for _, image in open_dataset(str(folder), 'top').episodes[1].clip.frames()]
    assert [builder.read_stamp(image[::-1, ::-1]) for image in images] == right(1)[0]


# Kind: hidden files are never content
def test_hidden_files(copy: Any, tmp_path: Path) -> None:
    folder = copy('v3.0')
    before = state_of(folder)
    for name in (TABLE, DATA['v3.0'], 'meta/tasks.parquet'):
        file = folder / name
        file.with_name(f'._{file.name}').write_bytes(b'\0\5\26\7' + bytes(60))
    (folder / 'meta/episodes/.old').mkdir()
    shutil.copy(folder / TABLE, folder / 'meta/episodes/.old/file-000.parquet')
    (folder / '.DS_Store').write_bytes(b'Bud1')
    assert read(folder) == right(0, 1, 2, 3) and state_of(folder) == before
    pictures = tmp_path / 'pictures'
    pictures.mkdir()
    (pictures / '0.png').write_bytes(builder.png(np.zeros((8, 8, 3), np.uint8)))
    (pictures / '._0.mcap').write_bytes(b'?')
    (pictures / '._0.mp4').write_bytes(b'?')
    assert format_of(str(pictures)) is FORMATS['clips']


def test_hidden_files_in_folders_with_labels(tmp_path: Path) -> None:
    (tmp_path / 'failure').mkdir()
    video(tmp_path / 'failure/a.mp4')
    (tmp_path / 'failure/._a.mp4').write_bytes(b'\0\5\26\7')
    (tmp_path / 'failure/.thumbnails').mkdir()
    (only,) = open_recordings([str(tmp_path)], SourceOptions('x'))
    assert (only.name, only.is_success) == ('failure/a', False)


def video(file: Path) -> None:
    write_video(file, [np.full((32, 32, 3), 9 * k, np.uint8) for k in range(6)], 3.0)


# Kind: anything in the metadata
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.sampled_from([10**400, -1, 0, 1, 0.6, 1.0, 1.5, '..', '\ud800', '{a.b:09999999999}']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
FUZZED = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)


def check_any(folder: Path) -> None:
    """An episode has its own frames in order, or there is a reason; nothing else is raised."""
    try:
        results = read(folder)
    except ClipError as error:
        assert str(error)
        return
    for result in results:
        if isinstance(result, str):
            assert result
            continue
        episodes = {episode for episode, _ in result}
        assert len(episodes) <= 1
        assert [k for _, k in result] == list(range(len(result)))


def replaced(value: Any, keys: list[Any], new: Any) -> Any:
    """Return a copy in which what is below these keys is another."""
    if not keys:
        return new
    changed = value.copy()
    changed[keys[0]] = replaced(value[keys[0]], keys[1:], new)
    return changed


def paths_in(value: Any, *before: Any) -> list[list[Any]]:
    if not isinstance(value, (dict, list)):
        return [list(before)]
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [[*before]] * bool(before) + [
        p for key, each in inner for p in paths_in(each, *before, key)
    ]


@pytest.mark.parametrize('version', VERSIONS)
@FUZZED
@given(data=st.data())
def test_any_info(folders: dict[str, Path], tmp_path_factory: Any, version: str, data: Any) -> None:
    folder = fresh(folders[version], tmp_path_factory)
    file = folder / 'meta/info.json'
    info = json.loads((folders[version] / 'meta/info.json').read_text())
    keys = data.draw(st.sampled_from(paths_in(info)))
    file.unlink()
    file.write_text(json.dumps(replaced(info, keys, data.draw(ANYTHING))))
    check_any(folder)


@FUZZED
@given(data=st.data())
def test_any_curves(tmp_path: Path, data: Any) -> None:
    (tmp_path / 'a').mkdir(exist_ok=True)
    (tmp_path / 'a/0.png').write_bytes(builder.png(np.zeros((8, 8, 3), np.uint8)))
    clip = {'file': 'a', 'task': 'x', 'success': True, 'ground_truth': [0, 0.5], 'gvl': [0, 1]}
    curves = {'clips': [clip]}
    changed = replaced(curves, data.draw(st.sampled_from(paths_in(curves))), data.draw(ANYTHING))
    (tmp_path / 'curves.json').write_text(json.dumps(changed))
    try:
        for recording in open_recordings([str(tmp_path)], SourceOptions(task='y')):
            list(recording.clip.frames())
    except ClipError as error:
        assert str(error)


@pytest.mark.parametrize('name', ['info.json', 'episodes.jsonl', 'episodes_stats.jsonl'])
@FUZZED
@given(data=st.data())
def test_any_bytes(folders: dict[str, Path], tmp_path_factory: Any, name: str, data: Any) -> None:
    folder = fresh(folders['v2.1'], tmp_path_factory)
    file = folder / 'meta' / name
    content = bytearray(file.read_bytes())
    begin, end = sorted(data.draw(st.integers(0, len(content))) for _ in range(2))
    content[begin:end] = data.draw(st.binary(max_size=40))
    file.unlink()
    file.write_bytes(content)
    check_any(folder)


@pytest.mark.parametrize('name', ['episodes', 'tasks', 'episodes_stats'])
@FUZZED
@given(data=st.data())
def test_any_lines(folders: dict[str, Path], tmp_path_factory: Any, name: str, data: Any) -> None:
    folder = fresh(folders['v2.1'], tmp_path_factory)
    file = folder / f'meta/{name}.jsonl'
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    keys = data.draw(st.sampled_from(paths_in(rows)))
    file.unlink()
    builder.write_lines(file, replaced(rows, keys, data.draw(ANYTHING)))
    if name == 'tasks':
        no_tasks(folder, folder / 'meta/episodes.jsonl')
    check_any(folder)


@pytest.mark.parametrize('name', [TABLE, 'meta/tasks.parquet', DATA['v3.0']])
@FUZZED
@given(data=st.data())
def test_any_table(folders: dict[str, Path], tmp_path_factory: Any, name: str, data: Any) -> None:
    folder = fresh(folders['v3.0'], tmp_path_factory)
    rows = pq.read_table(folders['v3.0'] / name).to_pylist()
    column = data.draw(st.sampled_from(list(rows[0])))
    first = data.draw(st.integers(0, len(rows) - 1))
    value = data.draw(ANYTHING)
    for row in rows[first : None if data.draw(st.booleans()) else first + 1]:
        row[column] = value
    try:
        table = pa.Table.from_pylist(rows)
    except (pa.ArrowException, OverflowError, UnicodeError, TypeError):
        assume(False)
    (folder / name).unlink()
    try:
        builder.write_table(folder / name, table)
    except pa.ArrowException:
        assume(False)
    check_any(folder)


def no_tasks(folder: Path, file: Path) -> None:
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    file.unlink()
    builder.write_lines(file, [{**row, 'tasks': []} for row in rows])


def fresh(folder: Path, factory: pytest.TempPathFactory) -> Path:
    """Return a copy of a dataset, of which a file that is removed first can be written anew."""
    copy = factory.mktemp('fuzzed') / folder.name
    shutil.copytree(folder, copy, copy_function=os.link)
    return copy
