# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""The judge of one stack: it is shown what was read, and decides. Pure, but for the loop's clock that it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils._diagnosis import Failure, failures
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError
from ansible_collections.cargohold.ecr.plugins.module_utils._job import JobReport, JobState
from ansible_collections.cargohold.ecr.plugins.module_utils._names import stack_name_of
from ansible_collections.cargohold.ecr.plugins.module_utils._polling import Ending
from ansible_collections.cargohold.ecr.plugins.module_utils._records import Event, Stack, iso
from ansible_collections.cargohold.ecr.plugins.module_utils._status import (
    Operation,
    Status,
    Verdict,
    parse_status,
)

# Looks at a stack that shows no operation although the job that was to start one is over. CloudFormation may answer
# before the status moves, so one look does not tell.
LOOKS_AFTER_JOB = 4


# An operation's first event may be dated a little before the stack's own time of it.
EVENT_TOLERANCE = timedelta(seconds=1)


class Outcome:
    """What following a stack came to; the values are those of the return value C(outcome)."""

    SUCCEEDED = "succeeded"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    REFUSED = "refused"
    OVERTAKEN = "overtaken"
    TIMED_OUT = "timed_out"
    UNREADABLE = "unreadable"
    ABSENT = "absent"
    SETTLED = "settled"
    MOVING = "moving"

    GOOD = frozenset({SUCCEEDED, UNCHANGED, SETTLED, MOVING, ABSENT})


@dataclass(frozen=True)
class Before:
    """What a stack was before an operation, so that the first readings after it are not taken for its result."""

    stack_id: str | None = None
    status: str | None = None
    updated: str | None = None
    deleted: str | None = None
    last_event_id: str | None = None

    @classmethod
    def from_result(cls, stack: Mapping[str, Any]) -> Before:
        """From the return value C(stack) of C(stack_plan); an empty one means that there was no stack."""
        return cls(**{name: stack.get(name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Target:
    """A stack to follow.

    :param name: its name or ID; an ID is better, as a name stops to mean anything when the stack is deleted.
    :param operation: what was started; C(None) to follow whatever is going on.
    :param before: what the stack was before that; C(None) when the operation is known to have begun.
    :param parameters: what the operation sets, of the stack's parameters; others afterwards are somebody else's.
    """

    name: str
    operation: Operation | None = None
    before: Before | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Watch:
    """The judge of one stack."""

    target: Target
    stack: Stack | None = None
    begun: bool = False
    outcome: str | None = None
    reason: str = ""
    events: list[Event] = field(default_factory=list)
    # What failed, from DescribeEvents, which knows of more than the stack's own events.
    failed_events: list[Event] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    # Seconds on the loop's clock.
    begun_at: float = 0.0
    settled_at: float | None = None
    # The stack's LastUpdatedTime or DeletionTime when the operation was first seen; a rollback may move them later.
    mark: datetime | None = None
    overtaken: bool = False
    # Whether the stack itself told its status, rather than its events, which are enough only while it moves.
    confirmed: bool = False
    events_readable: bool = True
    event_attempts: int = 0
    idle_looks: int = 0

    @property
    def name(self) -> str:
        """The stack's name."""
        return stack_name_of(self.target.name)

    @property
    def key(self) -> str:
        """By what to ask for the stack: its ID as soon as that is known to be the right one's."""
        if self.stack and (self.begun or self.target.operation is not Operation.CREATE):
            return self.stack.stack_id
        return self.target.name

    @property
    def is_over(self) -> bool:
        """Whether there is an outcome."""
        return self.outcome is not None

    @property
    def lacks_its_cause(self) -> bool:
        """Whether the operation failed, and its events do not tell of it yet: they may come later than the status."""
        return (
            self.stack is not None
            and self.stack.status.is_failure
            and self.events_readable
            and not any(event.has_failed for event in self.events)
        )

    @property
    def asks_events(self) -> bool:
        """Whether the job is over and the stack's times do not show its operation, so that only the events can."""
        before = self.target.before
        return self.idle_looks > 0 and not self.is_over and before is not None and before.last_event_id is not None

    def begin(self, now: float) -> None:
        """Take note that the operation was seen."""
        self.begun = True
        self.begun_at = now
        if self.stack:
            self.mark = self.stack.deleted if self.target.operation is Operation.DELETE else self.stack.updated

    @property
    def tells_by_events(self) -> bool:
        """Whether the stack is moving as far as its events tell, too, so that they are enough to follow it by."""
        told = self._told
        return self.begun and self.events_readable and self._is_moving and (told is None or not told.has_settled)

    @property
    def _is_of_others(self) -> bool:
        """Whether the stack has other parameters than the operation sets."""
        if self.stack is None:
            return False
        live = self.stack.parameters
        # What is masked (NoEcho) cannot be compared, and what the template does not declare is not told.
        return any(live[name] not in (value, "****") for name, value in self.target.parameters.items() if name in live)

    @property
    def _told(self) -> Event | None:
        """The newest event of the stack itself."""
        return next((event for event in reversed(self.events) if self._is_about_it(event)), None)

    @property
    def _is_moving(self) -> bool:
        return self.stack is not None and self.stack.status.is_moving

    @property
    def _is_settled(self) -> bool:
        return self.confirmed and self.stack is not None and self.stack.status.is_settled

    def _is_about_it(self, event: Event) -> bool:
        return self.stack is not None and event.physical_id == self.stack.stack_id

    def see(self, stack: Stack | None, now: float) -> bool:
        """Take in what DescribeStacks told, C(None) for a stack that does not exist; true when that is a change."""
        previous = self.stack
        self.confirmed = True
        if stack is None:
            self._miss()
            return True
        self.stack = stack
        if not self.begun and self._has_begun(stack):
            self.begin(now)
            return True
        return previous is None or previous.status is not stack.status

    def take_events(self, events: Sequence[Event]) -> list[Event]:
        """Take in events of the stack's newest operation, oldest first; returns those that are new and the operation's.

        A stack's own events tell its status too, so that it need not be asked for while it moves.

        :raises UnknownStatus: when they tell one that is not known.
        """
        known = {event.event_id for event in self.events}
        new = [event for event in events if event.event_id not in known]
        if not self.begun or not new:
            return []
        if not self.events and not self._is_own(new[0]):
            return []
        if self.events and any(event.begins_operation for event in new):
            self.overtaken = self.target.operation is not None
        self.events = sorted([*self.events, *new], key=lambda event: event.time)
        for event in new:
            if self.stack and self._is_about_it(event) and self._is_moving:
                self.stack = replace(self.stack, status=parse_status(event.status), reason=event.reason)
                self.confirmed = False
        return new

    def conclude(self, now: float) -> None:
        """Give the outcome if what was seen is enough for it."""
        if self.is_over or not self.begun or not self._is_settled or self.stack is None:
            return
        self.settled_at = now
        self.failures = failures([*self.events, *self.failed_events])
        status = self.stack.status
        operation = self.target.operation
        if operation is None:
            self.outcome, self.reason = Outcome.SETTLED, self._why(status)
            return
        verdict = status.verdict(operation)
        if status.is_gone and operation is Operation.DELETE:
            self.outcome = Outcome.SUCCEEDED
        elif self.overtaken or verdict is Verdict.FOREIGN or (verdict is Verdict.SUCCEEDED and self._is_of_others):
            self.outcome = Outcome.OVERTAKEN
            self.reason = (
                f"Somebody else began another operation on {self.name} meanwhile, which left it {status.value}: "
                f"whether the {operation.value} had its effect is not known. Run it again."
            )
        elif verdict is Verdict.SUCCEEDED:
            self.outcome = Outcome.SUCCEEDED
        else:
            self.outcome = Outcome.FAILED
            why = self._why(status)
            ended = f"The {operation.value} of {self.name} {_ended(status, operation)}"
            self.reason = f"{ended}: {why}" if why else f"{ended}."

    def hear(self, job: JobReport) -> None:
        """Take in what the job said before the stack was last looked at."""
        if job.state is JobState.RUNNING or self.is_over:
            return
        if self.begun:
            # A request that was refused while an operation began was not what began it, unless its answer got lost.
            self.overtaken = self.overtaken or job.refused
        elif job.refused:
            self.outcome, self.reason = Outcome.REFUSED, f"CloudFormation did not begin: {job.message.rstrip('.')}."
        elif job.is_unchanged and (self.stack or self.target.operation is Operation.DELETE):
            self.outcome, self.reason = Outcome.UNCHANGED, job.message
        else:
            self._wonder(job)

    def _wonder(self, job: JobReport) -> None:
        """The job is over, and the stack does not show what it should: that may take a moment, but not long."""
        self.idle_looks += 1
        if self.idle_looks >= LOOKS_AFTER_JOB:
            said = f"said {job.message!r}" if job.state is JobState.ENDED else "ended without a result"
            self.outcome = Outcome.FAILED
            self.reason = (
                f"The job that was to {self._operation} {self.name} {said}, but the stack shows no such operation: "
                f"it is {self.stack.status.value if self.stack else 'not there'}. Run it again."
            )

    def give_up(self, ending: Ending[Any]) -> None:
        """Give the outcome of what is not over when the time is."""
        self.conclude(ending.ended)
        if self.is_over:
            return
        known = f"it was last seen {self.stack.status.value}" if self.stack else "it was never seen"
        if ending.trouble is not None:
            self.outcome = Outcome.UNREADABLE
            self.reason = f"{ending.trouble.message} It has been tried for {ending.elapsed:.0f} s; {known}."
        elif self.stack is not None and self.begun:
            self.outcome = Outcome.TIMED_OUT
            self.reason = (
                f"{self.name} is still {self.stack.status.value} after {ending.elapsed:.0f} s. "
                "AWS goes on with it: run it again to follow it further, or allow more time with timeout."
            )
        else:
            self.outcome = Outcome.TIMED_OUT
            self.reason = f"No {self._operation} of {self.name} has begun within {ending.elapsed:.0f} s; {known}."

    def fail(self, problem: CargoholdError) -> None:
        """Give the outcome of a stack that cannot be read, for a reason that will not pass."""
        known = f"It was last seen {self.stack.status.value}" if self.stack else "It has not been seen"
        self.outcome = Outcome.UNREADABLE
        self.reason = f"{problem.message} {known}, and what became of it is not known."

    def as_result(self, ended_at: float) -> dict[str, Any]:
        """The stack as part of the task's result."""
        stack = self.stack
        end = self.settled_at if self.settled_at is not None else ended_at
        return {
            **(stack.as_result() if stack else {"name": self.name, "stack_id": None, "status": None}),
            "exists": stack is not None and not stack.status.is_gone,
            "settled": self._is_settled,
            "healthy": self._is_settled and stack is not None and stack.status.is_healthy,
            "outcome": self.outcome,
            "reason": self.reason,
            "failures": [failure.as_result() for failure in self.failures],
            "events": [event.as_result() for event in self.events],
            "last_event_id": self.events[-1].event_id if self.events else None,
            "started": iso(self.events[0].time) if self.events else None,
            "ended": iso(self.events[-1].time) if self.events and self.settled_at is not None else None,
            "elapsed": round(max(0.0, end - self.begun_at), 3) if self.begun else 0.0,
        }

    @property
    def _operation(self) -> str:
        return self.target.operation.value if self.target.operation else "operation"

    def _miss(self) -> None:
        """Take in that there is no such stack."""
        if self.stack:
            self.stack = replace(self.stack, status=Status.DELETE_COMPLETE)
        operation, before = self.target.operation, self.target.before
        was_there = self.stack is not None or (before is not None and before.stack_id is not None)
        if operation is Operation.DELETE and was_there:
            # Told by its ID a deleted stack is DELETE_COMPLETE for ninety days, and does not exist after that.
            self.outcome = Outcome.SUCCEEDED
        elif operation in (None, Operation.DELETE) and not self.begun:
            self.outcome = Outcome.ABSENT
            self.reason = f"There is no stack {self.name}."
        elif self.begun or operation is not Operation.CREATE:
            self.outcome = Outcome.OVERTAKEN
            self.reason = f"{self.name} does not exist any more: somebody else deleted it meanwhile."

    def _has_begun(self, stack: Stack) -> bool:
        operation, before = self.target.operation, self.target.before
        if operation is None or before is None:
            return True
        if stack.stack_id != before.stack_id:
            return True
        if operation is Operation.CREATE:
            return False
        if operation is Operation.ROLLBACK:
            return stack.status.value != before.status
        if stack.status.value != before.status and stack.status.is_moving:
            return True
        if operation is Operation.DELETE:
            ended = stack.status.value != before.status and stack.status.verdict(operation) is not Verdict.FOREIGN
            return ended or iso(stack.deleted) != before.deleted
        return iso(stack.updated) != before.updated

    def _is_own(self, beginning: Event) -> bool:
        """Whether the events that start with this one can be the operation's, rather than those of the one before."""
        operation = self.target.operation
        if operation in (None, Operation.ROLLBACK) or self.target.before is None or self.stack is None:
            return True
        if beginning.status != f"{operation.name}_IN_PROGRESS":
            return False
        return operation is Operation.CREATE or self.mark is None or self.mark - beginning.time < EVENT_TOLERANCE

    def _why(self, status: Status) -> str:
        if self.failures:
            first = self.failures[0]
            return f"{first.sentence} {first.advice}".strip()
        if self.stack and self.stack.reason and not status.is_healthy:
            return f"{self.stack.reason.rstrip('.')}."
        return "" if status.is_healthy or status.is_gone else "CloudFormation gives no reason."


def _ended(status: Status, operation: Operation) -> str:
    """How an operation that failed ended, as it would follow its name."""
    if status is Status.DELETE_COMPLETE:
        return "ended with the stack deleted"
    if status in (Status.ROLLBACK_COMPLETE, Status.UPDATE_ROLLBACK_COMPLETE):
        return "was rolled back"
    if status in (Status.ROLLBACK_FAILED, Status.UPDATE_ROLLBACK_FAILED):
        return "failed, and so did its rollback"
    if status is Status.DELETE_FAILED and operation is not Operation.DELETE:
        return "ended with the stack half deleted"
    return "failed"
