# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the package's data files (config/, launch/) lie."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PACKAGE = 'topreward_ros'


def share_directory() -> Path:
    """Return the folder that holds the package's config/ and launch/.

    The checkout wins over an installation, as its Python modules do when they run from there.

    Raises
    ------
    FileNotFoundError
        Naming the folders that were looked for.
    """
    candidates = list(share_candidates())
    for candidate in candidates:
        if (candidate / 'config').is_dir() and (candidate / 'package.xml').is_file():
            return candidate
    looked_for = ', '.join(str(candidate) for candidate in candidates)
    raise FileNotFoundError(
        f'no folder with package.xml and config/ of {PACKAGE} among: {looked_for}'
    )


def share_candidates() -> Iterator[Path]:
    """Yield the checkout, the share folder of a colcon install and that of a pip install."""
    yield Path(__file__).resolve().parent.parent
    # Not where ament is not installed, the package not in its index, or AMENT_PREFIX_PATH not set.
    with suppress(ImportError, LookupError, OSError):
        from ament_index_python.packages import get_package_share_path

        yield get_package_share_path(PACKAGE)
    yield Path(sys.prefix, 'share', PACKAGE)
