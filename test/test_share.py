# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0

import sys
from pathlib import Path

import pytest

from topreward_ros import share


def make_share(folder: Path) -> Path:
    (folder / 'config').mkdir(parents=True)
    (folder / 'package.xml').touch()
    return folder


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Move the module away from the checkout, and Python's prefix to the folder returned."""
    monkeypatch.setattr(share, '__file__', str(tmp_path / 'modules/topreward_ros/share.py'))
    monkeypatch.setattr(sys, 'prefix', str(tmp_path))
    monkeypatch.delenv('AMENT_PREFIX_PATH', raising=False)
    return tmp_path


def test_folder_of_this_package() -> None:
    folder = share.share_directory()
    assert (folder / 'launch' / 'topreward.launch.py').is_file()
    assert (folder / 'config' / 'fastdds_images.xml').is_file()


def test_pip_install(installed: Path) -> None:
    expected = make_share(installed / 'share/topreward_ros')
    assert share.share_directory() == expected


def test_colcon_install_comes_before_pip_install(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip('ament_index_python')
    make_share(installed / 'share/topreward_ros')
    colcon = installed / 'colcon'
    expected = make_share(colcon / 'share/topreward_ros')
    marker = colcon / 'share/ament_index/resource_index/packages/topreward_ros'
    marker.parent.mkdir(parents=True)
    marker.touch()
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(colcon))
    assert share.share_directory() == expected


def test_error_names_the_missing_folders(installed: Path) -> None:
    with pytest.raises(FileNotFoundError, match='topreward_ros') as error:
        share.share_directory()
    assert str(installed / 'share/topreward_ros') in str(error.value)
