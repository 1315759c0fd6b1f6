# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""mkdocs hooks: pages that lie elsewhere in the repository, and links that leave docs/.

The pages are read on GitHub too, where a relative link may lead to any file. In the site a link to
another page stays one, and a link to any other file of the repository becomes one to `repo_url`,
or plain text where that is not set. A link to nothing is a warning, which `--strict` turns into an
error.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
# Files of the repository that are pages of the site
PAGES = {
    'CONTRIBUTING.md': 'contributing.md',
    'benchmarks/README.md': 'benchmarks.md',
    'topreward_ros/demo/checkpoint/README.md': 'demo-model.md',
    'topreward_ros/demo/robometer/README.md': 'demo-robometer.md',
}
SOURCES = {page: source for source, page in PAGES.items()}
# [text](target#anchor), where the target is a relative path
LINK = re.compile(r'(?<!!)\[(?P<text>[^]]+)]\((?P<target>(?!\w+:)[^)#\s]+)(?P<anchor>#[^)\s]*)?\)')

log = logging.getLogger('mkdocs.hooks.site')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    uri = page.file.src_uri
    folder = posixpath.dirname(SOURCES.get(uri, f'docs/{uri}'))

    def site_link(match: re.Match[str]) -> str:
        text, target, anchor = match['text'], match['target'], match['anchor'] or ''
        path = posixpath.normpath(posixpath.join(folder, target))
        inside = PAGES.get(path, path.removeprefix('docs/') if path.startswith('docs/') else None)
        if inside is not None:
            return f'[{text}]({posixpath.relpath(inside, posixpath.dirname(uri) or ".")}{anchor})'
        if not (ROOT / path).exists():
            log.warning('%s links to %s, which is not in the repository', uri, path)
        if config.repo_url:
            return f'[{text}]({config.repo_url.rstrip("/")}/blob/main/{path}{anchor})'
        return text

    return LINK.sub(site_link, markdown)
