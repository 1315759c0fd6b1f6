# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lettering of pictures: texts in any script, in fonts that have their characters, and wrapped.

A picture's text is a user's task or name. Fonts are searched among those installed only for
characters that matplotlib's own font lacks; what none of them has is replaced by the number of
characters, and told once.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import logging
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from PIL import ImageDraw, ImageFont

LOGGER = logging.getLogger(__name__)
BASE = 'DejaVuSans.ttf'  # comes with matplotlib
NOT_DRAWN = {'Cc', 'Cf', 'Cs'}  # Unicode categories: control, format and surrogate characters
JOINERS = '\u200c\u200d'  # format characters that change how letters join
LOST = '\0'  # stands for a character without a font
POINTS = 72  # per inch
REMARK = (
    'no font here has %s: pictures show the number of such characters instead; install a font '
    'that has them, such as those of fonts-noto-cjk or fonts-noto-core'
)
_told: set[str] = set()  # characters, in this process


def lettered(text: str) -> str:
    """Return the text on one line, as it can be drawn with the fonts of this machine.

    Runs of characters that no font has become such as `[3 characters]`.
    """
    line = ' '.join(''.join(map(_plain, text)).split())
    lost = set(line) - _drawable(line)
    if not lost:
        return line
    _tell(''.join(dict.fromkeys(character for character in line if character in lost)))
    marked = ''.join(LOST if character in lost else character for character in line)
    return re.sub(f'{LOST}+', _count, marked)


def wrapped(text: str, size: float, width: float, most: int = 1) -> list[str]:
    """Return the lettered text in at most `most` lines, the last with an ellipsis if it is cut.

    size and width are in the same unit, such as pixels.
    """
    rest = lettered(text)
    lines: list[str] = []
    while rest:
        count = max(1, _fitting(rest, size, width))
        if count == len(rest):
            return [*lines, rest]
        if len(lines) == most - 1:
            cut = _fitting(rest, size, width - measured('…', size))
            return [*lines, rest[:cut].rstrip() + '…']
        space = rest.rfind(' ', 0, count + 1)
        count = space if space > 0 else count
        lines.append(rest[:count].rstrip())
        rest = rest[count:].lstrip()
    return lines


def measured(text: str, size: float) -> float:
    """Return the width of a lettered text, in the unit of its size."""
    # A size of 100 px keeps the rounding of the glyphs out of small sizes
    return sum(_font(file, 100).getlength(part) for file, part in _runs(text)) * size / 100


def draw(
    pen: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size: int, color: str
) -> None:
    """Draw a lettered text on one line with its upper left at this place [px]."""
    left, top = place
    baseline = top + _font(_base(), size).getmetrics()[0]
    for file, part in _runs(text):
        font = _font(file, size)
        pen.text((left, baseline), part, fill=color, font=font, anchor='ls')
        left += font.getlength(part)


def families(text: str) -> list[str]:
    """Return the font families for matplotlib, the one with most characters of the text first."""
    from matplotlib import font_manager

    names = []
    for file in sorted(_fonts(text), key=lambda file: -len(_characters(file) & set(text))):
        if all(entry.fname != file for entry in font_manager.fontManager.ttflist):
            font_manager.fontManager.addfont(file)
        names.append(font_manager.FontProperties(fname=file).get_name())
    return names


def _plain(character: str) -> str:
    if unicodedata.category(character) == 'Cs':
        return '\ufffd'
    is_drawn = unicodedata.category(character) not in NOT_DRAWN or character in JOINERS
    return character if is_drawn or character.isspace() else ''


def _count(match: re.Match[str]) -> str:
    count = len(match[0])
    return f'[{count} character{"s" if count > 1 else ""}]'


def _tell(characters: str) -> None:
    """Say that these have no font, once in a process."""
    if not _told:
        LOGGER.warning(REMARK, characters if len(characters) <= 20 else characters[:20] + '…')
    _told.update(characters)


def _fitting(text: str, size: float, width: float) -> int:
    """Return how many characters fit into the width."""
    counts = range(1, len(text) + 1)
    return bisect.bisect_right(counts, width, key=lambda count: measured(text[:count], size))


def _runs(text: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of a text, each with the file of its font."""
    fonts = _fonts(text)

    def font_of(character: str) -> str:
        return next((file for file in fonts if character in _characters(file)), fonts[0])

    for file, part in itertools.groupby(text, font_of):
        yield file, ''.join(part)


def _drawable(text: str) -> set[str]:
    return set(text) & set().union(*(_characters(file) for file in _fonts(text)))


def _fonts(text: str) -> tuple[str, ...]:
    """Return the files of the fonts that a text needs, matplotlib's own first."""
    return (_base(), *_others(frozenset(text) - _characters(_base())))


@functools.lru_cache(maxsize=1000)
def _others(missing: frozenset[str]) -> tuple[str, ...]:
    """Return further fonts for these characters, as few as possible."""
    if not missing:
        return ()
    having = {file: missing & _characters(file) for file in _installed()}
    best = max(having, key=lambda file: len(having[file]), default='')
    if not best or not having[best]:
        return ()
    return (best, *_others(missing - having[best]))


@functools.cache
def _installed() -> tuple[str, ...]:
    """Return the files of all fonts, upright sans-serif ones first."""
    from matplotlib import font_manager

    def rank(file: str) -> tuple[bool, bool, str]:
        name = Path(file).stem
        is_styled = any(style in name for style in ('Bold', 'Italic', 'Oblique', 'Mono', 'Light'))
        return 'Sans' not in name, is_styled, name

    files = {str(file) for file in font_manager.findSystemFonts()}
    files |= {entry.fname for entry in font_manager.fontManager.ttflist}
    return tuple(sorted((file for file in files if 'LastResort' not in file), key=rank))


@functools.cache
def _characters(file: str) -> frozenset[str]:
    """Return the characters that a font has; none for one that cannot be drawn at any size."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(file)
        return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()
    except (OSError, RuntimeError, ValueError):  # damaged, or of bitmaps such as colored emoji
        return frozenset()


@functools.cache
def _base() -> str:
    import matplotlib

    return str(Path(matplotlib.get_data_path(), 'fonts', 'ttf', BASE))


@functools.cache
def _font(file: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(file, size)
