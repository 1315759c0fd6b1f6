// Copyright 2026 The topreward_ros authors
// SPDX-License-Identifier: Apache-2.0
'use strict';
const known = JSON.parse(document.getElementById('overrides').textContent);
const articles = [...document.querySelectorAll('article')];
const keys = { s: 'success', f: 'failure', u: 'undecided', x: null };
let current = 0;
let saved = true;

function show(article) {
  const own = known.episodes[article.dataset.name];
  article.dataset.verdict = own || article.dataset.model;
  article.querySelector('.verdict').firstChild.data = article.dataset.verdict + ' ';
  article.querySelector('.by').textContent = own ? 'by a person' : 'by the model';
}

function go(to, scroll = true) {
  if (!articles.length) return;
  articles[current].classList.remove('current');
  current = Math.min(Math.max(to, 0), articles.length - 1);
  articles[current].classList.add('current');
  articles[current].focus({ preventScroll: true });
  if (scroll) articles[current].scrollIntoView({ block: 'start' });
}

function count() {
  const number = Object.keys(known.episodes).length;
  document.getElementById('count').textContent =
    `${number} of ${known.total} judged by a person` + (saved ? '' : ', not saved');
}

function judge(verdict) {
  const article = articles[current];
  if (!article) return;
  if (verdict) known.episodes[article.dataset.name] = verdict;
  else delete known.episodes[article.dataset.name];
  saved = false;
  show(article);
  count();
  if (verdict) go(current + 1);
}

function save() {
  const content = { dataset: known.dataset, episodes: known.episodes };
  const url = URL.createObjectURL(
    new Blob([JSON.stringify(content, null, 1) + '\n'], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = 'overrides.json';
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  saved = true;
  count();
}

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key in keys) judge(keys[key]);
  else if (key === 'd') save();
  else if (key === 'ArrowDown' || key === 'ArrowRight') go(current + 1);
  else if (key === 'ArrowUp' || key === 'ArrowLeft') go(current - 1);
  else if (key === 'Home') go(0);
  else if (key === 'End') go(articles.length - 1);
  else return;
  event.preventDefault();
});
articles.forEach((article, k) => article.addEventListener('click', () => go(k, false)));
document.getElementById('save').addEventListener('click', save);
window.addEventListener('beforeunload', (event) => { if (!saved) event.preventDefault(); });
count();
go(0, false);
