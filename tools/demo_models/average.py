# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Averages the weights of two stages of a training (arXiv 2203.05482).

    python -m tools.demo_models.average ONE OTHER FOLDER

FOLDER is a copy of OTHER with the mean of both weights. Where the second stage began from the
first, the mean errs less on held-out episodes than either.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

from topreward_ros.files import whole_folder

WEIGHTS = 'model.safetensors'


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ('one', 'other'):
        parser.add_argument(name, type=Path, help='folder of a checkpoint')
    parser.add_argument('folder', type=Path, help='new folder for the checkpoint')
    options = parser.parse_args()
    if options.folder.exists():
        parser.error(f'{options.folder} exists: choose another name')
    one, other = (load_file(folder / WEIGHTS) for folder in (options.one, options.other))
    if {name: w.shape for name, w in one.items()} != {name: w.shape for name, w in other.items()}:
        parser.error(
            f'{options.one} and {options.other} have different weights; expected two stages of one'
        )
    mean = {
        name: ((weight.float() + other[name].float()) / 2).half().contiguous()
        for name, weight in one.items()
    }
    with whole_folder(options.folder) as part:
        shutil.copytree(options.other, part, dirs_exist_ok=True)
        save_file(mean, part / WEIGHTS, metadata={'format': 'pt'})


if __name__ == '__main__':
    main()
