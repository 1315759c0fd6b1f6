# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward label`: the labelled copy, the overrides, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from topreward_ros.commands.main import main
from topreward_ros.commands.score import episode
from topreward_ros.recordings.lerobot.dataset import open_dataset
from topreward_ros.results import lerobot_copy
from topreward_ros.scoring import LoadOptions, families

from ..recordings.lerobot_builder import (
    FPS,
    HEIGHT,
    TOP,
    WIDTH,
    DrawnEpisode,
    write_v21,
    write_v30,
)
from ..toy_scorer import ToyScorer

RISING = np.concatenate([np.linspace(0.1, 0.97, 30), np.full(12, 0.97)])
SHORT = np.linspace(0.1, 0.5, 34)
LOST = np.concatenate([RISING, np.linspace(0.97, 0.2, 20)])
OURS = ('progress', 'next.reward', 'returns', 'next.success', 'success', 'success_origin')
VIDEO = f'videos/{TOP}/chunk-000/file-000.mp4'


def drawn(levels: np.ndarray, task: str, is_success: bool) -> DrawnEpisode:
    """Return an episode whose pictures have these brightnesses, which ToyScorer reads."""
    pictures = [np.full((HEIGHT, WIDTH, 3), round(255 * level), np.uint8) for level in levels]
    return DrawnEpisode(task, is_success, pictures, pictures)


def write(folder: Path) -> None:
    """Write a dataset without labels; its statistics tell a success of episodes 0 and 2."""
    episodes = [
        drawn(RISING, 'Open it.', True),
        drawn(SHORT, 'Close <b>it</b>.', False),
        drawn(LOST, 'Lift it.', True),
    ]
    write_v30(folder, episodes, per_file=2)
    for file in (folder / 'data').rglob('*.parquet'):
        pq.write_table(pq.read_table(file).drop_columns(['next.success']), file)
    edit_json(folder / 'meta/info.json', lambda info: info['features'].pop('next.success'))


def edit_json(file: Path, change: Callable[[Any], object]) -> None:
    content = json.loads(file.read_text(encoding='utf-8'))
    change(content)
    file.write_text(json.dumps(content), encoding='utf-8')


@pytest.fixture
def label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return what runs the command beside the dataset `lamp`, on a scorer without a model."""
    monkeypatch.chdir(tmp_path)
    write(Path('lamp'))
    monkeypatch.setattr(families, 'load_scorer', lambda _: ToyScorer(LoadOptions('toy')))
    monkeypatch.setattr(episode, 'plot_run', lambda *_, **__: None)  # slow, and tested elsewhere

    def run(*arguments: str) -> int:
        return main(['label', *(arguments or ('lamp',)), '--camera', 'top', *RULE])

    return run


RULE = ('--fps', '5', '--set', 'success_threshold=-1')


def frames(out: str = 'lamp_labelled') -> list[dict[str, np.ndarray]]:
    """Return the columns of each episode of a copy."""
    table = pa.concat_tables(
        pq.read_table(file, columns=[*OURS, 'episode_index', 'index'])
        for file in sorted(Path(out, 'data').rglob('*.parquet'))
    )
    columns = {name: table[name].to_numpy() for name in table.column_names}
    assert columns['index'].tolist() == list(range(len(table)))
    numbers = columns['episode_index']
    return [
        {name: values[numbers == k] for name, values in columns.items()} for k in np.unique(numbers)
    ]


def snapshot(folder: str) -> dict[str, tuple[bytes, int]]:
    return {
        str(file): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in Path(folder).rglob('*')
        if file.is_file()
    }


def override(**verdicts: str) -> None:
    content = {
        'dataset': 'lamp',
        'episodes': {f'episode_{k[1:]:0>6}': v for k, v in verdicts.items()},
    }
    Path('topreward_labels/lamp').mkdir(parents=True, exist_ok=True)
    Path('topreward_labels/lamp/overrides.json').write_text(json.dumps(content), encoding='utf-8')


def test_a_copy_with_labels(label: Any, capsys: Any) -> None:
    before = snapshot('lamp')
    assert label() == 0
    assert snapshot('lamp') == before
    won, short, lost = frames()
    assert np.abs(won['progress'] - RISING).max() < 0.03
    assert won['success'].all() and lost['success'].all() and not short['success'].any()
    assert not short['next.success'].any()
    # log(level ** 8) reaches -1 at 0.88; the mean of three scores, twice
    first = int(np.argmax(won['next.success']))
    assert 26 < first < 36 and won['next.success'][first:].all()
    assert won['next.reward'].sum() == pytest.approx(1 + np.ptp(won['progress']), abs=1e-4)
    assert np.argmax(won['next.reward']) == first
    assert short['next.reward'].sum() == pytest.approx(np.ptp(short['progress']), abs=1e-4)
    assert short['next.reward'][-1] == 0
    expected = (0.99 ** np.arange(len(won['index'])) * won['next.reward']).sum()
    assert won['returns'][0] == pytest.approx(expected, abs=1e-4)
    assert not any(each['success_origin'].any() for each in (won, short, lost))
    assert '3 episodes (2 success, 1 failure), 0 by a person' in capsys.readouterr().out


def test_the_metadata_of_a_copy(label: Any) -> None:
    edit = Path('lamp/meta/stats.json')
    edit.write_text('{"timestamp": {"max": [4.1]}}', encoding='utf-8')
    assert label() == 0
    info = json.loads(Path('lamp_labelled/meta/info.json').read_text(encoding='utf-8'))
    kinds = {name: info['features'][name]['dtype'] for name in OURS}
    assert list(kinds.values()) == ['float32', 'float32', 'float32', 'bool', 'bool', 'int64']
    assert info['features']['returns'] == {'dtype': 'float32', 'shape': [1], 'names': None}
    assert info['fps'] == FPS
    schema = pq.read_schema(Path('lamp_labelled/data/chunk-000/file-000.parquet'))
    assert [str(schema.field(name).type) for name in OURS] == [
        *('float', 'float', 'float', 'bool', 'bool', 'int64')
    ]
    every = np.concatenate([each['returns'] for each in frames()])
    stats = json.loads(Path('lamp_labelled/meta/stats.json').read_text(encoding='utf-8'))
    assert stats['timestamp'] == {'max': [4.1]}
    assert stats['returns']['mean'] == pytest.approx([every.mean()], abs=1e-6)
    assert stats['returns']['q50'] == pytest.approx([np.median(every)], abs=1e-6)
    assert stats['success']['count'] == [len(every)]
    rows = pq.read_table(Path('lamp_labelled/meta/episodes/chunk-000/file-001.parquet'))
    assert rows['stats/returns/max'].to_pylist() == [[frames()[2]['returns'].max()]]
    # As this package reads it
    opened = open_dataset('lamp_labelled', 'top')
    assert [each.success for each in opened.episodes] == [True, False, True]


def test_videos_are_links_unless_copies_are_asked_for(label: Any) -> None:
    assert label() == 0
    assert Path('lamp_labelled', VIDEO).samefile(Path('lamp', VIDEO))
    assert not Path('lamp_labelled/meta/tasks.parquet').samefile('lamp/meta/tasks.parquet')
    assert label('lamp', 'other', '--copy-videos') == 0
    assert not Path('other', VIDEO).samefile(Path('lamp', VIDEO))
    assert Path('other', VIDEO).read_bytes() == Path('lamp', VIDEO).read_bytes()


def test_videos_are_copied_where_links_are_not_possible(label: Any, monkeypatch: Any) -> None:
    def no_link(*_: object) -> None:
        raise OSError(18, 'Invalid cross-device link')

    monkeypatch.setattr(os, 'link', no_link)
    assert label() == 0
    assert Path('lamp_labelled', VIDEO).read_bytes() == Path('lamp', VIDEO).read_bytes()


def test_overrides_win_and_are_kept(label: Any, capsys: Any) -> None:
    assert label() == 0
    override(e1='success', e2='undecided', e0='failure')
    assert label() == 0
    for _ in range(2):
        won, short, lost = frames()
        assert not won['success'].any() and not won['next.success'].any()
        assert won['next.reward'].max() < 0.1  # without that of success
        assert short['success'].all()
        # When it succeeded is not known, so it is the end
        assert np.flatnonzero(short['next.success']).tolist() == [len(SHORT) - 1]
        assert short['next.reward'][-1] == 1
        assert not lost['success'].any()
        assert [set(each['success_origin']) for each in (won, short, lost)] == [{1}, {1}, {2}]
        assert label() == 0  # again
    out = capsys.readouterr().out
    assert '(1 success, 1 failure, 1 undecided), 3 by a person' in out
    assert out.rstrip().endswith('labelled so already')
    page = Path('topreward_labels/lamp/review.html').read_text(encoding='utf-8')
    assert 'success <span class="by">by a person' in page


def test_a_copy_is_made_anew_where_anything_changed(label: Any) -> None:
    assert label() == 0
    state = snapshot('lamp_labelled')
    assert label() == 0 and snapshot('lamp_labelled') == state
    assert label('lamp', '--discount', '0.5', '--reward', 'none', '--success-reward', '10') == 0
    assert frames()[0]['next.reward'].max() == 10 and frames()[1]['returns'].max() == 0
    Path('lamp_labelled', VIDEO).unlink()
    assert label() == 0 and Path('lamp_labelled', VIDEO).exists()
    assert not list(Path().glob('.*')), 'nothing is left behind'


def test_an_interrupted_copy_leaves_the_one_before(label: Any, monkeypatch: Any) -> None:
    assert label() == 0
    state = snapshot('lamp_labelled')
    override(e1='success')
    rewrite = lerobot_copy._rewrite

    def interrupted(source: Path, *arguments: Any) -> None:
        if source.parts[-3] == 'data' and source.name == 'file-001.parquet':
            raise KeyboardInterrupt
        rewrite(source, *arguments)

    monkeypatch.setattr(lerobot_copy, '_rewrite', interrupted)
    assert label() == 130
    assert snapshot('lamp_labelled') == state and not list(Path().glob('.*'))


def test_scores_are_found_again(label: Any, capsys: Any) -> None:
    assert label() == 0
    capsys.readouterr()
    shutil.rmtree('lamp_labelled')
    assert label() == 0
    assert capsys.readouterr().out.count('scored already') == 3
    assert len(frames()) == 3


def test_the_page_shows_what_is_doubtful_first(label: Any) -> None:
    assert label() == 0
    page = Path('topreward_labels/lamp/review.html').read_text(encoding='utf-8')
    order = [page.index(f'data-name="episode_{k:06d}"') for k in range(3)]
    assert min(order) == order[2]
    assert 'success was detected, and is lost at the end' in page
    assert 'Close &lt;b&gt;it&lt;/b&gt;.' in page and '<b>it</b>' not in page


def test_columns_that_are_there_are_replaced_if_asked_for(label: Any, capsys: Any) -> None:
    assert label() == 0
    assert label('lamp_labelled', 'twice') == 1
    assert (
        'lamp_labelled has next.reward, next.success, progress, returns' in capsys.readouterr().err
    )
    assert label('lamp_labelled', 'twice', '--replace', '--success-reward', '5') == 0
    schema = pq.read_schema('twice/data/chunk-000/file-000.parquet')
    assert len(set(schema.names)) == len(schema.names)
    assert frames('twice')[0]['next.reward'].max() >= 5


def damaged(text: str) -> Callable[[], None]:
    def write_it() -> None:
        Path('topreward_labels/lamp').mkdir(parents=True)
        Path('topreward_labels/lamp/overrides.json').write_text(text, encoding='utf-8')

    return write_it


def break_video() -> None:
    Path('lamp', VIDEO).write_bytes(b'no video at all')


def older() -> None:
    shutil.rmtree('lamp')
    write_v21(Path('lamp'), [drawn(SHORT, 'Open it.', False)])


def occupied() -> None:
    Path('lamp_labelled').mkdir()
    Path('lamp_labelled/mine.txt').touch()


def linked() -> None:
    Path('lamp/videos').rename('elsewhere')
    Path('lamp/videos').symlink_to(Path('elsewhere').resolve())


REFUSED: list[tuple[Callable[[], object], Sequence[str], str]] = [
    (older, ('lamp',), 'lamp has the version v2.1, and labels are written into v3.0: convert it'),
    (occupied, ('lamp',), 'lamp_labelled exists and was not written by `topreward label`'),
    (linked, ('lamp',), 'lamp/videos is a link: copy the folder there'),
    (lambda: None, ('lamp', 'lamp/out'), 'the copy lamp/out would be within lamp, or around it'),
    (lambda: None, ('lamp', '.'), 'the copy . would be within lamp, or around it'),
    (lambda: None, ('lamp', 'lamp'), 'the copy lamp would be within lamp, or around it'),
    (lambda: None, ('none',), 'none is not a folder, and label needs the whole dataset'),
    (lambda: None, ('lamp', '--save', 'lamp/s'), 'the results would be written into lamp'),
    (lambda: None, ('lamp', '--overrides', 'no.json'), 'no.json is no file; expected one that'),
    (lambda: None, ('lamp', '--discount', '1.5'), 'the discount is 1.5; expected 0 to 1'),
    (damaged('{"dataset": "lamp", '), ('lamp',), 'overrides.json cannot be read as JSON'),
    (damaged('[1]'), ('lamp',), 'overrides.json is not a file of overrides'),
    (damaged('{"dataset": "a", "episodes": {}}'), ('lamp',), "is of the dataset 'a', and this one"),
    (damaged('{"dataset": "lamp", "episodes": 3}'), ('lamp',), 'episodes is not an object'),
    (lambda: override(e9='success'), ('lamp',), "is of 'episode_000009', which lamp does not have"),
    (lambda: override(e1='maybe'), ('lamp',), "says 'maybe' of episode_000001; expected one of"),
]


@pytest.mark.parametrize(('before', 'arguments', 'reason'), REFUSED)
def test_what_is_refused(
    label: Any, capsys: Any, before: Callable[[], object], arguments: Sequence[str], reason: str
) -> None:
    before()
    there = sorted(Path().rglob('*'))
    assert label(*arguments) in (1, 2)
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and reason in lines[0]
    new = set(Path().rglob('*')) - set(there)
    assert all(path.is_dir() for path in new), 'nothing but the folder of results'


def test_a_video_that_cannot_be_read_ends_without_a_copy(label: Any, capsys: Any) -> None:
    break_video()
    assert label() == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert [line for line in lines if 'cannot be read as a video' in line] == lines[:2]
    assert '2 of 3 episodes could not be scored, so no copy was written' in lines[2]
    assert not Path('lamp_labelled').exists()


def test_a_scorer_without_evidence_of_success_needs_a_calibration(
    label: Any, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(ToyScorer, 'tells_success', False)
    assert main(['label', 'lamp', '--camera', 'top', '--model', 'toy']) == 2
    assert 'toy cannot tell success: calibrate' in capsys.readouterr().err


def test_parts_with_tasks_of_their_own(label: Any, capsys: Any) -> None:
    """Episode 1 closes it, then lifts it."""
    tasks = pq.read_table('lamp/meta/tasks.parquet').to_pydict()
    numbers = dict(zip(tasks['__index_level_0__'], tasks['task_index'], strict=True))
    half = len(SHORT) // 2
    file = Path('lamp/data/chunk-000/file-000.parquet')
    table = pq.read_table(file)
    own = table['task_index'].to_numpy().copy()
    own[len(RISING) + half :] = numbers['Lift it.']
    column = table.column_names.index('task_index')
    pq.write_table(table.set_column(column, 'task_index', pa.array(own)), file)
    file = Path('lamp/meta/episodes/chunk-000/file-000.parquet')
    rows = pq.read_table(file).to_pylist()
    rows[1]['tasks'] = ['Close <b>it</b>.', 'Lift it.']
    pq.write_table(pa.Table.from_pylist(rows), file)
    Path('topreward_labels/lamp').mkdir(parents=True)
    content = {'dataset': 'lamp', 'episodes': {'episode_000001_part_2': 'success'}}
    Path('topreward_labels/lamp/overrides.json').write_text(json.dumps(content), encoding='utf-8')
    assert label() == 0
    parts = frames()[1]
    assert parts['success'].tolist() == [False] * half + [True] * (len(SHORT) - half)
    assert parts['next.reward'][half - 1] == 0, 'no reward over the change of task'
    assert parts['next.reward'][-1] == 1
    assert '4 episodes' in capsys.readouterr().out


def test_frames_of_no_episode_end_without_a_copy(label: Any, capsys: Any) -> None:
    """A table whose frames are of no episode is found before the copy is there."""
    file = Path('lamp/data/chunk-000/file-001.parquet')
    table = pq.read_table(file)
    stray = (
        table.slice(0, 1)
        .set_column(table.column_names.index('index'), 'index', pa.array([999]))
        .set_column(table.column_names.index('episode_index'), 'episode_index', pa.array([77]))
    )
    pq.write_table(pa.concat_tables([table, stray]), file)
    assert label() == 1
    assert (
        'has frames that are of no episode: the index goes from 76 to 999'
        in capsys.readouterr().err
    )
    assert not Path('lamp_labelled').exists() and not list(Path().glob('.*'))
