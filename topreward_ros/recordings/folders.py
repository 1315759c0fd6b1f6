# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read a folder of images as a clip, and tell what a folder holds besides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from topreward_ros.errors import FrameError
from topreward_ros.scoring.pictures import read_picture

from .clip import Clip, ClipError, Picture, add_note
from .image_order import NUMBER, in_order
from .suffixes import IMAGE_SUFFIXES, KEYFRAMES, PROGRESS_ANSWERS, SUCCESS_ANSWERS, is_hidden

DEFAULT_FPS = 30.0


def open_folder(path: Path, fps: float) -> Clip:
    """Return the images as a clip, ordered by the numbers in their names, at fps images a second.

    fps 0 means 30, and the clip's notes say so. Images that cannot be read are left out and noted;
    the times of the others stay. Raises ClipError for a folder without images or with no clear
    order, and when it is read, if no image can be.
    """
    content = content_of(path)
    images = [file for file in content if file.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        raise ClipError(f'{path} holds no images ({", ".join(IMAGE_SUFFIXES)})')
    try:
        series, _ = in_order(images)
    except ClipError as error:
        raise ClipError(f'{path} {error}') from error
    rate = fps or DEFAULT_FPS
    notes = (
        []
        if fps
        else [f'{path.name}: a folder of images has no frame rate, so {rate:g} fps is assumed']
    )
    if len(series) > 1 and not NUMBER.search(series[0].stem):
        notes.append(f'{path.name}: no numbers in the names, so the order is that of the alphabet')
    notes += passed_over(path, series)
    pictures = partial(_pictures, path, series, rate, notes)
    return Clip(
        name=path.name,
        fps=rate,
        seconds=len(series) / rate,
        frames=lambda: _readable(pictures()),
        pictures=pictures,
        notes=notes,
    )


def content_of(folder: Path) -> list[Path]:
    """Return the files of a folder, ordered by name, without hidden ones.

    Links that lead nowhere are among them: what they stood for has a place in the order.
    """
    content = (file for file in folder.iterdir() if not is_hidden(file))
    return sorted(file for file in content if file.is_file() or not file.exists())


def passed_over(folder: Path, read: Collection[Path]) -> list[str]:
    """Return a note on the files and folders that are not among those read, if there are any.

    Keyframes are not told, nor published answers: `labelled` and `published_answers` read them.
    """
    known = {*read, folder / KEYFRAMES}
    others = [
        each
        for each in folder.iterdir()
        if not is_hidden(each)
        and each not in known
        and not each.name.endswith((*PROGRESS_ANSWERS, *SUCCESS_ANSWERS))
    ]
    if not others:
        return []
    if len(others) == 1:
        return [f'{folder.name}: {others[0].name} is not read']
    kinds = Counter('folders' if each.is_dir() else each.suffix or each.name for each in others)
    listed = ', '.join(f'{count} {kind}' for kind, count in kinds.most_common())
    return [f'{folder.name}: {listed} are not read']


def read_image(file: Path | IO[bytes], name: str) -> np.ndarray:
    """Return uint8 RGB (H, W, 3), rotated by its EXIF tag; raises ClipError unless in color."""
    try:
        return read_picture(file, name)
    except FrameError as error:
        raise ClipError(str(error)) from error


def _pictures(
    folder: Path, files: list[Path], fps: float, notes: list[str]
) -> Iterator[tuple[float, Picture]]:
    """Yield times [s] with a function that decodes the image."""
    requested, broken = 0, {}

    def decode(file: Path) -> np.ndarray:
        nonlocal requested
        requested += 1
        try:
            return read_picture(file, file.name)
        except FrameError as error:
            broken[file] = str(error)
            raise

    for k, file in enumerate(files):
        yield k / fps, partial(decode, file)
    if broken and len(broken) == requested:
        raise ClipError(f'{folder}: no image can be read; the last one: {broken[file]}')
    if broken:
        example = next(iter(broken.values()))
        add_note(notes, f'{folder.name}: {len(broken)} images were skipped, such as: {example}')


def _readable(pictures: Iterator[tuple[float, Picture]]) -> Iterator[tuple[float, np.ndarray]]:
    for time, picture in pictures:
        try:
            image = picture()
        except FrameError:  # noted
            continue
        yield time, image
