# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Captured steps of fixed shapes give the same scores as eager steps."""

from __future__ import annotations

import gc

import pytest
import torch

from topreward_ros.scoring.engine import key_value_cache as caches
from topreward_ros.scoring.engine import recorded_steps, split_attention
from topreward_ros.scoring.engine.counted_attention import PLAIN, Way
from topreward_ros.scoring.engine.cuda_graphs import GraphRecorder, Run
from topreward_ros.scoring.engine.qwen3_vl import plain_attention
from topreward_ros.scoring.engine.recorded_steps import RecordedSteps
from topreward_ros.scoring.loading.checkpoint import Checkpoint, load_checkpoint
from topreward_ros.scoring.loading.options import LoadOptions
from topreward_ros.scoring.reward_models.topreward.recompute import RecomputeScorer
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer

from .test_attention import in_float32, naive_with_sums
from .test_streaming import TASKS, TOLERANCE, frames, worst_difference


class Recorder:
    """Replaces CUDA graphs: a replay repeats the call on the same memory."""

    def __init__(self) -> None:
        self.recorded = 0
        self.replayed = 0

    def __call__(self, run: Run) -> Run:
        self.recorded += 1

        def replay() -> torch.Tensor:
            self.replayed += 1
            return run()

        return replay


def recording(
    checkpoint: Checkpoint, recorder: Recorder, way: Way | None = None
) -> StreamingScorer:
    scorer = StreamingScorer(checkpoint)
    scorer.recorded = RecordedSteps(scorer.engine, recorder, way)
    return scorer


@pytest.fixture
def small_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a short episode need several shapes and a larger cache."""
    monkeypatch.setattr(recorded_steps, 'CACHE_MULTIPLE', 64)
    monkeypatch.setattr(caches, 'MIN_CAPACITY', 32)


@pytest.mark.usefixtures('small_shapes')
@pytest.mark.parametrize('size', [(64, 64), (100, 131)])
def test_equals_recompute_across_shapes(checkpoint: Checkpoint, size: tuple[int, int]) -> None:
    recorder = Recorder()
    stream = recording(checkpoint, recorder).start(TASKS[0])
    recompute = RecomputeScorer(checkpoint).start(TASKS[0])
    assert worst_difference(stream, recompute, size, 30) <= TOLERANCE
    assert recorder.replayed == 29, 'all but the first step, whose cache is empty'
    assert 2 < recorder.recorded < 15


def test_the_next_episode_records_nothing(checkpoint: Checkpoint) -> None:
    recorder = Recorder()
    scorer = recording(checkpoint, recorder)
    last = []
    for _ in range(3):
        episode = scorer.start(TASKS[0])
        for k, frame in enumerate(frames((64, 64), 7)):
            episode.append(frame, k / 2)
            score = episode.score()
        episode.close()
        last.append((recorder.recorded, score.log_prob))
    assert last[0] == last[1] == last[2]


def test_two_episodes_at_once_do_not_mix(checkpoint: Checkpoint) -> None:
    scorer, plain = recording(checkpoint, Recorder()), StreamingScorer(checkpoint)
    pairs = [(scorer.start(task), plain.start(task)) for task in TASKS]
    for k, frame in enumerate(frames((64, 64), 9)):
        for episode, same in pairs:
            episode.append(frame, k / 2)
            same.append(frame, k / 2)
            assert episode.score().log_prob == pytest.approx(same.score().log_prob, abs=TOLERANCE)


def test_thinning_and_several_tasks(checkpoint: Checkpoint) -> None:
    scorer, plain = recording(checkpoint, Recorder()), StreamingScorer(checkpoint)
    for tasks in (TASKS[0], TASKS):
        one, other = scorer.start(tasks), plain.start(tasks)
        for k, frame in enumerate(frames((64, 64), 14)):
            for episode in (one, other):
                if k == 8:
                    episode.thin()
                episode.append(frame, k / 2)
            for a, b in zip(one.scores(), other.scores(), strict=True):
                assert a.log_prob == pytest.approx(b.log_prob, abs=TOLERANCE)


@pytest.mark.usefixtures('small_shapes')
@pytest.mark.parametrize('task', ['Go.', 'Put the red block next to the yellow one, then go home.'])
def test_warming_up_records_every_shape(checkpoint: Checkpoint, task: str) -> None:
    recorder = Recorder()
    scorer = recording(checkpoint, recorder)
    scorer.warm_up(64, 64, max_frames=40)
    recorded = recorder.recorded
    assert recorded > 5
    episode, plain = scorer.start(task), StreamingScorer(checkpoint).start(task)
    for k, frame in enumerate(frames((64, 64), 40)):
        episode.append(frame, k / 2)
        plain.append(frame, k / 2)
        one, other = episode.score(), plain.score()
        assert one.log_prob == pytest.approx(other.log_prob, abs=TOLERANCE)
    assert recorder.recorded == recorded


@pytest.mark.usefixtures('small_shapes')
@pytest.mark.parametrize('size', [(64, 64), (100, 131)])
def test_one_step_serves_all_lengths_where_keys_are_counted(
    checkpoint: Checkpoint, size: tuple[int, int]
) -> None:
    recorder = Recorder()
    scorer = recording(checkpoint, recorder, Way('counted', in_float32))
    scorer.warm_up(*size, max_frames=40)
    assert scorer.recorded is not None
    assert scorer.recorded.count == 2, 'one for this length of the task, one for longer ones'
    recorded = recorder.recorded
    for task in ('Go.', 'Put the red block next to the yellow one, then go home.'):
        stream, recompute = scorer.start(task), RecomputeScorer(checkpoint).start(task)
        assert worst_difference(stream, recompute, size, 40) <= TOLERANCE
        stream.close()
    assert recorder.recorded == recorded


@pytest.mark.usefixtures('small_shapes')
def test_a_step_that_is_split_reads_most_of_the_prefix_without_a_mask(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    unmasked = []

    def attend(query, keys, values, mask):
        if mask is None:
            unmasked.append(keys.shape[1])
        return naive_with_sums(query, keys, values, mask)

    monkeypatch.setattr(recorded_steps, 'PREFIX_MULTIPLE', 8)
    monkeypatch.setattr(split_attention, '_attend', attend)
    scorer = recording(checkpoint, Recorder(), Way('split', is_split=True))
    recompute = RecomputeScorer(checkpoint).start(TASKS[0])
    assert worst_difference(scorer.start(TASKS[0]), recompute, (64, 64), 40) <= TOLERANCE
    assert max(unmasked) > 64


def test_the_first_score_replays_what_the_warm_up_recorded(checkpoint: Checkpoint) -> None:
    """And records nothing: it has the tokens before the first frame, and fits a shape or not."""
    recorder = Recorder()
    scorer = recording(checkpoint, recorder)
    cold, plain = (each.start(TASKS[0]) for each in (scorer, StreamingScorer(checkpoint)))
    (frame,) = frames((64, 64), 1)
    for episode in (cold, plain):
        episode.append(frame, 0.0)
    assert cold.score().log_prob == pytest.approx(plain.score().log_prob, abs=TOLERANCE)
    assert recorder.recorded == recorder.replayed == 0
    cold.close()
    scorer.warm_up(64, 64, max_frames=8)
    recorded, replayed = recorder.recorded, recorder.replayed
    episode = scorer.start(TASKS[0])
    episode.append(frame, 0.0)
    assert episode.score().log_prob == pytest.approx(plain.score().log_prob, abs=TOLERANCE)
    assert (recorder.recorded, recorder.replayed) == (recorded, replayed + 1)


@pytest.mark.usefixtures('small_shapes')
def test_counted_keys_without_a_warm_up_and_in_a_growing_cache(checkpoint: Checkpoint) -> None:
    scorer = recording(checkpoint, Recorder(), Way('counted', in_float32))
    recompute = RecomputeScorer(checkpoint).start(TASKS[0])
    assert worst_difference(scorer.start(TASKS[0]), recompute, (64, 64), 30) <= TOLERANCE


@pytest.mark.usefixtures('small_shapes')
@pytest.mark.parametrize('is_warm', [True, False])
def test_where_counting_keys_cannot_be_captured_a_mask_is_used(
    checkpoint: Checkpoint, is_warm: bool
) -> None:
    def broken(*_: torch.Tensor) -> torch.Tensor:
        raise RuntimeError('operation not permitted when stream is capturing')

    recorder = Recorder()
    scorer = recording(checkpoint, recorder, Way('counted', broken))
    if is_warm:
        scorer.warm_up(64, 64, max_frames=30)
    stream, recompute = scorer.start(TASKS[0]), RecomputeScorer(checkpoint).start(TASKS[0])
    assert worst_difference(stream, recompute, (64, 64), 30) <= TOLERANCE
    assert scorer.mode == 'CUDA graphs' and scorer.recorded is not None
    assert scorer.recorded.count >= 1


def test_steps_that_cannot_be_captured_are_run_eagerly(checkpoint: Checkpoint) -> None:
    def fail(run: Run) -> Run:
        run()
        raise RuntimeError('operation not permitted when stream is capturing\nmore of it')

    scorer = StreamingScorer(checkpoint)
    scorer.recorded = RecordedSteps(scorer.engine, fail, PLAIN)
    assert scorer.mode == 'CUDA graphs'
    recompute = RecomputeScorer(checkpoint).start(TASKS[0])
    assert worst_difference(scorer.start(TASKS[0]), recompute, (64, 64), 6) <= TOLERANCE
    assert scorer.mode == (
        'step by step (a step could not be recorded: operation not permitted when stream is '
        'capturing)'
    )
    assert scorer.recorded.count == 0


def test_a_step_that_cannot_be_captured_is_refused_by_itself(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the memory ends: longer ones are run eagerly, the others stay recorded."""
    monkeypatch.setattr(recorded_steps, 'CACHE_MULTIPLE', 64)
    recorder = Recorder()

    def record(run: Run) -> Run:
        if recorder.recorded == 2:
            raise RuntimeError('out of memory')
        return recorder(run)

    scorer = StreamingScorer(checkpoint)
    scorer.recorded = RecordedSteps(scorer.engine, record)
    stream, recompute = scorer.start(TASKS[0]), RecomputeScorer(checkpoint).start(TASKS[0])
    assert worst_difference(stream, recompute, (64, 64), 24) <= TOLERANCE
    assert recorder.recorded == 2 and recorder.replayed > 2
    assert scorer.mode.startswith('CUDA graphs') and ', but for ' in scorer.mode
    assert scorer.mode.endswith(' shapes (a step could not be recorded: out of memory)')


def test_a_warm_scorer_has_reserved_what_an_episode_needs(checkpoint: Checkpoint) -> None:
    scorer = StreamingScorer(checkpoint)
    scorer.warm_up(64, 64, max_frames=80)
    (cache,) = scorer.engine._free
    reserved, episode = cache.capacity, scorer.start(TASKS[0])
    for k, frame in enumerate(frames((64, 64), 80)):
        episode.append(frame, k / 2)
    episode.score()
    assert episode._prefix._cache is cache and cache.capacity == reserved
    # The question, and longer times and tasks; where steps read it by a mask, the next multiple
    most = 320 if scorer.recorded is None else 320 + recorded_steps.CACHE_MULTIPLE
    assert 0 <= reserved - episode.cached_tokens < most


def test_steps_are_dropped_with_their_cache(checkpoint: Checkpoint) -> None:
    scorer = recording(checkpoint, Recorder())
    episode = scorer.start(TASKS[0])
    for k, frame in enumerate(frames((64, 64), 3)):
        episode.append(frame, k / 2)
        episode.score()
    assert scorer.recorded is not None and scorer.recorded.count == 1
    del episode  # not closed, so its cache is not returned
    gc.collect()
    assert scorer.recorded.count == 0


def test_the_mode_is_reported(checkpoint: Checkpoint, device: str) -> None:
    scorer = StreamingScorer(checkpoint)
    scorer.warm_up(48, 64)
    if device == 'cpu':
        assert scorer.mode == 'step by step (the device is cpu, which has no CUDA graphs)'
        assert scorer.recorded is None
    else:
        assert scorer.mode.startswith('CUDA graphs, attention: ')
        assert scorer.recorded is not None and scorer.recorded.count
    assert not torch.is_inference_mode_enabled()


def test_eager_steps_meet_no_backend_that_plans_each_shape() -> None:
    enabled = torch.backends.cuda.cudnn_sdp_enabled
    before = enabled()
    with plain_attention(torch.device('cuda')):
        assert not enabled() and torch.backends.cuda.mem_efficient_sdp_enabled()
    with plain_attention(torch.device('cpu')):
        assert enabled() == before


needs_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason='CUDA graphs need a GPU')


@needs_a_gpu
@pytest.mark.usefixtures('small_shapes')
def test_graphs_equal_eager_steps(checkpoint_folder) -> None:
    """On a GPU, across shapes, growing caches and several models one after the other."""
    for _ in range(2):
        checkpoint = load_checkpoint(LoadOptions(str(checkpoint_folder), 'cuda', 'float32'))
        scorer, plain = StreamingScorer(checkpoint), StreamingScorer(checkpoint)
        plain.recorded = None
        for _ in range(2):
            one, other = scorer.start(TASKS[0]), plain.start(TASKS[0])
            assert worst_difference(one, other, (64, 64), 30) <= TOLERANCE
            one.close()
            other.close()
        assert scorer.mode.startswith('CUDA graphs') and scorer.recorded.count > 2
        del checkpoint, scorer, plain, one, other
        gc.collect()


@needs_a_gpu
def test_a_recorder_captures_again_after_all_its_graphs_were_freed() -> None:
    device = torch.device('cuda')
    with torch.inference_mode():
        record = GraphRecorder(device)
        for _ in range(3):
            a = torch.zeros(8, device=device)
            replay = record(lambda a=a: a * 2 + 1)
            a.copy_(torch.arange(8.0))
            assert torch.equal(replay().cpu(), torch.arange(8.0) * 2 + 1)
            del replay
            gc.collect()
