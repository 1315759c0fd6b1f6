# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Folders of models and datasets, local or downloaded from the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from topreward_ros.errors import ModelError, TopRewardError, first_line

EXAMPLE = 'such as Qwen/Qwen3-VL-8B-Instruct'
HUB_FILES = ('*.json', '*.safetensors', '*.txt', '*.jinja')


def folder_of(name: str) -> Path:
    """Return the folder of this name, or download the repository of this id from the hub.

    Raises ModelError where neither exists, or the hub cannot be reached.
    """
    if not name.strip():
        raise ModelError(f'no model is named: give a folder, or a hub id {EXAMPLE}')
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists() or name.startswith(('/', '.', '~')) or name.count('/') != 1:
        raise ModelError(f'{name!r} is not a folder, nor a hub id {EXAMPLE}')
    return download(name, HUB_FILES, ModelError)


def download(
    name: str, patterns: Sequence[str], error_type: type[TopRewardError], **options: Any
) -> Path:
    """Download matching files from the hub into its local cache; return their folder.

    options are passed to snapshot_download: repo_type, revision. Raises error_type with what to do.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(str(snapshot_download(name, allow_patterns=list(patterns), **options)))
    except HFValidationError as error:
        raise error_type(f'{name!r} is not an id of the hub: {error}') from error
    except LocalEntryNotFoundError as error:
        raise error_type(
            f'{name!r} is not a folder, not in the local cache, and the hub cannot be reached: '
            'connect once to download it, or give the folder of a copy'
        ) from error
    except (OSError, RuntimeError) as error:  # the hub's own errors are OSErrors
        reason = first_line(error)
        raise error_type(f'{name!r} could not be downloaded from the hub: {reason}') from error
