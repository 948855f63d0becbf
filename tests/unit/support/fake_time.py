# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time that passes only when somebody sleeps."""

from __future__ import annotations

from ansible_collections.cargohold.ecr.plugins.module_utils._polling import Time


class FakeTime:
    """A clock that only sleeping moves, and that remembers how long was slept.

    :param jitter: what the jitter always is, from 0 to 1.
    """

    def __init__(self, jitter: float = 1.0) -> None:
        # A monotonic clock begins anywhere; whoever takes its zero for a beginning is found out.
        self._began = self.now = 1024.0
        self.slept: list[float] = []
        self._jitter = jitter

    @property
    def elapsed(self) -> float:
        """Seconds since the test began."""
        return self.now - self._began

    @property
    def time(self) -> Time:
        """What the code under test takes."""
        return Time(clock=lambda: self.now, sleep=self.sleep, jitter=lambda: self._jitter)

    def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        assert seconds >= 0, "nobody can sleep backwards"
        self.slept.append(seconds)
        self.now += seconds
