# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""The loop: look, settled?, time over?, wait. It knows neither AWS nor Ansible, and time is a parameter."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Transient

T = TypeVar("T")

# Seconds between two looks: at least the one, and a tenth of the time that the operation has taken so far, at most the
# other. What takes T seconds is so seen to end within max(0.5 s, T/10), at the latest 5 s after it, with 16 looks for 8 s
# and 38 for a minute.
SHORTEST_INTERVAL = 0.5
LONGEST_INTERVAL = 5.0
SHARE_OF_ELAPSED = 0.1

# Seconds to wait after looks that failed, doubling; the throttled ones are what users of AWS report as sound.
FIRST_PAUSE = 0.5
FIRST_PAUSE_THROTTLED = 2.0
LONGEST_PAUSE = 32.0


@dataclass(frozen=True)
class Time:
    """Where the time comes from, so that tests need not wait for it.

    :param clock: seconds that never go back, from an arbitrary beginning: C(time.monotonic).
    :param sleep: waits for so many seconds.
    :param jitter: a number from 0 to 1, another one each time, so that many pollers do not march in step.
    """

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    jitter: Callable[[], float] = random.random


@dataclass(frozen=True)
class Ending(Generic[T]):
    """How a loop ended.

    :param value: what the last good look saw; C(None) when no look was good.
    :param settled: whether that was settled; else the time is over.
    :param looks: how often it looked, the failed looks included.
    :param ended: the clock when it ended.
    :param elapsed: seconds that it took.
    :param trouble: why the last look failed; C(None) when it was good.
    """

    value: T | None
    settled: bool
    looks: int
    ended: float
    elapsed: float
    trouble: Transient | None


def interval(elapsed: float) -> float:
    """Seconds until the next look at something that began C(elapsed) seconds ago."""
    return min(LONGEST_INTERVAL, max(SHORTEST_INTERVAL, SHARE_OF_ELAPSED * elapsed))


def pause(failed_looks: int, throttled: bool, jitter: float) -> float:
    """Seconds to wait after so many failed looks in a row.

    :param jitter: from 0 to 1; the pause is between half of its full length and all of it.
    """
    first = FIRST_PAUSE_THROTTLED if throttled else FIRST_PAUSE
    # The exponent is bounded because a long outage would otherwise overflow a float.
    full = min(LONGEST_PAUSE, first * 2.0 ** min(failed_looks - 1, 16))
    return full / 2 + full / 2 * jitter


def poll(
    look: Callable[[], T],
    settled: Callable[[T], bool],
    *,
    timeout: float,
    time: Time,
    first_after: float = 0.0,
    next_interval: Callable[[T, float], float] = lambda _value, elapsed: interval(elapsed),
    on_trouble: Callable[[Transient], None] = lambda _trouble: None,
) -> Ending[T]:
    """Look until what is seen is settled, at most C(timeout) seconds long.

    There is always a first look, and one at the very end of the time, so that nothing that settled in time is missed.
    A look that raises L(Transient) is tried again, slower and slower; whatever else it raises goes through.

    :param first_after: seconds until the first look.
    :param next_interval: seconds until the next look, from what was seen and the seconds since the loop began. It
        counts from the beginning of one look to that of the next.
    :param on_trouble: told of each look that failed.
    """
    began = time.clock()
    deadline = began + timeout
    value: T | None = None
    looks = failed = 0
    if first_after:
        time.sleep(min(first_after, timeout))
    while True:
        started = time.clock()
        looks += 1
        trouble: Transient | None = None
        try:
            value = look()
            now = time.clock()
            if settled(value):
                return Ending(value, True, looks, now, now - began, None)
            failed = 0
            due = started + next_interval(value, now - began)
        except Transient as problem:
            now = time.clock()
            trouble = problem
            failed += 1
            on_trouble(problem)
            due = now + pause(failed, problem.throttled, time.jitter())
        if now >= deadline:
            return Ending(value, False, looks, now, now - began, trouble)
        time.sleep(max(0.0, min(due, deadline) - now))
