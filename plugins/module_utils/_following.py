# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""Following stacks to their true end: reading sparingly, the status with each look and events only when something changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils import _stacks
from ansible_collections.cargohold.ecr.plugins.module_utils._diagnosis import nested_stacks
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import AwsError, CargoholdError, Denied, Transient
from ansible_collections.cargohold.ecr.plugins.module_utils._job import Job, JobReport
from ansible_collections.cargohold.ecr.plugins.module_utils._polling import Time, interval, poll
from ansible_collections.cargohold.ecr.plugins.module_utils._records import Event, Stack
from ansible_collections.cargohold.ecr.plugins.module_utils._watch import Outcome, Target, Watch

# Reading calls a second, per account and region: the ceiling that users of DescribeStacks meet.
READS_PER_SECOND = 5

# Seconds after a change at which the events are read once more: what changed a stack changes its resources next.
SECOND_READING = 1.0

# Pages that a listing of all stacks is taken to have before the first one was read.
LISTING_PAGES_AT_FIRST = 4

# Attempts to read the events of a failure before the verdict is given without its cause.
EVENT_ATTEMPTS = 3


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
        if self._listing_is_cheaper(pending):
            pending = self._look_at_listing(pending)
        for watch in pending:
            with _failing(watch):
                self._show(watch, self._reading(partial(_stacks.describe, self._cloudformation, watch.key)), job)
        self._reporter.looked(self.watches)

    def _show(self, watch: Watch, stack: Stack | None, job: JobReport | None = None) -> None:
        """Let a watch see its stack, the events if there may be new ones, and what the job said; it concludes if it can."""
        watch.see(stack, self._time.clock())
        if job:
            watch.hear(job)
        if watch.is_over or stack is None or not watch.begun:
            return
        if stack.status.is_moving:
            self._reporter.status(watch)
        if self._events_are_due(watch, stack):
            self._read_events(watch, stack)
        if watch.lacks_its_cause and watch.event_attempts < EVENT_ATTEMPTS:
            return
        self._reporter.status(watch)
        watch.conclude(self._time.clock())

    def _events_are_due(self, watch: Watch, stack: Stack) -> bool:
        if not watch.events_readable:
            return False
        if stack.status.is_settled:
            return watch.target.operation is not None or stack.status.is_failure
        if watch.target.operation is None and watch.events_at is None:
            return True
        due = watch.changed_at + SECOND_READING
        return self._time.clock() >= due and (watch.events_at is None or watch.events_at < due)

    def _read_events(self, watch: Watch, stack: Stack) -> None:
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
        if stack.status.is_failure and watch.events:
            # A second source, so whatever keeps it from answering is no reason to go without the first.
            with suppress(AwsError):
                since = watch.events[0].time
                watch.failed_events = self._reading(lambda: _stacks.failed_events(self._cloudformation, stack, since))

    def _with_nested(self, events: Sequence[Event], nested: str) -> list[Event]:
        stack = self._reading(lambda: _stacks.describe(self._cloudformation, nested))
        inner = self._reading(lambda: _stacks.operation_events(self._cloudformation, stack)) if stack else []
        return [*events, *inner]

    def _listing_is_cheaper(self, pending: Sequence[Watch]) -> bool:
        """One listing tells of a hundred stacks, but also of all the others in the account."""
        return (self._listing_pages or LISTING_PAGES_AT_FIRST) < len(pending)

    def _look_at_listing(self, pending: Sequence[Watch]) -> list[Watch]:
        """Show the watches what a listing of all stacks tells of them; returns those of whom it tells nothing."""
        listed: dict[str, Stack] = {}
        pages = _stacks.list_pages(self._cloudformation, {watch.key for watch in pending})
        count = 0
        while (page := self._reading(lambda: next(pages, None))) is not None:
            count += 1
            listed |= {key: stack for stack in page for key in (stack.stack_id, stack.name)}
        self._listing_pages = count
        for watch in pending:
            if watch.key in listed:
                with _failing(watch):
                    self._show(watch, listed[watch.key])
        return [watch for watch in pending if watch.key not in listed]

    def _reading(self, read: Callable[[], Any]) -> Any:
        """Make a reading call, at most so many a second."""
        if len(self._read_at) == READS_PER_SECOND:
            wait = self._read_at[0] + 1.0 - self._time.clock()
            if wait > 0:
                self._time.sleep(wait)
        self._read_at.append(self._time.clock())
        self.calls += 1
        return read()

    def result(self) -> dict[str, Any]:
        """What was seen and judged, as the task's result.

        :raises CargoholdError: with the same result, when an operation did not end as it was meant to, or that is not known.
        """
        bad = [watch for watch in self.watches if watch.outcome not in Outcome.GOOD]
        now = self._time.clock()
        result = {
            "changed": any(watch.target.operation is not None and watch.begun for watch in self.watches),
            "stacks": [watch.as_result(now) for watch in self.watches],
            "count": len(self.watches),
            "calls": self.calls,
        }
        if bad:
            counted = f"{len(bad)} of {len(self.watches)} stacks: " if len(self.watches) > 1 else ""
            raise CargoholdError(counted + " ".join(watch.reason for watch in bad), **result)
        return result


@contextmanager
def _failing(watch: Watch) -> Iterator[None]:
    """Let what will not pass end the following of one stack only, and what may pass go through."""
    try:
        yield
    except Transient:
        raise
    except CargoholdError as problem:
        watch.fail(problem)
