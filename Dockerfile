# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# The package in a `ros:` image, on CPU unless told otherwise:
#
#   docker build -t topreward_ros .
#   docker run --rm --shm-size=1g topreward_ros
#
# --build-arg ROS_DISTRO=humble, or another distribution; for a GPU, with the NVIDIA Container
# Toolkit: --build-arg TORCH_INDEX=https://pypi.org/simple, and docker run --gpus all.

ARG ROS_DISTRO=jazzy
FROM ros:${ROS_DISTRO}

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV DEBIAN_FRONTEND=noninteractive
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /ws

# First what changes rarely: a new line of code does not download torch again.
COPY package.xml setup.cfg src/topreward_ros/
COPY .ci/ros_environment src/topreward_ros/.ci/
COPY tools/requirements.py src/topreward_ros/tools/
RUN src/topreward_ros/.ci/ros_environment /opt/venv && rm -rf /var/lib/apt/lists/*

# colcon runs on apt's Python; what it builds gets the environment's as interpreter.
COPY . src/topreward_ros
RUN source "/opt/ros/${ROS_DISTRO}/setup.bash" \
  && colcon build --packages-select topreward_ros \
    --cmake-args -DBUILD_TESTING=OFF -DPython3_EXECUTABLE=/opt/venv/bin/python \
  && rm -rf build log

# `ros2` itself runs on apt's Python, and the launch files import what the environment holds.
COPY --chmod=755 <<'EOF' /entrypoint.sh
#!/bin/bash
set -e
source /ws/install/setup.bash
modules=$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
export PYTHONPATH=$PYTHONPATH:$modules
exec "$@"
EOF

# A model of two million parameters that knows the demo's world, so that a first try needs no
# download; and a look at whether it all can be imported.
RUN ln -s "$(/entrypoint.sh /opt/venv/bin/python -c \
    'from topreward_ros.demo.model import FOLDER; print(FOLDER)')" demo_checkpoint \
  && /entrypoint.sh ros2 launch topreward_ros topreward.launch.py --show-args \
  && /entrypoint.sh ros2 run topreward_ros topreward --help

ENTRYPOINT ["/entrypoint.sh"]
CMD ["ros2", "launch", "topreward_ros", "topreward.launch.py", "model:=/ws/demo_checkpoint"]
