# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where files are: in a folder, or on the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from topreward_ros.errors import ModelError, TopRewardError

EXAMPLE = 'such as Qwen/Qwen3-VL-8B-Instruct'
HUB_FILES = ('*.json', '*.safetensors', '*.txt', '*.jinja')


def folder_of(name: str) -> Path:
    """The folder of this name, or of a copy of what the hub has by this id.

    Raises ModelError where there is neither, or the hub cannot be reached.
    """
    if not name.strip():
        raise ModelError(f'no model is named: give a folder, or an id {EXAMPLE}')
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists() or name.startswith(('/', '.', '~')) or name.count('/') != 1:
        raise ModelError(f'{name!r} is not a folder, nor an id on the hub {EXAMPLE}')
    return download(name, HUB_FILES, ModelError)


def download(
    name: str, patterns: Sequence[str], error_type: type[TopRewardError], **of: Any
) -> Path:
    """Fetch the files that match from the hub into its cache; the folder they are in.

    of goes to snapshot_download: repo_type, revision. Raises error_type with what to do.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(str(snapshot_download(name, allow_patterns=list(patterns), **of)))
    except HFValidationError as error:
        raise error_type(f'{name!r} is not an id on the hub: {error}') from error
    except LocalEntryNotFoundError as error:
        raise error_type(
            f'{name!r} is no folder, not in the local cache, and the hub cannot be reached: '
            'connect once to download it, or give the folder of a copy'
        ) from error
    except (OSError, RuntimeError) as error:  # the hub's own errors are OSErrors
        reason = first_line(error)
        raise error_type(f'{name!r} could not be downloaded from the hub: {reason}') from error


def first_line(error: BaseException) -> str:
    """What an error says first, or its kind where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
