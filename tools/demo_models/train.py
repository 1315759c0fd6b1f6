# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trains the demo's models on the small world, in stages.

    python -m tools.demo_models.train see SEEN
    python -m tools.demo_models.train ask SEEN FOLDER      TOPReward and Large Reward Models
    python -m tools.demo_models.train settle SEEN FOLDER --start ASKED
    python -m tools.demo_models.train heads SEEN FOLDER    Robometer

1. see: the vision tower alone, which both models start from; an auxiliary linear head predicts from
   each token which things are in its cell, and where. Without it a model stays at a constant
   answer, as nothing else makes it bind color to place. This loss continues with a small weight.
2. ask: at first, without the words around the task, about two frames of a scrambled table, as a
   video before many tasks and as pictures after each. Another auxiliary head predicts, from the
   middle of the model, the positions in both frames of the things that the task names. It knows
   things, not pairs, which helps the model to generalise to new pairs. Then the prompts of scoring:
   2 to 32 frames at any rate, forwards, backwards or static, with several prefixes and questions
   each; in half of the steps, at last in fewer, the three questions of Large Reward Models about
   single pictures. At last mostly as they are asked, for small errors.
   settle: a few small steps more, half of the videos of scenes in which nothing moves. The
   auxiliary heads begin anew. tools.demo_models.average then takes the mean of both.
   heads: progress and success after two pictures of scrambled clips, then each picture of longer
   ones.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import load_file

from topreward_ros.demo.checkpoint_files import new_model, save_weights
from topreward_ros.demo.model import SHAPE, SHAPE_ROBOMETER
from topreward_ros.demo.tasks import UNREAD_WORDINGS, all_tasks
from topreward_ros.files import whole_folder
from topreward_ros.scoring.reward_models.robometer.layout import ADDED_TOKENS, INSTRUCTION

from .frame_lessons import QUESTIONS, FrameLessons
from .head_lessons import HeadLessons
from .pool import Pool, make_pool, read_pool, write_pool
from .robometer_files import write_robometer
from .trainer import LEARNING_RATE, Step, Trainer
from .video_lessons import (
    POLISHING,
    READ_WORDINGS,
    SCORING,
    SETTLING,
    Manner,
    VideoLessons,
)

FAST = LEARNING_RATE


def words() -> list[str]:
    """Return the texts whose words are tokens: tasks, and the questions of all reward models."""
    texts = [task.say(words) for task in all_tasks() for words in READ_WORDINGS]
    texts += [f' {words}' for words in (*texts, *UNREAD_WORDINGS)]
    asked = [question.template for question in QUESTIONS]
    asked += [f' {answer}' for question in QUESTIONS for answer in question.answers]
    return [*texts, *asked, INSTRUCTION, 'Picture', 'assistant']


def _in_turn(*steps: Step) -> Step:
    """Return a step that is each of these in turn."""
    following = itertools.cycle(steps)

    def step() -> tuple[torch.Tensor, dict[str, float]]:
        return next(following)()

    return step


def _mixed(frames: FrameLessons, videos: VideoLessons, manner: Manner) -> Step:
    """Return a step of one kind of lesson or the other."""

    def step() -> tuple[torch.Tensor, dict[str, float]]:
        if frames.trainer.random.random() < manner.videos:
            return videos.score(manner)
        return frames.ask(manner.auxiliary)

    return step


def see(file: Path, pool: Pool, options: argparse.Namespace) -> None:
    """Train the vision tower; write it to a file."""
    with TemporaryDirectory() as scratch:
        model = new_model(Path(scratch), SHAPE, words())
        trainer = Trainer(model, pool, options.seed, options.share)
    trainer.run('see', 2600, (FAST, 0.1 * FAST), trainer.see)
    trainer.save_seen(file)


def ask(folder: Path, pool: Pool, options: argparse.Namespace) -> None:
    """Train on the questions of TOPReward and Large Reward Models."""
    model = new_model(folder, SHAPE, words())
    trainer = Trainer(model, pool, options.seed, options.share)
    trainer.load_seen(options.seen)
    videos, frames = VideoLessons(trainer, folder), FrameLessons(trainer, folder)

    brief = _in_turn(frames.ask_briefly, lambda: videos.ask(24, short=True))
    whole = _in_turn(lambda: frames.ask(0.1), lambda: videos.ask(16, short=False))
    trainer.run('ask briefly', 560, (FAST, 0.5 * FAST), brief)
    trainer.run('ask', 200, (0.75 * FAST, 0.5 * FAST), whole)
    trainer.run('score', 500, (0.75 * FAST, 0.3 * FAST), _mixed(frames, videos, SCORING))
    trainer.run('polish', 3400, (0.6 * FAST, 0.002 * FAST), _mixed(frames, videos, POLISHING))
    save_weights(folder, model.eval().half())


def settle(folder: Path, pool: Pool, options: argparse.Namespace) -> None:
    """Train a model that `ask` has made on small errors of log P, mostly where nothing moves."""
    model = new_model(folder, SHAPE, words())
    trainer = Trainer(model, pool, options.seed + 1, options.share)
    trainer.load_seen(options.seen)
    model.load_state_dict(load_file(options.start / 'model.safetensors'))
    lessons = FrameLessons(trainer, folder), VideoLessons(trainer, folder)
    trainer.run('settle', 300, (0.2 * FAST, 0.002 * FAST), _mixed(*lessons, SETTLING))
    save_weights(folder, model.eval().half())


def heads(folder: Path, pool: Pool, options: argparse.Namespace) -> None:
    """Train on progress and success after each picture."""
    model = new_model(folder, SHAPE_ROBOMETER, words(), ADDED_TOKENS)
    trainer = Trainer(model, pool, options.seed, options.share)
    trainer.load_seen(options.seen)
    lessons = HeadLessons(trainer, folder)
    few = 0.75 * FAST, 0.5 * FAST
    trainer.run('bind', 800, (FAST, 0.5 * FAST), lambda: lessons.bind(16, tasks=8))
    trainer.run('few pictures', 200, few, lambda: lessons.score(4, 16, polish=False))
    trainer.run(
        'score', 400, (0.75 * FAST, 0.05 * FAST), lambda: lessons.score(20, 6, polish=False)
    )
    trainer.run(
        'polish', 1700, (0.6 * FAST, 0.002 * FAST), lambda: lessons.score(32, 4, polish=True)
    )
    write_robometer(folder, model.eval(), lessons.tensors())


def _pool(options: argparse.Namespace) -> Pool:
    """Render the clips, or read those that an earlier stage left in --pool."""
    if options.pool and options.pool.exists():
        return read_pool(options.pool, options.episodes)
    pool = make_pool(options.episodes, options.scrambled, options.seed, options.threads)
    if options.pool:
        write_pool(options.pool, pool)
    return pool


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('stage', choices=('see', 'ask', 'settle', 'heads'))
    parser.add_argument('seen', type=Path, help='file of the trained vision tower')
    parser.add_argument('folder', type=Path, nargs='?', help='new folder for the checkpoint')
    parser.add_argument('--start', type=Path, help='for settle: folder that ask has made')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--episodes', type=int, default=2400, help='episodes in the pool')
    parser.add_argument(
        '--scrambled', type=int, default=1200, help='scrambled clips in the pool, besides episodes'
    )
    parser.add_argument(
        '--pool', type=Path, help='folder to keep the rendered clips in, for the next stage (1 GB)'
    )
    parser.add_argument(
        '--share', type=float, default=1.0, help='share of the training steps, for a short trial'
    )
    parser.add_argument('--threads', type=int, default=2)
    options = parser.parse_args()
    if (options.stage == 'see') != (options.folder is None):
        parser.error('see takes a file to write; the others take that file, and a new folder')
    if (options.stage == 'settle') != (options.start is not None):
        parser.error('settle, and no other stage, goes on from a folder of ask: --start')
    target = options.folder or options.seen
    if target.exists():
        parser.error(f'{target} exists: choose another name')
    torch.set_num_threads(options.threads)
    start_time = time.monotonic()
    pool = _pool(options)
    if options.stage == 'see':
        see(target, pool, options)
    else:
        with whole_folder(target) as part:
            stages = {'ask': ask, 'settle': settle, 'heads': heads}
            stages[options.stage](part, pool, options)
    minutes, busy = (time.monotonic() - start_time) / 60, time.process_time() / 60
    print(f'{target}: {minutes:.1f} minutes, {busy:.1f} minutes of processor time')


if __name__ == '__main__':
    main()
