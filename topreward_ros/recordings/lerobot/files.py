# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The files of a LeRobot dataset: in a folder, or on the hub and downloaded when needed."""

from __future__ import annotations

import glob
import re
import reprlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from topreward_ros.errors import first_line
from topreward_ros.scoring.loading import hub

from ..clip import ClipError
from ..suffixes import is_hidden

INFO = 'meta/info.json'
COMMIT = re.compile('[0-9a-f]{40}')
LONGEST_PATH = 4096  # characters
# Few bytes can be many rows
MOST_ROWS = 10**6
MOST_FRAMES = 10**8

# Downloads the files that match a pattern and returns their folder
Download = Callable[[str], Path]


class DatasetError(ClipError):
    """A dataset, or an episode of it, that cannot be read."""


class DatasetFiles:
    """The files of a dataset, by their paths in it."""

    def __init__(self, name: str, root: Path, download: Download | None = None) -> None:
        """download gets files that are not in root yet; None: all files are in root."""
        self.name = name
        self.root = root
        self._download = download

    @property
    def commit(self) -> str:
        """The commit of a dataset on the hub; empty for a folder."""
        return self.root.name if self._download else ''

    def path(self, relative: str) -> Path:
        """Return a file's path, downloading it if needed.

        Raises DatasetError if it is missing, or a link out of the dataset.
        """
        file = self.root / inside(relative)
        if not _is_file(file) and self._download:
            file = self._download(glob.escape(relative)) / relative
        if not _is_file(file):
            hint = ', or the hub cannot be reached' if self._download else ''
            raise DatasetError(f'{self.name}: {relative} is missing{hint}')
        return self._owned(file)

    def has(self, relative: str) -> bool:
        """Return whether a file exists locally."""
        return _is_file(self.root / inside(relative))

    def tables(self, folder: str) -> list[Path]:
        """Return the parquet files of a folder's subfolders, ordered by name; without hidden ones.

        Raises DatasetError for links out of the dataset.
        """
        found = sorted((self.root / folder).glob('*/*.parquet'))
        return [
            self._owned(file) for file in found if not (is_hidden(file) or is_hidden(file.parent))
        ]

    def _owned(self, file: Path) -> Path:
        target, root = file.resolve(), self.root.resolve()
        owned = [root]
        if root.parent.name == 'snapshots':  # in the hub's cache files are links to its blobs
            owned.append(root.parents[1] / 'blobs')
        if not any(target.is_relative_to(folder) for folder in owned):
            raise DatasetError(
                f'{file} is a link to {target}, out of the dataset: copy the file into the dataset'
            )
        return file


def open_files(source: str, revision: str | None = None) -> DatasetFiles:
    """Open a dataset's folder, or its id on the hub ("owner/name") and download its metadata.

    revision is a branch, tag or commit on the hub. Raises DatasetError for other sources.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        # Absolute, as a colon in a relative path reads as a protocol
        files = DatasetFiles(folder.resolve().name, folder.absolute())
    elif source.startswith(('/', '.', '~')) or source.count('/') != 1:
        raise DatasetError(
            f'{source!r} is neither a folder nor the id of a dataset on the hub; expected such as '
            'lerobot/pusht'
        )
    else:
        root = download(source, revision, 'meta/*')
        # The commit of the metadata: a branch may advance meanwhile
        pinned = root.name if COMMIT.fullmatch(root.name) else revision
        files = DatasetFiles(source, root, lambda pattern: download(source, pinned, pattern))
    if not files.has(INFO):
        raise DatasetError(f'{source} is not a LeRobot dataset: it has no {INFO}')
    return files


def download(name: str, revision: str | None, pattern: str) -> Path:
    """Download matching files of a dataset into the hub's cache; return their folder."""
    return hub.download(name, [pattern], DatasetError, repo_type='dataset', revision=revision)


def inside(relative: str) -> str:
    """Return the path; raises DatasetError if it leads out of the dataset, or can be no path."""
    path = PurePosixPath(relative)
    if len(relative) > LONGEST_PATH or not relative.isprintable():
        raise DatasetError(f'{reprlib.repr(relative)} is not the path of a file')
    if path.is_absolute() or '..' in path.parts or not path.parts:
        raise DatasetError(f'the path {relative!r} leads out of the dataset')
    return relative


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long
        return False


def import_pyarrow():  # type: ignore[no-untyped-def]
    """Import pyarrow with its parquet and dataset modules; raises DatasetError with what to do."""
    try:
        import pyarrow
        import pyarrow.dataset
        import pyarrow.parquet
    except ImportError as error:
        raise DatasetError(
            "LeRobot datasets need pyarrow: pip install 'topreward_ros[lerobot]'"
        ) from error
    return pyarrow


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Turn exceptions of reading a parquet file into a DatasetError that names it."""
    arrow = import_pyarrow()
    try:
        yield
    except (
        arrow.ArrowException,
        ArithmeticError,  # times out of range
        LookupError,
        OSError,
        RecursionError,  # JSON in the file's metadata
        TypeError,
        ValueError,
    ) as error:
        raise DatasetError(f'{file} cannot be read: {first_line(error)}') from error


@contextmanager
def open_table(file: Path, most_rows: int = MOST_ROWS) -> Iterator[Any]:
    """Open a parquet file, a `pyarrow.parquet.ParquetFile`; DatasetError if it cannot be read."""
    with reading(file), import_pyarrow().parquet.ParquetFile(file) as table:
        if table.metadata.num_rows > most_rows:
            raise DatasetError(
                f'{file} has {table.metadata.num_rows} rows; expected at most {most_rows}'
            )
        yield table
