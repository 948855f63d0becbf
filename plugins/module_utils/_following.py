# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""Following stacks to their true end, reading sparingly.

A look at one stack is one call: for its new events while it moves, because they tell of its resources and of its own
status, and for its status otherwise. What the events tell counts as settled only when DescribeStacks says so too. A look
at many stacks is one listing, and events are read of those that changed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

from ansible_collections.cargohold.ecr.plugins.module_utils import _stacks
from ansible_collections.cargohold.ecr.plugins.module_utils._diagnosis import nested_stacks
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import (
    Absent,
    AwsError,
    CargoholdError,
    Denied,
    Transient,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._job import Job, JobReport
from ansible_collections.cargohold.ecr.plugins.module_utils._polling import SHORTEST_INTERVAL, Time, interval, poll
from ansible_collections.cargohold.ecr.plugins.module_utils._records import Event, Stack
from ansible_collections.cargohold.ecr.plugins.module_utils._status import Operation
from ansible_collections.cargohold.ecr.plugins.module_utils._watch import Outcome, Target, Watch

T = TypeVar("T")

# Reading calls a second, per account and region: the ceiling that users of DescribeStacks meet.
READS_PER_SECOND = 5

# Of so many looks at a moving stack, one asks for its status itself, should its events ever lack one.
LOOKS_PER_STATUS = 4

# Seconds before the first look at a stack that a job is about to change: the job needs them to start.
JOB_START = 0.75

# Pages that a listing of all stacks is taken to have before the first one was read.
LISTING_PAGES_AT_FIRST = 4

# Attempts to read the events of a failure before the verdict is given without its cause.
EVENT_ATTEMPTS = 3


class Reads:
    """Makes reading calls, at most so many a second, and counts them."""

    def __init__(self, time: Time) -> None:
        self.calls = 0
        self._time = time
        self._made_at: deque[float] = deque(maxlen=READS_PER_SECOND)

    def __call__(self, read: Callable[[], T]) -> T:
        """Make a call as soon as that may be."""
        if len(self._made_at) == READS_PER_SECOND:
            wait = self._made_at[0] + 1.0 - self._time.clock()
            if wait > 0:
                self._time.sleep(wait)
        self.calls += 1
        try:
            return read()
        finally:
            # The service counts a call when it arrives, which is not after its answer.
            self._made_at.append(self._time.clock())


class Reporter:
    """Told of progress while it happens. This one keeps it to itself; those that print it derive from it."""

    def status(self, watch: Watch) -> None:
        """A stack came to another status."""

    def events(self, watch: Watch, events: Sequence[Event]) -> None:
        """New events of a stack's operation, oldest first."""

    def looked(self, watches: Sequence[Watch]) -> None:
        """All stacks were looked at."""

    def counted(self, settled: int, total: int) -> None:
        """So many of all the stacks are settled."""

    def trouble(self, trouble: Transient) -> None:
        """A look failed, and will be tried again."""

    def remark(self, sentence: str) -> None:
        """Something that a person should know."""

    def ended(self, watches: Sequence[Watch]) -> None:
        """Following is over."""


class Follower:
    """Reads a number of stacks until each is settled.

    :param cloudformation: a boto3 client that does not retry by itself: the loop does.
    :param job: the background job that starts the operation, where there is one; goes with one target.
    :param reads: makes the reading calls; C(None) where nobody else reads.
    :param only_causes: whether to read a stack's events only where it failed, as is enough for one of many.
    """

    def __init__(
        self,
        cloudformation: Any,
        targets: Sequence[Target],
        *,
        time: Time,
        reporter: Reporter,
        job: Job | None = None,
        reads: Reads | None = None,
        only_causes: bool = False,
    ) -> None:
        self.watches = [Watch(target) for target in targets]
        self._cloudformation = cloudformation
        self._time = time
        self._reporter = reporter
        self._job = job
        self._looks = 0
        self._reading = reads or Reads(time)
        self._only_causes = only_causes
        self._listing_pages: int | None = None
        self._may_list = True

    @property
    def calls(self) -> int:
        """How many reading calls were made."""
        return self._reading.calls

    def add(self, target: Target) -> Watch:
        """Follow one more stack from now on."""
        watch = Watch(target)
        self.watches.append(watch)
        return watch

    def look_once(self) -> None:
        """Look at every stack once, and give what is still moving the outcome C(moving).

        :raises Transient: when the stacks cannot be read now.
        """
        self.look()
        for watch in self.watches:
            watch.conclude(self._time.clock())
            if not watch.is_over:
                watch.outcome = Outcome.MOVING

    def follow(self, timeout: float) -> None:
        """Look until every stack is settled, at most C(timeout) seconds long; afterwards each watch has an outcome."""
        ending = poll(
            self.look,
            lambda _seen: all(watch.is_over for watch in self.watches),
            timeout=timeout,
            time=self._time,
            first_after=JOB_START if self._job else 0.0,
            next_interval=lambda _seen, _elapsed: self.interval(),
            on_trouble=self._reporter.trouble,
        )
        for watch in self.watches:
            watch.give_up(ending)
        self._reporter.ended(self.watches)

    def result(self) -> dict[str, Any]:
        """What was seen and judged, as the task's result.

        :raises CargoholdError: with the same result, when an operation did not end as it should, or that is not known.
        """
        bad = [watch for watch in self.watches if watch.outcome not in Outcome.GOOD]
        result = self.known()
        if bad:
            counted = f"{len(bad)} of {len(self.watches)} stacks: " if len(self.watches) > 1 else ""
            raise CargoholdError(counted + " ".join(watch.reason for watch in bad), **result)
        return result

    def known(self) -> dict[str, Any]:
        """What is known so far, as the task's result."""
        now = self._time.clock()
        return {
            "changed": any(watch.target.operation is not None and watch.begun for watch in self.watches),
            "stacks": [watch.as_result(now) for watch in self.watches],
            "count": len(self.watches),
            "calls": self.calls,
        }

    def interval(self) -> float:
        """Seconds from one look to the next, while something is pending."""
        now = self._time.clock()
        pending = [watch for watch in self.watches if not watch.is_over]
        return min(interval(now - watch.begun_at) if watch.begun else SHORTEST_INTERVAL for watch in pending)

    def look(self) -> None:
        """Look at every stack that is not settled.

        :raises Transient: when that cannot be done now.
        """
        pending: Sequence[Watch] = [watch for watch in self.watches if not watch.is_over]
        # The job first: if it is over and the stack, read later, shows nothing, then nothing was started.
        job = self._job.read() if self._job else None
        self._looks += 1
        if self._listing_is_cheaper(pending):
            pending = self._look_at_listing(pending)
        for watch in pending:
            with _failing(watch):
                self._look_at(watch, job)
        self._reporter.looked(self.watches)
        if not self._only_causes:
            self._reporter.counted(sum(watch.is_over for watch in self.watches), len(self.watches))

    def _look_at(self, watch: Watch, job: JobReport | None) -> None:
        """Look at one stack by itself."""
        may_tell = watch.tells_by_events and not self._only_causes
        by_events = may_tell and self._looks % LOOKS_PER_STATUS != 0 and self._read_events(watch)
        if by_events and watch.tells_by_events:
            return
        stack = self._reading(partial(_stacks.describe, self._cloudformation, watch.key))
        self._show(watch, stack, job, events_are_fresh=by_events)

    def _show(
        self, watch: Watch, stack: Stack | None, job: JobReport | None = None, *, events_are_fresh: bool = False
    ) -> None:
        """Let a watch see its stack, what the job said, and the events if they matter now; it concludes if it can."""
        changed = watch.see(stack, self._time.clock())
        if job:
            watch.hear(job)
        if stack and not watch.begun and watch.asks_events and self._has_new_operation(watch, stack):
            watch.begin(self._time.clock())
        if watch.is_over or stack is None or not watch.begun:
            return
        if stack.status.is_moving:
            self._reporter.status(watch)
            if changed and self._is_listing and not self._only_causes:
                self._read_events(watch)
            return
        if stack.status.is_failure or (watch.target.operation is not None and not self._only_causes):
            if not events_are_fresh:
                self._read_events(watch)
            if stack.status.is_failure:
                self._read_causes(watch, stack)
        if watch.lacks_its_cause and watch.event_attempts < EVENT_ATTEMPTS:
            return
        self._reporter.status(watch)
        watch.conclude(self._time.clock())

    def _has_new_operation(self, watch: Watch, stack: Stack) -> bool:
        """Whether an operation on the stack began since it was looked at before."""
        before = watch.target.before
        with suppress(Denied):
            pages = _stacks.event_pages(self._cloudformation, stack)
            new = self._newest(pages, lambda event: before is not None and event.event_id == before.last_event_id)
            return any(event.begins_operation for event in new)
        return False

    def _read_events(self, watch: Watch) -> bool:
        """Read a stack's new events; whether that worked."""
        stack = watch.stack
        if stack is None or not watch.events_readable:
            return False
        try:
            events = self._operation_events(stack, watch)
        except Denied as problem:
            watch.events_readable = False
            self._reporter.remark(f"{problem.message} So the reasons of failures will not be known.")
            return False
        except Absent:
            # The service forgot the stack; asking for its status will tell.
            watch.events_readable = False
            return False
        except Transient as problem:
            watch.event_attempts += 1
            # Asking for the status instead may work, unless fewer requests are what is asked for.
            if problem.throttled or (watch.lacks_its_cause and watch.event_attempts < EVENT_ATTEMPTS):
                raise
            return False
        if watch.lacks_its_cause:
            watch.event_attempts += 1
        new = watch.take_events(events)
        if new:
            self._reporter.events(watch, new)
        return True

    def _read_causes(self, watch: Watch, stack: Stack) -> None:
        """Read what tells more of a failure than the stack's own events do.

        These are second sources, so whatever keeps them from answering is no reason to go without them.
        """
        if not watch.events:
            return
        with suppress(AwsError):
            nested = watch.take_events(self._nested_events(watch.events))
            if nested:
                self._reporter.events(watch, nested)
        with suppress(AwsError):
            pages = _stacks.failed_event_pages(self._cloudformation, stack)
            watch.failed_events = self._newest(pages, lambda event: event.time < watch.events[0].time)

    def _operation_events(self, stack: Stack, watch: Watch | None = None) -> list[Event]:
        """The events of the stack's newest operation that the watch does not know yet, oldest first."""
        known = {event.event_id for event in watch.events} if watch else set()
        began = False

        def is_older(event: Event) -> bool:
            nonlocal began
            over = began or event.event_id in known
            began = event.begins_operation
            return over

        return self._newest(_stacks.event_pages(self._cloudformation, stack), is_older)

    def _newest(self, pages: Iterator[_stacks.Page[Event]], is_older: Callable[[Event], bool]) -> list[Event]:
        """The events before the first that is too old, oldest first; no page is read after that."""
        newest_first: list[Event] = []
        more = True
        while more:
            events, more = self._reading(partial(next, pages))
            for event in events:
                if is_older(event):
                    return newest_first[::-1]
                newest_first.append(event)
        return newest_first[::-1]

    def _nested_events(self, events: Sequence[Event]) -> list[Event]:
        """The events of the nested stacks that failed, however deep: they hold the cause."""
        found: list[Event] = []
        waiting = nested_stacks(events)
        while waiting:
            nested = self._reading(partial(_stacks.describe, self._cloudformation, waiting.pop(0)))
            inner = self._operation_events(nested) if nested else []
            found += inner
            waiting += nested_stacks(inner)
        return found

    @property
    def _is_listing(self) -> bool:
        return self._listing_pages is not None and self._may_list

    def _listing_is_cheaper(self, pending: Sequence[Watch]) -> bool:
        """One listing tells of a hundred stacks, but also of all the others in the account."""
        return self._may_list and (self._listing_pages or LISTING_PAGES_AT_FIRST) < len(pending)

    def _look_at_listing(self, pending: Sequence[Watch]) -> Sequence[Watch]:
        """Show the watches what a listing of all stacks tells of them; returns those of whom it tells nothing."""
        listed: dict[str, Stack] = {}
        pages = _stacks.list_pages(self._cloudformation, {watch.key for watch in pending})
        count, more = 0, True
        try:
            while more:
                stacks, more = self._reading(partial(next, pages))
                count += 1
                listed |= {key: stack for stack in stacks for key in (stack.stack_id, stack.name)}
        except Transient:
            raise
        except CargoholdError:
            # Policies often allow to read stacks by name only. From now on each is asked for by itself.
            self._may_list = False
            return pending
        self._listing_pages = count
        for watch in pending:
            if watch.key in listed:
                with _failing(watch):
                    self._show(watch, listed[watch.key])
        return self._look_at_deleted([watch for watch in pending if watch.key not in listed])

    def _look_at_deleted(self, missing: Sequence[Watch]) -> Sequence[Watch]:
        """Show the watches of deletions what a listing of the deleted stacks tells of them; returns the others.

        No more pages are read than there are stacks to ask for one by one.
        """
        awaited = {watch.key: watch for watch in missing if watch.target.operation is Operation.DELETE}
        if not self._may_list or len(awaited) <= LISTING_PAGES_AT_FIRST:
            return missing
        pages = _stacks.deleted_pages(self._cloudformation, set(awaited))
        more = True
        found: set[str] = set()
        try:
            for _page in range(len(awaited)):
                if not more or len(found) == len(awaited):
                    break
                stacks, more = self._reading(partial(next, pages))
                for stack in stacks:
                    found.add(stack.stack_id)
                    with _failing(awaited[stack.stack_id]):
                        self._show(awaited[stack.stack_id], stack)
        except Transient:
            raise
        except CargoholdError:
            # Whoever may not list the deleted ones may still ask for each.
            return missing
        return [watch for watch in missing if not watch.is_over]


@contextmanager
def _failing(watch: Watch) -> Iterator[None]:
    """Let what will not pass end the following of one stack only, and what may pass go through."""
    try:
        yield
    except Transient:
        raise
    except CargoholdError as problem:
        watch.fail(problem)
