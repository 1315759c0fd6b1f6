# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The review page: complete in itself, and safe with any text."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from topreward_ros.recordings.clip import Clip, ClipError
from topreward_ros.results import review_page
from topreward_ros.results.review_page import Reviewed, curve_svg, write_review
from topreward_ros.results.review_pictures import FRAMES, HEIGHT, write_strip
from topreward_ros.reward.outcome import Doubt, Outcome

HOSTILE = '</script><script>alert(1)</script><img src=x onerror="alert(2)"> & \'there\' ｅ'
SECONDS = 4.0


class Elements(HTMLParser):
    """Collects the tags with their attributes, and the texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def reviewed(tmp_path: Path, number: int, degree: float, task: str = 'Open it.') -> Reviewed:
    strip = tmp_path / 'strip.jpg'
    if not strip.exists():
        Image.new('RGB', (60, 20), 'red').save(strip, 'jpeg')
    outcome = Outcome(np.array([0.0, 0.4, 1.0]), np.array([-9.0, -6.0, -2.0]), -5.0, 2, 0.1)
    times = np.array([0.0, 1.0, 2.0])
    doubt = Doubt(degree, ('near the threshold',) if degree > 0.7 else ())
    return Reviewed(f'episode_{number:06d}', task, SECONDS, times, outcome, doubt, strip)


def page(tmp_path: Path, *episodes: Reviewed, overrides: dict[str, str] | None = None) -> str:
    file = tmp_path / 'review.html'
    write_review(file, HOSTILE, episodes, overrides or {}, Path('/data/<b>/overrides.json'))
    return file.read_text(encoding='utf-8')


def test_texts_of_the_dataset_are_text(tmp_path: Path) -> None:
    text = page(tmp_path, reviewed(tmp_path, 0, 0.9, HOSTILE))
    found = Elements(text)
    assert [tag for tag, _ in found.tags].count('script') == 2
    assert [tag for tag, _ in found.tags].count('img') == 1
    assert not any(name.startswith('on') for _, attributes in found.tags for name in attributes)
    assert HOSTILE in found.texts
    assert html.escape(HOSTILE) in text


def test_it_loads_nothing(tmp_path: Path) -> None:
    text = page(tmp_path, reviewed(tmp_path, 0, 0.9))
    found = Elements(text)
    assert not {'link', 'iframe', 'object'} & {tag for tag, _ in found.tags}
    for _, attributes in found.tags:
        for name in ('src', 'href'):
            assert (attributes.get(name) or 'data:').startswith('data:')
    assert 'http://' not in text and 'https://' not in text


def test_only_its_own_script_and_style_may_run(tmp_path: Path) -> None:
    text = page(tmp_path, reviewed(tmp_path, 0, 0.9))
    policy = next(dict(a)['content'] for t, a in Elements(text).tags if 'http-equiv' in a) or ''
    assert "default-src 'none'" in policy and 'unsafe' not in policy
    for tag in ('style', 'script'):
        (content,) = re.findall(rf'<{tag}>(.*?)</{tag}>', text, re.DOTALL)
        own = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{own}'" in policy


def test_the_doubtful_come_first_and_the_judged_last(tmp_path: Path) -> None:
    degrees = (0.2, 1.9, 0.6, 2.3)
    episodes = [reviewed(tmp_path, k, degree) for k, degree in enumerate(degrees)]
    text = page(tmp_path, *episodes, overrides={'episode_000003': 'undecided'})
    order = re.findall(r'data-name="episode_00000(\d)"', text)
    assert order == ['1', '2', '0', '3']
    assert '4 episodes, 1 of them doubtful' in text
    found = [dict(a) for t, a in Elements(text).tags if t == 'article']
    assert [each['data-verdict'] for each in found] == [*['success'] * 3, 'undecided']
    (state,) = re.findall(r'id="overrides">(.*?)</script>', text, re.DOTALL)
    assert json.loads(state) == {
        'dataset': HOSTILE,
        'total': 4,
        'episodes': {'episode_000003': 'undecided'},
    }


def test_a_large_dataset_shows_the_most_doubtful(tmp_path: Path, monkeypatch: object) -> None:
    assert isinstance(monkeypatch, pytest.MonkeyPatch)
    monkeypatch.setattr(review_page, 'MOST_EPISODES', 2)
    text = page(tmp_path, *(reviewed(tmp_path, k, k / 10) for k in range(5)))
    assert re.findall(r'data-name="episode_00000(\d)"', text) == ['4', '3']
    assert 'The 3 least doubtful are not on this page' in text


def test_curves_of_any_values(tmp_path: Path) -> None:
    each = reviewed(tmp_path, 0, 0.5)
    kinds = [
        each.outcome,
        Outcome(np.array([math.nan] * 3), np.array([-math.inf] * 3), -5.0, None, -math.inf),
        Outcome(np.array([0.5] * 3), np.array([-5.0] * 3), -5.0, None, math.nan),
    ]
    for outcome in kinds:
        svg = curve_svg(Reviewed('a', 'b', SECONDS, each.times, outcome, each.doubt, each.strip))
        ElementTree.fromstring(svg)
        assert not re.search(r'nan|inf', svg)
        for points in re.findall(r'points="([^"]*)"', svg):
            for pair in points.split():
                x, y = map(float, pair.split(','))
                assert 0 <= x <= review_page.WIDTH and 0 <= y <= review_page.BOTTOM


def test_a_strip_of_frames(tmp_path: Path) -> None:
    images = [np.full((60, 80, 3), 25 * k, np.uint8) for k in range(10)]
    clip = Clip('a', 10.0, 1.0, lambda: ((k / 10, image) for k, image in enumerate(images)))
    write_strip(tmp_path / 'strip.jpg', clip)
    strip = Image.open(io.BytesIO((tmp_path / 'strip.jpg').read_bytes())).convert('L')
    width = HEIGHT * 80 / 60
    levels = [strip.getpixel((round(width * (k + 0.5) + 3 * k), 60)) for k in range(FRAMES)]
    assert strip.height == HEIGHT and levels == sorted(levels)
    assert levels[0] < 5 and abs(levels[-1] - 225) < 5  # type: ignore[operator]
    with pytest.raises(ClipError, match='has no frames'):
        write_strip(tmp_path / 'none.jpg', Clip('a', 10.0, 0.0, lambda: iter(())))
    assert not (tmp_path / 'none.jpg').exists()
