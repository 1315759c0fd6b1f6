# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import torch

from benchmarks.gpu_check import __doc__ as about
from benchmarks.gpu_check.checks import Checks
from benchmarks.gpu_check.results import Results
from benchmarks.machine import machine, size
from benchmarks.models import PUBLISHED
from topreward_ros.demo.random_checkpoint import SHAPES
from topreward_ros.scoring.frame_fits import FRAME_FITS

ROOT = Path(__file__).parents[2]
TESTS = ('test/scoring/test_recorded_steps.py', 'test/scoring/test_golden_scores.py')


def main() -> int:
    options = _parser().parse_args()
    results = Results(options.save, options.limit)
    results.run('environment', 30, lambda: results.tell('environment', **_environment()))
    checks = Checks(results, options)
    wanted = options.checks or [*checks.all, 'tests']
    if 'tests' in wanted:
        results.run('tests', 90, lambda: _test(results, options.device))
    with torch.inference_mode():
        for name, (seconds, check) in checks.all.items():
            if name in wanted:
                results.run(name, seconds, check)
    results.show()
    # What is asked is asked of a GPU
    are_met = options.device == 'cpu' or all(each.is_met for each in results.demands)
    return int(bool(results.failed) or not are_met)


def _environment() -> dict[str, str]:
    import transformers

    found = {
        **machine(),
        'torch': torch.__version__,
        'transformers': transformers.__version__,
        'CUDA': str(torch.version.cuda),
    }
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        found['GPU'] = f'{properties.name}, {properties.total_memory / 2**30:.0f} GiB'
        found['cuDNN'] = str(torch.backends.cudnn.version())
    return found


def _test(results: Results, device: str) -> None:
    """The tests of recorded steps and golden scores, in float32 on the device."""
    files = [str(ROOT / file) for file in TESTS if (ROOT / file).exists()]
    if not files:
        results.tell('tests', skipped='the tests are not in this folder')
        return
    command = [sys.executable, '-m', 'pytest', '-q', '--device', device, *files]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=85)
    results.tell('tests', exit_code=ran.returncode, last=ran.stdout.strip().splitlines()[-3:])
    if ran.returncode:
        raise RuntimeError(f'the tests ended with {ran.returncode}')


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks.gpu_check',
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--save', type=Path, default=Path('gpu_check'), help='folder of results')
    parser.add_argument('--limit', type=float, default=450.0, help='of all checks [s]')
    parser.add_argument('--checks', nargs='+', metavar='CHECK', help='only these')
    parser.add_argument('--model', help='folder or hub id of a Qwen3-VL; default: random weights')
    parser.add_argument('--shape', choices=(*SHAPES, *PUBLISHED), default='qwen3-vl-8b')
    parser.add_argument('--size', type=size, default=(640, 480))
    parser.add_argument('--device', default='cuda')
    parser.add_argument('--dtype', default='auto')
    parser.add_argument('--frame-fit', choices=FRAME_FITS, default='aspect')
    parser.set_defaults(graphs='on')
    return parser


if __name__ == '__main__':
    sys.exit(main())
