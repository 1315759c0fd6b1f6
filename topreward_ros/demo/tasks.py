# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tasks of the small world: a block, its target, and the wordings of the task text."""

from __future__ import annotations

from dataclasses import dataclass

COLORS = ('red', 'green', 'blue', 'yellow', 'purple')
PLACES = ('plate', 'bowl', 'tray', 'mat', 'box')

# Kinds of attempts
KINDS = ('success', 'short', 'wrong_object', 'wrong_target', 'undone', 'still')
KIND_NAMES = {
    'success': 'success',
    'short': 'stops short',
    'wrong_object': 'wrong object',
    'wrong_target': 'wrong target',
    'undone': 'undone at the end',
    'still': 'stands still',
}

# The demo's wordings; where is "on the plate" or "next to the red block"
WORDINGS = (
    'Put the {object} block {where}.',
    'Pick up the {object} block and place it {where}.',
    'Move the {object} block so that it is {where}.',
)
# More wordings that the demo's model is trained on
MORE_WORDINGS = (
    'put the {object} block {where}',
    'Set the {object} block down {where}.',
    'place the {object} block {where}',
    'The robot should move the {object} block to the {target}.',
    'Grasp the {object} block and put it {where}.',
    'Please place the {object} block {where}.',
)
# Wordings that are not in its training set
UNREAD_WORDINGS = (
    'Bring the {object} block over to the {target}.',
    'Take the {object} block and drop it {where}.',
    'The {target} is where the {object} block belongs.',
)

# Pairs that are not in the training set, to test whether the model generalises to them
HELD_OUT_PAIRS = (
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
    """Move the block of color `object` onto a place, or next to the block of another color."""

    object: str
    target: str

    def __post_init__(self) -> None:
        if self.object not in COLORS or self.target not in (*PLACES, *COLORS):
            raise ValueError(
                f'no task moves {self.object!r} to {self.target!r}; expected one of '
                f'{", ".join(COLORS)}, and one of {", ".join(PLACES)} or another color'
            )
        if self.object == self.target:
            raise ValueError(f'the {self.object} block cannot go next to itself')

    @property
    def is_relational(self) -> bool:
        """Whether the target is another block, next to which the object goes."""
        return self.target in COLORS

    def say(self, wording: str = WORDINGS[0]) -> str:
        """Return the task text in a wording."""
        target = f'{self.target} block' if self.is_relational else self.target
        where = f'next to the {target}' if self.is_relational else f'on the {target}'
        return wording.format(object=self.object, target=target, where=where)


def all_tasks() -> list[Task]:
    """Return all tasks: every block onto every place and next to every other block."""
    return [
        Task(color, target) for color in COLORS for target in (*PLACES, *COLORS) if target != color
    ]


def known_tasks() -> list[Task]:
    """Return the tasks that the demo's model was trained on, which are those of the demo."""
    return [task for task in all_tasks() if (task.object, task.target) not in HELD_OUT_PAIRS]
