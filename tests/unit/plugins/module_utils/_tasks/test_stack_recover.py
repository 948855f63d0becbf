# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A recovery is started only where it is for the stack, and followed to its end."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError, Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._tasks.stack_recover import ARGUMENT_SPEC, run
from ansible_collections.cargohold.ecr.tests.unit.support.fake_client import (
    NAME,
    FakeClient,
    events,
    no_stack,
    stack,
    stack_id,
    stacks,
)
from ansible_collections.cargohold.ecr.tests.unit.support.fake_task import FakeTask

WRITES = {"continue_update_rollback", "delete_stack"}


def task(*statuses: str, check_mode: bool = False, **params: Any) -> FakeTask:
    """A task to recover a stack that comes to these statuses; without any, there is no stack."""
    cloudformation = FakeClient(
        describe_stacks=[stacks(stack(status)) for status in statuses] or no_stack(),
        describe_stack_events=events(),
        continue_update_rollback={},
        delete_stack={},
    )
    return FakeTask(ARGUMENT_SPEC, {"cloudformation": cloudformation}, check_mode=check_mode, stack_name=NAME, **params)


@pytest.mark.parametrize(
    ("recovery", "statuses", "write"),
    [
        pytest.param(
            "continue_rollback",
            [
                "UPDATE_ROLLBACK_FAILED",
                "UPDATE_ROLLBACK_FAILED",
                "UPDATE_ROLLBACK_IN_PROGRESS",
                "UPDATE_ROLLBACK_COMPLETE",
            ],
            ("continue_update_rollback", {"StackName": stack_id()}),
            id="continue",
        ),
        pytest.param(
            "delete_retaining",
            ["DELETE_FAILED", "DELETE_FAILED", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"],
            ("delete_stack", {"StackName": stack_id(), "RetainResources": ["ECRRepository"]}),
            id="retain",
        ),
    ],
)
def test_recovered(recovery: str, statuses: list[str], write: tuple[str, dict[str, Any]]) -> None:
    """The recovery is asked for once, by ID, and has succeeded when the stack says so."""
    asked = task(*statuses, recovery=recovery, retain=["ECRRepository"])
    result = run(asked)
    assert (result["changed"], result["stacks"][0]["outcome"]) == (True, "succeeded")
    calls = asked.services["cloudformation"].calls
    assert [(call.operation, call.request) for call in calls if call.operation in WRITES] == [write]


def test_failed_again() -> None:
    """A rollback that fails once more is no success."""
    failed, moving = "UPDATE_ROLLBACK_FAILED", "UPDATE_ROLLBACK_IN_PROGRESS"
    with pytest.raises(CargoholdError, match="The rollback of payments-api failed"):
        run(task(failed, moving, failed, recovery="continue_rollback"))


@pytest.mark.parametrize(
    ("recovery", "statuses", "found"),
    [
        pytest.param("continue_rollback", ["UPDATE_COMPLETE"], "UPDATE_COMPLETE", id="healthy"),
        pytest.param("delete_retaining", ["CREATE_COMPLETE"], "CREATE_COMPLETE", id="not being deleted"),
        pytest.param("delete_retaining", [], "not there", id="no stack"),
    ],
)
def test_refused(recovery: str, statuses: list[str], found: str) -> None:
    """A stack that the recovery is not for is left alone."""
    asked = task(*statuses, recovery=recovery)
    with pytest.raises(Refused, match=f"{NAME} is {found}"):
        run(asked)
    assert not WRITES & set(asked.called)


def test_check_mode() -> None:
    """Check mode says that there would be a change, and starts nothing."""
    asked = task("UPDATE_ROLLBACK_FAILED", recovery="continue_rollback", check_mode=True)
    assert run(asked)["changed"]
    assert asked.called == ["describe_stacks"]


def test_time_is_checked_first() -> None:
    """A bad time-out is refused before anything is asked."""
    asked = task("UPDATE_ROLLBACK_FAILED", recovery="continue_rollback", timeout=0)
    with pytest.raises(Refused, match="timeout is 0"):
        run(asked)
    assert asked.called == []
