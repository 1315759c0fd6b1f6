# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated arm of a checkout's examples/arm_sim, as a node of this process."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from topreward_ros.errors import TopRewardError
from topreward_ros.scoring.sampling import NANOSECONDS

from .attempts import Attempt, Moment

PACKAGE = 'examples.arm_sim'
START = Path('examples', 'arm_sim', '__init__.py')
CHECKOUT = Path(__file__).parents[4]  # if the package is one
STILL = 256  # side of the pictures of an attempt's beginning and end [px]


class NoSimulatorError(TopRewardError):
    """The simulated arms are not here."""


def load_simulator(folders: Sequence[Path] | None = None) -> None:
    """Make examples.arm_sim importable: it is part of a checkout, and of no installation.

    folders are those in which it is looked for: the checkout of this package, or else the current
    one. Raises NoSimulatorError, or what the simulator raises where MuJoCo is missing.
    """
    if PACKAGE not in sys.modules:
        searched = [CHECKOUT, Path.cwd()] if folders is None else folders
        found = [folder / START for folder in searched if (folder / START).is_file()]
        if not found:
            raise NoSimulatorError(
                'the simulated arms are in examples/arm_sim of a checkout and not of an installed '
                f'package, and not in {" or ".join(map(str, dict.fromkeys(searched)))}: clone the '
                'repository of topreward_ros and run this command in its folder'
            )
        # By its file: the current folder must not hide installed modules
        spec = spec_from_file_location(
            PACKAGE, found[0], submodule_search_locations=[str(found[0].parent)]
        )
        assert spec is not None and spec.loader is not None
        sys.modules[PACKAGE] = module = module_from_spec(spec)
        spec.loader.exec_module(module)
    import_module(f'{PACKAGE}.installed').check_installed()


class Witness:
    """An arm with a programme of episodes, and all that is to be known of its attempts.

    node is to be spun by a session; attempts are those that have begun.
    """

    def __init__(
        self,
        arm: str,
        programme: Sequence[tuple[int, str]],
        *,
        namespace: str,
        remappings: Mapping[str, str],
        parameters: Mapping[str, Any],
    ) -> None:
        """Set up the first table; programme has seed and kind of each episode."""
        module = import_module(f'{PACKAGE}.node')
        self.attempts: list[Attempt] = []
        self._of: Any = None  # the episode of the newest attempt
        self.node: Any = module.make_arm(
            arm,
            [module.SimulatedEpisode(seed, kind) for seed, kind in programme],
            self._watch,
            namespace=namespace,
            remappings=remappings,
            parameters=parameters,
        )
        try:
            cameras = import_module(f'{PACKAGE}.rendering').Cameras
            self._stills: Any = cameras(self.node.world, STILL, STILL)
        except BaseException:
            self.node.destroy_node()
            raise

    @property
    def time(self) -> float:
        """Simulated time [s]."""
        return float(self.node.world.time)

    @property
    def is_over(self) -> bool:
        """Whether the last episode of the programme has been followed by its reset."""
        return bool(self.node.is_over)

    def close(self) -> None:
        self._note_ends()
        self._stills.close()
        self.node.destroy_node()

    def _watch(self, episode: Any, stamp: int) -> None:
        """Note the truth at an image's stamp [ns]."""
        self._note_ends()
        if not episode.began:
            return
        if episode is not self._of:
            self._of = episode
            began = episode.began / NANOSECONDS
            first = self._stills.take('top')
            self.attempts.append(Attempt(episode.kind, episode.task, began, first=first))
        attempt = self.attempts[-1]
        truth = episode.truth
        attempt.truth.append(Moment(stamp / NANOSECONDS, truth.progress, truth.success))
        if attempt.last is None and episode.stopped:
            attempt.last = self._stills.take('top')

    def _note_ends(self) -> None:
        if self._of is None:
            return
        attempt = self.attempts[-1]
        if self._of.stopped:
            attempt.stopped = self._of.stopped / NANOSECONDS
        if self._of.ended:
            attempt.ended = self._of.ended / NANOSECONDS
