# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stacks are followed to their true end, with few calls, whatever AWS answers meanwhile."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError, Transient
from ansible_collections.cargohold.ecr.plugins.module_utils._following import Follower, Reporter
from ansible_collections.cargohold.ecr.plugins.module_utils._job import JobReport, JobState
from ansible_collections.cargohold.ecr.plugins.module_utils._records import iso
from ansible_collections.cargohold.ecr.plugins.module_utils._status import Operation, Status, Verdict
from ansible_collections.cargohold.ecr.plugins.module_utils._watch import Before, Outcome, Target, Watch
from ansible_collections.cargohold.ecr.tests.unit.support.fake_client import (
    BROKEN,
    DENIED,
    EXPIRED,
    NAME,
    T0,
    THROTTLED,
    FakeClient,
    client_error,
    event,
    events,
    no_stack,
    stack,
    stack_id,
    stacks,
    timeline,
)
from ansible_collections.cargohold.ecr.tests.unit.support.fake_time import FakeTime

CREATE, UPDATE, DELETE = Operation.CREATE, Operation.UPDATE, Operation.DELETE
NO_STACK = Before()
OLD = Before(stack_id=stack_id(), status="CREATE_COMPLETE")
ALL_WELL = events(event("CREATE_IN_PROGRESS"))
FAILURE = event("CREATE_FAILED", "ECRRepository", "Principal not found", at=2)

RUNNING = JobReport(JobState.RUNNING)
LOST = JobReport(JobState.LOST)
DONE = JobReport(JobState.ENDED, changed=True, message="Stack CREATE complete")
UNCHANGED = JobReport(JobState.ENDED, message="Stack is already up-to-date.")
REFUSED = JobReport(JobState.ENDED, failed=True, refused=True, message="Failed to update stack: it is being updated.")


class FakeJob:
    """A job that reports by the time, as pairs of seconds and report."""

    def __init__(self, time: FakeTime, *reports: tuple[float, JobReport]) -> None:
        self._read = timeline(time, *reports)  # type: ignore[arg-type]

    def read(self) -> JobReport:
        """What the job says of itself now."""
        report: JobReport = self._read()
        return report


class Recorder(Reporter):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.troubles: list[Transient] = []
        self.remarks: list[str] = []

    def trouble(self, trouble: Transient) -> None:
        """A look failed."""
        self.troubles.append(trouble)

    def remark(self, sentence: str) -> None:
        """Something to know."""
        self.remarks.append(sentence)


def follow(
    cloudformation: FakeClient,
    fake_time: FakeTime,
    *targets: Target,
    timeout: float = 900.0,
    job: FakeJob | None = None,
    reporter: Reporter | None = None,
) -> Follower:
    """Follow stacks to their end."""
    follower = Follower(
        cloudformation,
        targets,
        time=fake_time.time,
        reporter=reporter or Reporter(),
        job=job,  # type: ignore[arg-type]
    )
    follower.follow(timeout)
    return follower


def follow_one(*args: Any, **more: Any) -> Watch:
    """Follow one stack to its end."""
    [watch] = follow(*args, **more).watches
    return watch


def life(
    fake_time: FakeTime,
    *statuses: tuple[float, str],
    told: Sequence[Mapping[str, Any]] | None = None,
    latency: float = 0.0,
    **more: Any,
) -> FakeClient:
    """A service with one stack, which comes to each status after so many seconds.

    :param told: its events, oldest first, in place of one for each status.
    """
    happened = told if told is not None else [event(status, at=at) for at, status in statuses]
    return FakeClient(
        fake_time,
        latency,
        describe_stacks=timeline(fake_time, *((at, stacks(stack(status, **more))) for at, status in statuses)),
        describe_stack_events=lambda **_request: events(
            *(each for each in happened if (each["Timestamp"] - T0).total_seconds() <= fake_time.elapsed)
        ),
    )


# --- The end of an operation -------------------------------------------------------------------------------------------

BEGINNINGS = {CREATE: "CREATE_IN_PROGRESS", UPDATE: "UPDATE_IN_PROGRESS", DELETE: "DELETE_IN_PROGRESS"}
OUTCOMES = {
    Verdict.SUCCEEDED: Outcome.SUCCEEDED,
    Verdict.FAILED: Outcome.FAILED,
    Verdict.FOREIGN: Outcome.OVERTAKEN,
    Verdict.MOVING: Outcome.TIMED_OUT,
}


@pytest.mark.parametrize("operation", BEGINNINGS)
@pytest.mark.parametrize("status", Status)
def test_every_end(fake_time: FakeTime, status: Status, operation: Operation) -> None:
    """Whatever status an operation stays in, the outcome is that status's verdict on it."""
    began = event(BEGINNINGS[operation])
    cloudformation = life(fake_time, (0, BEGINNINGS[operation]), (2, status.value), told=[began])
    watch = follow_one(cloudformation, fake_time, Target(stack_id(), operation), timeout=30)
    assert watch.outcome == OUTCOMES[status.verdict(operation)]


@pytest.mark.parametrize("status", [status for status in Status if status.is_settled])
def test_every_end_without_operation(fake_time: FakeTime, status: Status) -> None:
    """Whoever waits for whatever is going on is told when it is over, however it went."""
    cloudformation = life(fake_time, (0, "UPDATE_IN_PROGRESS"), (2, status.value), told=[event("UPDATE_IN_PROGRESS")])
    assert follow_one(cloudformation, fake_time, Target(NAME)).outcome == Outcome.SETTLED


UPDATED: dict[str, Any] = {"LastUpdatedTime": T0 + timedelta(seconds=1)}
DELETED: dict[str, Any] = {"DeletionTime": T0 + timedelta(seconds=1)}


@pytest.mark.parametrize(
    ("operation", "before", "answers", "outcome", "status"),
    [
        pytest.param(
            CREATE,
            NO_STACK,
            [no_stack(), no_stack(), stack("CREATE_IN_PROGRESS"), stack("CREATE_COMPLETE")],
            Outcome.SUCCEEDED,
            "CREATE_COMPLETE",
            id="created after a while",
        ),
        pytest.param(
            CREATE,
            Before(stack_id(), "ROLLBACK_COMPLETE"),
            [stack("ROLLBACK_COMPLETE"), stack("CREATE_IN_PROGRESS", unique="2"), stack("CREATE_COMPLETE", unique="2")],
            Outcome.SUCCEEDED,
            "CREATE_COMPLETE",
            id="created under a new ID",
        ),
        pytest.param(
            UPDATE,
            OLD,
            [stack("CREATE_COMPLETE"), stack("UPDATE_IN_PROGRESS", **UPDATED), stack("UPDATE_COMPLETE", **UPDATED)],
            Outcome.SUCCEEDED,
            "UPDATE_COMPLETE",
            id="updated after a while",
        ),
        pytest.param(
            UPDATE,
            Before(stack_id(), "UPDATE_COMPLETE", updated=iso(T0)),
            [stack("UPDATE_COMPLETE", LastUpdatedTime=T0), stack("UPDATE_COMPLETE", **UPDATED)],
            Outcome.SUCCEEDED,
            "UPDATE_COMPLETE",
            id="updated between two looks",
        ),
        pytest.param(
            UPDATE,
            Before(stack_id(), "UPDATE_ROLLBACK_COMPLETE", updated=iso(T0)),
            [stack("UPDATE_ROLLBACK_COMPLETE", LastUpdatedTime=T0), stack("UPDATE_ROLLBACK_COMPLETE", **UPDATED)],
            Outcome.FAILED,
            "UPDATE_ROLLBACK_COMPLETE",
            id="rolled back once more between two looks",
        ),
        pytest.param(
            DELETE,
            OLD,
            [stack("CREATE_COMPLETE"), stack("DELETE_IN_PROGRESS", **DELETED), stack("DELETE_COMPLETE", **DELETED)],
            Outcome.SUCCEEDED,
            "DELETE_COMPLETE",
            id="deleted after a while",
        ),
        pytest.param(
            DELETE,
            Before(stack_id(), "DELETE_FAILED", deleted=iso(T0)),
            [stack("DELETE_FAILED", DeletionTime=T0), stack("DELETE_FAILED", **DELETED)],
            Outcome.FAILED,
            "DELETE_FAILED",
            id="not deleted once more between two looks",
        ),
        pytest.param(
            Operation.ROLLBACK,
            Before(stack_id(), "UPDATE_ROLLBACK_FAILED"),
            [stack("UPDATE_ROLLBACK_FAILED"), stack("UPDATE_ROLLBACK_IN_PROGRESS"), stack("UPDATE_ROLLBACK_COMPLETE")],
            Outcome.SUCCEEDED,
            "UPDATE_ROLLBACK_COMPLETE",
            id="rolled back at last",
        ),
    ],
)
def test_old_status_is_no_result(
    fake_time: FakeTime, operation: Operation, before: Before, answers: list[Any], outcome: str, status: str
) -> None:
    """A status that is left from before is not taken for the operation's, and one that is the same again is."""
    script = [each if isinstance(each, Exception) else stacks(each) for each in answers]
    cloudformation = FakeClient(fake_time, describe_stacks=script, describe_stack_events=events())
    name = NAME if operation is CREATE else stack_id()
    watch = follow_one(cloudformation, fake_time, Target(name, operation, before))
    assert (watch.outcome, watch.stack and watch.stack.status.value) == (outcome, status)


def test_followed_by_id(fake_time: FakeTime) -> None:
    """As soon as a stack is known, it is asked for by its ID, so that its deletion can be told."""
    cloudformation = life(fake_time, (0, "CREATE_IN_PROGRESS"), (1, "CREATE_COMPLETE"))
    follow(cloudformation, fake_time, Target(NAME, CREATE, NO_STACK))
    asked = [call.request["StackName"] for call in cloudformation.calls if call.operation == "describe_stacks"]
    assert asked == [NAME, *[stack_id()] * (len(asked) - 1)]


@pytest.mark.parametrize(
    ("operation", "target", "first", "outcome"),
    [
        pytest.param(DELETE, Target(stack_id(), DELETE, OLD), "DELETE_IN_PROGRESS", Outcome.SUCCEEDED, id="a delete"),
        pytest.param(UPDATE, Target(stack_id(), UPDATE, OLD), "UPDATE_IN_PROGRESS", Outcome.OVERTAKEN, id="an update"),
        pytest.param(CREATE, Target(NAME, CREATE, NO_STACK), "CREATE_IN_PROGRESS", Outcome.OVERTAKEN, id="a create"),
    ],
)
def test_forgotten_meanwhile(
    fake_time: FakeTime, operation: Operation, target: Target, first: str, outcome: str
) -> None:
    """A stack that the service has forgotten is gone, and its last status is not reported as if it were there."""
    cloudformation = FakeClient(
        fake_time, describe_stacks=[stacks(stack(first)), no_stack()], describe_stack_events=events(event(first))
    )
    watch = follow_one(cloudformation, fake_time, target)
    assert (watch.outcome, watch.as_result(0)["exists"]) == (outcome, False), operation


@pytest.mark.parametrize(
    ("target", "outcome"),
    [
        pytest.param(Target(NAME), Outcome.ABSENT, id="nothing wanted of it"),
        pytest.param(Target(NAME, DELETE), Outcome.ABSENT, id="deleted by name"),
        pytest.param(Target(stack_id(), DELETE, OLD), Outcome.SUCCEEDED, id="deleted by ID"),
        pytest.param(Target(NAME, UPDATE, OLD), Outcome.OVERTAKEN, id="to be updated"),
        pytest.param(Target(NAME, CREATE, NO_STACK), Outcome.TIMED_OUT, id="to be created"),
    ],
)
def test_not_there(fake_time: FakeTime, target: Target, outcome: str) -> None:
    """What it means that there is no stack depends on what was to be done with it."""
    assert (
        follow_one(FakeClient(fake_time, describe_stacks=no_stack()), fake_time, target, timeout=5).outcome == outcome
    )


def test_deleted_by_somebody_else(fake_time: FakeTime) -> None:
    """A stack that is deleted while it is created was not created."""
    cloudformation = life(fake_time, (0, "CREATE_IN_PROGRESS"), (3, "DELETE_IN_PROGRESS"), (6, "DELETE_COMPLETE"))
    watch = follow_one(cloudformation, fake_time, Target(NAME, CREATE, NO_STACK))
    assert watch.outcome in (Outcome.FAILED, Outcome.OVERTAKEN)


def test_overtaken_by_another_update(fake_time: FakeTime) -> None:
    """A second update, begun by somebody else, ends well: whether ours had its effect is not known."""
    told = [event("UPDATE_IN_PROGRESS"), event("UPDATE_COMPLETE", at=2), event("UPDATE_IN_PROGRESS", at=2.25)]
    cloudformation = life(fake_time, (0, "UPDATE_IN_PROGRESS"), (6, "UPDATE_COMPLETE"), told=told)
    watch = follow_one(cloudformation, fake_time, Target(stack_id(), UPDATE, OLD))
    assert (watch.outcome, "Somebody else" in watch.reason) == (Outcome.OVERTAKEN, True)


def test_created_and_deleted_by_its_own_failure(fake_time: FakeTime) -> None:
    """A create with OnFailure DELETE ends as deleted, by its own doing, and the reason is told."""
    summary = "The following resource(s) failed to create: [ECRRepository]. Delete requested by user."
    told = [
        event("CREATE_IN_PROGRESS"),
        FAILURE,
        event("DELETE_IN_PROGRESS", reason=summary, at=3),
        event("DELETE_COMPLETE", at=6),
    ]
    cloudformation = life(
        fake_time, (0, "CREATE_IN_PROGRESS"), (3, "DELETE_IN_PROGRESS"), (6, "DELETE_COMPLETE"), told=told
    )
    watch = follow_one(cloudformation, fake_time, Target(NAME, CREATE, NO_STACK))
    assert (watch.outcome, "Principal not found" in watch.reason) == (Outcome.FAILED, True)


# --- A followed job ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "reports", "outcome", "reason"),
    [
        pytest.param(
            [(0, "CREATE_COMPLETE"), (1, "UPDATE_IN_PROGRESS"), (5, "UPDATE_COMPLETE")],
            [(0, RUNNING), (9, DONE)],
            Outcome.SUCCEEDED,
            "",
            id="settled before the job noticed",
        ),
        pytest.param(
            [(0, "CREATE_COMPLETE"), (3, "UPDATE_IN_PROGRESS"), (5, "UPDATE_COMPLETE")],
            [(0, RUNNING), (2, DONE)],
            Outcome.SUCCEEDED,
            "",
            id="moved after the job had ended",
        ),
        pytest.param(
            [(0, "CREATE_COMPLETE")], [(0, RUNNING), (2, UNCHANGED)], Outcome.UNCHANGED, "up-to-date", id="unchanged"
        ),
        pytest.param(
            [(0, "CREATE_COMPLETE")],
            [(0, RUNNING), (2, REFUSED)],
            Outcome.REFUSED,
            "did not begin: Failed to update",
            id="refused",
        ),
        pytest.param(
            [(0, "CREATE_COMPLETE")],
            [(0, RUNNING), (2, DONE)],
            Outcome.FAILED,
            "shows no such operation",
            id="claims success (D)",
        ),
        pytest.param([(0, "CREATE_COMPLETE")], [(0, LOST)], Outcome.FAILED, "ended without a result", id="dead"),
        pytest.param(
            [(0, "CREATE_COMPLETE"), (1, "UPDATE_IN_PROGRESS"), (5, "UPDATE_COMPLETE")],
            [(0, RUNNING), (2, LOST)],
            Outcome.SUCCEEDED,
            "",
            id="dead while the operation goes on",
        ),
        pytest.param(
            [(0, "CREATE_COMPLETE"), (1, "UPDATE_IN_PROGRESS"), (5, "UPDATE_COMPLETE")],
            [(0, RUNNING), (2, REFUSED)],
            Outcome.OVERTAKEN,
            "Somebody else",
            id="refused because somebody else's goes on",
        ),
        pytest.param(
            [(0, "UPDATE_COMPLETE")],
            [(0, REFUSED)],
            Outcome.OVERTAKEN,
            "Somebody else",
            id="refused because somebody else was quicker",
        ),
        pytest.param(
            [(0, "CREATE_COMPLETE")], [(0, RUNNING)], Outcome.TIMED_OUT, "No update of .* within 60 s", id="never ends"
        ),
    ],
)
def test_job(
    fake_time: FakeTime,
    statuses: list[tuple[float, str]],
    reports: list[tuple[float, JobReport]],
    outcome: str,
    reason: str,
) -> None:
    """The stack is the judge; the job is believed only where the stack shows nothing."""
    cloudformation = life(fake_time, *statuses, told=[], LastUpdatedTime=T0)
    before = Before(stack_id(), "CREATE_COMPLETE", updated=None if statuses == [(0, "UPDATE_COMPLETE")] else iso(T0))
    watch = follow_one(
        cloudformation, fake_time, Target(stack_id(), UPDATE, before), job=FakeJob(fake_time, *reports), timeout=60
    )
    assert watch.outcome == outcome
    assert re.search(reason, watch.reason)


def test_job_that_broke(fake_time: FakeTime) -> None:
    """A job that breaks down while it watches its own operation (defect F) takes nothing from the verdict."""
    crashed = JobReport(JobState.ENDED, failed=True, refused=False, message="MODULE FAILURE: KeyError")
    told = [event("CREATE_IN_PROGRESS"), FAILURE, event("ROLLBACK_IN_PROGRESS", at=3)]
    cloudformation = life(
        fake_time, (0, "CREATE_IN_PROGRESS"), (3, "ROLLBACK_IN_PROGRESS"), (6, "ROLLBACK_COMPLETE"), told=told
    )
    job = FakeJob(fake_time, (0, RUNNING), (3, crashed))
    watch = follow_one(cloudformation, fake_time, Target(NAME, CREATE, NO_STACK), job=job)
    assert (watch.outcome, "Principal not found" in watch.reason) == (Outcome.FAILED, True)


def test_unchanged_needs_a_stack(fake_time: FakeTime) -> None:
    """That nothing changed is not believed of a stack that was to be created and is not there."""
    cloudformation = FakeClient(fake_time, describe_stacks=no_stack())
    job = FakeJob(fake_time, (0, UNCHANGED))
    assert follow_one(cloudformation, fake_time, Target(NAME, CREATE, NO_STACK), job=job).outcome == Outcome.FAILED


# --- Faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        pytest.param(THROTTLED, Outcome.SUCCEEDED, id="throttled"),
        pytest.param(BROKEN, Outcome.SUCCEEDED, id="broken"),
        pytest.param(EndpointConnectionError(endpoint_url="https://x"), Outcome.SUCCEEDED, id="no connection"),
        pytest.param(stacks(), Outcome.SUCCEEDED, id="an empty answer"),
        pytest.param(EXPIRED, Outcome.UNREADABLE, id="expired token"),
        pytest.param(DENIED, Outcome.UNREADABLE, id="access denied"),
        pytest.param(
            client_error("ValidationError", "Stack name is bad"), Outcome.UNREADABLE, id="some validation error"
        ),
        pytest.param(stacks(stack("CREATE_PAUSED")), Outcome.UNREADABLE, id="unknown status"),
    ],
)
def test_fault_midway(fake_time: FakeTime, fault: Any, outcome: str) -> None:
    """What will pass is tried again, and all else ends it: never as a success, and never as gone."""
    cloudformation = FakeClient(
        fake_time,
        describe_stacks=[stacks(stack("CREATE_IN_PROGRESS")), fault, stacks(stack("CREATE_COMPLETE"))],
        describe_stack_events=ALL_WELL,
    )
    assert follow_one(cloudformation, fake_time, Target(NAME, CREATE, NO_STACK)).outcome == outcome


def test_what_is_known_when_it_gets_unreadable(fake_time: FakeTime) -> None:
    """Who can no longer read says what was seen last, and since when it is not known."""
    script: list[Any] = [stacks(stack("CREATE_IN_PROGRESS")), EXPIRED]
    cloudformation = FakeClient(fake_time, describe_stacks=script, describe_stack_events=ALL_WELL)
    watch = follow_one(cloudformation, fake_time, Target(NAME, CREATE, NO_STACK))
    assert "ExpiredToken" in watch.reason
    assert "last seen CREATE_IN_PROGRESS" in watch.reason


def test_unreadable_to_the_end(fake_time: FakeTime) -> None:
    """What cannot be read for all of the time is not a time-out of the operation."""
    script: list[Any] = [stacks(stack("CREATE_IN_PROGRESS")), THROTTLED]
    cloudformation = FakeClient(fake_time, describe_stacks=script, describe_stack_events=ALL_WELL)
    watch = follow_one(cloudformation, fake_time, Target(NAME, CREATE, NO_STACK), timeout=60)
    assert (watch.outcome, "tried for 60 s; it was last seen CREATE_IN_PROGRESS" in watch.reason) == (
        Outcome.UNREADABLE,
        True,
    )


def test_time_over(fake_time: FakeTime) -> None:
    """When the time is over, it is told that AWS goes on."""
    watch = follow_one(
        life(fake_time, (0, "CREATE_IN_PROGRESS")), fake_time, Target(NAME, CREATE, NO_STACK), timeout=60
    )
    assert (watch.outcome, "still CREATE_IN_PROGRESS after 60 s. AWS goes on" in watch.reason) == (
        Outcome.TIMED_OUT,
        True,
    )


# --- Events ------------------------------------------------------------------------------------------------------------

ROLLBACK = ((0, "CREATE_IN_PROGRESS"), (3, "ROLLBACK_IN_PROGRESS"), (6, "ROLLBACK_COMPLETE"))


def test_root_cause(fake_time: FakeTime) -> None:
    """A failure's reason is its root cause, with what to do about it."""
    told = [event("CREATE_IN_PROGRESS"), FAILURE, event("ROLLBACK_IN_PROGRESS", at=3), event("ROLLBACK_COMPLETE", at=6)]
    watch = follow_one(life(fake_time, *ROLLBACK, told=told), fake_time, Target(NAME, CREATE, NO_STACK))
    assert watch.reason.startswith(
        "The create of payments-api was rolled back: ECRRepository (AWS::ECR::Repository) could not be created: "
        "Principal not found. A user or role"
    )


def test_events_denied(fake_time: FakeTime) -> None:
    """Who may not read events is told so once, and gets the verdict with the stack's own reason."""
    cloudformation = FakeClient(
        fake_time,
        describe_stacks=timeline(
            fake_time, *((at, stacks(stack(status, StackStatusReason="x."))) for at, status in ROLLBACK)
        ),
        describe_stack_events=DENIED,
    )
    recorder = Recorder()
    watch = follow_one(cloudformation, fake_time, Target(NAME, CREATE, NO_STACK), reporter=recorder)
    assert (watch.outcome, watch.reason) == (Outcome.FAILED, "The create of payments-api was rolled back: x.")
    assert len(recorder.remarks) == cloudformation.called.count("describe_stack_events") == 1


@pytest.mark.parametrize(
    "late",
    [pytest.param([THROTTLED, THROTTLED], id="throttled"), pytest.param([ALL_WELL, ALL_WELL], id="late")],
)
def test_events_late(fake_time: FakeTime, late: list[Any]) -> None:
    """Events that come later than the status are waited for a little."""
    cloudformation = FakeClient(
        fake_time,
        describe_stacks=stacks(stack("ROLLBACK_COMPLETE")),
        describe_stack_events=[*late, events(event("CREATE_IN_PROGRESS"), FAILURE)],
    )
    watch = follow_one(cloudformation, fake_time, Target(NAME, CREATE, NO_STACK))
    assert "Principal not found" in watch.reason


@pytest.mark.parametrize(
    "missing", [pytest.param(ALL_WELL, id="never told"), pytest.param(BROKEN, id="never readable")]
)
@pytest.mark.parametrize("timeout", [pytest.param(900, id="in time"), pytest.param(0, id="at the end of the time")])
def test_events_missing(fake_time: FakeTime, missing: Any, timeout: float) -> None:
    """Events that never tell the cause keep nothing from being a failure, however little time is left."""
    cloudformation = FakeClient(
        fake_time, describe_stacks=stacks(stack("ROLLBACK_COMPLETE")), describe_stack_events=missing
    )
    assert (
        follow_one(cloudformation, fake_time, Target(NAME, CREATE, NO_STACK), timeout=timeout).outcome == Outcome.FAILED
    )


def test_events_of_the_operation_before(fake_time: FakeTime) -> None:
    """The failure of an earlier update is no cause of this one's."""
    earlier = [event("UPDATE_IN_PROGRESS", at=-900), event("UPDATE_FAILED", "Old", "an old story", at=-890)]
    cloudformation = life(
        fake_time, (0, "UPDATE_IN_PROGRESS"), (3, "UPDATE_ROLLBACK_COMPLETE"), told=earlier, LastUpdatedTime=T0
    )
    watch = follow_one(cloudformation, fake_time, Target(stack_id(), UPDATE, OLD))
    assert (watch.outcome, watch.events) == (Outcome.FAILED, [])


def test_nested_failure(fake_time: FakeTime) -> None:
    """The cause of a nested stack's failure is found in the events of the innermost one."""
    inner, innermost = stack_id(unique="inner"), stack_id(unique="innermost")
    kind = "AWS::CloudFormation::Stack"
    nested = {
        stack_id(): [
            event("CREATE_IN_PROGRESS"),
            event(
                "CREATE_FAILED",
                "In",
                f"Embedded stack {inner} was not successfully created",
                kind=kind,
                physical_id=inner,
                at=4,
            ),
        ],
        inner: [
            event(
                "CREATE_FAILED",
                "Inmost",
                f"Embedded stack {innermost} was not successfully created",
                kind=kind,
                physical_id=innermost,
                at=3,
                unique="inner",
            )
        ],
        innermost: [event("CREATE_FAILED", "ECRRepository", "Principal not found", at=2, unique="innermost")],
    }
    cloudformation = FakeClient(
        fake_time,
        describe_stacks=lambda StackName: stacks(
            stack("ROLLBACK_COMPLETE", unique=StackName.split("/")[-1] if "/" in StackName else "1")
        ),
        describe_stack_events=lambda StackName: events(*nested[StackName]),
    )
    watch = follow_one(cloudformation, fake_time, Target(NAME, CREATE, NO_STACK))
    assert "ECRRepository (AWS::ECR::Repository) could not be created: Principal not found" in watch.reason


def test_nested_events_keep_the_order(fake_time: FakeTime) -> None:
    """Events are told oldest first, those of nested stacks among them, and the operation ends with the last."""
    inner = stack_id(unique="inner")
    nested = {
        stack_id(): [
            event("CREATE_IN_PROGRESS"),
            event("CREATE_FAILED", "In", "x", kind="AWS::CloudFormation::Stack", physical_id=inner, at=4),
            event("ROLLBACK_COMPLETE", at=9),
        ],
        inner: [event("CREATE_FAILED", "ECRRepository", "Principal not found", at=2, unique="inner")],
    }
    cloudformation = FakeClient(
        fake_time,
        describe_stacks=lambda StackName: stacks(
            stack("ROLLBACK_COMPLETE", unique=StackName.split("/")[-1] if "/" in StackName else "1")
        ),
        describe_stack_events=lambda StackName: events(*nested[StackName]),
    )
    result = follow_one(cloudformation, fake_time, Target(NAME, CREATE, NO_STACK)).as_result(fake_time.now)
    assert result["ended"] == iso(T0 + timedelta(seconds=9))


def test_failed_events_of_the_newer_call(fake_time: FakeTime) -> None:
    """Where botocore has DescribeEvents, a failed validation is a cause, too."""
    failed = {
        "EventId": "v",
        "Timestamp": T0,
        "StackId": stack_id(),
        "OperationType": "CREATE_STACK",
        "ValidationName": "NAME_CONFLICT_VALIDATION",
        "ValidationStatusReason": "Resource of type 'AWS::ECR::Repository' already exists",
    }
    cloudformation = FakeClient(
        fake_time,
        describe_stacks=stacks(stack("CREATE_FAILED")),
        describe_stack_events=ALL_WELL,
        describe_events={"OperationEvents": [failed]},
    )
    assert (
        "already exists. Something of that name"
        in follow_one(cloudformation, fake_time, Target(NAME, CREATE, NO_STACK)).reason
    )


# --- Few calls ---------------------------------------------------------------------------------------------------------


def typical(fake_time: FakeTime, seconds: float, offset: float) -> FakeClient:
    """A create that takes so long, with a resource that moves along, begun a little after the first look."""
    told = [
        event("CREATE_IN_PROGRESS", at=offset),
        event("CREATE_IN_PROGRESS", "ECRRepository", at=offset + 1),
        event("CREATE_COMPLETE", "ECRRepository", at=offset + seconds - 1),
        event("CREATE_COMPLETE", at=offset + seconds),
    ]
    statuses = [(offset, "CREATE_IN_PROGRESS"), (offset + seconds, "CREATE_COMPLETE")]
    service = life(fake_time, *statuses, told=told)
    service._scripts["describe_stacks"] = [
        timeline(fake_time, (0, no_stack()), *((at, stacks(stack(status))) for at, status in statuses))
    ]
    return service


@pytest.mark.parametrize("offset", [0.0, 0.3])
@pytest.mark.parametrize(("seconds", "most"), [(8.0, 20), (60.0, 40)])
def test_few_calls(fake_time: FakeTime, seconds: float, most: int, offset: float) -> None:
    """All calls of a deployment together are few, and are counted right."""
    cloudformation = typical(fake_time, seconds, offset)
    follower = follow(cloudformation, fake_time, Target(NAME, CREATE, NO_STACK))
    assert follower.calls == len(cloudformation.calls) <= most


@given(seconds=st.floats(2.0, 300.0), offset=st.floats(0.0, 2.0))
@settings(max_examples=50)
def test_seen_soon(seconds: float, offset: float) -> None:
    """What takes T seconds is seen to end within max(0.5 s, T/10), events and all."""
    fake_time = FakeTime()
    follow(typical(fake_time, seconds, offset), fake_time, Target(NAME, CREATE, NO_STACK))
    assert fake_time.elapsed - (offset + seconds) <= max(0.5, seconds / 10) + 1e-6


def test_a_look_is_one_call(fake_time: FakeTime) -> None:
    """While a stack moves, each look reads its events or its status, and only the last one both."""
    cloudformation = typical(fake_time, 120.0, 0.0)
    follow(cloudformation, fake_time, Target(NAME, CREATE, NO_STACK))
    times = [call.at for call in cloudformation.calls]
    assert len(times) - len(set(times)) == 1
    assert times[-1] == times[-2]


def test_many_have_their_events_read_when_they_change(fake_time: FakeTime) -> None:
    """Of stacks that are read by listing, events are read when one begins and when it settles."""
    count = 6
    told = [event("CREATE_IN_PROGRESS", at=0), event("CREATE_COMPLETE", at=60)]
    cloudformation = life(fake_time, (0, "CREATE_IN_PROGRESS"), (60, "CREATE_COMPLETE"), told=told)
    follow(cloudformation, fake_time, *[Target(stack_id(), CREATE)] * count)
    assert cloudformation.called.count("describe_stack_events") <= 2 * count


def test_events_page_by_page(fake_time: FakeTime) -> None:
    """Each page of events is a call, and counts as one."""
    pages = [
        {**events(*(event("CREATE_COMPLETE", f"R{each}", at=each) for each in range(100))), "NextToken": str(page)}
        for page in range(8)
    ]
    cloudformation = FakeClient(
        fake_time, describe_stacks=stacks(stack("CREATE_COMPLETE")), describe_stack_events=[*pages, ALL_WELL]
    )
    follower = follow(cloudformation, fake_time, Target(NAME, CREATE, NO_STACK))
    assert follower.calls == len(cloudformation.calls)
    assert_rate(cloudformation)


def assert_rate(cloudformation: FakeClient) -> None:
    """No more than five calls within any second."""
    times = [call.at for call in cloudformation.calls]
    assert all(later - earlier >= 1.0 - 1e-9 for earlier, later in zip(times, times[5:], strict=False))


# --- Many stacks -------------------------------------------------------------------------------------------------------


def fleet(fake_time: FakeTime, count: int, **scripts: Any) -> tuple[FakeClient, list[Target]]:
    """So many stacks that are updated, the first of which settles after a second, the next after two."""

    def one(number: int) -> dict[str, Any]:
        return stack("UPDATE_COMPLETE" if fake_time.elapsed > number else "UPDATE_IN_PROGRESS", f"app-{number}")

    def describe(StackName: str = "", NextToken: str = "0") -> dict[str, Any]:
        if StackName:
            return stacks(one(int(StackName.split("/")[1].removeprefix("app-") if "/" in StackName else StackName[4:])))
        others = [stack("CREATE_COMPLETE", f"other-{each}") for each in range(100)]
        page = stacks(*(one(number) for number in range(count)), *others) if NextToken == "0" else stacks(*others)
        return {**page, "NextToken": "1"} if NextToken == "0" else page

    cloudformation = FakeClient(
        fake_time, **{"describe_stacks": describe, "describe_stack_events": events(), **scripts}
    )
    return cloudformation, [Target(f"app-{number}", UPDATE) for number in range(count)]


def test_many_by_listing(fake_time: FakeTime) -> None:
    """Many stacks are read by listing all of them, which takes a call for a page instead of one for a stack."""
    cloudformation, targets = fleet(fake_time, 20)
    follower = follow(cloudformation, fake_time, *targets)
    assert [watch.outcome for watch in follower.watches] == [Outcome.SUCCEEDED] * 20
    singly = [call for call in cloudformation.calls if call.request.get("StackName", "").startswith("app-")]
    assert singly == []


@pytest.mark.parametrize("count", [3, 20, 60])
def test_never_more_than_five_a_second(fake_time: FakeTime, count: int) -> None:
    """However many the stacks, there are at most five calls a second."""
    cloudformation, targets = fleet(fake_time, count)
    follow(cloudformation, fake_time, *targets)
    assert_rate(cloudformation)


def test_results_in_order(fake_time: FakeTime) -> None:
    """There is a result for each name, in order, also for one that was given twice."""
    cloudformation, targets = fleet(fake_time, 6)
    names = [targets[5], targets[0], *targets]
    follower = Follower(cloudformation, names, time=fake_time.time, reporter=Reporter())
    follower.look_once()
    told = [(each["name"], each["status"]) for each in follower.result()["stacks"]]
    assert told == [(target.name, "UPDATE_IN_PROGRESS") for target in names]


def test_listed_and_not(fake_time: FakeTime) -> None:
    """A stack that the listing does not tell of is asked for by itself."""
    cloudformation, targets = fleet(fake_time, 6)
    listing: Any = cloudformation._scripts["describe_stacks"][0]
    cloudformation._scripts["describe_stacks"] = [
        lambda **request: no_stack("gone") if request.get("StackName") == "gone" else listing(**request)
    ]
    follower = follow(cloudformation, fake_time, *targets, Target("gone"))
    assert [watch.outcome for watch in follower.watches] == [*[Outcome.SUCCEEDED] * 6, Outcome.ABSENT]


def test_listing_denied(fake_time: FakeTime) -> None:
    """Who may read the stacks, but not list them, has them read one by one."""
    cloudformation, targets = fleet(fake_time, 6)
    one_by_one: Any = cloudformation._scripts["describe_stacks"][0]
    cloudformation._scripts["describe_stacks"] = [
        lambda **request: one_by_one(**request) if "StackName" in request else DENIED
    ]
    assert {watch.outcome for watch in follow(cloudformation, fake_time, *targets).watches} == {Outcome.SUCCEEDED}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(EXPIRED, id="expired token"),
        pytest.param(stacks(stack("UPDATE_PAUSED", "app-1")), id="unknown status"),
    ],
)
def test_listing_fails_for_good(fake_time: FakeTime, fault: Any) -> None:
    """When listing fails for good, each stack has an outcome, and what was known of it is told."""
    cloudformation, targets = fleet(fake_time, 6)
    well: Any = cloudformation._scripts["describe_stacks"][0]
    cloudformation._scripts["describe_stacks"] = [timeline(fake_time, (0, well), (3, fault))]
    follower = follow(cloudformation, fake_time, *targets)
    assert Outcome.UNREADABLE in {watch.outcome for watch in follower.watches}
    assert all(watch.stack for watch in follower.watches)


def test_result_counts_the_bad(fake_time: FakeTime) -> None:
    """Of several stacks, the failure says how many went wrong and why each did, and carries all of the result."""
    cloudformation = FakeClient(
        fake_time,
        describe_stacks=lambda StackName: stacks(
            stack("UPDATE_COMPLETE" if "good" in StackName else "DELETE_COMPLETE", StackName)
        ),
        describe_stack_events=events(),
    )
    follower = follow(cloudformation, fake_time, Target("good", UPDATE), Target("bad", UPDATE))
    with pytest.raises(
        CargoholdError, match=r"^1 of 2 stacks: The update of bad ended with the stack deleted\.$"
    ) as caught:
        follower.result()
    assert ([each["name"] for each in caught.value.known["stacks"]], caught.value.known["changed"]) == (
        ["good", "bad"],
        True,
    )


# --- A single look -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        pytest.param("CREATE_COMPLETE", Outcome.SETTLED, id="healthy"),
        pytest.param("UPDATE_IN_PROGRESS", Outcome.MOVING, id="moving"),
        pytest.param("UPDATE_ROLLBACK_COMPLETE", Outcome.SETTLED, id="failed, without a cause in the events"),
        pytest.param("REVIEW_IN_PROGRESS", Outcome.SETTLED, id="a shell"),
    ],
)
def test_look_once(fake_time: FakeTime, status: str, outcome: str) -> None:
    """A look says at once whether a stack is settled, and waits for nothing."""
    cloudformation = FakeClient(fake_time, describe_stacks=stacks(stack(status)), describe_stack_events=ALL_WELL)
    follower = Follower(cloudformation, [Target(NAME)], time=fake_time.time, reporter=Reporter())
    follower.look_once()
    assert (follower.watches[0].outcome, fake_time.slept) == (outcome, [])


# --- Many deletions ----------------------------------------------------------------------------------------------------

MANY = [f"app-{number}" for number in range(6)]


def deletions(fake_time: FakeTime, deleted: Any) -> tuple[FakeClient, list[Target]]:
    """A region whose stacks are all gone, and the targets of their deletions.

    :param deleted: what the listing of the deleted stacks answers.
    """

    def describe(StackName: str = "") -> Any:
        return stacks(stack("DELETE_COMPLETE", StackName.split("/")[1])) if StackName else stacks()

    client = FakeClient(
        fake_time, describe_stacks=describe, list_stacks=deleted, describe_stack_events=events(event("DELETE_COMPLETE"))
    )
    return client, [Target(stack_id(name), DELETE) for name in MANY]


def test_many_deletions(fake_time: FakeTime) -> None:
    """What no listing tells of any more is found among the deleted stacks, page by page, and no further than needed."""
    gone = [stack("DELETE_COMPLETE", name) for name in MANY]
    theirs = stack("DELETE_COMPLETE", "theirs")
    pages = [
        {"StackSummaries": [theirs, *gone[:4]], "NextToken": "2"},
        {"StackSummaries": gone[4:], "NextToken": "3"},
    ]
    client, targets = deletions(fake_time, pages)
    follower = follow(client, fake_time, *targets)
    assert {watch.outcome for watch in follower.watches} == {Outcome.SUCCEEDED}
    assert client.called.count("list_stacks") == 2
    assert client.called.count("describe_stacks") == 1


def test_many_deletions_without_leave_to_list_them(fake_time: FakeTime) -> None:
    """Who may not list the deleted stacks is told of each by itself."""
    client, targets = deletions(fake_time, DENIED)
    follower = follow(client, fake_time, *targets)
    assert {watch.outcome for watch in follower.watches} == {Outcome.SUCCEEDED}
    assert client.called.count("list_stacks") == 1
    assert client.called.count("describe_stacks") == 1 + len(MANY)


def test_many_deletions_when_the_listing_is_throttled(fake_time: FakeTime) -> None:
    """A listing that is throttled is asked for again later."""
    client, targets = deletions(fake_time, [THROTTLED, {"StackSummaries": [stack("DELETE_COMPLETE", n) for n in MANY]}])
    follower = follow(client, fake_time, *targets)
    assert {watch.outcome for watch in follower.watches} == {Outcome.SUCCEEDED}
    assert client.called.count("list_stacks") == 2


# --- Any sequence of answers and faults --------------------------------------------------------------------------------

LIVES: dict[Operation, list[list[str]]] = {
    CREATE: [
        ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"],
        ["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"],
        ["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_FAILED"],
        ["CREATE_IN_PROGRESS", "CREATE_FAILED"],
    ],
    UPDATE: [
        ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"],
        ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"],
        ["UPDATE_IN_PROGRESS", "UPDATE_FAILED"],
    ],
    DELETE: [["DELETE_IN_PROGRESS", "DELETE_COMPLETE"], ["DELETE_IN_PROGRESS", "DELETE_FAILED"]],
}
FAULTS: dict[str, Exception | None] = {"none": None, "throttled": THROTTLED, "broken": BROKEN, "expired": EXPIRED}


@st.composite
def histories(draw: Callable[..., Any]) -> tuple[Operation, list[tuple[float, str]]]:
    """An operation, and what becomes of the stack: pairs of seconds and status, in order."""
    operation = draw(st.sampled_from(list(LIVES)))
    statuses = draw(st.sampled_from(LIVES[operation]))
    at, history = 0.0, []
    for status in statuses:
        history.append((at, status))
        at += draw(st.floats(0.1, 90.0))
    return operation, history


@given(
    history=histories(),
    faults=st.lists(st.sampled_from([*["none"] * 6, "throttled", "throttled", "broken", "expired"]), max_size=60),
    timeout=st.integers(0, 300),
    latency=st.floats(0.0, 2.0),
)
@example(
    # The events tell of the end, and nobody answers what the status is.
    history=(CREATE, [(0.0, "CREATE_IN_PROGRESS"), (0.5, "CREATE_COMPLETE")]),
    faults=["none", "none", "throttled", "throttled"],
    timeout=1,
    latency=0.0,
)
@settings(max_examples=300, deadline=None)
def test_verdict_is_the_last_true_state(
    history: tuple[Operation, list[tuple[float, str]]], faults: list[str], timeout: int, latency: float
) -> None:
    """For any life of a stack and any faults, the outcome is what the last good reading says, and the time is kept."""
    operation, statuses = history
    fake_time = FakeTime()
    service = life(fake_time, *statuses, latency=latency)
    script = iter(faults)
    answered: list[str] = []

    def faulty(answer: Callable[..., Any], *, is_status: bool) -> Callable[..., Any]:
        def ask(**request: Any) -> Any:
            fault = FAULTS[next(script, "none")]
            if fault is not None:
                answered.append("expired" if fault is EXPIRED else "fault")
                return fault
            reply = answer(**request)
            if is_status:
                answered.append(reply["Stacks"][0]["StackStatus"])
            return reply

        return ask

    for name in service._scripts:
        [answer] = service._scripts[name]
        service._scripts[name] = [faulty(answer, is_status=name == "describe_stacks")]  # type: ignore[arg-type]
    watch = follow_one(service, fake_time, Target(stack_id(), operation), timeout=timeout)
    seen = [each for each in answered if each not in ("expired", "fault")]
    longest_look = 2 * latency + 1.0  # The status and the events, five calls a second.
    assert fake_time.elapsed <= timeout + longest_look + 1e-6
    if "expired" in answered:
        assert watch.outcome == Outcome.UNREADABLE
    elif seen and Status(seen[-1]).is_settled:
        assert watch.outcome == OUTCOMES[Status(seen[-1]).verdict(operation)]
    else:
        assert watch.outcome in (Outcome.TIMED_OUT, Outcome.UNREADABLE)
        assert fake_time.elapsed >= timeout


# --- An operation that the stack's times do not show -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("newest_before", "outcome"),
    [pytest.param("1", Outcome.SUCCEEDED, id="new events"), pytest.param("3", Outcome.FAILED, id="no new events")],
)
def test_operation_that_only_the_events_show(fake_time: FakeTime, newest_before: str, outcome: str) -> None:
    """Where a job says that it changed the stack and the stack's times do not, its events decide."""
    told = [
        {**event("UPDATE_COMPLETE", at=0), "EventId": "1"},
        {**event("UPDATE_IN_PROGRESS", at=1), "EventId": "2"},
        {**event("UPDATE_COMPLETE", at=2), "EventId": "3"},
    ]
    cloudformation = FakeClient(
        fake_time, describe_stacks=stacks(stack("UPDATE_COMPLETE")), describe_stack_events=events(*told)
    )
    before = Before(stack_id(), "UPDATE_COMPLETE", last_event_id=newest_before)
    job = FakeJob(fake_time, (0.0, JobReport(JobState.ENDED, changed=True, message="Stack UPDATE complete")))
    watch = follow(cloudformation, fake_time, Target(stack_id(), UPDATE, before), job=job).watches[0]
    assert watch.outcome == outcome
