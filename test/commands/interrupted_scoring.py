# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score sources in a child process that is killed at random moments, repeatedly.

    python -m test.commands.interrupted_scoring SAVE ROUNDS SOURCE...

For each round: a child is killed, another goes on to the end, and what stands then is compared,
file by file, with what an undisturbed child has written. Prints a line of JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

torch.set_num_threads(1)  # a pool of threads would not survive the fork

from topreward_ros.commands.score.clip_scores import Plan
from topreward_ros.commands.score.run import ScoreOptions, score_files
from topreward_ros.demo.model import FOLDER, SETTINGS
from topreward_ros.recordings.source_options import SourceOptions
from topreward_ros.results.output import Reading
from topreward_ros.reward.live import RewardOptions
from topreward_ros.scoring.families import load_scorer


def main() -> None:
    save, rounds, sources = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    scorer = load_scorer(str(FOLDER))

    def begin(folder: Path) -> int:
        child = os.fork()
        if child:
            return child
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            for source in sources:
                is_bag = source.endswith('bag')
                options = ScoreOptions(
                    sources=(source,),
                    save=folder,
                    plan=Plan(fps=4.0, anchors=None),
                    read=SourceOptions(camera='top'),
                    outputs=('bag', 'overlay') if is_bag else ('parquet',),
                    reading=Reading(RewardOptions(**SETTINGS)),
                )
                score_files(scorer, options)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    begin_time = time.monotonic()
    assert end(begin(save / 'whole')) == 0
    duration = time.monotonic() - begin_time
    whole = files(save / 'whole')
    chance = random.Random(0)
    killed, different = 0, []
    for number in range(4 * rounds):
        if killed == rounds:
            break
        folder = save / str(number)
        child = begin(folder)
        time.sleep(chance.uniform(0, duration))
        os.kill(child, signal.SIGKILL)
        if end(child) == -signal.SIGKILL:
            killed += 1
        else:  # it had ended before: the machine has less to do than at first
            duration *= 0.8
        assert end(begin(folder)) == 0
        if files(folder) != whole:
            names = {name for name, _ in set(files(folder).items()) ^ set(whole.items())}
            different.append([number, sorted(names)])
    summary = {'files': sorted(whole), 'killed': killed, 'different': different}
    print(json.dumps({**summary, 'seconds': duration}))


def end(child: int) -> int:
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def files(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob('*') if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


if __name__ == '__main__':
    main()
