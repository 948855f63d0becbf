# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""Progress as lines of text: states in, lines out. Where they are printed is somebody else's business."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

from ansible_collections.cargohold.ecr.plugins.module_utils._diagnosis import plain_reason
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Transient
from ansible_collections.cargohold.ecr.plugins.module_utils._following import Reporter
from ansible_collections.cargohold.ecr.plugins.module_utils._records import Event
from ansible_collections.cargohold.ecr.plugins.module_utils._watch import Outcome, Watch

# Seconds without a line after which what is still moving is told.
SILENCE = 20.0

# So many stacks are told of one by one; of more, only those that fail, and how many are settled.
MANY = 25


class Tone(Enum):
    """What a line is about, for whoever has colours."""

    MOVING = "moving"
    GOOD = "good"
    BAD = "bad"
    TROUBLE = "trouble"


Emit = Callable[[str, Tone], None]


class Progress(Reporter):
    """Tells of stacks that are followed: one line a change, none where nothing changed.

    :param emit: prints a line.
    :param clock: the loop's clock, in seconds.
    """

    def __init__(self, emit: Emit, clock: Callable[[], float]) -> None:
        self._emit = emit
        self._clock = clock
        self._began = self._last = clock()
        self._told: dict[str, str] = {}
        self._settled = 0
        self._total = 1
        self._troubled = False

    def status(self, watch: Watch) -> None:
        """A line for a stack's status, unless it was told already."""
        status = watch.stack.status.value if watch.stack else None
        if status and self._told.get(watch.name) != status:
            self._told[watch.name] = status
            if self._total > MANY and _tone(status) is not Tone.BAD:
                return
            since = watch.begun_at if self._total == 1 else self._began
            self._line(self._clock() - since, f"  {watch.name}  {status}", _tone(status))

    def events(self, watch: Watch, events: Sequence[Event]) -> None:
        """A line for each new event; a stack's own count as its status."""
        for event in events:
            elapsed = (event.time - watch.events[0].time).total_seconds()
            reason = f"  {plain_reason(event.reason)}" if event.has_failed and event.reason else ""
            if event.is_of_stack and event.stack_name == watch.name:
                if self._told.get(watch.name) != event.status and not self._is_past(watch, event):
                    self._told[watch.name] = event.status
                    self._line(elapsed, f"  {watch.name}  {event.status}{reason}", _tone(event.status))
            else:
                text = f"    {event.logical_id}  {event.type}  {event.status}{reason}"
                self._line(elapsed, text, _tone(event.status))

    def looked(self, watches: Sequence[Watch]) -> None:
        """What is still moving, after a silence."""
        self._troubled = False
        now = self._clock()
        moving = [watch for watch in watches if not watch.is_over]
        if now - self._last >= SILENCE and moving:
            named = ", ".join(_moving(watch) for watch in moving[:3])
            more = f" and {len(moving) - 3} more" if len(moving) > 3 else ""
            self._print(f"{now - self._began:6.1f}s  still waiting for {named}{more}", Tone.MOVING)

    def counted(self, settled: int, total: int) -> None:
        """How many are settled, when there are many and that changed."""
        self._total = total
        if total > 1 and settled != self._settled:
            self._settled = settled
            self._print(f"{self._clock() - self._began:6.1f}s  {settled}/{total} settled", Tone.MOVING)

    def trouble(self, trouble: Transient) -> None:
        """The first failed look of a row."""
        if not self._troubled:
            self._troubled = True
            self._print(f"{self._clock() - self._began:6.1f}s  {trouble.message} Trying again.", Tone.TROUBLE)

    def remark(self, sentence: str) -> None:
        """A line of its own."""
        self._print(f"{self._clock() - self._began:6.1f}s  {sentence}", Tone.TROUBLE)

    def ended(self, watches: Sequence[Watch]) -> None:
        """The failures once more, where there were several stacks and their lines may have scrolled away."""
        bad = [watch for watch in watches if watch.outcome not in Outcome.GOOD]
        if len(watches) > 1:
            for watch in bad:
                self._print(f"         {watch.name}: {watch.reason}", Tone.BAD)

    @staticmethod
    def _is_past(watch: Watch, event: Event) -> bool:
        """Whether the stack went on to another status since, so that its line would come late and confuse."""
        return watch.stack is not None and watch.stack.status.is_moving and watch.stack.status.value != event.status

    def _line(self, elapsed: float, text: str, tone: Tone) -> None:
        self._print(f"{max(0.0, elapsed):6.1f}s{text}", tone)

    def _print(self, text: str, tone: Tone) -> None:
        self._last = self._clock()
        self._emit(text, tone)


def _moving(watch: Watch) -> str:
    """A stack that is not settled, with what of it is still moving as far as that is known."""
    if not watch.begun:
        return f"{watch.name} (not begun)"
    last = {event.logical_id: event for event in watch.events if not event.is_of_stack}
    resources = [name for name, event in last.items() if not event.has_settled]
    return f"{watch.name} ({', '.join(resources)})" if resources else watch.name


def _tone(status: str) -> Tone:
    if status.endswith("_FAILED") or "ROLLBACK" in status:
        return Tone.BAD
    return Tone.GOOD if status.endswith("_COMPLETE") else Tone.MOVING
