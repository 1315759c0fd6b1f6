# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trains a Robometer on the simulated arms (`examples/arm_sim`), from that of the drawn world.

    python -m tools.demo_models.train_arms SEEN FOLDER --pool CLIPS

SEEN: of `tools.demo_models.train see`, for its auxiliary head. The lessons are those of `train
heads`: first the vision tower alone, then progress and success after two pictures of scrambled
clips, then after each picture of longer ones.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

from topreward_ros.demo.checkpoint_files import new_model
from topreward_ros.demo.model import FOLDER_ROBOMETER, SHAPE_ROBOMETER
from topreward_ros.files import whole_folder
from topreward_ros.scoring.reward_models.robometer.layout import ADDED_TOKENS

from .arm_pool import ArmPool, arm_pool
from .head_lessons import HeadLessons
from .robometer_files import write_robometer
from .train import FAST, words
from .trainer import Trainer

LONGEST = 32  # pictures of a clip: 16 s at the demo's two per second


def train(folder: Path, pool: ArmPool, options: argparse.Namespace) -> None:
    """Train, and write the checkpoint into a folder."""
    model = new_model(folder, SHAPE_ROBOMETER, words(), ADDED_TOKENS)
    trainer = Trainer(model, pool, options.seed, options.share)
    trainer.load_seen(options.seen)
    lessons = HeadLessons(trainer, folder)
    tensors = load_file(FOLDER_ROBOMETER / 'model.safetensors')
    model.load_state_dict(
        {name: tensors[f'model.{name}'] for name, _ in model.named_parameters()}, strict=False
    )
    with torch.no_grad():
        for name, weight in lessons.tensors().items():
            weight.copy_(tensors[name])
    trainer.run('see', 400, (FAST, 0.3 * FAST), trainer.see)
    few = 0.75 * FAST, 0.4 * FAST
    trainer.run('bind', 300, few, lambda: lessons.bind(16, tasks=6))
    trainer.run('score', 300, (0.6 * FAST, 0.1 * FAST), lambda: lessons.score(20, 6, polish=False))
    trainer.run(
        'polish', 800, (0.6 * FAST, 0.004 * FAST), lambda: lessons.score(LONGEST, 5, polish=True)
    )
    write_robometer(folder, model.eval(), lessons.tensors())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('seen', type=Path, help='file of the trained vision tower')
    parser.add_argument('folder', type=Path, help='new folder for the checkpoint')
    parser.add_argument(
        '--pool', type=Path, required=True, help='folder of the rendered clips, made if missing'
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--episodes', type=int, default=800, help='half of them of each arm')
    parser.add_argument('--scrambled', type=int, default=600, help='scrambled clips, besides')
    parser.add_argument('--share', type=float, default=1.0, help='of the steps, for a short trial')
    parser.add_argument('--threads', type=int, default=2)
    options = parser.parse_args()
    if options.folder.exists():
        parser.error(f'{options.folder} exists: choose another name')
    torch.set_num_threads(options.threads)
    start_time = time.monotonic()
    pool = arm_pool(options.pool, options.episodes, options.scrambled, options.threads)
    with whole_folder(options.folder) as part:
        train(part, pool, options)
    minutes, busy = (time.monotonic() - start_time) / 60, time.process_time() / 60
    print(f'{options.folder}: {minutes:.1f} minutes, {busy:.1f} minutes of processor time')


if __name__ == '__main__':
    main()
