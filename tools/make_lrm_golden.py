# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes test/large_reward_models_golden.json: answers to the authors' own prompts.

The functions of their server (Large Reward Models, arXiv 2603.16065) make the inputs for a small
random checkpoint; their call of `generate` is caught. The beginning of the JSON answer is then
given to the model of transformers, and log P of each allowed answer is read. None of the package's
scoring code is used, and nothing of theirs is kept but a hash of the token ids.

    git clone https://github.com/physical-superintelligence-lab/Large-Reward-Models
    pip install transformers==5.5.4 torchvision
    python -m tools.make_lrm_golden Large-Reward-Models
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from topreward_ros.demo.pattern import pattern_frame
from topreward_ros.demo.random_checkpoint import write_random_checkpoint

COMMIT = '5845ab0'
SERVER = 'vlm_reward/vlm_reward_server.py'
TARGET = Path(__file__).parents[1] / 'test' / 'large_reward_models_golden.json'

TASK = 'Put the block into the cup.'
FRAMES = 8
# Below the processor's least number of pixels twice, and above it
SIZES = ((100, 150), (48, 64), (250, 420))
# The beginning of an answer, and what may follow
ANSWERS = {
    'completion': ('{ "task_completed": "', ('yes', 'no')),
    'process': ('{ "completion_progress": ', tuple(f'{k / 10:.1f}' for k in range(11))),
    'contrast': ('{ "more_complete_image": "Image', ('A', 'B')),
}
# What user turns of text and images make of Qwen3-VL's published template
TEMPLATE = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}"
    '{%- for content in message.content %}'
    "{%- if content.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    '{%- else %}{{- content.text }}{%- endif %}'
    "{%- endfor %}{{- '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)


class Caught:
    """Replaces the model: keeps the inputs of `generate` and answers nothing."""

    def __init__(self) -> None:
        self.inputs: dict[str, torch.Tensor] = {}

    def generate(self, **inputs: Any) -> torch.Tensor:
        self.inputs = {name: each for name, each in inputs.items() if torch.is_tensor(each)}
        return self.inputs['input_ids']


class Flask:
    """Replaces the web server."""

    def __init__(self, _name: str) -> None:
        pass

    def route(self, *_: Any, **__: Any) -> Any:
        return lambda function: function


def their_server(repository: str) -> Any:
    """Load their server as a module."""
    flask: Any = types.ModuleType('flask')
    flask.Flask, flask.jsonify, flask.request = Flask, dict, None
    sys.modules['flask'] = flask
    text = subprocess.check_output(
        ['git', '-C', repository, 'show', f'{COMMIT}:{SERVER}'], text=True
    )
    module = types.ModuleType('vlm_reward_server')
    exec(compile(text, SERVER, 'exec'), module.__dict__)  # of the clone given
    return module


def ask(server: Any, question: str, frames: Sequence[np.ndarray], k: int) -> None:
    """Let their server ask about frame k; the contrast is to the frame before it."""
    with contextlib.redirect_stdout(io.StringIO()):
        if question == 'contrast':
            server.compute_vlm_comparison(frames[k - 1], frames[k], TASK)
        elif question == 'completion':
            server.compute_vlm_completion(frames[k], TASK)
        else:
            server.compute_vlm_reward(frames[k], TASK, 'progress', initial_image=frames[0])


@torch.no_grad()
def log_prob(
    model: Any, inputs: dict[str, torch.Tensor], given: list[int], answer: list[int]
) -> float:
    """Return log P(answer | inputs, given) from one forward pass over all tokens."""
    more = torch.tensor([[*given, *answer]])
    whole = dict(inputs, input_ids=torch.cat([inputs['input_ids'], more], dim=1))
    whole['attention_mask'] = torch.ones_like(whole['input_ids'])
    if (kinds := inputs.get('mm_token_type_ids')) is not None:
        whole['mm_token_type_ids'] = torch.cat([kinds, torch.zeros_like(more)], dim=1)
    log_probs = model(**whole).logits[0].float().log_softmax(-1)
    first = inputs['input_ids'].shape[1] + len(given) - 1
    return float(sum(log_probs[first + k, token] for k, token in enumerate(answer)))


def answered(server: Any, model: Any, question: str, frames: Sequence[np.ndarray]) -> Any:
    """Return the answers' log-probabilities for each frame, and a hash of the prompt's ids."""
    tokenizer = server.vlm_processor.tokenizer
    beginning, answers = ANSWERS[question]
    given = tokenizer(beginning)['input_ids']
    rows, digest = [], ''
    for k in range(question == 'contrast', FRAMES):
        ask(server, question, frames, k)
        inputs = server.vlm_model.inputs
        ids = [tokenizer(answer)['input_ids'] for answer in answers]
        values = [round(log_prob(model, inputs, given, each), 6) for each in ids]
        rows.append({'frame': k, 'log_probs': values})
        prompt = [*inputs['input_ids'][0].tolist(), *given]
        digest = digest or hashlib.sha256(json.dumps(prompt).encode()).hexdigest()
    return {'sha256_of_ids': digest, 'rows': rows}


def main() -> None:
    server = their_server(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, 'checkpoint')
        write_random_checkpoint(folder)
        (folder / 'chat_template.jinja').write_text(TEMPLATE, encoding='utf-8')
        model_class = transformers.Qwen3VLForConditionalGeneration
        model = model_class.from_pretrained(folder, dtype=torch.float32).eval()
        server.vlm_processor = transformers.AutoProcessor.from_pretrained(folder)
        server.vlm_model, server.device = Caught(), 'cpu'
        clips = []
        for size in SIZES:
            frames = [pattern_frame(k / (FRAMES - 1), *size) for k in range(FRAMES)]
            content = {name: answered(server, model, name, frames) for name in ANSWERS}
            clips.append({'size': size, **content})
    golden = {
        'large_reward_models': COMMIT,
        'transformers': transformers.__version__,
        'task': TASK,
        'frames': FRAMES,
        'clips': clips,
    }
    TARGET.write_text(json.dumps(golden, indent=1) + '\n', encoding='utf-8')
    print(f'{len(clips)} clips by transformers {transformers.__version__} -> {TARGET}')


if __name__ == '__main__':
    main()
