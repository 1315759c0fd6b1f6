# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What can be asked of the little table: a block, where it shall go, and how one says so."""

from __future__ import annotations

from dataclasses import dataclass

COLOURS = ('red', 'green', 'blue', 'yellow', 'purple')
PLACES = ('plate', 'bowl', 'tray', 'mat', 'box')

# The three ways in which the demo puts a task; the target is "plate" or "yellow block".
WORDINGS = (
    'Put the {object} block on the {target}.',
    'Pick up the {object} block and place it on the {target}.',
    'Move the {object} block onto the {target}.',
)
# More ways to say it that the demo's model is trained on
MORE_WORDINGS = (
    'put the {object} block on the {target}',
    'Set the {object} block down on the {target}.',
    'place the {object} block on top of the {target}',
    'The robot should move the {object} block to the {target}.',
    'Grasp the {object} block and put it onto the {target}.',
    'Please place the {object} block on the {target}.',
)
# Ways that it has never read
UNREAD_WORDINGS = (
    'Bring the {object} block over to the {target}.',
    'Take the {object} block and drop it on the {target}.',
    'The {target} is where the {object} block belongs.',
)

# Pairs that the demo's model has never been asked about, to see whether it binds the words anew
UNASKED = (
    ('red', 'bowl'),
    ('green', 'tray'),
    ('blue', 'mat'),
    ('yellow', 'box'),
    ('purple', 'plate'),
    ('red', 'green'),
    ('blue', 'yellow'),
)


@dataclass(frozen=True)
class Task:
    """Move the block of colour `object` to `target`, a place or the colour of another block."""

    object: str
    target: str

    def __post_init__(self) -> None:
        if self.object not in COLOURS or self.target not in (*PLACES, *COLOURS):
            raise ValueError(
                f'no task moves {self.object!r} to {self.target!r}; expected a colour of '
                f'{", ".join(COLOURS)}, and one of {", ".join(PLACES)} or another colour'
            )
        if self.object == self.target:
            raise ValueError(f'the {self.object} block cannot go onto itself')

    @property
    def stacks(self) -> bool:
        """Whether the target is a block."""
        return self.target in COLOURS

    def say(self, wording: str = WORDINGS[0]) -> str:
        target = f'{self.target} block' if self.stacks else self.target
        return wording.format(object=self.object, target=target)


def all_tasks() -> list[Task]:
    """Every block to every place and onto every other block."""
    return [
        Task(colour, target)
        for colour in COLOURS
        for target in (*PLACES, *COLOURS)
        if target != colour
    ]


def shown_tasks() -> list[Task]:
    """The tasks of the demo: those that its model has learned well, which stacking is not."""
    return [task for task in known_tasks() if not task.stacks]


def known_tasks() -> list[Task]:
    """The tasks that the demo's model was trained on."""
    return [task for task in all_tasks() if (task.object, task.target) not in UNASKED]
