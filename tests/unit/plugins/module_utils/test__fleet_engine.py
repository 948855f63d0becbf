# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many stacks come to their ends side by side, each by its own steps, no faster than the service takes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError, Refused, Transient
from ansible_collections.cargohold.ecr.plugins.module_utils._fleet_engine import (
    Ask,
    Engine,
    Follow,
    Member,
    Pace,
    Steps,
    Threads,
    Verdicts,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._following import Follower, Reporter
from ansible_collections.cargohold.ecr.plugins.module_utils._polling import Time
from ansible_collections.cargohold.ecr.plugins.module_utils._status import Operation
from ansible_collections.cargohold.ecr.plugins.module_utils._watch import Target
from ansible_collections.cargohold.ecr.tests.unit.support.fake_client import (
    THROTTLED,
    FakeClient,
    stack,
    stack_id,
    stacks,
    timeline,
)
from ansible_collections.cargohold.ecr.tests.unit.support.fake_time import FakeTime

THROTTLE = Transient("Too fast.", throttled=True)


class Inline(Threads):
    """Makes each call at once, so that only sleeping takes time."""

    def __init__(self) -> None:
        self._answers: list[tuple[str, Callable[[], Any]]] = []

    @property
    def is_full(self) -> bool:
        """There is always room."""
        return False

    def start(self, name: str, do: Callable[[], Any]) -> None:
        """Make the call."""
        try:
            given = do()
        except CargoholdError as problem:
            raised = problem

            def fail() -> None:
                raise raised

            self._answers.append((name, fail))
        else:
            self._answers.append((name, lambda: given))

    def finished(self, seconds: float, time: Time) -> list[tuple[str, Callable[[], Any]]]:
        """What was asked; where nothing was, time passes."""
        if not self._answers:
            time.sleep(seconds)
        answers, self._answers = self._answers, []
        return answers

    def close(self) -> None:
        """There is nothing to close."""


class Stage:
    """Members, and what they did when."""

    def __init__(self) -> None:
        self.time = FakeTime()
        self.members: list[Member[str]] = []
        self.log: list[tuple[str, float]] = []

    def add(self, name: str, steps: Steps[str], *, after: tuple[str, ...] = (), timeout: float = 60.0) -> None:
        """A member more."""
        self.members.append(Member(name, steps, after, timeout))

    def call(self, name: str, *failures: Exception, answer: str = "done") -> Callable[[], str]:
        """A call that fails so often first."""
        left = list(failures)

        def do() -> str:
            self.log.append((name, self.time.elapsed))
            if left:
                raise left.pop(0)
            return answer

        return do

    def run(self, client: FakeClient | None = None, reporter: Reporter | None = None, **options: Any) -> dict[str, Any]:
        """Run them all; what each came to."""
        reporter = reporter or Reporter()
        follower = Follower(client, [], time=self.time.time, reporter=reporter, only_causes=True)
        verdicts: Verdicts[str] = Verdicts(
            is_good=lambda result: result == "done",
            failed=lambda _name, problem: f"failed: {problem.message}",
            not_begun=lambda _name, reason: reason,
        )
        engine = Engine(self.members, verdicts, follower, self.time.time, reporter, Inline(), **options)
        engine.run()
        return {member.name: member.result for member in self.members}


@pytest.fixture
def stage() -> Stage:
    """Nobody on it."""
    return Stage()


def asks(*calls: Callable[[], str], writes: bool = True) -> Steps[str]:
    """Steps that make the calls one by one, and come to what the last one answers."""
    answer = ""
    for call in calls:
        answer = yield Ask(call, writes=writes)
    return answer


def refuses() -> Steps[str]:
    """Steps that come to nothing."""
    yield Ask(lambda: None)
    raise Refused("No.")


def test_each_by_its_own(stage: Stage) -> None:
    """What one comes to is no matter of the others."""
    stage.add("one", asks(stage.call("one"), stage.call("one")))
    stage.add("two", refuses())
    stage.add("three", asks(stage.call("three")))
    assert stage.run() == {"one": "done", "two": "failed: No.", "three": "done"}


def test_nothing_to_do(stage: Stage) -> None:
    """Who needs no call is done at once."""
    stage.add("one", asks())
    assert stage.run() == {"one": ""}
    assert stage.time.slept == []


def test_tried_again(stage: Stage) -> None:
    """What fails for a reason that may pass is tried again, more and more slowly."""
    stage.add("one", asks(stage.call("one", THROTTLE, THROTTLE)))
    assert stage.run() == {"one": "done"}
    first, second, third = (at for _name, at in stage.log)
    assert second - first == pytest.approx(2.0)
    assert third - second == pytest.approx(4.0)


def test_tried_until_the_time_is_over(stage: Stage) -> None:
    """Who is throttled for ever is told so when its time is over."""
    stage.add("one", asks(stage.call("one", *[THROTTLE] * 50)), timeout=30)
    assert stage.run() == {"one": "failed: Too fast."}
    assert stage.time.elapsed <= 30


def test_after_others(stage: Stage) -> None:
    """Who waits for another begins when that is done, and not at all where that failed."""
    stage.add("last", asks(stage.call("last")), after=("first",))
    stage.add("never", asks(stage.call("never")), after=("bad",))
    stage.add("nor this", asks(stage.call("nor this")), after=("never",))
    stage.add("first", asks(stage.call("first")))
    stage.add("bad", refuses())
    result = stage.run()
    assert [name for name, _at in stage.log] == ["first", "last"]
    assert result["never"] == "It was not begun, because it waited for bad."
    assert result["nor this"] == "It was not begun, because it waited for never."


def test_so_many_at_once(stage: Stage) -> None:
    """Not more than so many are under way."""
    for name in "abcd":
        stage.add(name, asks(stage.call(name), stage.call(name)))
    stage.run(concurrency=2)
    assert [name for name, _at in stage.log] == ["a", "b", "a", "b", "c", "d", "c", "d"]


def test_so_many_failures(stage: Stage) -> None:
    """After so many failures nobody else begins."""
    for name in "abcd":
        stage.add(name, refuses())
    result = stage.run(concurrency=1, max_failures=2)
    assert (
        list(result.values())
        == ["failed: No."] * 2 + ["It was not begun, because 2 failed before (max_failures: 2)."] * 2
    )


def test_a_ceiling(stage: Stage) -> None:
    """Changes are asked for at most so often a second; reading is another matter."""
    for number in range(6):
        stage.add(str(number), asks(stage.call("write")))
    stage.add("reads", asks(*[stage.call("read")] * 6, writes=False))
    stage.run(pace=Pace(2.0))
    assert [at for name, at in stage.log if name == "write"] == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5])
    assert all(at == 0 for name, at in stage.log if name == "read")


def test_slower_when_throttled() -> None:
    """Throttling halves the pace, and what is served then makes it faster again."""
    pace = Pace()
    for _call in range(8):
        pace.made(100.0)
    assert pace.next_at == 100.0
    pace.throttled(100.5)
    # Calls that were under way together are one occasion.
    pace.throttled(100.6)
    assert pace.next_at == pytest.approx(100.75)
    for _call in range(4):
        pace.succeeded()
    pace.made(101.0)
    assert pace.next_at < 101.25


def test_followed_to_its_end(stage: Stage) -> None:
    """An operation is followed, and its watch goes on to the steps."""
    client = FakeClient(
        stage.time,
        describe_stacks=timeline(
            stage.time, (0.0, stacks(stack("CREATE_IN_PROGRESS"))), (3.0, stacks(stack("CREATE_COMPLETE")))
        ),
    )

    def steps() -> Steps[str]:
        watch = yield Follow(Target(stack_id(), Operation.CREATE))
        return "done" if watch.outcome == "succeeded" else str(watch.reason)

    stage.add("one", steps())
    assert stage.run(client) == {"one": "done"}
    assert 3.0 <= stage.time.elapsed <= 3.6


def test_followed_until_the_time_is_over(stage: Stage) -> None:
    """Whoever is not done in time is told what it was last seen as."""
    client = FakeClient(stage.time, describe_stacks=[THROTTLED, stacks(stack("CREATE_IN_PROGRESS"))])

    def steps() -> Steps[str]:
        watch = yield Follow(Target(stack_id(), Operation.CREATE))
        return str(watch.outcome)

    stage.add("one", steps(), timeout=5)
    assert stage.run(client) == {"one": "timed_out"}
    assert 5.0 <= stage.time.elapsed <= 6.0


def test_counts(stage: Stage) -> None:
    """Progress counts the settled ones of all."""
    told: list[tuple[int, int]] = []

    class Counter(Reporter):
        def counted(self, settled: int, total: int) -> None:
            told.append((settled, total))

    for name in "abc":
        stage.add(name, asks(stage.call(name)))
    stage.run(reporter=Counter(), concurrency=1)
    assert told == [(1, 3), (2, 3), (3, 3)]
