# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes test/robometer_golden.json and test/roboreward_golden.json: other programs' answers.

LeRobot's own Robometer, and the stock processor and model with RoboReward's prompt, say what small
clips are worth; random checkpoints are in the place of the published ones, in float32 on the CPU:

    python3.12 -m pip install lerobot==0.6.1 'transformers<5.6' torchvision qwen-vl-utils
    python3.12 -m tools.make_reward_model_scores
"""

from __future__ import annotations

import json
import tempfile
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from topreward_ros.demo.pattern import pattern_frame
from topreward_ros.demo.random_checkpoint import write_random_checkpoint
from topreward_ros.demo.random_robometer import write_random_robometer
from topreward_ros.scoring.reward_models.roboreward.question import ANSWER, GRADES, RUBRIC

TARGET = Path(__file__).parents[1] / 'test'
TASK = 'Put the block into the cup.'
FRAMES, FPS = 8, 2.0
SIZES = ((100, 150), (48, 64))  # height, width: no multiples of 32, and below every least size

# What turns of text, pictures and videos need of Qwen3-VL's published template
TEMPLATE = (
    '{%- set count = namespace(value=0) %}{%- for message in messages %}'
    "{{- '<|im_start|>' + message.role + '\\n' }}{%- for content in message.content %}"
    "{%- if content.type == 'image' %}{%- set count.value = count.value + 1 %}"
    '{%- if add_vision_id %}Picture {{ count.value }}: {% endif -%}'
    '<|vision_start|><|image_pad|><|vision_end|>'
    "{%- elif content.type == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{%- else %}{{- content.text }}{%- endif %}{%- endfor %}{{- '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)


def main() -> None:
    torch.set_num_threads(1)
    for name, make in {'robometer': robometer, 'roboreward': roboreward}.items():
        with tempfile.TemporaryDirectory() as scratch:
            text = json.dumps(make(Path(scratch, 'checkpoint')), indent=1)
        (TARGET / f'{name}_golden.json').write_text(text + '\n', encoding='utf-8')


def robometer(folder: Path) -> dict[str, Any]:
    """Return progress and success after each picture, by LeRobot's Robometer."""
    from lerobot.rewards.robometer.configuration_robometer import RobometerConfig
    from lerobot.rewards.robometer.modeling_robometer import (
        RobometerRewardModel,
        decode_progress_outputs,
    )
    from lerobot.rewards.robometer.processor_robometer import RobometerEncoderProcessorStep
    from safetensors.torch import load_file

    write_random_robometer(folder)
    template(folder)
    config = json.loads((folder / 'config.json').read_text(encoding='utf-8'))['vlm_config']
    (folder / 'config.json').write_text(json.dumps(config), encoding='utf-8')
    about = RobometerConfig(
        pretrained_path=str(folder),
        base_model_id=str(folder),
        vlm_config=config,
        torch_dtype='float32',
        device='cpu',
        max_frames=None,
    )
    model = RobometerRewardModel(about).eval()
    model.load_state_dict(load_file(folder / 'model.safetensors'))
    encode = RobometerEncoderProcessorStep(base_model_id=str(folder), max_frames=None)
    clips = []
    for size in SIZES:
        rows, shown = [], {}
        for count in range(1, FRAMES + 1):
            inputs = dict(encode.encode_samples([(np.stack(clip(size))[:count], TASK)]))
            if count == 2:
                grid = inputs['image_grid_thw'][0][1:].tolist()
                shown = {'ids_of_2': runs(inputs['input_ids'][0].tolist()), 'grid': grid}
            with torch.no_grad():
                logits = model._compute_rbm_logits(inputs)
            found = decode_progress_outputs(*logits, is_discrete_mode=True)
            rows.append((found['progress_pred'][0], found['success_probs'][0]))
        values = {
            'progress': [progress[-1] for progress, _ in rows],
            'success': [success[-1] for _, success in rows],
        }
        clips.append({'size': list(size), **shown, **values})
    return {**versions(), 'lerobot': '0.6.1', 'clips': clips}


def roboreward(folder: Path) -> dict[str, Any]:
    """Return the log-probabilities of the grades, and their mean, by the stock classes."""
    from transformers import AutoProcessor, Qwen3VLForConditionalGeneration

    write_random_checkpoint(folder)
    template(folder)
    model = Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    processor = AutoProcessor.from_pretrained(folder)
    content = [{'type': 'video'}, {'type': 'text', 'text': RUBRIC + TASK}]
    text = processor.apply_chat_template(
        [{'role': 'user', 'content': content}], tokenize=False, add_generation_prompt=True
    )
    grades = [processor.tokenizer(grade)['input_ids'][0] for grade in GRADES]
    clips = []
    for size in SIZES:
        log_probs, shown = [], {}
        for count in range(1, FRAMES + 1):
            frames = np.stack(clip(size))[:count]
            if count == 3:
                shown = {'ids_of_3': runs(read(processor, text, frames)['input_ids'][0].tolist())}
            with torch.no_grad():
                logits = model(**read(processor, text + ANSWER, frames)).logits[0, -1].float()
            log_probs.append(logits.log_softmax(-1)[grades].tolist())
        clips.append({'size': list(size), **shown, 'log_probs': log_probs})
        weights = np.exp(log_probs)
        mean = weights @ np.arange(1, 6) / weights.sum(axis=1)
        clips[-1]['expected_digit'] = mean.tolist()
    return {**versions(), 'fps': FPS, 'clips': clips}


def read(processor: Any, text: str, frames: np.ndarray) -> Any:
    """Return the inputs of a model for a prompt and a video, uint8 (n, H, W, 3)."""
    count = len(frames)
    about = {'total_num_frames': count, 'fps': FPS, 'frames_indices': list(range(count))}
    return processor(
        text=[text],
        videos=[frames],
        video_metadata=[about],
        do_sample_frames=False,
        return_tensors='pt',
    )


def versions() -> dict[str, Any]:
    import transformers

    return {
        'transformers': transformers.__version__,
        'torch': torch.__version__,
        'task': TASK,
        'frames': FRAMES,
    }


def template(folder: Path) -> None:
    (folder / 'chat_template.jinja').write_text(TEMPLATE, encoding='utf-8')


def clip(size: tuple[int, int]) -> list[np.ndarray]:
    return [pattern_frame(k / (FRAMES - 1), *size) for k in range(FRAMES)]


def runs(ids: list[int]) -> list[int | list[int]]:
    """Return ids, repeated ones as [id, times]."""
    groups = [(token, len(list(group))) for token, group in groupby(ids)]
    return [token if times == 1 else [token, times] for token, times in groups]


if __name__ == '__main__':
    main()
