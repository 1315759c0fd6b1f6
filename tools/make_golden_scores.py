# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes test/golden_scores.json: reference scores computed with the paper's own stack.

The Hugging Face processor and model score a small random checkpoint by the published recipe
(arXiv 2602.19313, as its authors and LeRobot run it): chat template, cut before the end of the
turn, question, log-probabilities of the last token. None of the package's scoring code is used.

    pip install transformers==4.57.1 torchvision
    python -m tools.make_golden_scores
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers

from topreward_ros.demo.pattern import pattern_frame
from topreward_ros.demo.random_checkpoint import write_random_checkpoint

FPS = 2.0
SIZES = ((64, 64), (120, 160), (90, 210))
LENGTHS = (2, 3, 8, 15)
TASKS = (
    'Put the block into the cup.',
    'Lege den Würfel in die Schüssel – 把方块放进碗里。',
    'Remove the cap {and} keep it.',
)
QUESTION = (
    'The above video shows a robot manipulation trajectory that completes the following task: '
    '%s Decide whether the above statement is True or not. The answer is: True'
)


def golden_frames(size: tuple[int, int], count: int) -> list[np.ndarray]:
    return [pattern_frame(k / 14, *size) for k in range(count)]


def score(processor, model, size: tuple[int, int], count: int, task: str) -> tuple[float, float]:
    video = torch.from_numpy(np.stack(golden_frames(size, count))).permute(0, 3, 1, 2)
    message = {'role': 'user', 'content': [{'type': 'video', 'video': video}]}
    chat = processor.apply_chat_template([message], tokenize=False, add_generation_prompt=False)
    text = chat.split(processor.tokenizer.eos_token)[0] + QUESTION % task
    inputs = processor(
        text=[text],
        videos=[video],
        video_metadata=[
            {'total_num_frames': count, 'fps': FPS, 'frames_indices': list(range(count))}
        ],
        do_sample_frames=False,
        return_tensors='pt',
    )
    with torch.inference_mode():
        logits = model(**inputs).logits[0, -2]
    log_probs = torch.log_softmax(logits, dim=-1)
    (true,), (false,) = (processor.tokenizer(answer)['input_ids'] for answer in (' True', ' False'))
    assert int(inputs['input_ids'][0, -1]) == true
    return float(log_probs[true]), float(log_probs[false])


def main() -> None:
    cases = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, 'checkpoint')
        write_random_checkpoint(folder)
        processor = transformers.AutoProcessor.from_pretrained(folder)
        model = transformers.Qwen3VLForConditionalGeneration.from_pretrained(folder).eval()
        for size in SIZES:
            for count in LENGTHS:
                for task in TASKS:
                    true, false = score(processor, model, size, count, task)
                    case = {'size': size, 'frames': count, 'task': task}
                    cases.append({**case, 'log_prob': true, 'log_prob_false': false})
    golden = {'transformers': transformers.__version__, 'fps': FPS, 'cases': cases}
    target = Path(__file__).parents[1] / 'test' / 'golden_scores.json'
    target.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
    print(f'{len(cases)} scores by transformers {transformers.__version__} -> {target}')


if __name__ == '__main__':
    main()
