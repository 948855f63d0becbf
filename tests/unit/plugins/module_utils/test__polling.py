# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The loop sees soon what settles, looks seldom, slows down when it fails, and keeps to its time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CredentialsRejected, Transient
from ansible_collections.cargohold.ecr.plugins.module_utils._polling import Ending, interval, pause, poll
from ansible_collections.cargohold.ecr.tests.unit.support.fake_time import FakeTime

FAILED = Transient("the service failed")
THROTTLED = Transient("AWS asks for fewer requests", throttled=True)


def follow(fake_time: FakeTime, settles_at: float, timeout: float = 10_000.0) -> Ending[bool]:
    """Poll something that settles after so many seconds."""
    return poll(lambda: fake_time.elapsed >= settles_at, bool, timeout=timeout, time=fake_time.time)


def failing(*problems: Exception | None) -> Callable[[], bool]:
    """A look that fails with each of these in turn, and sees something that is not settled at C(None)."""
    script: Iterator[Exception | None] = iter(problems)

    def look() -> bool:
        problem = next(script)
        if problem:
            raise problem
        return False

    return look


@given(st.floats(0.1, 300.0))
def test_seen_soon(settles_at: float) -> None:
    """What takes T seconds is seen to settle within max(0.5 s, T/10), and within 5 s."""
    ending = follow(FakeTime(), settles_at)
    assert ending.settled
    assert ending.elapsed - settles_at <= min(5.0, max(0.5, settles_at / 10)) + 1e-9


@pytest.mark.parametrize(("settles_at", "looks"), [(8.0, 20), (60.0, 40), (300.0, 90)])
def test_few_looks(settles_at: float, looks: int) -> None:
    """What takes long is not looked at often."""
    assert follow(FakeTime(), settles_at).looks <= looks


@pytest.mark.parametrize(
    ("elapsed", "seconds"),
    [(0.0, 0.5), (5.0, 0.5), (20.0, 2.0), (60.0, 5.0), (86_400.0, 5.0)],
)
def test_interval(elapsed: float, seconds: float) -> None:
    """The interval is a tenth of what has passed, within bounds."""
    assert interval(elapsed) == seconds


@pytest.mark.parametrize(
    ("throttled", "pauses"),
    [
        pytest.param(True, [2.0, 4.0, 8.0, 16.0, 32.0, 32.0], id="throttled"),
        pytest.param(False, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 32.0], id="failed"),
    ],
)
def test_pauses(throttled: bool, pauses: list[float]) -> None:
    """Pauses double up to half a minute, and begin longer where the service asks for fewer requests."""
    assert [pause(failed + 1, throttled, 1.0) for failed in range(len(pauses))] == pauses


def test_pause_of_a_long_outage() -> None:
    """A day of failures overflows nothing."""
    assert pause(100_000, False, 1.0) == 32.0


@given(st.integers(1, 50), st.booleans(), st.floats(0.0, 1.0))
def test_jitter(failed: int, throttled: bool, jitter: float) -> None:
    """Jitter takes away at most half of a pause, and never adds to it."""
    full = pause(failed, throttled, 1.0)
    assert full / 2 <= pause(failed, throttled, jitter) <= full


def test_backoff(fake_time: FakeTime) -> None:
    """Failures in a row are followed by longer and longer pauses; a good look begins anew."""
    script = (THROTTLED, THROTTLED, FAILED, None, FAILED)
    poll(failing(*script, *[None] * 99), bool, timeout=20.0, time=fake_time.time)
    assert fake_time.slept[:5] == [2.0, 4.0, 2.0, pytest.approx(0.8), 0.5]


def test_first_look_without_time(fake_time: FakeTime) -> None:
    """There is a look even when there is no time."""
    assert follow(fake_time, 0.0, timeout=0.0) == Ending(True, True, 1, fake_time.now, 0.0, None)


def test_last_look_at_the_deadline(fake_time: FakeTime) -> None:
    """What settles at the very end is seen, although the interval would have gone beyond."""
    assert follow(fake_time, 99.0, timeout=99.0).settled


def test_deadline_during_a_pause(fake_time: FakeTime) -> None:
    """A pause does not outlast the time, and there is a look at its end."""
    looks = iter([THROTTLED, THROTTLED, None])
    ending = poll(failing(*looks), lambda _seen: True, timeout=3.0, time=fake_time.time)
    assert (ending.settled, ending.elapsed) == (True, 3.0)


@given(timeout=st.floats(0.0, 500.0), faults=st.lists(st.sampled_from([None, FAILED, THROTTLED]), max_size=200))
def test_deadline_holds(timeout: float, faults: list[Transient | None]) -> None:
    """Whatever a look does, the loop ends at its time, and says what the last look said."""
    fake_time = FakeTime()
    script = [*faults, *[None] * 5_000]
    ending = poll(failing(*script), bool, timeout=timeout, time=fake_time.time)
    assert ending.elapsed == pytest.approx(timeout)
    assert ending.trouble is script[ending.looks - 1]


def test_slow_looks_count(fake_time: FakeTime) -> None:
    """The interval counts from the beginning of a look, so that a slow answer delays nothing."""

    def look() -> bool:
        fake_time.now += 0.25
        return False

    poll(look, bool, timeout=1.0, time=fake_time.time)
    assert fake_time.slept == [0.25, 0.25]


def test_value_outlives_trouble(fake_time: FakeTime) -> None:
    """What was seen last is kept when looking fails, together with why it failed."""
    ending = poll(failing(None, FAILED, FAILED), bool, timeout=1.0, time=fake_time.time)
    assert (ending.value, ending.trouble) == (False, FAILED)


def test_trouble_is_told(fake_time: FakeTime) -> None:
    """Each failed look is told of."""
    told: list[Transient] = []
    poll(failing(FAILED, THROTTLED, None), lambda _seen: True, timeout=9.0, time=fake_time.time, on_trouble=told.append)
    assert told == [FAILED, THROTTLED]


def test_what_will_not_pass_goes_through(fake_time: FakeTime) -> None:
    """What is no passing trouble ends the loop at once."""
    with pytest.raises(CredentialsRejected):
        poll(failing(CredentialsRejected("expired")), bool, timeout=9.0, time=fake_time.time)
