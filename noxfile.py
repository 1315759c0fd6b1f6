# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The scoring tests against each supported version of transformers; needs no ROS.

nox                     all of it
nox -s "scoring(transformers='4.57.1')"
"""

from __future__ import annotations

import nox

# The authors' own, LeRobot's, and the newest there is
TRANSFORMERS = ('4.57.1', '5.5.4', 'newest')
# What the scoring tests import besides; torch as constraints.txt has it
NEEDED = ('torch==2.13.0', 'numpy', 'pillow', 'pytest', 'hypothesis', 'peft')

nox.options.reuse_existing_virtualenvs = True


@nox.session
@nox.parametrize('transformers', TRANSFORMERS)
def scoring(session: nox.Session, transformers: str) -> None:
    version = '' if transformers == 'newest' else f'=={transformers}'
    session.install(*NEEDED, f'transformers{version}')
    session.run('python', '-c', 'import transformers; print(transformers.__version__)')
    session.run('pytest', '-q', 'test/scoring', *session.posargs)


@nox.session(python='3.12', default=False)
def lerobot(session: nox.Session) -> None:
    """The plug-in for LeRobot, and RA-BC, with the real LeRobot and the versions that it pins."""
    needed = session.run('python', 'tools/requirements.py', silent=True)
    assert isinstance(needed, str)
    session.install('lerobot[topreward,dataset]>=0.6.1', 'pip', 'pytest', *needed.splitlines())
    versions = '[version(name) for name in ("lerobot", "torch", "transformers")]'
    session.run('python', '-c', f'from importlib.metadata import version; print({versions})')
    # -m puts the checkout on the path
    session.run('python', '-m', 'pytest', '-q', 'test/integrations', *session.posargs)


@nox.session
def processor(session: nox.Session) -> None:
    """Models without a streaming path, with the libraries of the extra `processor`."""
    session.install(*NEEDED, 'transformers', 'qwen-vl-utils')
    # By itself: torchvision's own requirement would replace a CPU build of torch.
    session.install('--no-deps', 'torchvision==0.28.0')
    session.run(
        'pytest', '-q', 'test/scoring/test_processor_model.py', env={'NEEDS_PROCESSOR': '1'}
    )
