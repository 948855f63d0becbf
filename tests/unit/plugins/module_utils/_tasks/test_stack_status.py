# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stacks are looked at or followed, one result for each name; the job is ended whatever happens."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError, Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._job import Job
from ansible_collections.cargohold.ecr.plugins.module_utils._tasks.stack_status import ARGUMENT_SPEC, run
from ansible_collections.cargohold.ecr.tests.unit.support.fake_client import (
    NAME,
    THROTTLED,
    FakeClient,
    event,
    events,
    no_stack,
    stack,
    stack_id,
    stacks,
)
from ansible_collections.cargohold.ecr.tests.unit.support.fake_task import FakeTask

REGISTERED = {"ansible_job_id": "j1.2", "results_file": "/nowhere/j1.2", "started": 1}


def task(*answers: Any, **params: Any) -> FakeTask:
    """A task to look at the stack, with what DescribeStacks answers."""
    cloudformation = FakeClient(
        describe_stacks=list(answers),
        describe_stack_events=events(event("CREATE_IN_PROGRESS"), event("CREATE_COMPLETE", at=3)),
    )
    return FakeTask(ARGUMENT_SPEC, {"cloudformation": cloudformation}, **{"stack_names": [NAME], **params})


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The IDs of the jobs that were ended."""
    jobs: list[str] = []
    monkeypatch.setattr(Job, "end", lambda job, _time: jobs.append(job.job_id))
    return jobs


@pytest.mark.parametrize(
    ("params", "says"),
    [
        pytest.param({"stack_names": []}, "No stack is named", id="no name"),
        pytest.param({"stack_names": [NAME, "a_b"]}, "'a_b' is not one that CloudFormation takes", id="a bad name"),
        pytest.param({"timeout": 0, "wait": True}, "timeout is 0", id="no time"),
        pytest.param(
            {"job": REGISTERED, "wait": True},
            "job goes with wait, an operation and a single name",
            id="a job without an operation",
        ),
        pytest.param({"job": REGISTERED, "operation": "create"}, "job goes with wait", id="a job without waiting"),
        pytest.param(
            {"job": REGISTERED, "operation": "create", "wait": True, "stack_names": [NAME, "b"]},
            "single name",
            id="a job with two names",
        ),
    ],
)
def test_bad_input(ended: list[str], params: dict[str, Any], says: str) -> None:
    """Bad input is refused in a sentence, AWS is not asked, and a job is ended all the same."""
    asked = task(no_stack(), **params)
    with pytest.raises(Refused, match=says):
        run(asked)
    assert (asked.called, ended) == ([], ["j1.2"] if "job" in params else [])


def test_no_job(ended: list[str]) -> None:
    """What is no job is refused."""
    with pytest.raises(Refused, match="has no ansible_job_id"):
        run(task(no_stack(), job={"failed": True}))
    assert ended == []


def test_look() -> None:
    """A look tells of each stack in order, and changes nothing."""
    result = run(task(stacks(stack("UPDATE_IN_PROGRESS")), no_stack("gone"), stack_names=[NAME, "gone"]))
    told = [(each["name"], each["status"], each["exists"], each["outcome"]) for each in result["stacks"]]
    assert told == [(NAME, "UPDATE_IN_PROGRESS", True, "moving"), ("gone", None, False, "absent")]
    assert (result["changed"], result["count"]) == (False, 2)


def test_follow() -> None:
    """An operation that is followed to a good end is a change, with its times by CloudFormation's clock."""
    asked = task(
        stacks(stack("CREATE_IN_PROGRESS")), stacks(stack("CREATE_COMPLETE")), wait=True, operation="create", before={}
    )
    result = run(asked)
    [told] = result["stacks"]
    assert (result["changed"], told["outcome"], told["healthy"], told["elapsed"]) == (True, "succeeded", True, 0.5)
    assert (told["started"], told["ended"]) == ("2026-11-23T21:41:00.000Z", "2026-11-23T21:41:03.000Z")


def test_failure_has_the_payload_of_a_success() -> None:
    """A task that fails tells of the stacks, too."""
    with pytest.raises(CargoholdError, match="The create of payments-api ended with the stack deleted") as caught:
        run(task(stacks(stack("DELETE_COMPLETE")), stack_names=[stack_id()], wait=True, operation="create"))
    assert set(caught.value.known) == {"changed", "stacks", "count", "calls"}


def test_look_that_cannot_be_had() -> None:
    """A look that fails, though it may be had later, tells of the stacks as far as they are known."""
    with pytest.raises(CargoholdError, match="fewer requests") as caught:
        run(task(stacks(stack("CREATE_COMPLETE")), THROTTLED, stack_names=[NAME, "b"]))
    assert [each["name"] for each in caught.value.known["stacks"]] == [NAME, "b"]


@pytest.mark.parametrize(
    "last", [stacks(stack("CREATE_COMPLETE")), stacks(stack("DELETE_COMPLETE")), KeyError("Stacks")]
)
def test_job_is_ended(ended: list[str], last: Any) -> None:
    """The job is ended whatever the end is, be it a fault of ours."""
    asked = task(last, stack_names=[stack_id()], wait=True, operation="create", job=REGISTERED)
    with suppress(CargoholdError, KeyError):
        run(asked)
    assert ended == ["j1.2"]
