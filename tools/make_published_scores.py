# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes test/published_scores.json: what the authors' code and LeRobot say of small clips.

Their own functions sample, resize and score; a small random checkpoint is in the place of the
published model, in float32 on the CPU. Each writes its own part of the file:

    git clone https://github.com/jcoleharrison/TOPReward && git -C TOPReward checkout bc61380
    pip install transformers==4.57.1 torchvision qwen-vl-utils loguru
    PYTHONPATH=TOPReward python -m tools.make_published_scores authors

    python3.12 -m pip install lerobot==0.6.1 'transformers<5.6' pyarrow tqdm
    python3.12 -m tools.make_published_scores lerobot
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from test.torchvision_anywhere import install
from topreward_ros.demo.pattern import pattern_frame
from topreward_ros.demo.random_checkpoint import write_random_checkpoint

TARGET = Path(__file__).parents[1] / 'test' / 'published_scores.json'
TASK = 'Put the block into the cup.'
# Height, width, frames, and frames a second: whole and not whole steps of fps / 2, wide and tall
# pictures, two frames, and a clip whose pixels are limited together
CLIPS: dict[str, list[tuple[int, int, int, float]]] = {
    'authors': [(90, 210, 60, 15.0), (120, 160, 40, 10.0), (200, 80, 33, 25.0), (64, 64, 2, 30.0)],
    'lerobot': [(90, 210, 20, 15.0), (120, 160, 9, 10.0), (720, 1280, 31, 30.0)],
}
PREFIXES = {'authors': 15, 'lerobot': 15}
FEW = 3  # prefixes of the clip with large frames


def frames_of(height: int, width: int, count: int) -> list[np.ndarray]:
    return [pattern_frame(k / max(1, count - 1), height, width) for k in range(count)]


def prefixes_of(name: str, height: int) -> int:
    return FEW if height > 480 else PREFIXES[name]


def authors(folder: Path) -> Callable[[list[np.ndarray], float, int], dict[str, Any]]:
    """Return the authors' sweep over prefixes, without the cache, which needs a GPU."""
    import transformers
    from topreward.clients.qwen import QwenClient

    transformers.feature_extraction_utils.BatchFeature.to = lambda self, *_, **__: self
    client: Any = object.__new__(QwenClient)
    client.prefix_cache_enabled = False
    client.processor = transformers.AutoProcessor.from_pretrained(folder)
    client.model = transformers.Qwen3VLForConditionalGeneration.from_pretrained(folder).eval()

    def sweep(frames: list[np.ndarray], fps: float, most: int) -> dict[str, Any]:
        result = client.compute_instruction_rewards_for_prefixes(
            frames, TASK, num_samples=most, fps=fps
        )
        return {
            'ends': result.prefix_lengths,
            'log_prob': result.prefix_rewards,
            'log_prob_false': result.prefix_false_rewards,
            'progress': result.normalized_prefix_rewards,
        }

    return sweep


def lerobot(folder: Path) -> Callable[[list[np.ndarray], float, int], dict[str, Any]]:
    """Return LeRobot's sweep over prefixes, with its own defaults."""
    from lerobot.rewards.topreward import compute_rabc_weights
    from lerobot.rewards.topreward.configuration_topreward import TOPRewardConfig
    from lerobot.rewards.topreward.modeling_topreward import TOPRewardModel
    from lerobot.rewards.topreward.processor_topreward import TOPRewardEncoderProcessorStep

    config = TOPRewardConfig(vlm_name=str(folder), torch_dtype='float32', device='cpu')
    model = TOPRewardModel(config).eval()
    encoder = TOPRewardEncoderProcessorStep(vlm_name=str(folder), max_frames=None, fps=config.fps)
    raw: list[float] = []
    compute_reward = model.compute_reward

    def noted(batch: dict[str, Any]) -> torch.Tensor:
        reward = compute_reward(batch)
        raw.append(float(reward.item()))
        return reward

    model.compute_reward = noted

    def sweep(frames: list[np.ndarray], _fps: float, most: int) -> dict[str, Any]:
        raw.clear()
        # As LeRobotDataset gives them
        images = [torch.from_numpy(f).permute(2, 0, 1).to(torch.float32) / 255 for f in frames]
        progress = compute_rabc_weights.compute_instruction_rewards_for_prefixes(
            model=model,
            encoder=encoder,
            dataset=[{config.image_key: image} for image in images],
            ep_start=0,
            num_frames=len(frames),
            task=TASK,
            image_key=config.image_key,
            num_samples=most,
            device='cpu',
        )
        return {'log_prob': list(raw), 'progress_per_frame': progress.tolist()}

    return sweep


def main() -> None:
    (name,) = sys.argv[1:]
    install()
    import transformers

    content = json.loads(TARGET.read_text(encoding='utf-8')) if TARGET.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, 'checkpoint')
        write_random_checkpoint(folder)
        sweep = {'authors': authors, 'lerobot': lerobot}[name](folder)
        clips = [
            {
                'clip': clip,
                'prefixes': prefixes_of(name, clip[0]),
                **sweep(frames_of(*clip[:3]), clip[3], prefixes_of(name, clip[0])),
            }
            for clip in CLIPS[name]
        ]
    content[name] = {'transformers': transformers.__version__, 'task': TASK, 'clips': clips}
    TARGET.write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')
    print(f'{sum(len(each["log_prob"]) for each in clips)} scores of {name} -> {TARGET}')


if __name__ == '__main__':
    main()
