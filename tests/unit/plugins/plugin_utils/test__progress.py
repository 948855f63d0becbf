# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A line for each change, none where nothing changed, and the failures again at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._following import Follower
from ansible_collections.cargohold.ecr.plugins.module_utils._status import Operation
from ansible_collections.cargohold.ecr.plugins.module_utils._watch import Before, Target
from ansible_collections.cargohold.ecr.plugins.plugin_utils._progress import Progress, Tone
from ansible_collections.cargohold.ecr.tests.unit.support.fake_client import (
    BROKEN,
    NAME,
    T0,
    FakeClient,
    event,
    events,
    no_stack,
    stack,
    stacks,
    timeline,
)
from ansible_collections.cargohold.ecr.tests.unit.support.fake_time import FakeTime

NEW = (Target(NAME, Operation.CREATE, Before()),)


def told(
    fake_time: FakeTime,
    statuses: list[tuple[float, Any]],
    happened: list[dict[str, Any]],
    targets: Sequence[Target] = NEW,
    timeout: float = 900,
    events_break: Callable[[float], bool] = lambda _elapsed: False,
) -> list[tuple[str, Tone]]:
    """The lines, and what each is about, of a run in which this happens."""
    lines: list[tuple[str, Tone]] = []
    cloudformation = FakeClient(
        fake_time,
        describe_stacks=timeline(
            fake_time, *((at, stacks(stack(answer)) if isinstance(answer, str) else answer) for at, answer in statuses)
        ),
        describe_stack_events=lambda **_request: (
            BROKEN
            if events_break(fake_time.elapsed)
            else events(*(each for each in happened if (each["Timestamp"] - T0).total_seconds() <= fake_time.elapsed))
        ),
    )
    progress = Progress(lambda text, tone: lines.append((text, tone)), fake_time.time.clock)
    Follower(cloudformation, targets, time=fake_time.time, reporter=progress).follow(timeout)
    return lines


def texts(*args: Any, **more: Any) -> list[str]:
    """The lines."""
    return [text for text, _tone in told(*args, **more)]


WELL = [
    event("CREATE_IN_PROGRESS"),
    event("CREATE_IN_PROGRESS", "ECRRepository", at=1.1),
    event("CREATE_COMPLETE", "ECRRepository", at=8.9),
    event("CREATE_COMPLETE", at=9.4),
]


def test_deployment(fake_time: FakeTime) -> None:
    """A deployment reads as the design draws it: times by CloudFormation's clock, resources under their stack."""
    assert texts(fake_time, [(0, "CREATE_IN_PROGRESS"), (9.4, "CREATE_COMPLETE")], WELL) == [
        "   0.0s  payments-api  CREATE_IN_PROGRESS",
        "   1.1s    ECRRepository  AWS::ECR::Repository  CREATE_IN_PROGRESS",
        "   8.9s    ECRRepository  AWS::ECR::Repository  CREATE_COMPLETE",
        "   9.4s  payments-api  CREATE_COMPLETE",
    ]


FAILED = [
    event("CREATE_IN_PROGRESS"),
    event("CREATE_IN_PROGRESS", "ECRRepository", at=0.5),
    event("CREATE_FAILED", "ECRRepository", 'Resource handler returned message: "Principal not found" (x)', at=3),
    event("ROLLBACK_IN_PROGRESS", reason="The following resource(s) failed to create: [ECRRepository]", at=3.5),
    event("DELETE_COMPLETE", "ECRRepository", at=5),
    event("ROLLBACK_COMPLETE", at=6),
]
ROLLED_BACK = [(0.0, "CREATE_IN_PROGRESS"), (3.5, "ROLLBACK_IN_PROGRESS"), (6.0, "ROLLBACK_COMPLETE")]


def test_failure(fake_time: FakeTime) -> None:
    """A failed resource's line says why, without what CloudFormation wraps around it."""
    assert texts(fake_time, ROLLED_BACK, FAILED) == [
        "   0.0s  payments-api  CREATE_IN_PROGRESS",
        "   0.5s    ECRRepository  AWS::ECR::Repository  CREATE_IN_PROGRESS",
        "   3.0s    ECRRepository  AWS::ECR::Repository  CREATE_FAILED  Principal not found",
        "   3.5s  payments-api  ROLLBACK_IN_PROGRESS",
        "   5.0s    ECRRepository  AWS::ECR::Repository  DELETE_COMPLETE",
        "   6.0s  payments-api  ROLLBACK_COMPLETE",
    ]


def test_tones(fake_time: FakeTime) -> None:
    """What goes well, what goes wrong and what moves can be told apart by colour."""
    by_status = {text.split()[-1]: tone for text, tone in told(fake_time, ROLLED_BACK, FAILED)}
    assert by_status == {
        "CREATE_IN_PROGRESS": Tone.MOVING,
        "ROLLBACK_IN_PROGRESS": Tone.BAD,
        "found": Tone.BAD,
        "DELETE_COMPLETE": Tone.GOOD,
        "ROLLBACK_COMPLETE": Tone.BAD,
    }


@pytest.mark.parametrize("seen_first", [0.0, 4.0])
def test_no_line_twice(fake_time: FakeTime, seen_first: float) -> None:
    """No status is told twice, also where a stack is first seen when it has gone on."""
    fake_time.now += seen_first
    lines = [line.split("s  ", 1)[1] for line in texts(fake_time, ROLLED_BACK, FAILED)]
    assert len(lines) == len(set(lines))


def test_nothing_changed(fake_time: FakeTime) -> None:
    """Where nothing is seen, nothing is printed."""
    assert texts(fake_time, [(0, no_stack())], [], timeout=15) == []


def test_silence(fake_time: FakeTime) -> None:
    """After a silence it is said what is still moving, once, until the next silence."""
    happened = [*FAILED[:2], event("CREATE_COMPLETE", at=60)]
    lines = texts(fake_time, [(0, "CREATE_IN_PROGRESS"), (60, "CREATE_COMPLETE")], happened)
    waiting = [line for line in lines if "waiting" in line]
    assert {line.split("s  ", 1)[1] for line in waiting} == {"still waiting for payments-api (ECRRepository)"}
    assert len(waiting) == 2


def test_silence_before_the_beginning(fake_time: FakeTime) -> None:
    """Where nothing has begun, that is what is said."""
    assert texts(fake_time, [(0, no_stack())], [], timeout=25) == [
        "  20.0s  still waiting for payments-api (not begun)"
    ]


def test_trouble_is_told_once(fake_time: FakeTime) -> None:
    """Failed looks in a row are one line, and another row is another."""
    moving = "CREATE_IN_PROGRESS"
    lines = told(
        fake_time,
        [(0, moving), (2, BROKEN), (9, moving), (12, BROKEN), (15, "CREATE_COMPLETE")],
        [],
        events_break=lambda elapsed: 2 <= elapsed < 9 or 12 <= elapsed < 15,
    )
    troubles = [text for text, tone in lines if tone is Tone.TROUBLE]
    assert [troubles[0].split("s  ", 1)[1], len(troubles)] == [
        "Could not read the stack payments-api: the service failed (ServiceUnavailable: Unable to reach the resource). Trying again.",
        2,
    ]


def fleet(fake_time: FakeTime, *ends: str) -> list[str]:
    """The lines about stacks that are updated, of which the first comes to its end soon, the next five seconds later."""

    def describe(StackName: str) -> Any:
        number = int(StackName.split("/")[1][4:] if "/" in StackName else StackName[4:])
        status = ends[number] if fake_time.elapsed > 5 * number else "UPDATE_IN_PROGRESS"
        return stacks(stack(status, f"app-{number}"))

    return texts(
        fake_time,
        [(0, describe)],
        [],
        targets=[Target(f"app-{number}", Operation.UPDATE) for number in range(len(ends))],
        timeout=50,
    )


def test_many(fake_time: FakeTime) -> None:
    """Of many it is said how many are settled, when that changes, and the failures come again at the end."""
    lines = fleet(fake_time, "UPDATE_COMPLETE", "DELETE_COMPLETE")
    assert [line.split("s  ", 1)[1] for line in lines if "settled" in line] == ["1/2 settled", "2/2 settled"]
    assert lines[-1] == "         app-1: The update of app-1 ended with the stack deleted."


def test_many_still_moving(fake_time: FakeTime) -> None:
    """Of many that are silent, some are named and the others counted."""
    lines = fleet(fake_time, *["UPDATE_IN_PROGRESS"] * 4)
    assert lines[4].split("s  ", 1)[1] == "still waiting for app-0, app-1, app-2 and 1 more"
