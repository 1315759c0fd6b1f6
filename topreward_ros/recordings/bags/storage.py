# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The files of a bag as one: their topics, and their messages in the order of time.

Parts of a split bag may differ in all that they say of a topic: QoS, definition, storage, packing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import cast

from rosbags.interfaces import Connection

from .bag_files import METADATA, bag_files
from .errors import BrokenBagError
from .faults import faults_of
from .mcap_records import DamagedRecordError, unpack_message
from .time_order import Stored, in_time_order
from .unpacking import ZSTD_MAGIC, BagFile, open_file

MOST_LISTED = 3  # topics in a note


class Storage:
    """The files of a bag; connections are their topics, a topic of several files several times.

    Each connection tells how many messages its file has, or says to have if that is more; its owner
    is the file.
    """

    def __init__(self, path: Path) -> None:
        """Open the files; raises the BagError that fits."""
        self._path = path
        self._stack: ExitStack | None = None
        self._files: list[BagFile] = []
        with faults_of(path):
            self._chosen = bag_files(path)
        self._notes = dict.fromkeys(self._chosen.notes)  # in their order, each once
        self._file_notes: dict[str, list[str]] = {}
        self.connections: list[Connection] = []
        self.open()
        self._compare_with_metadata()

    @property
    def is_open(self) -> bool:
        return self._stack is not None

    @property
    def notes(self) -> list[str]:
        """What a user should know about how the bag was read so far."""
        return [*self._notes, *(note for notes in self._file_notes.values() for note in notes)]

    def open(self) -> None:
        """Open the files, unless they are open; raises the BagError that fits."""
        if self.is_open:
            return
        files: list[BagFile] = []
        with ExitStack() as stack:
            for path in self._chosen.paths:
                try:
                    with faults_of(path):
                        file, notes = open_file(path, stack)
                except BrokenBagError as error:  # the others are read, unless it is the last hope
                    if not files and path == self._chosen.paths[-1]:
                        raise
                    self._notes[f'{error}: its messages are not read'] = None
                    continue
                self._notes.update(dict.fromkeys(notes))
                self._file_notes.setdefault(file.name, file.notes)
                files.append(file)
            self._stack = stack.pop_all()
        self._files = files
        self.connections = [each for file in files for each in file.connections]

    def close(self) -> None:
        """Close the files and remove what was unpacked; `open` opens them again."""
        stack, self._stack = self._stack, None
        self._files = []
        if stack is not None:
            stack.close()

    def messages(
        self, topics: Collection[str], start: int | None, stop: int | None
    ) -> Iterator[Stored]:
        """Yield the messages of these topics from start to before stop [ns] in the order of time.

        A message that a second file repeats is left out; one that was packed alone is unpacked.
        Raises the BagError that fits.
        """
        with faults_of(self._path):
            self.open()
            chosen = [each for each in self.connections if each.topic in topics]
            runs = (
                run
                for file in self._files
                if (of_file := [each for each in chosen if each.owner is file])
                for run in file.runs(of_file, start, stop)
            )
            tally = _Tally(len(self._files) > 1)
            for message in in_time_order(runs):
                if (unpacked := tally.take(message)) is not None:
                    yield unpacked
        if start is None and stop is None:
            self._notes.update(dict.fromkeys(tally.notes(self._path, chosen)))
            self._file_notes.update({file.name: file.notes for file in self._files})

    def _compare_with_metadata(self) -> None:
        held: Counter[str] = Counter()
        for connection in self.connections:
            held[connection.topic] += connection.msgcount
        listed = self._chosen.counts
        if listed is None:
            return
        differing = [
            f'{listed.get(topic, 0)} messages on {topic}, not {held[topic]}'
            for topic in sorted({*listed, *held})
            if listed.get(topic, 0) != held[topic]
        ]
        if differing:
            rest = len(differing) - MOST_LISTED
            more = f', and so for {rest} more topics' if rest > 0 else ''
            self._notes[
                f'{METADATA} of {self._path} does not count as its files do: '
                f'{"; ".join(differing[:MOST_LISTED])}{more}'
            ] = None


class _Tally:
    """Counts the messages of a pass, leaves out copies and unpacks those packed one by one."""

    def __init__(self, has_several_files: bool) -> None:
        self._has_several_files = has_several_files
        self._read: Counter[str] = Counter()
        self._copies: Counter[str] = Counter()
        self._reason = ''
        self._now: int | None = None
        self._seen: dict[tuple[str, int], BagFile] = {}  # of the present time: topic, digest

    def take(self, message: Stored) -> Stored | None:
        """Return the message to yield, if any."""
        topic, file = message.connection.topic, cast(BagFile, message.connection.owner)
        if self._has_several_files:
            if message.time != self._now:
                self._now = message.time
                self._seen.clear()
            if self._seen.setdefault((topic, hash(message.data)), file) is not file:
                self._copies[file.name] += 1
                self._read[topic] += 1
                return None
        if message.data.startswith(ZSTD_MAGIC):
            try:
                message = message._replace(data=unpack_message(message.data))
            except DamagedRecordError as error:
                self._reason = f'; of another {error}'
                return None
        self._read[topic] += 1
        return message

    def notes(self, path: Path, connections: Collection[Connection]) -> Iterator[str]:
        """Yield what is wrong after all messages of these connections."""
        for name, count in self._copies.items():
            yield f'{count} messages of {name} are in another file of the bag, too: read once'
        expected: Counter[str] = Counter()
        for connection in connections:
            expected[connection.topic] += connection.msgcount
        for topic, count in expected.items():
            if self._read[topic] < count:
                yield (
                    f'{self._read[topic]} of {count} messages on {topic} in {path} can be read'
                    f'{self._reason}'
                )
