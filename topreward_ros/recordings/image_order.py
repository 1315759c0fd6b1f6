# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The order of a folder's images by the numbers in their names, or why there is none.

frame_2 comes before frame_10, 1700000000.5 before 1700000000.75 and -1 before 0. A minus sign is
one only after what is no letter or digit, so that img-2 is the second and 2026-02-01 a date.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np

from .clip import ClipError

NUMBER = re.compile(r'(?:(?<![^\W_])[+-])?\d+(?:\.\d+)*(?:[eE][+-]\d+)?')
SIGN = re.compile(r'[+-]#')
HEXADECIMAL = re.compile(r'(?<![^\W_])[0-9a-f]+$', re.IGNORECASE)
COMMA = re.compile(r'(?<=\d),(?=\d)')
HALF_OF_DAY = re.compile(r'\d[ ._-]?([ap])\.?m(?![^\W_])', re.IGNORECASE)
SECONDS_DIGITS = 9  # at least, of a time since 1970
NANOSECOND_DIGITS = 9  # where they have leading zeros
Key = tuple[Decimal, ...]


def in_order(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return the images of the series in order, and those that do not belong to it.

    Raises ClipError, without the folder's name, where the names allow two orders.
    """
    _check_clock(files)
    series, others = _series(files)
    fields = {file: NUMBER.findall(COMMA.sub('.', file.stem)) for file in series}
    if len({len(numbers) for numbers in fields.values()}) > 1:
        raise ClipError(
            f'has names with commas that cannot be compared, such as {series[0].name}: write points'
        )
    if not any(fields.values()):
        return series, others
    _check_single(series, fields)
    _check_dates(series, fields)
    _check_signs(fields)
    by_value, by_part = _sorted(fields, _by_value), _sorted(fields, _by_part)
    if by_value == by_part:
        for one, two in pairwise(by_value):
            if _by_value(fields[one]) == _by_value(fields[two]):
                raise ClipError(f'has two images for one place: {one.name} and {two.name}')
        return by_value, others
    decimals, parts = _evenness(fields)
    if abs(decimals - parts) < 0.2 or max(decimals, parts) < 0.7:
        raise ClipError(
            f'has names that can be read in two orders, such as {by_value[0].name}: as decimals, '
            'or as a number after a point; number the images with leading zeros'
        )
    return (by_value if decimals > parts else by_part), others


def _series(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Return the files whose names differ in numbers only, and the few that stand beside them."""
    groups: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(files):
        groups[NUMBER.sub('#', file.stem)].append(file)
    if len(groups) == 1 or not any('#' in pattern for pattern in groups):
        return sorted(files), []
    sizes = Counter({pattern: len(group) for pattern, group in groups.items()})
    (main, size), *others = sizes.most_common()
    plain = Counter(SIGN.sub('#', pattern) for pattern in groups)
    if any(count > 1 for count in plain.values()):
        names = ' and '.join(groups[pattern][0].name for pattern in sizes)
        raise ClipError(
            f'has names with a minus or a plus before the number and names without, {names}: write '
            'it after what is no letter or digit, or leave it out'
        )
    singles = [groups[pattern][0] for pattern, count in others if count == 1]
    if singles and (size < 3 or _are_one(groups[main][0], singles)):
        raise ClipError(
            f'has names that differ in more than their numbers, {groups[main][0].name} and '
            f'{singles[0].name}: number the images with decimal digits, or give each series its '
            'own folder'
        )
    if size < 3 or len(singles) < len(others):
        several = ', '.join(f'{pattern} ({count})' for pattern, count in sizes.most_common(4))
        raise ClipError(f'holds several series of images, {several}: give each its own folder')
    return groups[main], singles


def _are_one(first: Path, others: Sequence[Path]) -> bool:
    """Return whether hexadecimal numbers make these names one series with the first."""
    found = [HEXADECIMAL.search(file.stem) for file in (first, *others)]
    tails = [match[0] for match in found[1:] if match]
    if len(tails) == 1 and tails[0].isalpha() and len(tails[0]) > 1:
        return False  # a word, such as face
    starts = [file.stem[: m.start()] for file, m in zip((first, *others), found, strict=True) if m]
    return len(starts) > 1 and starts[0] in starts[1:] and found[0] is not None


def _check_clock(files: Sequence[Path]) -> None:
    """Raise ClipError for times of a clock of 12 hours, whose 12 comes before its 1."""
    named = [file for file in files if HALF_OF_DAY.search(file.stem)]
    times = {file.stem[: match.end()] for file in named if (match := HALF_OF_DAY.search(file.stem))}
    if len(times) > 1:  # else it is a label
        raise ClipError(
            f'has times of a clock of 12 hours, such as {named[0].name}: use one of 24 hours in '
            'the names, or number the images'
        )


def _check_single(series: Sequence[Path], fields: dict[Path, list[str]]) -> None:
    """Raise ClipError where an early number names several series, as in cam1_0001, cam2_0001."""
    columns = list(zip(*fields.values(), strict=True))
    varying = [k for k, column in enumerate(columns) if len(set(column)) > 1]
    if len(varying) < 2 or len(set(columns[varying[0]])) == len(series):
        return
    stem = COMMA.sub('.', series[0].stem)
    # Where the frame comes first, as in 0001_cam2, the label is what has fewer values
    few = min(reversed(varying), key=lambda k: len(set(columns[k])))
    first = few if len(columns) == 2 else varying[0]
    before = re.split(r'[\W_]', NUMBER.split(stem)[first])[-1]
    is_label = len(re.findall(r'[^\W\d_]', before)) > 1
    if not is_label:
        first = varying[0]
        before = NUMBER.split(stem)[first]
        is_label = len(re.findall(r'[^\W\d_]', before)) > 1
    is_date = len(columns) > 2 or len(columns[0][0]) >= SECONDS_DIGITS
    if is_label or (first == 0 and not is_date):
        names = sorted({f'{before}{value}' for value in columns[first]})
        raise ClipError(
            f'holds several series of images, {", ".join(names[:4])}: give each its own folder'
        )


def _check_dates(series: Sequence[Path], fields: dict[Path, list[str]]) -> None:
    """Raise ClipError for dates with the year behind a day or month that changes."""
    columns = list(zip(*fields.values(), strict=True))
    for k, column in enumerate(columns):
        is_year = all(len(text) == 4 and '1900' <= text < '2100' for text in column)
        before = columns[max(0, k - 2) : k]
        if is_year and any(len(set(each)) > 1 and max(map(len, each)) <= 2 for each in before):
            raise ClipError(
                f'has dates with the year behind day and month, such as {series[0].name}: put the '
                'year first'
            )


def _check_signs(fields: dict[Path, list[str]]) -> None:
    for column in zip(*fields.values(), strict=True):
        if len(set(column)) > 1 and all(text.startswith('-') for text in column):
            raise ClipError(
                f'has a minus before each number, such as {column[0]}: name the images without, as '
                'it may be a sign or a dash'
            )


def _sorted(fields: dict[Path, list[str]], key: Callable[[list[str]], Key]) -> list[Path]:
    return sorted(fields, key=lambda file: (key(fields[file]), file.name))


def _by_value(numbers: list[str]) -> Key:
    """Return a key that reads 1.25 as a decimal."""
    parts = [[text] if text.count('.') < 2 else text.split('.') for text in numbers]
    return tuple(Decimal(part) for number in parts for part in number)


def _by_part(numbers: list[str]) -> Key:
    """Return a key that reads 1.25 as the 25th of 1, or as 1 s and 25 ns."""
    return tuple(Decimal(part) for text in numbers for part in text.split('.'))


def _evenness(fields: dict[Path, list[str]]) -> tuple[float, float]:
    """Return the share of steps near the median one, read as decimals and as parts.

    0 for both where another number varies, too.
    """
    columns = [column for column in zip(*fields.values(), strict=True) if len(set(column)) > 1]
    texts = columns[-1]
    if len(columns) > 1 or any(text.count('.') > 1 for text in texts):
        return 0.0, 0.0
    digits = max(len(text.partition('.')[2]) for text in texts)
    unit = 10 ** (NANOSECOND_DIGITS if digits > NANOSECOND_DIGITS - 3 else digits)
    whole = [text.partition('.')[::2] for text in texts]
    parts = [Decimal(first) + Decimal(rest or 0) / unit for first, rest in whole]
    return _even_share([Decimal(text) for text in texts]), _even_share(parts)


def _even_share(values: list[Decimal]) -> float:
    steps = np.diff(np.array(sorted(values), dtype=object)).astype(float)
    middle = float(np.median(steps))
    return float(np.mean((steps >= middle / 2) & (steps <= middle * 2))) if middle > 0 else 0.0
