# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Copy a LeRobot dataset (v3.0) with the columns of `frame_labels` added.

Videos and loose images become hard links where the file system allows it; tables, statistics and
info.json are written anew. The copy appears when it is complete.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from topreward_ros.files import ResultsError, StoredResults, check_folder, whole_folder, write_json
from topreward_ros.json_files import read_json
from topreward_ros.recordings.lerobot.files import (
    INFO,
    MOST_FRAMES,
    DatasetError,
    DatasetFiles,
    import_pyarrow,
    open_table,
)
from topreward_ros.recordings.lerobot.info import read_info
from topreward_ros.recordings.recording import digest

from .frame_labels import COLUMNS

STATS = 'meta/stats.json'
MARK = 'meta/topreward_labels.json'  # tells that a folder is such a copy, and of what
LINKED = ('videos', 'images')  # folders
QUANTILES = (1, 10, 50, 90, 99)  # percent, as in LeRobot's statistics
CONVERT = 'python -m lerobot.scripts.convert_dataset_v21_to_v30'

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Original:
    """A dataset that can be labelled, and the relative paths of its files."""

    files: DatasetFiles
    paths: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.files.name

    def state(self) -> str:
        """Return a digest that changes when a file does."""
        stats = {path: (self.files.root / path).stat() for path in self.paths}
        return digest({path: [stat.st_size, stat.st_mtime_ns] for path, stat in stats.items()})


def check_original(files: DatasetFiles, replace: bool) -> Original:
    """Return the dataset; DatasetError for another version, links out of it, or for columns that
    are there already unless they are to be replaced.
    """
    info = read_info(files)
    if not info.shares_files:
        raise DatasetError(
            f'{files.name} has the version {info.version}, and labels are written into v3.0: '
            f'convert it first, with {CONVERT}'
        )
    if not replace and (there := sorted(COLUMNS.keys() & info.features.keys())):
        raise DatasetError(
            f'{files.name} has {", ".join(there)} already: add --replace to replace them in the '
            'copy'
        )
    paths = tuple(sorted(_walk(files)))
    for path in paths:
        files.path(path)
    return Original(files, paths)


def check_out(original: Original, out: Path) -> None:
    """Raise ResultsError where the copy would be written over something else."""
    root, target = original.files.root.resolve(), out.resolve()
    if target.is_relative_to(root) or root.is_relative_to(target):
        raise ResultsError(
            f'the copy {out} would be within {original.name}, or around it: give another OUT'
        )
    is_free = not os.path.lexists(out) or (out.is_dir() and not any(out.iterdir()))
    if not is_free and not (out / MARK).is_file():
        raise ResultsError(
            f'{out} exists and was not written by `topreward label`: give another OUT'
        )
    check_folder(out.parent, 'OUT')


@dataclass(frozen=True)
class Copy:
    """How a copy was made: how many files are hard links, and copies; both 0 for one found."""

    linked: int = 0
    copied: int = 0


def write_copy(
    original: Original,
    out: Path,
    columns: Columns,
    request: Mapping[str, object],
    *,
    link: bool = True,
    watch: Callable[[int], None] = lambda _: None,
) -> Copy:
    """Write the copy, unless it is there; columns (frames,) are by the index in the dataset.

    request says what they were made from. watch is called with the bytes of each file done. Raises
    DatasetError for tables that cannot be read or have other frames.
    """
    stored = StoredResults(out / MARK, {**request, 'original': original.state()})
    if (out / MARK).is_file() and stored.read() is not None and _is_complete(original, out):
        return Copy()
    counts = {True: 0, False: 0}
    before = tempfile.TemporaryDirectory(dir=out.parent, prefix=f'.{out.name}-')
    with before as old, whole_folder(out) as part:
        for path in original.paths:
            counts[_place(original, path, part, columns, link)] += 1
            watch((original.files.root / path).stat().st_size)
        StoredResults(part / MARK, stored.request).finish()
        if out.exists():
            out.rename(Path(old, 'copy'))
    return Copy(counts[True], counts[False])


def _is_complete(original: Original, out: Path) -> bool:
    return all((out / path).is_file() for path in original.paths)


def _walk(files: DatasetFiles) -> Iterator[str]:
    """Yield the relative paths of all files but hidden ones; DatasetError for a linked folder."""
    for folder, folders, names in os.walk(files.root):
        folders[:] = [name for name in folders if not name.startswith('.')]
        for name in folders:
            if Path(folder, name).is_symlink():
                raise DatasetError(f'{Path(folder, name)} is a link: copy the folder there')
        for name in names:
            path = Path(folder, name).relative_to(files.root).as_posix()
            if not name.startswith('.') and path != MARK:
                yield path


def _place(original: Original, path: str, out: Path, columns: Columns, link: bool) -> bool:
    """Write one file of the copy; return whether it is a hard link."""
    source, target = original.files.path(path).resolve(), out / path
    target.parent.mkdir(parents=True, exist_ok=True)
    top = path.partition('/')[0]
    if path == INFO:
        write_json(target, _with_features(_json(source)))
    elif path == STATS:
        every = {name: _statistics(values) for name, values in columns.items()}
        write_json(target, {**_json(source), **every})
    elif path.startswith('meta/episodes/') and path.endswith('.parquet'):
        _rewrite(source, target, lambda table: _episode_columns(source, table, columns))
    elif top == 'data' and path.endswith('.parquet'):
        _rewrite(source, target, lambda table: _frame_columns(source, table, columns))
    elif link and top in LINKED:
        return _link(source, target)
    else:
        shutil.copy2(source, target)
    return False


def _link(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
        return False
    return True


def _json(file: Path) -> dict[str, Any]:
    try:
        content = read_json(file)
        if not isinstance(content, dict):
            raise ValueError('it is no object')
    except (OSError, ValueError) as error:
        raise DatasetError(f'{file} cannot be read as JSON: {error}') from error
    return content


def _with_features(info: dict[str, Any]) -> dict[str, Any]:
    added = {name: {'dtype': dtype, 'shape': [1], 'names': None} for name, dtype in COLUMNS.items()}
    return {**info, 'features': {**info['features'], **added}}


def _statistics(values: np.ndarray) -> dict[str, list[float] | list[int]]:
    """Return LeRobot's statistics of a column (n,)."""
    numbers = values.astype(np.float64)
    quantiles = np.percentile(numbers, QUANTILES)
    return {
        **{name: [float(getattr(numbers, name)())] for name in ('min', 'max', 'mean', 'std')},
        'count': [len(numbers)],
        **{f'q{q:02d}': [float(value)] for q, value in zip(QUANTILES, quantiles, strict=True)},
    }


def _rewrite(source: Path, target: Path, added: Callable[[Any], Mapping[str, Any]]) -> None:
    """Write a parquet file with further columns, or others of the same names, group by group."""
    arrow = import_pyarrow()
    writer = None
    with open_table(source, MOST_FRAMES) as file:
        empty = file.schema_arrow.empty_table()
        groups = (file.read_row_group(k) for k in range(file.num_row_groups))
        try:
            for table in groups if file.num_row_groups else [empty]:
                whole = table
                for name, values in added(table).items():
                    if name in whole.column_names:
                        whole = whole.drop_columns([name])
                    whole = whole.append_column(name, values)
                writer = writer or arrow.parquet.ParquetWriter(target, whole.schema)
                writer.write_table(whole)
        finally:
            if writer is not None:
                writer.close()


def _frame_columns(source: Path, table: Any, columns: Columns) -> dict[str, Any]:
    """Return the labels of the frames of a table, by their index."""
    index = _numbers(source, table, 'index')
    count = len(next(iter(columns.values())))
    if index.size and (index.min() < 0 or index.max() >= count):
        raise DatasetError(
            f'{source} has frames that are of no episode: the index goes from {index.min()} to '
            f'{index.max()}, and the episodes have {count} frames'
        )
    return {name: import_pyarrow().array(values[index]) for name, values in columns.items()}


def _episode_columns(source: Path, table: Any, columns: Columns) -> dict[str, Any]:
    """Return the statistics of the episodes of a table, as LeRobot names their columns."""
    arrow = import_pyarrow()
    begins, ends = (_numbers(source, table, f'dataset_{end}_index') for end in ('from', 'to'))
    added: dict[str, Any] = {}
    for name, values in columns.items():
        rows = [_statistics(values[a:b]) for a, b in zip(begins, ends, strict=True)]
        for key in _statistics(np.zeros(1)):
            kind = arrow.int64() if key == 'count' else arrow.float64()
            cells = [row[key] for row in rows]
            added[f'stats/{name}/{key}'] = arrow.array(cells, type=arrow.list_(kind))
    return added


def _numbers(source: Path, table: Any, column: str) -> np.ndarray:
    if column not in table.column_names:
        raise DatasetError(f'{source} has no column {column}')
    return np.asarray(table[column].to_numpy(), dtype=np.int64)
