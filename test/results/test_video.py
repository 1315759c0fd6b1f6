# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes of the simulated world are written to videos and bags."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from topreward_ros.demo.drawing import film
from topreward_ros.demo.scene import SceneEpisode
from topreward_ros.recordings.clip_source import open_clip
from topreward_ros.results.bag_writer import BagWriter
from topreward_ros.results.plot import plot_run
from topreward_ros.results.score_table import Row
from topreward_ros.results.video import write_image_bag, write_video
from topreward_ros.scoring.score import Score

EPISODE = SceneEpisode(4)


def test_a_video_is_read_back(tmp_path: Path) -> None:
    frames = list(film(EPISODE, 10.0, 64, 96))
    assert write_video(tmp_path / 'e.mp4', frames, 10.0) == len(frames)
    clip = open_clip(tmp_path / 'e.mp4')
    read = list(clip.frames())
    assert clip.fps == 10.0 and len(read) == len(frames)
    for (time, image), (k, frame) in zip(read, enumerate(frames), strict=True):
        assert abs(time - k / 10) < 1e-6
        assert np.abs(image.astype(int) - frame).mean() < 12
    assert [file.name for file in tmp_path.iterdir()] == ['e.mp4']


def test_odd_sizes_lose_a_row(tmp_path: Path) -> None:
    write_video(tmp_path / 'e.mp4', film(EPISODE, 5.0, 65, 97), 5.0)
    (_, image), *_ = open_clip(tmp_path / 'e.mp4').frames()
    assert image.shape == (64, 96, 3)


def test_a_bag_is_read_back(tmp_path: Path) -> None:
    frames = list(film(EPISODE, 4.0, 32, 48))
    assert write_image_bag(tmp_path / 'bag', frames, 4.0, 'Do it.') == len(frames)
    with AnyReader([tmp_path / 'bag']) as reader:
        messages = [
            (connection.topic, reader.deserialize(data, connection.msgtype))
            for connection, _, data in reader.messages()
        ]
    assert [m.data for topic, m in messages if topic == '/topreward/task'] == ['Do it.']
    images = [message for topic, message in messages if topic == '/camera/image_raw']
    for k, (message, frame) in enumerate(zip(images, frames, strict=True)):
        assert message.encoding == 'rgb8' and message.step == 3 * 48
        assert message.header.stamp.sec + message.header.stamp.nanosec / 1e9 == k / 4
        assert np.array_equal(message.data.reshape(32, 48, 3), frame)


def test_a_bag_on_a_full_disk_keeps_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError('no space left')

    bag = BagWriter(tmp_path / 'bag', keep_cut_short=True)
    with pytest.raises(OSError, match='no space left'), bag:
        bag.add_topic('/text', 'std_msgs/msg/String')
        monkeypatch.setattr(bag._writer, 'close', fails)
    assert list((tmp_path / 'bag').glob('*.mcap'))
    assert not list(tmp_path.glob('.*'))


def test_a_task_with_dollar_signs_is_drawn(tmp_path: Path) -> None:
    clip = open_clip(None)
    row = Row(0.5, 1, Score(2, -3.0, -0.1), 0.5, 0.0, 'fixed', 0.1, r'Pay $5 & 10% of $\frac{6$')
    plot_run(tmp_path / 'picture.png', clip, [row], [])
    assert (tmp_path / 'picture.png').stat().st_size > 1000
