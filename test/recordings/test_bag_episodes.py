# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A bag is cut where the live node would begin an episode."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from topreward_ros.commands.score.clip_scores import Plan, score_clip
from topreward_ros.errors import TaskError
from topreward_ros.recordings.bags.episodes import BagEpisode, bag_episodes
from topreward_ros.recordings.bags.errors import (
    EmptyBagError,
    UndecodableImagesError,
    WrongTopicTypeError,
)
from topreward_ros.recordings.bags.reader import Bag
from topreward_ros.recordings.clip import ClipError
from topreward_ros.recordings.source_options import SourceOptions
from topreward_ros.recordings.spans import Span, parse_spans
from topreward_ros.scoring.loading.checkpoint import Checkpoint
from topreward_ros.scoring.reward_models.topreward.streaming import StreamingScorer
from topreward_ros.scoring.sampling import Sampling

from .bag_builder import (
    BOOL,
    CAMERA,
    SECOND,
    TASK,
    Recorded,
    flag,
    images,
    packed,
    pixels,
    raw,
    text,
    write_bag,
)

EVENTS = '/topreward/start_episode/_service_event'
SAID = SourceOptions()
GIVEN = SourceOptions(task='Do it.')


def at(seconds: float) -> int:
    return round(seconds * SECOND)


def event(seconds: float, kind: int, topic: str = EVENTS) -> Recorded:
    """Return the part of a service event that is read; of a type that rosbags can describe."""
    return Recorded(topic, BOOL, at(seconds), bytes((0, 1, 0, 0, kind)))


def episodes(
    folder: Path, messages: Iterable[Recorded], options: SourceOptions = SAID
) -> list[tuple[str, list[float]]]:
    """Return the tasks and the image stamps [s], read through the clips twice.

    The bag's time is ten seconds ahead of what the messages say.
    """
    late = [message._replace(time=message.time + 10 * SECOND) for message in messages]
    in_order = sorted(late, key=lambda message: message.time)
    with Bag(write_bag(folder / 'bag', in_order)) as bag:
        result = bag_episodes(bag, options)
        assert [episode.number for episode in result] == list(range(1, len(result) + 1))
        read = [stamps(episode) for episode in result]
        assert read == [stamps(episode) for episode in result]
        return [(e.task, [s / SECOND for s in each]) for e, each in zip(result, read, strict=True)]


def stamps(episode: BagEpisode) -> list[int]:
    result = [round(time * SECOND) + episode.first_stamp for time, _ in episode.clip.frames()]
    assert result == list(episode.cut.stamps)
    return result


def times(start: float, count: int) -> list[float]:
    return [round(start + k / 10, 6) for k in range(count)]


# One episode


def test_one_episode_is_the_whole_bag(tmp_path: Path) -> None:
    messages = [text(at(99), 'Do it.'), *images(100, 5)]
    with Bag(write_bag(tmp_path / 'bag', messages)) as bag:
        (episode,) = bag_episodes(bag, SourceOptions())
        shown = list(episode.clip.frames())
    assert (episode.number, episode.task, episode.first_stamp) == (1, 'Do it.', at(100))
    assert episode.clip.name == 'bag' and episode.clip.fps == pytest.approx(10)
    assert episode.clip.seconds == pytest.approx(0.5)
    assert [time for time, _ in shown] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert all(np.array_equal(image, pixels(k)) for k, (_, image) in enumerate(shown))


def test_times_are_exact_to_the_nanosecond(tmp_path: Path) -> None:
    dice = np.random.default_rng(0)
    odd = np.cumsum(dice.integers(1, 10 * SECOND, 200)) + 1_700_000_000 * SECOND
    messages = [packed(int(stamp), pixels(0, 16, 16)) for stamp in odd]
    with Bag(write_bag(tmp_path / 'bag', messages)) as bag:
        (episode,) = bag_episodes(bag, GIVEN)
        assert stamps(episode) == odd.tolist()
        assert [episode.bag_time(stamp) for stamp in odd.tolist()] == odd.tolist()


def test_the_rate_is_that_of_the_median_step(tmp_path: Path) -> None:
    messages = [*images(0, 10, 20.0), *images(5, 10, 20.0)]
    with Bag(write_bag(tmp_path / 'bag', messages)) as bag:
        (episode,) = bag_episodes(bag, GIVEN)
    assert episode.clip.fps == pytest.approx(20) and episode.clip.seconds == pytest.approx(5.5)


def test_a_single_image_and_equal_stamps(tmp_path: Path) -> None:
    for count in (1, 3):
        folder = write_bag(tmp_path / str(count), [raw(at(7), pixels(k)) for k in range(count)])
        with Bag(folder) as bag:
            (episode,) = bag_episodes(bag, GIVEN)
            assert stamps(episode) == [at(7)] * count
        assert math.isfinite(episode.clip.seconds) and episode.clip.fps > 0


# Tasks


def test_a_new_text_begins_an_episode(tmp_path: Path) -> None:
    messages = [
        *images(0, 40),
        text(at(-1), 'one'),
        text(at(0.95), 'one'),
        text(at(1.95), 'two'),
        text(at(2.45), ' '),
        text(at(2.95), 'two'),
    ]
    result = episodes(tmp_path, messages)
    assert result == [('one', times(0, 20)), ('two', times(2, 5)), ('two', times(3, 10))]


def test_before_the_first_text_there_is_no_episode(tmp_path: Path) -> None:
    messages = [*images(0, 20), text(at(0.95), 'one')]
    assert episodes(tmp_path, messages) == [('one', times(1, 10))]


def test_a_given_task_replaces_the_texts(tmp_path: Path) -> None:
    messages = [*images(0, 20), text(at(-1), 'one'), text(at(0.95), 'two')]
    result = episodes(tmp_path, messages, GIVEN)
    assert result == [('Do it.', times(0, 10)), ('Do it.', times(1, 10))]


def test_another_task_topic(tmp_path: Path) -> None:
    messages = [text(at(-1), 'left', '/left/task'), text(at(-1), 'right'), *images(0, 2)]
    options = SourceOptions(task_topic='/left/task')
    assert episodes(tmp_path, messages, options) == [('left', times(0, 2))]


def test_no_task_anywhere(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r'gives no task for .* /topreward/task'):
        episodes(tmp_path, images(0, 2))


def test_a_task_that_cannot_be_asked_about(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match='bag: the task has 2000 characters'):
        episodes(tmp_path, [text(0, 'x' * 2000), *images(0, 2)])
    with Bag(tmp_path / 'bag') as bag:
        with pytest.raises(TaskError, match='characters'):
            bag_episodes(bag, SourceOptions(task='x' * 2000))
        assert bag_episodes(bag, GIVEN)[0].task == 'Do it.'


def test_a_task_topic_of_another_type(tmp_path: Path) -> None:
    with pytest.raises(
        WrongTopicTypeError, match=r'/topreward/task .* expected std_msgs/msg/String'
    ):
        episodes(tmp_path, [flag(0, True, TASK), *images(0, 2)])


# Markers


@pytest.mark.parametrize('topic', [EVENTS, '/left/start_episode', '/start_episode'])
def test_start_episode_begins_an_episode(tmp_path: Path, topic: str) -> None:
    messages = [*images(0, 30), event(0.95, 1, topic), event(1.95, 1, topic)]
    result = episodes(tmp_path, messages, GIVEN)
    assert [seconds for _, seconds in result] == [times(0, 10), times(1, 10), times(2, 10)]


def test_only_received_requests_of_a_service_count(tmp_path: Path) -> None:
    messages = [*images(0, 20), *(event(0.95, kind) for kind in (0, 2, 3))]
    assert len(episodes(tmp_path, messages, GIVEN)) == 1


def test_running(tmp_path: Path) -> None:
    messages = [
        *images(0, 50),
        flag(at(0.95), True),
        flag(at(1.95), True),
        flag(at(2.95), False),
        flag(at(3.95), True),
    ]
    result = episodes(tmp_path, messages, GIVEN)
    assert [seconds for _, seconds in result] == [times(0, 10), times(1, 20), times(4, 10)]


def test_the_sequence_of_the_reset_node(tmp_path: Path) -> None:
    """False, a task, start_episode, true after its answer: one episode, from the request on."""
    messages = [
        *images(0, 40),
        text(at(-1), 'one'),
        flag(at(-0.5), True),
        flag(at(0.95), False),
        text(at(1.45), 'two'),
        event(1.95, 1),
        flag(at(2.15), True),
        flag(at(2.95), False),
    ]
    result = episodes(tmp_path, messages)
    assert result == [('one', times(0, 10)), ('two', times(2, 10))]


def test_markers_without_images_between_them_are_one(tmp_path: Path) -> None:
    messages = [*images(0, 20), event(0.95, 1), event(0.96, 1), text(at(-1), 'a')]
    assert len(episodes(tmp_path, messages)) == 2


def test_no_image_in_an_episode(tmp_path: Path) -> None:
    with pytest.raises(
        EmptyBagError, match=r'no image on /camera/image_raw .* belongs to an episode'
    ):
        episodes(tmp_path, [flag(at(-1), False), *images(0, 5)], GIVEN)


def test_no_image_with_a_header(tmp_path: Path) -> None:
    broken = [message._replace(data=b'\x00\x01') for message in images(0, 3)]
    with pytest.raises(UndecodableImagesError, match='has no CDR header'):
        episodes(tmp_path, broken, GIVEN)


# Jumps


def test_stamps_that_jump(tmp_path: Path) -> None:
    """As for a restarted simulation and a paused camera, while the bag time continues."""
    recorded = [*images(100, 10), *images(50, 10), *images(51, 10), *images(70, 10)]
    messages = [message._replace(time=at(k / 10)) for k, message in enumerate(recorded)]
    result = episodes(tmp_path, messages, GIVEN)
    assert [seconds for _, seconds in result] == [
        times(100, 10),
        [*times(50, 10), *times(51, 10)],
        times(70, 10),
    ]


def test_a_step_back_between_two_kept_frames(tmp_path: Path) -> None:
    """Neither 0.3 nor 0.1 s is kept, but the node would begin an episode."""
    order = [*images(0, 4), *images(0.1, 4)]
    messages = [message._replace(time=at(k / 10)) for k, message in enumerate(order)]
    result = episodes(tmp_path, messages, GIVEN)
    assert [seconds for _, seconds in result] == [times(0, 4), times(0.1, 4)]


def test_unordered_images_are_one_episode(tmp_path: Path) -> None:
    order = images(0, 12, fps=20.0)
    order[4:6] = reversed(order[4:6])
    messages = [message._replace(time=at(k / 20)) for k, message in enumerate(order)]
    assert len(episodes(tmp_path, messages, GIVEN)) == 1


@pytest.mark.parametrize(('gap', 'count'), [(10.3, 1), (10.6, 2)])
def test_a_gap_counts_from_the_next_due_frame(tmp_path: Path, gap: float, count: int) -> None:
    """As in the node: it waits for the frame of 0.5 s, and ten seconds more."""
    messages = [*images(0, 3), *images(gap, 3)]
    assert len(episodes(tmp_path, messages, GIVEN)) == count


def test_a_longer_gap_may_be_allowed(tmp_path: Path) -> None:
    messages = [*images(0, 3), *images(20, 3)]
    options = SourceOptions(task='Do it.', sampling=Sampling(max_gap=30.0))
    assert len(episodes(tmp_path, messages, options)) == 1
    with Bag(tmp_path / 'bag') as bag, pytest.raises(ValueError, match=r'max_gap is 0\.4'):
        bag_episodes(bag, SourceOptions(task='Do it.', sampling=Sampling(max_gap=0.4)))


# Spans


def test_spans_replace_all_boundaries(tmp_path: Path) -> None:
    messages = [*images(100, 50), event(101.0, 1), flag(at(102), False), text(at(103), 'late')]
    options = SourceOptions(task='Do it.', spans=parse_spans('3:4.05, 0.5:2.5'))
    result = episodes(tmp_path, messages, options)
    assert [seconds for _, seconds in result] == [times(103, 11), times(100.5, 20)]


def test_spans_have_the_task_at_their_beginning(tmp_path: Path) -> None:
    messages = [*images(0, 40), text(at(-1), 'one'), text(at(1.95), 'two')]
    options = SourceOptions(spans=parse_spans(':1,2.5:'))
    assert [task for task, _ in episodes(tmp_path, messages, options)] == ['one', 'two']


def test_spans_without_a_task_or_without_images(tmp_path: Path) -> None:
    spans = parse_spans('0:1')
    with pytest.raises(TaskError, match='gives no task'):
        episodes(tmp_path, [*images(0, 20), text(at(1.5), 'late')], SourceOptions(spans=spans))
    with Bag(tmp_path / 'bag') as bag, pytest.raises(EmptyBagError, match=r'5 and 9 s.* at 1\.9'):
        bag_episodes(bag, SourceOptions(task='Do it.', spans=parse_spans('0:1,5:9')))


def test_spans_are_parsed() -> None:
    assert parse_spans('0:12.5,20:31') == (Span(0, 12.5), Span(20, 31))
    assert parse_spans(' .5: ,:2') == (Span(0.5, math.inf), Span(0, 2))
    for wrong in ('', ':', '5', '1:2:3', 'a:b', '-1:2', '1:2,', 'nan:2', '1e3:2'):
        with pytest.raises(ClipError, match='is not a span in seconds'):
            parse_spans(wrong)
    for wrong in ('2:1', '2:2'):
        with pytest.raises(ClipError, match='ends before it begins'):
            parse_spans(wrong)


# Clips


def test_names_of_several_episodes(tmp_path: Path) -> None:
    messages = [*images(0, 20), event(0.95, 1)]
    with Bag(write_bag(tmp_path / 'kitchen', messages)) as bag:
        names = [episode.clip.name for episode in bag_episodes(bag, GIVEN)]
    assert names == ['kitchen/episode_001', 'kitchen/episode_002']


def test_images_that_cannot_be_decoded_are_skipped(tmp_path: Path) -> None:
    messages = images(0, 10)
    messages[3] = messages[3]._replace(data=messages[3].data[:200])
    messages[4] = messages[4]._replace(data=b'')
    with Bag(write_bag(tmp_path / 'bag', messages)) as bag:
        (episode,) = bag_episodes(bag, GIVEN)
        left = [round(time, 6) for time, _ in episode.clip.frames()]
        assert left == [0, 0.1, 0.2, *times(0.5, 5)] and bag.skipped == 2


def test_an_episode_is_scored_as_any_clip(tmp_path: Path, checkpoint: Checkpoint) -> None:
    messages = [*images(0, 41), event(2.05, 1)]
    with Bag(write_bag(tmp_path / 'bag', messages)) as bag:
        result = bag_episodes(bag, GIVEN)
        rows = [
            score_clip(
                StreamingScorer(checkpoint), e.clip, e.task, Plan(fps=2.0), lambda frames, _: frames
            )
            for e in result
        ]
    assert [[row.time for row in each] for each in rows] == [
        pytest.approx([0, 0.5, 1, 1.5, 2.0]),
        pytest.approx([0, 0.5, 1, 1.5]),
    ]


def test_a_named_camera(tmp_path: Path) -> None:
    messages = [*images(0, 5), packed(0, pixels(9)), packed(SECOND, pixels(8))]
    folder = write_bag(tmp_path / 'bag', sorted(messages, key=lambda message: message.time))
    with Bag(folder, f'{CAMERA}/compressed') as bag:
        (episode,) = bag_episodes(bag, GIVEN)
        assert [time for time, _ in episode.clip.frames()] == [0, 1]
