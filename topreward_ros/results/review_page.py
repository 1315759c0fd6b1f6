# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page on which a person reviews the outcomes of a dataset's episodes.

One HTML file that loads nothing: pictures, curves, style and script are in it. All texts of the
dataset are escaped, and a content security policy lets no other script run.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from topreward_ros.files import write_text
from topreward_ros.reward.outcome import Doubt, Outcome

from .frame_labels import FAILURE, SUCCESS

PAGE_FILE = 'review.html'
MOST_EPISODES = 500  # on a page, as every one has pictures
STYLE, SCRIPT = (Path(__file__).with_name(f'review_page.{kind}') for kind in ('css', 'js'))
KEYS = {
    's': 'success',
    'f': 'failure',
    'u': 'undecided',
    'x': 'leave it to the model',
    '↑ ↓': 'another episode',
    'd': 'download',
}
# Of a curve, in units of its viewBox
WIDTH, LEFT, RIGHT = 400, 44, 8
PROGRESS_BOX, EVIDENCE_BOX, BOTTOM = (8, 84), (100, 140), 160
COLOR_PROGRESS, COLOR_EVIDENCE, COLOR_LINE = '#d9622b', '#2b6cb0', '#9aa5b1'


@dataclass(frozen=True, eq=False)
class Reviewed:
    """An episode on the page; times (n,) [s] of its scores, strip a JPEG file of its pictures."""

    name: str
    task: str
    seconds: float
    times: np.ndarray
    outcome: Outcome
    doubt: Doubt
    strip: Path

    @property
    def by_model(self) -> str:
        return SUCCESS if self.outcome.is_success else FAILURE


def write_review(
    file: Path,
    dataset: str,
    episodes: Sequence[Reviewed],
    overrides: Mapping[str, str],
    kept: Path,
) -> int:
    """Write the page, most doubtful episodes first and those with an override last.

    kept is where the overrides are expected. At most MOST_EPISODES are shown; returns how many.
    """
    ordered = sorted(episodes, key=lambda each: (each.name in overrides, -each.doubt.degree))
    shown = ordered[:MOST_EPISODES]
    style, script = (each.read_text(encoding='utf-8') for each in (STYLE, SCRIPT))
    state = {'dataset': dataset, 'total': len(episodes), 'episodes': dict(overrides)}
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
        f"script-src '{_digest(script)}'"
    )
    doubtful = sum(each.doubt.is_doubtful for each in episodes if each.name not in overrides)
    write_text(
        file,
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{html.escape(dataset)}: review</title>\n<style>{style}</style>\n</head>\n<body>\n'
        f'<header><h1>{html.escape(dataset)}</h1><span class="keys">{_keys()}</span>'
        f'<span id="count" role="status"></span>'
        f'<button id="save" type="button">Download overrides.json</button></header>\n<main>\n'
        f'<p class="how">{_how(len(episodes), len(shown), doubtful, kept)}</p>\n'
        f'{"".join(_article(each, overrides.get(each.name)) for each in shown)}</main>\n'
        f'<script type="application/json" id="overrides">{_json(state)}</script>\n'
        f'<script>{script}</script>\n</body>\n</html>\n',
    )
    return len(shown)


def _keys() -> str:
    return ' '.join(f'<span><kbd>{key}</kbd> {what}</span>' for key, what in KEYS.items())


def _how(count: int, shown: int, doubtful: int, kept: Path) -> str:
    text = (
        f'{count} episodes, {doubtful} of them doubtful: these come first. Judge them by key, '
        f'download, put the file at <code>{html.escape(str(kept))}</code> and run the command '
        'again: what a person says wins.'
    )
    if shown < count:
        text += f' The {count - shown} least doubtful are not on this page.'
    return text


def _article(each: Reviewed, override: str | None) -> str:
    name, verdict = html.escape(each.name), override or each.by_model
    reasons = ''.join(f'<b>{html.escape(reason)}</b>' for reason in each.doubt.reasons)
    picture = base64.b64encode(each.strip.read_bytes()).decode()
    return (
        f'<article tabindex="-1" data-name="{name}" data-model="{each.by_model}" '
        f'data-verdict="{verdict}">\n'
        f'<div class="top"><h2>{name}</h2><span class="task">{html.escape(each.task)}</span>'
        f'<span class="verdict">{verdict} <span class="by">'
        f'by {"a person" if override else "the model"}</span></span></div>\n'
        f'<p class="reasons">{reasons}{_margin(each.outcome)}</p>\n<div class="content">'
        f'<img alt="frames of {name}" src="data:image/jpeg;base64,{picture}">{curve_svg(each)}'
        '</div>\n</article>\n'
    )


def _margin(outcome: Outcome) -> str:
    if not math.isfinite(outcome.margin):
        return 'the model saw too little to judge' if math.isnan(outcome.margin) else ''
    side = 'above' if outcome.margin >= 0 else 'below'
    return f'{abs(outcome.margin):.3g} {side} the threshold {outcome.threshold:.3g}'


def curve_svg(each: Reviewed) -> str:
    """Return the curve as SVG: progress from 0 to 1, and below it the evidence and threshold."""
    end = max(each.seconds, float(each.times[-1]), 1e-9)
    outcome = each.outcome
    known = outcome.evidence[np.isfinite(outcome.evidence)]
    levels = [outcome.threshold, *known]
    low, high = min(levels), max(levels)
    high = high if high > low else low + 1
    (top, base), (top_e, base_e) = PROGRESS_BOX, EVIDENCE_BOX
    limit = base_e - (outcome.threshold - low) / (high - low) * (base_e - top_e)
    parts = [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#e2e7ec"/>'
        for y in (top, base, base_e)
    ]
    if outcome.detected is not None:
        x = LEFT + float(each.times[outcome.detected]) / end * (WIDTH - LEFT - RIGHT)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{base_e}" stroke="#2f855a" '
            f'stroke-width="1.5"/><text x="{x - 4:.1f}" y="{base - 4}" text-anchor="end">success'
            '</text>'
        )
    parts += [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{limit:.1f}" y2="{limit:.1f}" '
        f'stroke="{COLOR_LINE}" stroke-dasharray="4 3"/>',
        _line(each.times / end, np.clip(outcome.progress, 0, 1), PROGRESS_BOX, COLOR_PROGRESS),
        _line(
            each.times / end, (outcome.evidence - low) / (high - low), EVIDENCE_BOX, COLOR_EVIDENCE
        ),
        f'<text x="{LEFT - 4}" y="{top + 4}" text-anchor="end">1</text>',
        f'<text x="{LEFT - 4}" y="{base + 4}" text-anchor="end">0</text>',
        f'<text x="{LEFT - 4}" y="{limit + 4:.1f}" text-anchor="end">{outcome.threshold:.3g}'
        '</text>',
        f'<text x="{LEFT}" y="{BOTTOM - 5}">progress above, evidence and threshold below</text>',
        f'<text x="{WIDTH - RIGHT}" y="{BOTTOM - 5}" text-anchor="end">{end:.1f} s</text>',
    ]
    label = f'progress of {html.escape(each.name)}'
    return (
        f'<svg viewBox="0 0 {WIDTH} {BOTTOM}" role="img" aria-label="{label}">{"".join(parts)}'
        '</svg>'
    )


def _line(shares: np.ndarray, values: np.ndarray, box: tuple[int, int], color: str) -> str:
    """Return a polyline of values (n,) in [0, 1] at shares (n,) of the width; NaN is left out."""
    top, base = box
    points = ' '.join(
        f'{LEFT + share * (WIDTH - LEFT - RIGHT):.1f},{base - value * (base - top):.1f}'
        for share, value in zip(shares, values, strict=True)
        if math.isfinite(value)
    )
    return f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>'


def _digest(text: str) -> str:
    return 'sha256-' + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(content: Mapping[str, object]) -> str:
    """Return JSON that cannot end the element it is in."""
    return json.dumps(content).replace('<', '\\u003c')
