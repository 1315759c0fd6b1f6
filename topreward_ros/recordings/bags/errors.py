# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Errors of reading a bag, each with the exit code of a command that fails with it.

| code | error                     | meaning                                                       |
|-----:|---------------------------|---------------------------------------------------------------|
|   10 | BagError                  | cannot be read for a reason of its own, such as permissions   |
|   11 | MissingBagError           | does not exist, or a folder without bag files                 |
|   12 | MissingMetadataError      | several recordings, and no metadata.yaml that makes them one  |
|   13 | BrokenBagError            | too damaged to be read                                        |
|   14 | UnsupportedBagError       | a format, compression or serialisation that cannot be read    |
|   15 | NoImageTopicError         | no topic of images, or not the one that was named             |
|   16 | SeveralImageTopicsError   | several topics of images, and none was named                  |
|   17 | WrongTopicTypeError       | the topic named holds something else                          |
|   18 | EmptyBagError             | no messages: in the bag, on the topic, or in an episode       |
|   19 | UndecodableImagesError    | images, of which none can be decoded                          |

Every other TopRewardError has the exit code 1.
"""

from __future__ import annotations

from typing import ClassVar

from ..clip import ClipError


class BagError(ClipError):
    """A bag that cannot be read."""

    exit_code: ClassVar[int] = 10


class MissingBagError(BagError):
    """The path does not exist, or holds no bag."""

    exit_code = 11


class MissingMetadataError(BagError):
    """A folder of several recordings without a metadata.yaml that says they are one bag."""

    exit_code = 12


class BrokenBagError(BagError):
    """A bag of which nothing can be read, or not the part that is asked for."""

    exit_code = 13


class UnsupportedBagError(BagError):
    """A bag in a format that cannot be read."""

    exit_code = 14


class NoImageTopicError(BagError):
    """No topic of images, or not the one that was named."""

    exit_code = 15


class SeveralImageTopicsError(BagError):
    """Several topics of images, and none was named."""

    exit_code = 16


class WrongTopicTypeError(BagError):
    """A topic that holds messages of another type than expected."""

    exit_code = 17


class EmptyBagError(BagError):
    """No messages in the bag, on the topic, or in an episode."""

    exit_code = 18


class UndecodableImagesError(BagError):
    """None of the images can be decoded."""

    exit_code = 19
