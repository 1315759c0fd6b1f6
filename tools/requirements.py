# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Prints what setup.cfg requires, with the extras named: for an environment without the package.

python3 tools/requirements.py kilted test
"""

import sys
from configparser import ConfigParser
from pathlib import Path

setup_cfg = ConfigParser(delimiters=['='])
setup_cfg.read(Path(__file__).parents[1] / 'setup.cfg')
extras = setup_cfg['options.extras_require']
print(setup_cfg['options']['install_requires'].strip())
for name in sys.argv[1:]:
    print(extras[name].strip())
