# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A recording as the methods see it, and the three controls beside it.

The controls are what a number has to beat: the first frame repeated (nothing happens), the frames
shuffled (no order is left), and another task named (nothing asked for happens).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from topreward_ros.files import Kept
from topreward_ros.recordings.clip import ClipError
from topreward_ros.recordings.clip_sampling import NO_GAP, sampled
from topreward_ros.recordings.recording import Recording
from topreward_ros.scoring.clip_curve import anchors
from topreward_ros.scoring.sampling import ANCHORS, FrameWindow, Sampling

from .methods import Curve, Method, SampledRecording

REAL, REPEATED, SHUFFLED, WRONG_TASK = 'real', 'first frame repeated', 'shuffled', 'wrong task'
CONTROLS = (REPEATED, SHUFFLED, WRONG_TASK)
STRANGE_TASKS = ('Fold the towel.', 'Open the drawer.')  # where all recordings are of one task
ENOUGH = 1_000_000  # frames, a multiple of 4


@dataclass(frozen=True)
class PrefixSampling:
    """Frames a second, but at most max_frames of a recording, and how many prefixes are read."""

    fps: float = Sampling.fps
    max_frames: int = Sampling.max_frames
    anchors: int = ANCHORS

    def take(self, recording: Recording) -> SampledRecording:
        """Frames on the node's grid in time; ClipError where there are none.

        For a longer recording the grid is coarser, so that there are max_frames of it.
        """
        clip = recording.clip
        fps = min(self.fps, self.max_frames / max(clip.seconds, 1e-9))
        kept = list(sampled(clip, FrameWindow(fps, ENOUGH, NO_GAP)))[: self.max_frames]
        if not kept:
            raise ClipError(f'{recording.name} has no frames')
        times = [time for time, _, _ in kept]
        return SampledRecording(
            images=[image for _, _, image in kept],
            times=[sample.time for _, sample, _ in kept],
            shares=np.array(times) / max(clip.seconds, times[-1], 1e-9),
            lengths=anchors(len(kept), self.anchors),
            task=recording.task,
        )


@dataclass(frozen=True, eq=False)
class Measurement:
    """What was measured of a recording: curves[variation][method].

    lengths are of the prefixes that values were read at.
    """

    name: str
    lengths: Sequence[int]
    task: str
    is_success: bool | None
    truth: np.ndarray | None
    published: Mapping[str, np.ndarray]
    curves: Mapping[str, Mapping[str, Curve]]


def wrong_tasks(recordings: Sequence[Recording]) -> list[str]:
    """For each recording the next task of the list that is not its own."""
    tasks = list({_folded(recording.task): recording.task for recording in recordings}.values())
    if not tasks:
        return []
    if len(tasks) == 1:
        own = _folded(tasks[0])
        return [next(t for t in STRANGE_TASKS if _folded(t) != own)] * len(recordings)
    following = dict(zip(map(_folded, tasks), [*tasks[1:], *tasks[:1]], strict=True))
    return [following[_folded(recording.task)] for recording in recordings]


def _folded(task: str) -> str:
    """The task without what makes no difference."""
    return ' '.join(task.casefold().replace('.', ' ').split())


def measure(
    methods: Sequence[Method],
    recording: Recording,
    wrong_task: str,
    sampling: PrefixSampling,
    seed: int,
) -> Measurement:
    """Show it and its controls to every method. Raises as they do, and ClipError."""
    shown = sampling.take(recording)
    order = np.random.default_rng(seed).permutation(len(shown.images))
    variations = {
        REAL: shown,
        REPEATED: _varied(shown, [shown.images[0]] * len(shown.images)),
        SHUFFLED: _varied(shown, [shown.images[k] for k in order]),
        WRONG_TASK: _varied(shown, shown.images, wrong_task),
    }
    curves = {
        name: {key: each for method in methods for key, each in method.curves(variation).items()}
        for name, variation in variations.items()
    }
    return _measurement(recording, shown.lengths, curves)


def _measurement(
    recording: Recording, lengths: Sequence[int], curves: Mapping[str, Mapping[str, Curve]]
) -> Measurement:
    return Measurement(
        recording.name,
        lengths,
        recording.task,
        recording.is_success,
        recording.truth,
        recording.published,
        curves,
    )


def _varied(
    shown: SampledRecording, images: Sequence[np.ndarray], task: str | None = None
) -> SampledRecording:
    return dataclasses.replace(shown, images=images, task=task or shown.task)


def write_measurement(kept: Kept, measurement: Measurement) -> None:
    """Keep it, so that an interrupted run goes on."""
    curves = {
        variation: {
            name: {
                'positions': each.positions.tolist(),
                'values': _nulls(each.values),
                'answered': each.answered,
            }
            for name, each in by_name.items()
        }
        for variation, by_name in measurement.curves.items()
    }
    kept.finish({'lengths': list(measurement.lengths), 'curves': curves})


def read_measurement(kept: Kept, recording: Recording) -> Measurement | None:
    """What was kept of it; None where there is nothing, or something else was asked for."""
    content = kept.read()
    if content is None:
        return None
    curves = {
        variation: {
            name: Curve(np.array(each['positions']), _numbers(each['values']), each['answered'])
            for name, each in by_name.items()
        }
        for variation, by_name in content['curves'].items()
    }
    return _measurement(recording, content['lengths'], curves)


def _nulls(values: np.ndarray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values])
