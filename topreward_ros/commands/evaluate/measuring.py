# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measure a recording with every method, together with three controls.

A figure is meaningful as far as it exceeds its controls: the first frame repeated (nothing
happens), the frames shuffled (no order), and another task (the requested task is not done).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from topreward_ros.files import StoredResults
from topreward_ros.recordings.clip import ClipError
from topreward_ros.recordings.clip_sampling import NO_GAP, sampled
from topreward_ros.recordings.recording import Recording, folded
from topreward_ros.scoring.clip_curve import anchors
from topreward_ros.scoring.sampling import ANCHORS, FrameWindow, Sampling

from .methods import Curve, Method, SampledRecording

REAL, REPEATED, SHUFFLED, WRONG_TASK = 'real', 'first frame repeated', 'shuffled', 'wrong task'
CONTROLS = (REPEATED, SHUFFLED, WRONG_TASK)
OTHER_TASKS = ('Fold the towel.', 'Open the drawer.')  # where all recordings share one task
NO_LIMIT = 1_000_000  # frames, a multiple of 4


@dataclass(frozen=True)
class PrefixSampling:
    """Frames per second, maximum frames per recording, and number of evaluated prefixes."""

    fps: float = Sampling.fps
    max_frames: int = Sampling.max_frames
    anchors: int = ANCHORS

    def take(self, recording: Recording) -> SampledRecording:
        """Sample frames on the node's time grid; raises ClipError for an empty recording.

        The grid of a longer recording is coarser, so that max_frames are enough.
        """
        clip = recording.clip
        fps = min(self.fps, self.max_frames / max(clip.seconds, 1e-9))
        samples = list(sampled(clip, FrameWindow(fps, NO_LIMIT, NO_GAP)))[: self.max_frames]
        if not samples:
            raise ClipError(f'{recording.name} has no frames')
        times = [time for time, _, _ in samples]
        return SampledRecording(
            images=[image for _, _, image in samples],
            times=[sample.time for _, sample, _ in samples],
            shares=np.array(times) / max(clip.seconds, times[-1], 1e-9),
            lengths=anchors(len(samples), self.anchors),
            task=recording.task,
        )


@dataclass(frozen=True, eq=False)
class Measurement:
    """The curves of a recording: curves[variation][method].

    lengths are those of the evaluated prefixes; seconds is the recording's length.
    """

    name: str
    lengths: Sequence[int]
    task: str
    is_success: bool | None
    truth: np.ndarray | None
    published: Mapping[str, np.ndarray]
    curves: Mapping[str, Mapping[str, Curve]]
    seconds: float = math.nan


def wrong_tasks(recordings: Sequence[Recording]) -> list[str]:
    """Return for each recording the next task in the list that is not its own."""
    tasks = list({folded(each.task): each.task for each in recordings if each.task}.values())
    if not tasks:
        return [OTHER_TASKS[0]] * len(recordings)
    if len(tasks) == 1:
        own = folded(tasks[0])
        return [next(t for t in OTHER_TASKS if folded(t) != own)] * len(recordings)
    following = dict(zip(map(folded, tasks), [*tasks[1:], *tasks[:1]], strict=True))
    return [following.get(folded(recording.task), tasks[0]) for recording in recordings]


def measure(
    methods: Sequence[Method],
    recording: Recording,
    wrong_task: str,
    sampling: PrefixSampling,
    seed: int,
) -> Measurement:
    """Measure a recording and its controls with every method; raises their errors and ClipError."""
    sample = sampling.take(recording)
    order = np.random.default_rng(seed).permutation(len(sample.images))
    variations = {
        REAL: sample,
        REPEATED: _varied(sample, [sample.images[0]] * len(sample.images)),
        SHUFFLED: _varied(sample, [sample.images[k] for k in order]),
        WRONG_TASK: _varied(sample, sample.images, wrong_task),
    }
    curves = {
        name: {key: each for method in methods for key, each in method.curves(variation).items()}
        for name, variation in variations.items()
    }
    return _measurement(recording, sample.lengths, curves)


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
        recording.clip.seconds,
    )


def _varied(
    sample: SampledRecording, images: Sequence[np.ndarray], task: str | None = None
) -> SampledRecording:
    return dataclasses.replace(sample, images=images, task=task or sample.task)


def write_measurement(stored: StoredResults, measurement: Measurement) -> None:
    """Store the measurement, so that an interrupted run can be continued."""
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
    stored.finish({'lengths': list(measurement.lengths), 'curves': curves})


def read_measurement(stored: StoredResults, recording: Recording) -> Measurement | None:
    """Read a stored measurement; None where there is none, or it was made with other options."""
    content = stored.read()
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
