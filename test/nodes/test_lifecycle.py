# Copyright 2026 The topreward_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every transition and every way in which it can fail, over the node's services."""

from __future__ import annotations

import pytest
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import DescribeParameters

from topreward_ros.nodes.reward.settings import DESCRIPTIONS

from .harness import TASK_TEXT, TRANSITIONS, Harness

AUTOSTART = ('-p', 'autostart:=true')
LEVEL_OK, LEVEL_WARN, LEVEL_ERROR = b'\x00', b'\x01', b'\x02'


def test_round_trip_twice(unconfigured: Harness) -> None:
    steps = {
        'configure': 'inactive',
        'activate': 'active',
        'deactivate': 'inactive',
        'cleanup': 'unconfigured',
    }
    for _ in range(2):
        assert unconfigured.state() == 'unconfigured'
        for transition, state in steps.items():
            assert unconfigured.change(transition)
            assert unconfigured.state() == state
    unconfigured.diagnosis('unconfigured', LEVEL_OK)
    assert unconfigured.fact('model') == 'none'
    output = unconfigured.output()
    assert 'loaded in' in output and 'model unloaded; ' in output and ' MiB' in output


@pytest.mark.parametrize('transition', ['activate', 'deactivate', 'cleanup', 'nonsense'])
def test_illegal_transition_is_refused(unconfigured: Harness, transition: str) -> None:
    assert not unconfigured.change(transition)
    assert unconfigured.state() == 'unconfigured'


def test_unknown_model_leaves_it_unconfigured(unconfigured: Harness, defaults: dict) -> None:
    assert unconfigured.set(model='/no/such/model') == ''
    assert not unconfigured.change('configure')
    assert unconfigured.state() == 'unconfigured'
    assert "configuring failed: '/no/such/model' is not a folder" in unconfigured.output()
    unconfigured.set(model=defaults['model'])
    assert unconfigured.change('configure')


def test_gpu_that_is_not_there(unconfigured: Harness) -> None:
    assert unconfigured.set(device='cuda:7') == ''
    assert not unconfigured.change('configure')
    assert unconfigured.state() == 'unconfigured'
    assert "device 'cuda:7' cannot be used here" in unconfigured.output()


def test_unexpected_error_is_logged_with_its_trace(launch) -> None:
    harness = launch(faults={'load_error': 'the disk is on fire'})
    assert not harness.change('configure')
    assert harness.state() == 'unconfigured'
    output = harness.output()
    assert 'configuring failed' in output and 'the disk is on fire' in output
    assert 'Traceback' in output


@pytest.mark.slow
def test_it_answers_while_the_model_loads(launch) -> None:
    harness = launch(faults={'load_seconds': 6})
    harness.meet()
    client = harness._clients[ChangeState]
    request = ChangeState.Request()
    request.transition.id = TRANSITIONS['configure']
    configured = client.call_async(request)
    harness.until(lambda: harness.state() == 'configuring')
    for transition in ('activate', 'transition_success', 'transition_error', 'shutdown'):
        assert not harness.change(transition)
    assert harness.set(task=7) != ''
    assert not harness.start_episode().success
    harness.diagnosis('configuring', LEVEL_OK)
    assert not configured.done()
    harness.until(configured.done)
    assert configured.result().success and harness.state() == 'inactive'


@pytest.mark.parametrize('steps', [(), ('configure',), ('configure', 'activate')])
def test_shutdown_from_every_state(launch, steps: tuple[str, ...]) -> None:
    harness = launch()
    for step in steps:
        assert harness.change(step)
    assert harness.change('shutdown')
    assert harness.state() == 'finalized'
    assert not harness.change('shutdown')
    assert harness.process.interrupt() == 0


def test_interrupt_while_active(launch) -> None:
    harness = launch(*AUTOSTART, '-p', f'task:={TASK_TEXT}')
    harness.until(lambda: harness.fact('state') == 'active')
    harness.open_camera()
    harness.score(1.0)
    assert harness.process.interrupt() == 0
    assert 'Traceback' not in harness.output()


def test_autostart_that_fails_ends_the_process(launch) -> None:
    harness = launch(*AUTOSTART, '-p', 'model:=/no/such/model')
    assert harness.process.process.wait(timeout=30) == 1
    assert 'is not a folder' in harness.output()


@pytest.mark.parametrize(
    ('argument', 'reason'),
    [
        ('fps:=0.0', 'fps'),
        ('max_frames:=6', 'multiple of 4'),
        ('history:=newest', 'thin, last'),
        ('normalization:=min-max', 'expected one of'),
        ('normalization:=calibrated', 'needs a calibration'),
        ('success_threshold:=1.0', 'success_threshold'),
        ('queue_size:=lots', 'queue_size'),
    ],
)
def test_wrong_parameter_at_start(launch, argument: str, reason: str) -> None:
    harness = launch('-p', argument)
    assert harness.process.process.wait(timeout=30) == 1
    output = harness.output()
    assert reason in output and 'Traceback' not in output


def test_every_parameter_is_described_and_ranged(unconfigured: Harness) -> None:
    request = DescribeParameters.Request(names=list(DESCRIPTIONS))
    descriptors = unconfigured.call(DescribeParameters, request).descriptors
    assert len(descriptors) == len(DESCRIPTIONS)
    for descriptor in descriptors:
        assert descriptor.description.endswith('.')
        if descriptor.type == ParameterType.PARAMETER_INTEGER:
            assert descriptor.integer_range
        if descriptor.type == ParameterType.PARAMETER_DOUBLE:
            assert descriptor.floating_point_range


def test_parameters_change_only_when_it_takes_effect(active: Harness) -> None:
    assert 'read' in active.set(autostart=True).lower()
    assert 'can be set while unconfigured; the node is active' in active.set(model='x')
    assert 'can be set while unconfigured or inactive' in active.set(fps=1.0)
    assert 'expected one of' in active.set(normalization='best')
    assert 'low end below the high end' in active.set(log_prob_low=-1.0)
    assert active.set(normalization='probability') == ''
