# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""LeRobot datasets are read frame by frame as written, and errors name what is wrong."""

from __future__ import annotations

import dataclasses
import fnmatch
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

pa = pytest.importorskip('pyarrow')
import pyarrow.parquet as pq
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

from topreward_ros.recordings.lerobot import frames as lerobot_frames
from topreward_ros.recordings.lerobot.dataset import Dataset, open_dataset
from topreward_ros.recordings.lerobot.files import DatasetError

from . import lerobot_builder as builder
from .lerobot_builder import FPS, GOP, TOP, WRIST, DrawnEpisode

VERSIONS = ('v2.1', 'v3.0')
WRITE = {'v2.1': builder.write_v21, 'v3.0': builder.write_v30}
VIDEO = {
    'v2.1': f'videos/chunk-000/{TOP}/episode_000001.mp4',
    'v3.0': f'videos/{TOP}/chunk-000/file-000.mp4',
}


@pytest.fixture(scope='module')
def written() -> list[DrawnEpisode]:
    return builder.draw()


@pytest.fixture(scope='module')
def folders(
    written: list[DrawnEpisode], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    root = tmp_path_factory.mktemp('datasets')
    for version in VERSIONS:
        WRITE[version](root / version, written)
    return {version: root / version for version in VERSIONS}


@pytest.fixture
def copy(folders: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return a copy of a dataset, which a test may damage."""
    return lambda version: Path(shutil.copytree(folders[version], tmp_path / version))


def edit_info(folder: Path, **changes: Any) -> None:
    file = folder / 'meta/info.json'
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def edit_rows(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the rows of the episodes' tables."""
    for file in sorted(folder.glob('meta/episodes/*/*.parquet')):
        rows = pq.read_table(file).to_pylist()
        for row in rows:
            change(row)
        builder.write_table(file, pa.Table.from_pylist(rows))


def check_top(dataset: Dataset, written: list[DrawnEpisode], indices: Iterator[int]) -> None:
    for index in indices:
        read = list(dataset.episodes[index].clip.frames())
        assert [builder.read_stamp(image) for _, image in read] == [
            (index, k) for k in range(written[index].frames)
        ]
        for k, (time, image) in enumerate(read):
            assert time == pytest.approx(k / FPS, abs=1e-9)
            assert image.dtype == np.uint8
            assert np.abs(image.astype(int) - written[index].top[k]).mean() < 12


@pytest.mark.parametrize('version', VERSIONS)
def test_an_episode_recorded_again_has_another_origin(
    copy: Callable[[str], Path], written: list[DrawnEpisode], version: str
) -> None:
    folder = copy(version)
    before = [each.origin for each in open_dataset(str(folder), camera='top').episodes]
    assert before == [each.origin for each in open_dataset(str(folder), camera='top').episodes]
    assert all(before)
    shutil.rmtree(folder)
    changed = dataclasses.replace(written[1], top=[255 - image for image in written[1].top])
    WRITE[version](folder, [written[0], changed, *written[2:]])
    after = [each.origin for each in open_dataset(str(folder), camera='top').episodes]
    assert before[1] != after[1]
    if version == 'v3.0':  # in 2.1 all files are new
        assert [before[k] == after[k] for k in range(5)] == [True, False, True, True, True]


def test_a_removed_episode(copy: Callable[[str], Path], written: list[DrawnEpisode]) -> None:
    """Later episodes keep the numbers in their tables."""
    folder = copy('v2.1')
    for name in ('episodes', 'episodes_stats'):
        file = folder / f'meta/{name}.jsonl'
        lines = file.read_text().splitlines()
        file.write_text('\n'.join(lines[:1] + lines[2:]))
    (folder / 'data/chunk-000/episode_000001.parquet').unlink()
    dataset = open_dataset(str(folder), camera='top')
    assert [episode.index for episode in dataset.episodes] == [0, 2, 3, 4]
    third = dataset.episodes[1]
    assert third.table().first_index == written[0].frames + written[1].frames
    assert len(list(third.clip.frames())) == written[2].frames


def test_frames_by_their_times(copy: Callable[[str], Path]) -> None:
    """A camera that paused for a second."""
    folder = copy('v2.1')
    file = folder / 'data/chunk-000/episode_000000.parquet'
    table = pq.read_table(file)
    times = np.array(table['timestamp'].to_pylist())
    times[7:] += 1.0
    column = pa.array(times, pa.float32())
    builder.write_table(
        file, table.set_column(table.column_names.index('timestamp'), 'timestamp', column)
    )
    episode = open_dataset(str(folder), camera='wrist').episodes[0]
    shown = [time for time, _ in episode.clip.frames()]
    assert shown[7] - shown[6] == pytest.approx(1.1, abs=1e-5)
    assert episode.table().numbers(shown).tolist() == list(range(len(shown)))


@pytest.mark.parametrize('version', VERSIONS)
def test_metadata_of_a_dataset(
    folders: dict[str, Path], written: list[DrawnEpisode], version: str
) -> None:
    dataset = open_dataset(str(folders[version]), camera='top')
    assert (dataset.name, dataset.version, dataset.fps) == (version, version, FPS)
    assert dataset.cameras == (TOP, WRIST) and dataset.camera == TOP
    assert len({episode.frames for episode in written}) > 2
    first = 0
    for k, (episode, made) in enumerate(zip(dataset.episodes, written, strict=True)):
        assert (episode.index, episode.task, episode.frames) == (k, made.task, made.frames)
        assert (episode.table().first_index, episode.success) == (first, made.is_success)
        assert episode.clip.name == f'{version}/episode_{k:06d}'
        assert episode.clip.seconds == pytest.approx(made.frames / FPS)
        first += made.frames


@pytest.mark.parametrize('version', VERSIONS)
def test_every_frame_of_a_video(
    folders: dict[str, Path], written: list[DrawnEpisode], version: str
) -> None:
    dataset = open_dataset(str(folders[version]), TOP)
    check_top(dataset, written, reversed(range(len(written))))
    check_top(dataset, written, iter([1]))  # it can be read again


@pytest.mark.parametrize('version', VERSIONS)
def test_every_frame_of_an_image_feature(
    folders: dict[str, Path], written: list[DrawnEpisode], version: str
) -> None:
    for episode in open_dataset(str(folders[version]), WRIST).episodes:
        read = list(episode.clip.frames())
        for (time, image), (k, picture) in zip(
            read, enumerate(written[episode.index].wrist), strict=True
        ):
            assert time == k / FPS and np.array_equal(image, picture)


@pytest.mark.skipif('libsvtav1' not in av.codecs_available, reason='PyAV comes without SVT-AV1')
def test_av1_as_lerobot_records_it(written: list[DrawnEpisode], tmp_path: Path) -> None:
    builder.write_v30(tmp_path / 'av1', written[:3], 'libsvtav1')
    check_top(open_dataset(str(tmp_path / 'av1'), TOP), written, iter([2, 1]))


def test_a_shared_video_is_not_decoded_from_its_beginning(
    folders: dict[str, Path], written: list[DrawnEpisode], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[float] = []
    nearest = lerobot_frames._nearest

    def watched(frames: Iterator[tuple[float, Any]], *rest: Any) -> Iterator[Any]:
        def seen() -> Iterator[tuple[float, Any]]:
            for time, frame in frames:
                decoded.append(time)
                yield time, frame

        return nearest(seen(), *rest)

    monkeypatch.setattr(lerobot_frames, '_nearest', watched)
    dataset = open_dataset(str(folders['v3.0']), TOP)
    start = (written[0].frames + written[1].frames) / FPS
    assert len(list(dataset.episodes[2].clip.frames())) == written[2].frames
    assert start - GOP / FPS - 1e-6 < decoded[0] <= start
    assert len(decoded) <= written[2].frames + GOP + 1


def test_a_seek_that_ends_too_late_is_repeated_further_back() -> None:
    """Some containers seek to a keyframe that is too late: an earlier one is used then."""

    class Frame:
        def __init__(self, pts: int) -> None:
            self.pts = pts

    class Container:
        def __init__(self) -> None:
            stream = type('Stream', (), {'start_time': 0, 'time_base': 0.1})
            self.streams = type('Streams', (), {'video': [stream]})
            self.at = 0

        def seek(self, offset: int, stream: object) -> None:
            self.at = next(key for key in (60, 40, 0) if key <= offset + 2)

        def decode(self, stream: object) -> Iterator[Frame]:
            return (Frame(pts) for pts in range(self.at, 80))

    frames = lerobot_frames._decode_from(Container(), 5.8, 0.05)
    assert next(frames)[0] == pytest.approx(4.0)


def test_version_2_0_reads_as_2_1(copy: Callable[[str], Path], written: list[DrawnEpisode]) -> None:
    folder = copy('v2.1')
    edit_info(folder, codebase_version='v2.0')
    (folder / 'meta/episodes_stats.jsonl').unlink()
    dataset = open_dataset(str(folder), TOP)
    check_top(dataset, written, iter([3]))
    # Without the statistics, the column of the data table is used
    assert [e.success for e in dataset.episodes] == [w.is_success for w in written]


@pytest.mark.parametrize('version', VERSIONS)
def test_success_is_unknown_without_labels(copy: Callable[[str], Path], version: str) -> None:
    folder = copy(version)
    features = {TOP: builder.FEATURES[TOP]}
    edit_info(folder, features=features)
    (folder / 'meta/episodes_stats.jsonl').unlink(missing_ok=True)
    edit_rows(folder, lambda row: row.pop('stats/next.success/max'))
    assert {episode.success for episode in open_dataset(str(folder)).episodes} == {None}


class Hub:
    """A fake hub: copies the matching files of a folder, and records the requests."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.root = cache / ('0123456789abcdef' * 3)[:40]
        self.asked: list[tuple[str | None, str]] = []

    def __call__(
        self, name: str, *, repo_type: str, revision: str | None, allow_patterns: list[str]
    ) -> str:
        assert (name, repo_type) == ('someone/blocks', 'dataset')
        for pattern in allow_patterns:
            self.asked.append((revision, pattern))
            for file in self.folder.rglob('*'):
                relative = file.relative_to(self.folder).as_posix()
                if file.is_file() and fnmatch.fnmatch(relative, pattern):
                    (self.root / relative).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file, self.root / relative)
        return str(self.root)


@pytest.mark.parametrize('version', VERSIONS)
def test_a_dataset_on_the_hub_is_downloaded_in_parts(
    folders: dict[str, Path],
    written: list[DrawnEpisode],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
) -> None:
    hub = Hub(folders[version], tmp_path)
    monkeypatch.setattr('huggingface_hub.snapshot_download', hub)
    dataset = open_dataset('someone/blocks', 'top', revision='main')
    assert hub.asked == [('main', 'meta/*')]
    assert dataset.episodes[1].clip.name == 'blocks/episode_000001'
    check_top(dataset, written, iter([1, 1]))
    commit = hub.root.name
    data = 'episode_000001' if version == 'v2.1' else 'file-000'
    assert hub.asked[1:] == [
        (commit, f'data/chunk-000/{data}.parquet'),
        (commit, VIDEO[version]),
    ]
    hub.folder = tmp_path / 'gone'
    with pytest.raises(DatasetError, match=r'is missing, or the hub cannot be reached'):
        list(dataset.episodes[4].clip.frames())


def test_a_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(error: Exception) -> None:
        def download(*_: object, **__: object) -> str:
            raise error

        monkeypatch.setattr('huggingface_hub.snapshot_download', download)

    fail(LocalEntryNotFoundError('offline'))
    with pytest.raises(DatasetError, match=r'is not a folder, not in the local cache.*reached'):
        open_dataset('someone/blocks')
    fail(OSError('404 not found'))
    with pytest.raises(DatasetError, match='could not be downloaded from the hub: 404 not found'):
        open_dataset('someone/blocks')
    assert issubclass(RepositoryNotFoundError, OSError)


def test_what_is_not_a_dataset(tmp_path: Path, copy: Callable[[str], Path]) -> None:
    with pytest.raises(DatasetError, match=r'has no meta/info\.json'):
        open_dataset(str(tmp_path))
    with pytest.raises(DatasetError, match='is neither a folder nor the id'):
        open_dataset(str(tmp_path / 'nothing'))
    folder = copy('v2.1')
    for wrong, message in (
        ({'codebase_version': 'v1.6'}, r"version 'v1\.6'.*v2\.0, v2\.1, v3\.0"),
        ({'codebase_version': ['v3.0']}, 'expected a LeRobot dataset of version'),
        ({'codebase_version': 'v2.1', 'fps': 0}, r'fps in meta/info\.json is missing or invalid'),
        ({'fps': True}, r'fps in meta/info\.json is missing or invalid'),
        (
            {'fps': FPS, 'features': {TOP: 'video'}},
            r'features in meta/info\.json is missing or invalid',
        ),
        ({'features': {}}, 'has no camera'),
    ):
        edit_info(folder, **wrong)
        with pytest.raises(DatasetError, match=message):
            open_dataset(str(folder))
    for text in ('{', '[1]', '"v3.0"'):
        (folder / 'meta/info.json').write_text(text)
        with pytest.raises(DatasetError):
            open_dataset(str(folder))


def test_a_camera_has_to_be_chosen(folders: dict[str, Path], copy: Callable[[str], Path]) -> None:
    with pytest.raises(DatasetError, match=f'choose one with --camera: {TOP}, {WRIST}'):
        open_dataset(str(folders['v3.0']))
    with pytest.raises(DatasetError, match=f"no camera 'depth': choose one .*{TOP}"):
        open_dataset(str(folders['v3.0']), 'depth')
    folder = copy('v3.0')
    edit_info(folder, features={WRIST: builder.FEATURES[WRIST]})
    assert open_dataset(str(folder)).camera == WRIST


@pytest.mark.parametrize('lines', ['', '{', '[]', '{"episode_index": 0}', '{"length": 3}'])
def test_an_invalid_table_of_episodes(copy: Callable[[str], Path], lines: str) -> None:
    folder = copy('v2.1')
    (folder / 'meta/episodes.jsonl').write_text(lines)
    with pytest.raises(DatasetError):
        open_dataset(str(folder), TOP)


def test_a_table_of_episodes_that_is_missing_or_broken(copy: Callable[[str], Path]) -> None:
    folder = copy('v3.0')
    file = folder / 'meta/episodes/chunk-000/file-001.parquet'
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DatasetError, match=r'file-001\.parquet cannot be read'):
        open_dataset(str(folder), TOP)
    file.write_bytes((folder / 'meta/episodes/chunk-000/file-000.parquet').read_bytes())
    with pytest.raises(DatasetError, match='episode 0 is in the metadata twice'):
        open_dataset(str(folder), TOP)
    shutil.rmtree(folder / 'meta/episodes')
    with pytest.raises(DatasetError, match='holds no parquet table'):
        open_dataset(str(folder), TOP)


def test_one_bad_episode_does_not_stop_the_others(
    copy: Callable[[str], Path], written: list[DrawnEpisode]
) -> None:
    folder = copy('v2.1')
    video = folder / VIDEO['v2.1']
    video.unlink()
    (folder / 'data/chunk-000/episode_000002.parquet').write_bytes(b'PAR1')
    builder.encode(folder / VIDEO['v2.1'].replace('1.mp4', '3.mp4'), written[3].top[:-2])
    dataset = open_dataset(str(folder), TOP)
    check_top(dataset, written, iter([0, 4]))
    with pytest.raises(DatasetError, match=r'episode_000001\.mp4 is missing'):
        list(dataset.episodes[1].clip.frames())
    with pytest.raises(DatasetError, match=r'episode_000002\.parquet cannot be read'):
        list(dataset.episodes[2].clip.frames())
    count = written[3].frames
    with pytest.raises(DatasetError, match=f'{count - 2} of the {count} frames of the episode'):
        list(dataset.episodes[3].clip.frames())
    video.write_bytes(b'no video at all')
    with pytest.raises(DatasetError, match='cannot be read as a video'):
        list(dataset.episodes[1].clip.frames())


def test_a_part_of_a_video_that_is_too_short(
    copy: Callable[[str], Path], written: list[DrawnEpisode]
) -> None:
    """Frames of the next episode do not replace the missing ones."""
    folder = copy('v3.0')

    def shorten(row: dict[str, Any]) -> None:
        if row['episode_index'] == 1:
            row[f'videos/{TOP}/to_timestamp'] -= 1 / FPS
        if row['episode_index'] == 2:
            row[f'videos/{TOP}/from_timestamp'] = None
        if row['episode_index'] == 4:
            row[f'videos/{TOP}/file_index'] = None

    edit_rows(folder, shorten)
    dataset = open_dataset(str(folder), TOP)
    check_top(dataset, written, iter([0, 3]))
    count = written[1].frames
    with pytest.raises(DatasetError, match=f'holds {count - 1} frames of episode 1; .* {count}'):
        list(dataset.episodes[1].clip.frames())
    with pytest.raises(DatasetError, match='gives no valid part of'):
        list(dataset.episodes[2].clip.frames())
    with pytest.raises(DatasetError, match='does not give the file'):
        list(dataset.episodes[4].clip.frames())


def test_rows_that_are_not_those_of_the_metadata(copy: Callable[[str], Path]) -> None:
    folder = copy('v3.0')
    file = folder / 'data/chunk-000/file-000.parquet'
    table = pq.read_table(file)

    def problem(changed: Any) -> str:
        builder.write_table(file, changed)
        with pytest.raises(DatasetError) as caught:
            list(open_dataset(str(folder), TOP).episodes[0].clip.frames())
        return str(caught.value)

    assert 'frames of episode 0; the metadata lists' in problem(table.slice(1))
    shifted = np.asarray(table['index']) + 1
    assert 'does not count its frames from 0' in problem(_with(table, 'index', shifted))
    still = np.zeros(table.num_rows, np.float32)
    assert 'do not rise' in problem(_with(table, 'timestamp', still))
    assert 'cannot be read' in problem(table.drop_columns(['timestamp']))
    assert 'cannot be read' in problem(table.drop_columns(['episode_index']))


def _with(table: Any, column: str, values: np.ndarray) -> Any:
    return table.set_column(table.column_names.index(column), column, pa.array(values))


def test_images_beside_the_table_and_images_that_are_none(
    copy: Callable[[str], Path], written: list[DrawnEpisode]
) -> None:
    folder = copy('v2.1')
    (folder / 'images').mkdir()
    (folder / 'images/0.png').write_bytes(builder.png(written[0].wrist[0]))
    grey = builder.png(np.full((builder.HEIGHT, builder.WIDTH), 7, np.uint8))
    deep = builder.png(np.full((builder.HEIGHT, builder.WIDTH), 7, np.uint16))
    file = folder / 'data/chunk-000/episode_000000.parquet'
    table = pq.read_table(file)
    cells = table[WRIST].to_pylist()
    for first, expected in (
        ({'bytes': None, 'path': 'images/0.png'}, written[0].wrist[0]),
        ({'bytes': grey, 'path': None}, np.full((builder.HEIGHT, builder.WIDTH, 3), 7)),
        ({'bytes': deep, 'path': None}, 'not a color image'),
        ({'bytes': cells[0]['bytes'][:90], 'path': None}, 'cannot be read'),
        ({'bytes': None, 'path': None}, 'is missing'),
        ({'bytes': None, 'path': '../../secret.png'}, 'leads out of the dataset'),
        ({'bytes': None, 'path': '/etc/hostname'}, 'leads out of the dataset'),
    ):
        column = pa.array([first, *cells[1:]])
        builder.write_table(file, table.set_column(0, WRIST, column))
        frames = open_dataset(str(folder), WRIST).episodes[0].clip.frames()
        if isinstance(expected, str):
            with pytest.raises(DatasetError, match=expected):
                next(frames)
        else:
            assert np.array_equal(next(frames)[1], expected)


def test_invalid_path_templates(copy: Callable[[str], Path]) -> None:
    folder = copy('v2.1')
    for template, message in (
        ('../{episode_index}.parquet', 'leads out of the dataset'),
        ('data/{chunk_index}.parquet', 'an invalid path template'),
        ('data/{episode_index.__class__.x}', 'an invalid path template'),
        ('data/{', 'an invalid path template'),
    ):
        edit_info(folder, data_path=template)
        dataset = open_dataset(str(folder), TOP)
        with pytest.raises(DatasetError, match=message):
            list(dataset.episodes[0].clip.frames())


@pytest.mark.parametrize('version', VERSIONS)
def test_episodes_that_list_no_task_or_several(
    copy: Callable[[str], Path], written: list[DrawnEpisode], version: str
) -> None:
    folder = copy(version)

    def change(row: dict[str, Any]) -> None:
        if row['episode_index'] == 0:
            row['tasks'] = []
        if row['episode_index'] == 1:
            row['tasks'] = [written[0].task, written[1].task]

    if version == 'v2.1':
        file = folder / 'meta/episodes.jsonl'
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        for row in rows:
            change(row)
        builder.write_lines(file, rows)
    else:
        edit_rows(folder, change)
    tasks = [episode.task for episode in open_dataset(str(folder), TOP).episodes]
    assert tasks == [episode.task for episode in written]


def test_without_pyarrow(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    with pytest.raises(DatasetError, match=r"pip install 'topreward_ros\[lerobot\]'"):
        open_dataset(str(folders['v2.1']), TOP)
