# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What can be asked of the little table: a block, where it shall go, and how one says so."""

from __future__ import annotations

from dataclasses import dataclass

COLOURS = ('red', 'green', 'blue', 'yellow', 'purple')
PLACES = ('plate', 'bowl', 'tray', 'mat', 'box')

# The three ways in which the demo puts a task; where is "on the plate" or "next to the red block".
# Of the attempts at a task
KINDS = ('success', 'short', 'wrong_object', 'wrong_target', 'undone', 'still')
KIND_NAMES = {
    'success': 'success',
    'short': 'stops short',
    'wrong_object': 'wrong object',
    'wrong_target': 'wrong target',
    'undone': 'undone at the end',
    'still': 'stands still',
}

WORDINGS = (
    'Put the {object} block {where}.',
    'Pick up the {object} block and place it {where}.',
    'Move the {object} block so that it is {where}.',
)
# More ways to say it that the demo's model is trained on
MORE_WORDINGS = (
    'put the {object} block {where}',
    'Set the {object} block down {where}.',
    'place the {object} block {where}',
    'The robot should move the {object} block to the {target}.',
    'Grasp the {object} block and put it {where}.',
    'Please place the {object} block {where}.',
)
# Ways that it has never read
UNREAD_WORDINGS = (
    'Bring the {object} block over to the {target}.',
    'Take the {object} block and drop it {where}.',
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
    """Move the block of colour `object` onto a place, or next to the block of another colour."""

    object: str
    target: str

    def __post_init__(self) -> None:
        if self.object not in COLOURS or self.target not in (*PLACES, *COLOURS):
            raise ValueError(
                f'no task moves {self.object!r} to {self.target!r}; expected a colour of '
                f'{", ".join(COLOURS)}, and one of {", ".join(PLACES)} or another colour'
            )
        if self.object == self.target:
            raise ValueError(f'the {self.object} block cannot go next to itself')

    @property
    def is_relational(self) -> bool:
        """Whether the target is a block, next to which the other one goes."""
        return self.target in COLOURS

    def say(self, wording: str = WORDINGS[0]) -> str:
        target = f'{self.target} block' if self.is_relational else self.target
        where = f'next to the {target}' if self.is_relational else f'on the {target}'
        return wording.format(object=self.object, target=target, where=where)


def all_tasks() -> list[Task]:
    """Every block onto every place and next to every other block."""
    return [
        Task(colour, target)
        for colour in COLOURS
        for target in (*PLACES, *COLOURS)
        if target != colour
    ]


def known_tasks() -> list[Task]:
    """The tasks that the demo's model was trained on, which are those of the demo."""
    return [task for task in all_tasks() if (task.object, task.target) not in UNASKED]
