# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""Following stacks to their true end: what is read at each look, and the verdict that comes of it.

L(Watch) is the judge of one stack: it is shown what was read, and decides. L(Follower) reads for many of them, sparingly:
the status with each look, events only when something changed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils import _stacks
from ansible_collections.cargohold.ecr.plugins.module_utils._diagnosis import Failure, failures, nested_stacks
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError, Denied, Transient
from ansible_collections.cargohold.ecr.plugins.module_utils._job import Job, JobReport, JobState
from ansible_collections.cargohold.ecr.plugins.module_utils._names import is_stack_id
from ansible_collections.cargohold.ecr.plugins.module_utils._polling import Ending, Time, interval, poll
from ansible_collections.cargohold.ecr.plugins.module_utils._records import Event, Stack, iso
from ansible_collections.cargohold.ecr.plugins.module_utils._status import Operation, Status, Verdict

# Reading calls a second, per account and region: the ceiling that users of DescribeStacks meet.
READS_PER_SECOND = 5

# Seconds after a change at which the events are read once more: what changed a stack changes its resources next.
SECOND_READING = 1.0

# Looks at a stack that shows no operation although the job that was to start one is over. CloudFormation may answer
# before the status moves, so one look does not tell.
LOOKS_AFTER_JOB = 4

# Pages that a listing of all stacks is taken to have before the first one was read.
LISTING_PAGES_AT_FIRST = 4

# Attempts to read the events of a failure before the verdict is given without its cause.
EVENT_ATTEMPTS = 3


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


class Reporter:
    """Told of progress while it happens. This one keeps it to itself; those that print it derive from it."""

    def status(self, watch: Watch) -> None:
        """A stack came to another status."""

    def events(self, watch: Watch, events: Sequence[Event]) -> None:
        """New events of a stack's operation, oldest first."""

    def looked(self, watches: Sequence[Watch]) -> None:
        """All stacks were looked at."""

    def trouble(self, trouble: Transient) -> None:
        """A look failed, and will be tried again."""

    def ended(self, watches: Sequence[Watch]) -> None:
        """Following is over."""


@dataclass(frozen=True)
class Before:
    """What a stack was before an operation, so that the first readings after it are not taken for its result."""

    stack_id: str | None = None
    status: str | None = None
    updated: str | None = None
    deleted: str | None = None

    @classmethod
    def from_result(cls, stack: Mapping[str, Any]) -> Before:
        """From the return value C(stack) of C(stack_plan); an empty one means that there was no stack."""
        return cls(**{name: stack.get(name) for name in ("stack_id", "status", "updated", "deleted")})


@dataclass(frozen=True)
class Target:
    """A stack to follow.

    :param name: its name or ID; an ID is better, as a name stops to mean anything when the stack is deleted.
    :param operation: what was started; C(None) to follow whatever is going on.
    :param before: what the stack was before that; C(None) when the operation is known to have begun.
    """

    name: str
    operation: Operation | None = None
    before: Before | None = None


@dataclass
class Watch:
    """The judge of one stack."""

    target: Target
    stack: Stack | None = None
    begun: bool = False
    outcome: str | None = None
    reason: str = ""
    events: list[Event] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    # Seconds on the loop's clock.
    begun_at: float = 0.0
    changed_at: float = 0.0
    events_at: float | None = None
    settled_at: float | None = None
    overtaken: bool = False
    events_readable: bool = True
    event_attempts: int = 0
    idle_looks: int = 0

    @property
    def name(self) -> str:
        """The stack's name."""
        return _stacks.short_name(self.target.name)

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

    def see(self, stack: Stack | None, now: float) -> None:
        """Take in what DescribeStacks told, C(None) for a stack that does not exist."""
        previous = self.stack
        if stack is None:
            self._miss()
            return
        self.stack = stack
        if not self.begun and self._has_begun(stack):
            self.begun = True
            self.begun_at = self.changed_at = now
        elif previous is None or previous.status is not stack.status:
            self.changed_at = now

    def take_events(self, events: Sequence[Event], now: float) -> list[Event]:
        """Take in the events of the stack's newest operation, oldest first; returns those that are new."""
        self.events_at = now
        if not self.begun or not events:
            return []
        if self.events and self.events[0].event_id != events[0].event_id and events[0].is_of_stack:
            self.overtaken = self.target.operation is not None
        elif not self.events and not self._is_own(events[0]):
            return []
        known = {event.event_id for event in self.events}
        new = [event for event in events if event.event_id not in known]
        self.events.extend(new)
        return new

    def conclude(self, now: float) -> None:
        """Give the outcome if what was seen is enough for it."""
        if self.is_over or self.stack is None or not self.begun or self.stack.status.is_moving:
            return
        self.settled_at = now
        self.failures = failures(self.events)
        status = self.stack.status
        operation = self.target.operation
        if operation is None:
            self.outcome, self.reason = Outcome.SETTLED, self._why(status)
            return
        verdict = status.verdict(operation)
        if self.overtaken or verdict is Verdict.FOREIGN:
            self.outcome = Outcome.OVERTAKEN
            self.reason = (
                f"Somebody else began another operation on {self.name} meanwhile, which left it {status.value}: "
                f"whether the {operation.value} had its effect is not known. Run it again."
            )
        elif verdict is Verdict.SUCCEEDED:
            self.outcome = Outcome.SUCCEEDED
        else:
            self.outcome = Outcome.FAILED
            self.reason = f"The {operation.value} of {self.name} {_ended(status, operation)}: {self._why(status)}"

    def hear(self, job: JobReport) -> None:
        """Take in what the job said before the stack was last looked at."""
        if job.state is JobState.RUNNING or self.is_over:
            return
        if self.begun:
            # A request that was refused while an operation began was not what began it, unless its answer got lost.
            self.overtaken = self.overtaken or job.refused
            return
        if job.state is JobState.ENDED and job.failed:
            self.outcome, self.reason = Outcome.REFUSED, _refusal(job.message)
            return
        if job.state is JobState.ENDED and not job.changed:
            self.outcome, self.reason = Outcome.UNCHANGED, job.message
            return
        self.idle_looks += 1
        if self.idle_looks >= LOOKS_AFTER_JOB:
            said = f"said {job.message!r}" if job.state is JobState.ENDED else "ended without a result"
            self.outcome = Outcome.FAILED
            self.reason = (
                f"The job that was to {self._verb} {self.name} {said}, but the stack shows no such operation: "
                f"it is {self.stack.status.value if self.stack else 'not there'}. Run it again."
            )

    def give_up(self, ending: Ending[Any]) -> None:
        """Give the outcome of what is not over when the time is."""
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
            self.reason = f"No {self._noun} of {self.name} has begun within {ending.elapsed:.0f} s; {known}."

    def fail(self, problem: CargoholdError) -> None:
        """Give the outcome of a stack that cannot be read, for a reason that will not pass."""
        known = f"It was last seen {self.stack.status.value}" if self.stack else "It has not been seen"
        self.outcome = Outcome.UNREADABLE
        self.reason = f"{problem.message} {known}, and what became of it is not known."

    def as_result(self, ended_at: float) -> dict[str, Any]:
        """This stack as part of the task's result."""
        stack = self.stack
        end = self.settled_at if self.settled_at is not None else ended_at
        return {
            **(stack.as_result() if stack else {"name": self.name, "stack_id": None, "status": None}),
            "exists": stack is not None and not stack.status.is_gone,
            "settled": stack is not None and stack.status.is_settled,
            "healthy": stack is not None and stack.status.is_healthy,
            "outcome": self.outcome,
            "reason": self.reason,
            "failures": [failure.as_result() for failure in self.failures],
            "events": [event.as_result() for event in self.events],
            "started": iso(self.events[0].time) if self.events else None,
            "ended": iso(self.events[-1].time) if self.events and self.settled_at is not None else None,
            "elapsed": round(max(0.0, end - self.begun_at), 3) if self.begun else 0.0,
        }

    @property
    def _verb(self) -> str:
        return self.target.operation.value if self.target.operation else "change"

    @property
    def _noun(self) -> str:
        return self.target.operation.value if self.target.operation else "operation"

    def _miss(self) -> None:
        operation = self.target.operation
        if operation is Operation.DELETE and (self.stack or (self.target.before and self.target.before.stack_id)):
            self.outcome = Outcome.SUCCEEDED
        elif operation is None and self.target.before is None:
            self.outcome = Outcome.ABSENT
            self.reason = f"There is no stack {self.name}."
        elif operation is Operation.DELETE and not is_stack_id(self.target.name):
            self.outcome = Outcome.ABSENT
            self.reason = f"There is no stack {self.name}."
        elif self.begun or operation is Operation.UPDATE:
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
        if stack.status.value != before.status and stack.status.is_moving:
            return True
        if operation is Operation.DELETE:
            return iso(stack.deleted) != before.deleted or (stack.status.is_gone and before.status != stack.status.value)
        return iso(stack.updated) != before.updated

    def _is_own(self, beginning: Event) -> bool:
        """Whether the events that start with this one can be the operation's, rather than those of the one before."""
        operation = self.target.operation
        if operation is None or self.target.before is None:
            return True
        if beginning.status != f"{operation.name}_IN_PROGRESS":
            return False
        moment = {Operation.CREATE: None, Operation.UPDATE: "updated", Operation.DELETE: "deleted"}[operation]
        since = getattr(self.stack, moment) if moment else None
        return since is None or (since - beginning.time).total_seconds() < 2

    def _why(self, status: Status) -> str:
        if self.failures:
            first = self.failures[0]
            return f"{first.sentence} {first.advice}".strip()
        if self.stack and self.stack.reason and not status.is_healthy:
            return f"{self.stack.reason.rstrip('.')}."
        return "" if status.is_healthy or status.is_gone else "CloudFormation gives no reason."


class Follower:
    """Reads a number of stacks until each is settled.

    :param cloudformation: a boto3 client that does not retry by itself: the loop does.
    :param job: the background job that starts the operation, where there is one; goes with one target.
    """

    def __init__(
        self,
        cloudformation: Any,
        targets: Sequence[Target],
        *,
        time: Time,
        reporter: Reporter,
        job: Job | None = None,
    ) -> None:
        self.watches = [Watch(target) for target in targets]
        self.calls = 0
        self._cloudformation = cloudformation
        self._time = time
        self._reporter = reporter
        self._job = job
        self._read_at: deque[float] = deque(maxlen=READS_PER_SECOND)
        self._listing_pages: int | None = None

    def look_once(self) -> None:
        """Look at every stack once, and give what is still moving the outcome C(moving).

        :raises Transient: when the stacks cannot be read now.
        """
        self._look()
        for watch in self.watches:
            if not watch.is_over:
                watch.outcome = Outcome.MOVING

    def follow(self, timeout: float) -> None:
        """Look until every stack is settled, at most C(timeout) seconds long; afterwards each watch has an outcome."""
        ending = poll(
            self._look,
            lambda _seen: all(watch.is_over for watch in self.watches),
            timeout=timeout,
            time=self._time,
            next_interval=lambda _seen, _elapsed: self._interval(),
            on_trouble=self._reporter.trouble,
        )
        for watch in self.watches:
            watch.give_up(ending)
        self._reporter.ended(self.watches)

    def _interval(self) -> float:
        now = self._time.clock()
        pending = [watch for watch in self.watches if not watch.is_over]
        return min(interval(now - watch.begun_at if watch.begun else 0.0) for watch in pending)

    def _look(self) -> None:
        pending = [watch for watch in self.watches if not watch.is_over]
        # The job first: if it is over and the stack, read later, shows nothing, then nothing was started.
        job = self._job.read() if self._job else None
        if len(pending) > 1 and self._listing_is_cheaper(pending):
            pending = self._look_at_listing(pending)
        for watch in pending:
            self._show(watch, lambda watch=watch: _stacks.describe(self._cloudformation, watch.key))
            if job:
                watch.hear(job)
        self._reporter.looked(self.watches)

    def _show(self, watch: Watch, read: Callable[[], Stack | None]) -> None:
        """Let a watch see its stack, and the events if there may be new ones."""
        try:
            watch.see(self._reading(read), self._time.clock())
            if watch.is_over or watch.stack is None or not watch.begun:
                return
            if watch.stack.status.is_moving:
                self._reporter.status(watch)
            if self._events_are_due(watch):
                self._read_events(watch)
            if watch.lacks_its_cause and watch.event_attempts < EVENT_ATTEMPTS:
                return
            self._reporter.status(watch)
            watch.conclude(self._time.clock())
        except Transient:
            raise
        except CargoholdError as problem:
            watch.fail(problem)

    def _events_are_due(self, watch: Watch) -> bool:
        assert watch.stack is not None
        if not watch.events_readable:
            return False
        if watch.stack.status.is_settled:
            return watch.target.operation is not None or watch.stack.status.is_failure
        if watch.target.operation is None and watch.events_at is None:
            return True
        due = watch.changed_at + SECOND_READING
        return self._time.clock() >= due and (watch.events_at is None or watch.events_at < due)

    def _read_events(self, watch: Watch) -> None:
        assert watch.stack is not None
        stack = watch.stack
        try:
            events = self._reading(lambda: _stacks.operation_events(self._cloudformation, stack))
            if stack.status.is_settled:
                for nested in nested_stacks(events):
                    events = self._with_nested(events, nested)
        except Denied as problem:
            watch.events_readable = False
            self._reporter.trouble(Transient(f"{problem.message} The reasons of failures will not be known."))
            return
        except Transient:
            watch.event_attempts += 1
            if watch.lacks_its_cause and watch.event_attempts < EVENT_ATTEMPTS:
                raise
            return
        if watch.lacks_its_cause:
            watch.event_attempts += 1
        new = watch.take_events(events, self._time.clock())
        if new:
            self._reporter.events(watch, new)

    def _with_nested(self, events: Sequence[Event], nested: str) -> list[Event]:
        stack = self._reading(lambda: _stacks.describe(self._cloudformation, nested))
        inner = self._reading(lambda: _stacks.operation_events(self._cloudformation, stack)) if stack else []
        return [*events, *inner]

    def _listing_is_cheaper(self, pending: Sequence[Watch]) -> bool:
        """One listing tells of a hundred stacks, but also of all the others in the account."""
        return (self._listing_pages or LISTING_PAGES_AT_FIRST) < len(pending)

    def _look_at_listing(self, pending: Sequence[Watch]) -> list[Watch]:
        """Show the watches what a listing of all stacks tells of them; returns those of whom it tells nothing."""
        wanted = {watch.key: watch for watch in pending}
        pages = 0
        for page in self._pages(wanted.keys()):
            pages += 1
            for stack in page:
                watch = wanted.pop(stack.stack_id, None) or wanted.pop(stack.name, None)
                if watch:
                    self._show(watch, lambda stack=stack: stack)
        self._listing_pages = pages
        return list(wanted.values())

    def _pages(self, wanted: Any) -> Any:
        pages = _stacks.list_pages(self._cloudformation, wanted)
        while True:
            page = self._reading(lambda: next(pages, None))
            if page is None:
                return
            yield page

    def _reading(self, read: Callable[[], Any]) -> Any:
        """Make a reading call, at most so many a second."""
        if len(self._read_at) == READS_PER_SECOND:
            wait = self._read_at[0] + 1.0 - self._time.clock()
            if wait > 0:
                self._time.sleep(wait)
        self._read_at.append(self._time.clock())
        self.calls += 1
        return read()


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


def _refusal(message: str) -> str:
    return f"CloudFormation did not begin: {message.rstrip('.')}."
