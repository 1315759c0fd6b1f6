# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`topreward calibrate --search`: search, tell what was found, and calibrate by what is kept."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console

from topreward_ros.recordings.recording import Recording
from topreward_ros.results.calibration_file import CalibrationError, write_calibration
from topreward_ros.reward.calibration import Calibration
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.sampling import Sampling
from topreward_ros.scoring.score import Scorer

from ..recording_arguments import load, print_notes
from .make import describe, made, make_calibration
from .search import Candidate, Search, Searched, check_enough, check_texts, choices_of
from .search_report import node_parameters, search_lines, write_search


def search_and_calibrate(options: argparse.Namespace, recordings: Sequence[Recording]) -> int:
    """Write the calibration of the settings that are kept, and search.json beside the scores."""
    failures = sum(each.is_success is False for each in recordings)
    check_enough(len(recordings) - failures, failures)
    choices = choices_of(options, options.frame_fit or LoadOptions.frame_fit)
    check_texts(choices.wordings, recordings)
    notes = print_notes(recordings)

    def load_with(frame_fit: str) -> Scorer:
        return load(argparse.Namespace(**{**vars(options), 'frame_fit': frame_fit}))

    search = Search(
        choices,
        options.save.with_suffix('.scores'),
        options.window,
        options.hold,
        options.max_frames,
        Console(stderr=True, emoji=False),
        options.history,
    )
    searched = search.run(load_with, recordings)
    print_notes(recordings, notes)
    print('\n'.join(search_lines(searched)))
    calibration, kept = _calibration(searched, options)
    write_search(search.folder, searched, kept.setting)
    write_calibration(options.save, calibration)
    parameters = node_parameters(kept.setting, searched.candidates[0].setting)
    print('\n'.join(describe(calibration)))
    print(made(options.save, calibration, search.folder, parameters))
    return 0


def _calibration(searched: Searched, options: argparse.Namespace) -> tuple[Calibration, Candidate]:
    """Return the calibration of what is kept; of the default where that cannot be calibrated."""
    default = searched.candidates[0]

    def calibrated(candidate: Candidate) -> Calibration:
        return make_calibration(
            candidate.attempts,
            [each.task for each in searched.recordings],
            candidate.identity,
            candidate.setting.fps,
            window=options.window,
            hold=options.hold,
            wording=candidate.setting.wording,
            value=candidate.setting.value,
            history=Sampling(max_frames=options.max_frames, history=options.history).history_name,
        )

    try:
        return calibrated(searched.kept), searched.kept
    except CalibrationError as error:
        if searched.kept is default:
            raise
        print(f'kept: the default after all, as the other cannot be calibrated: {error}')
        return calibrated(default), default
