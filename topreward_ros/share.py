# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Location of the package's data files (config/, launch/)."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PACKAGE = 'topreward_ros'


def share_directory() -> Path:
    """Return the folder that contains the package's config/ and launch/.

    A checkout has priority over an installation, as its Python modules do when run from there.

    Raises
    ------
    FileNotFoundError
        With the folders that were searched.
    """
    candidates = list(share_candidates())
    for candidate in candidates:
        if (candidate / 'config').is_dir() and (candidate / 'package.xml').is_file():
            return candidate
    searched = ', '.join(str(candidate) for candidate in candidates)
    raise FileNotFoundError(
        f'package.xml and config/ of {PACKAGE} were not found in: {searched}; install the package'
    )


def share_candidates() -> Iterator[Path]:
    """Yield the checkout, the share folder of a colcon install and that of a pip install."""
    yield Path(__file__).resolve().parent.parent
    # Skipped where ament is not installed, lacks the package, or AMENT_PREFIX_PATH is not set.
    with suppress(ImportError, LookupError, OSError):
        from ament_index_python.packages import get_package_share_path

        yield get_package_share_path(PACKAGE)
    yield Path(sys.prefix, 'share', PACKAGE)
