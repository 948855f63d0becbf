# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""Many stacks at once, each by steps of its own: the loop that makes their calls and follows their operations.

What is done about a stack is a generator (L(Steps)): it yields what it needs next, a call or the end of an operation,
and is resumed with that. So it reads as for one stack, and knows nothing of the others, of retrying and of waiting. The
loop knows nothing of what the calls are about. Only the calls are made in threads; all else happens in one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar, Union

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError, Transient
from ansible_collections.cargohold.ecr.plugins.module_utils._following import Follower, Reporter
from ansible_collections.cargohold.ecr.plugins.module_utils._polling import SHORTEST_INTERVAL, Ending, Time, pause
from ansible_collections.cargohold.ecr.plugins.module_utils._watch import Target, Watch

T = TypeVar("T")

# Calls that are under way at once: as many as botocore keeps connections for.
THREADS = 10

# Calls a second below which throttling does not slow down, and by how many a second it gets faster again.
SLOWEST_RATE = 1.0
RECOVERY = 1.0

# What a look at the followed stacks is called, among the calls that have the names of stacks.
LOOK = ""

# Seconds that the loop sleeps at most, so that it learns of answers.
LONGEST_NAP = 1.0


@dataclass(frozen=True)
class Ask:
    """Make a call. What fails for a reason that may pass is tried again until the time of the stack is over.

    :param do: makes it, in a thread; it must be safe to repeat.
    :param writes: whether it asks for a change.
    :param after: seconds to wait before.
    """

    do: Callable[[], Any]
    writes: bool = False
    after: float = 0.0


@dataclass(frozen=True)
class Follow:
    """Follow an operation to its end, which is the watch that is given back."""

    target: Target


# The steps of one stack, which end in whatever they came to.
Steps = Generator[Union[Ask, Follow], Any, T]


class Pace:
    """How fast calls are made: as fast as the service takes them, half as fast whenever it throttles, and slowly faster again.

    :param ceiling: calls a second that are never exceeded; C(None) for none.
    """

    def __init__(self, ceiling: float | None = None) -> None:
        self._ceiling = self._rate = ceiling or float("inf")
        self._made: list[float] = []
        self._next = float("-inf")
        self._slowed = float("-inf")

    @property
    def next_at(self) -> float:
        """When the next call may be made, by the loop's clock."""
        return self._next

    def made(self, now: float) -> None:
        """A call is being made."""
        self._made = [*(at for at in self._made if now - at < 1.0), now]
        self._next = max(now, self._next) + 1.0 / self._rate

    def throttled(self, now: float) -> None:
        """The service asks for fewer calls. The calls that were under way together tell of one occasion."""
        if now - self._slowed < 1.0:
            return
        self._slowed = now
        self._rate = max(SLOWEST_RATE, min(self._rate, float(len(self._made) or 1)) / 2)
        self._next = now + 1.0 / self._rate

    def succeeded(self) -> None:
        """A call was served."""
        if self._rate < self._ceiling:
            self._rate = min(self._ceiling, self._rate + RECOVERY / self._rate)


class Threads:
    """Makes calls beside the loop, and a look at the followed stacks beside them."""

    def __init__(self, count: int = THREADS) -> None:
        self._pool = ThreadPoolExecutor(count + 1, thread_name_prefix="cargohold")
        self._running: dict[Future[Any], str] = {}
        self._count = count

    @property
    def is_full(self) -> bool:
        """Whether every thread has something to do."""
        return len(self._running) - (LOOK in self._running.values()) >= self._count

    def start(self, name: str, do: Callable[[], Any]) -> None:
        """Make a call for the stack of that name."""
        self._running[self._pool.submit(do)] = name

    def finished(self, seconds: float, time: Time) -> list[tuple[str, Callable[[], Any]]]:
        """Wait until a call is finished, at most so long; each as a name and what gives its answer or raises its error."""
        if not self._running:
            time.sleep(seconds)
            return []
        done = wait(self._running, timeout=seconds, return_when=FIRST_COMPLETED).done
        return [(self._running.pop(future), future.result) for future in done]

    def close(self) -> None:
        """Begin no other call; those that are under way end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)


@dataclass
class Member(Generic[T]):
    """One of the stacks.

    :param steps: what is done about it.
    :param after: the names of those that must have come to a good end before.
    :param timeout: seconds from its beginning to its end.
    """

    name: str
    steps: Steps[T]
    after: Sequence[str]
    timeout: float
    # Seconds on the loop's clock.
    began: float | None = None
    ended: float = 0.0
    due: float = 0.0
    ask: Ask | None = None
    attempts: int = 0
    watch: Watch | None = None
    result: T | None = None

    @property
    def elapsed(self) -> float:
        """Seconds that it took."""
        return self.ended - self.began if self.began is not None else 0.0


@dataclass(frozen=True)
class Verdicts(Generic[T]):
    """How what the steps come to is told to the loop, and the other way round.

    :param is_good: whether a result lets those begin that depend on it.
    :param failed: the result of a stack whose steps raised.
    :param not_begun: the result of a stack that was not begun, for a reason.
    """

    is_good: Callable[[T], bool]
    failed: Callable[[str, CargoholdError], T]
    not_begun: Callable[[str, str], T]


@dataclass
class Engine(Generic[T]):
    """Takes all members to their ends.

    :param concurrency: so many are begun and not ended at once; 0 for all.
    :param max_failures: after so many failures no other is begun; 0 for no such limit.
    """

    members: Sequence[Member[T]]
    verdicts: Verdicts[T]
    follower: Follower
    time: Time
    reporter: Reporter
    calls: Threads
    pace: Pace = field(default_factory=Pace)
    reading: Pace = field(default_factory=Pace)
    concurrency: int = 0
    max_failures: int = 0
    asked: int = 0

    def __post_init__(self) -> None:
        self._by_name = {member.name: member for member in self.members}
        self._waiting = list(self.members)
        self._bad: set[str] = set()
        self._open = self._not_begun = 0
        self._looking = False
        self._look_at = self._look_began = self.time.clock()
        self._failed_looks = 0
        self._trouble: Transient | None = None
        self._counted = 0

    def run(self) -> None:
        """Work until every member has a result."""
        try:
            while True:
                self._begin()
                self._count()
                if self._open == 0 and all(member.result is not None for member in self.members):
                    break
                self._make_calls()
                self._start_look()
                for name, answer in self.calls.finished(self._nap(), self.time):
                    if name == LOOK:
                        self._take_look(answer)
                    else:
                        self._take(self._by_name[name], answer)
        finally:
            self.calls.close()

    def _begin(self) -> None:
        """Begin what may begin; whatever cannot, because of others, comes to its end."""
        waiting = [member for member in self._waiting if member.result is None]
        again = True
        while again:
            again = False
            for member in waiting:
                reason = self._obstacle(member)
                if reason:
                    self._settle(member, self.verdicts.not_begun(member.name, reason))
                    again = True
                elif self._may_begin(member):
                    member.began = self.time.clock()
                    self._open += 1
                    self._resume(member, next)
                    again = again or member.result is not None
            waiting = [member for member in waiting if member.began is None and member.result is None]
        self._waiting = waiting

    def _may_begin(self, member: Member[T]) -> bool:
        if self.concurrency and self._open >= self.concurrency:
            return False
        return all(self._by_name[name].result is not None for name in member.after)

    def _obstacle(self, member: Member[T]) -> str | None:
        """Why the member will never be begun."""
        bad = [name for name in member.after if name in self._bad]
        if bad:
            return f"It was not begun, because it waited for {', '.join(bad)}."
        failures = len(self._bad) - self._not_begun
        if self.max_failures and failures >= self.max_failures:
            return f"It was not begun, because {failures} failed before (max_failures: {self.max_failures})."
        return None

    def _settle(self, member: Member[T], result: T) -> None:
        """Take note of what a member came to."""
        member.result, member.ended = result, self.time.clock()
        if not self.verdicts.is_good(result):
            self._bad.add(member.name)
        if member.began is None:
            self._not_begun += 1
        else:
            self._open -= 1

    def _make_calls(self) -> None:
        """Make the calls that are due, as far as the pace lets them."""
        now = self.time.clock()
        for member in self.members:
            if member.ask is None or member.due > now:
                continue
            pace = self._pace_of(member.ask)
            if self.calls.is_full:
                return
            if pace.next_at > now:
                continue
            pace.made(now)
            self.asked += 1
            member.due = float("inf")
            self.calls.start(member.name, member.ask.do)

    def _pace_of(self, ask: Ask) -> Pace:
        return self.pace if ask.writes else self.reading

    def _take(self, member: Member[T], answer: Callable[[], Any]) -> None:
        """Take in how a call of a member ended."""
        now = self.time.clock()
        ask = member.ask
        if ask is None:
            return
        try:
            given = answer()
        except Transient as problem:
            if problem.throttled:
                self._pace_of(ask).throttled(now)
            self.reporter.trouble(problem)
            member.attempts += 1
            member.due = now + pause(member.attempts, problem.throttled, self.time.jitter())
            if member.due > self._deadline(member):
                member.ask = None
                self._resume(member, partial(_throw, problem=problem))
            return
        except CargoholdError as problem:
            member.ask = None
            self._resume(member, partial(_throw, problem=problem))
            return
        self._pace_of(ask).succeeded()
        member.ask = None
        self._resume(member, partial(_send, value=given))

    def _start_look(self) -> None:
        """Look at the stacks that are followed, when it is time to.

        A look may have to wait, not to read too much, and the calls of others shall not wait for that.
        """
        if self._followed and not self._looking and self.time.clock() >= self._look_at:
            self._looking = True
            self._look_began = self.time.clock()
            self.calls.start(LOOK, self.follower.look)

    def _take_look(self, answer: Callable[[], Any]) -> None:
        """Take in what was seen, and resume those whose operations came to an end."""
        self._looking = False
        try:
            answer()
        except Transient as problem:
            self._trouble = problem
            self._failed_looks += 1
            self.reporter.trouble(problem)
            self._look_at = self.time.clock() + pause(self._failed_looks, problem.throttled, self.time.jitter())
        else:
            self._trouble, self._failed_looks = None, 0
        now = self.time.clock()
        followed = self._followed
        for member, watch in followed:
            if now >= self._deadline(member):
                watch.give_up(Ending(None, False, 0, now, member.timeout, self._trouble))
        over = [(member, watch) for member, watch in followed if watch.is_over]
        if len(over) < len(followed) and self._trouble is None:
            self._look_at = self._look_began + self.follower.interval()
        for member, watch in over:
            member.watch = None
            self._resume(member, partial(_send, value=watch))

    @property
    def _followed(self) -> list[tuple[Member[T], Watch]]:
        return [(member, member.watch) for member in self.members if member.watch]

    def _resume(self, member: Member[T], resume: Callable[[Steps[T]], Ask | Follow]) -> None:
        """Let a member's steps go on, and take in what they need next, or came to."""
        now = self.time.clock()
        try:
            wanted = resume(member.steps)
        except StopIteration as end:
            self._settle(member, end.value)
        except CargoholdError as problem:
            self._settle(member, self.verdicts.failed(member.name, problem))
        else:
            member.attempts = 0
            if isinstance(wanted, Ask):
                member.ask, member.due = wanted, now + wanted.after
            else:
                member.watch = self.follower.add(wanted.target)
                if self._failed_looks == 0:
                    self._look_at = min(self._look_at, now + SHORTEST_INTERVAL)

    def _deadline(self, member: Member[T]) -> float:
        return (member.began or 0.0) + member.timeout

    def _nap(self) -> float:
        """Seconds until there is something to do, as far as that is known."""
        now = self.time.clock()
        asking = [] if self.calls.is_full else [(each.due, each.ask) for each in self.members if each.ask]
        moments = [max(due, self._pace_of(ask).next_at) for due, ask in asking]
        if not self._looking and self._followed:
            moments.append(self._look_at)
        return max(0.0, min([LONGEST_NAP, *(moment - now for moment in moments)]))

    def _count(self) -> None:
        settled = sum(member.result is not None for member in self.members)
        if settled != self._counted:
            self._counted = settled
            self.reporter.counted(settled, len(self.members))


def _send(steps: Steps[Any], value: Any) -> Ask | Follow:
    return steps.send(value)


def _throw(steps: Steps[Any], problem: CargoholdError) -> Ask | Follow:
    return steps.throw(problem)
