# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Troubles that pass: tried again within the time limit, told once, and no part of the verdict."""

from __future__ import annotations

import pytest

from ansible_collections.cargohold.ecr.tests.support.fault_plan import READING, Caller, Fault, Hold, Kind
from ansible_collections.cargohold.ecr.tests.support.scene import STACK, Scene, assert_presentable, said

# Met by the second and the following looks of whoever follows; the plan's own look is the first call.
WHILE_FOLLOWING = {
    "503": Fault(Kind.UNAVAILABLE, READING, Caller.OURS, after=2, times=3),
    "resets": Fault(Kind.RESET, READING, Caller.OURS, after=2, times=3),
    "garbage": Fault(Kind.GARBAGE, READING, Caller.OURS, after=2, times=3),
}


@pytest.mark.parametrize("fault", WHILE_FOLLOWING.values(), ids=WHILE_FOLLOWING.keys())
def test_passes_while_following(fault: Fault, scene: Scene) -> None:
    """A deployment that goes well is told as such, however its following went; the trouble is told once."""
    scene.faulty.plan(fault, Hold("CREATE", looks=6))
    run = scene.run("deploy", iam_user="alice")
    assert run.rc == 0, str(run)
    assert f"{STACK} is deployed" in said(run)
    assert scene.status == "CREATE_COMPLETE"
    assert sum(bool(call.fault) for call in scene.faulty.calls()) == fault.times
    assert run.stderr.count("Trying again.") == 1, run.stderr


def test_slows_down_when_throttled(scene: Scene) -> None:
    """Each throttled look is followed by a longer pause than the one before, of a second at least; it is told once."""
    scene.faulty.plan(Fault(Kind.THROTTLED, READING, Caller.OURS, after=2, times=2), Hold("CREATE", looks=5))
    run = scene.run("deploy", iam_user="alice")
    assert run.rc == 0, str(run)
    assert f"{STACK} is deployed" in said(run)
    assert run.stderr.count("Trying again.") == 1, run.stderr
    looks = scene.faulty.calls(*READING, by=Caller.OURS)
    first = next(number for number, call in enumerate(looks) if call.fault)
    pauses = [looks[number + 1].at - looks[number].at for number in (first, first + 1)]
    # Half of 2 s and half of 4 s: the rest of each pause is jitter.
    assert pauses[0] >= 1.0
    assert pauses[1] >= 2.0


def test_events_that_fail_for_a_while(scene: Scene) -> None:
    """Events that cannot be read now are progress that comes later, and no trouble for the verdict."""
    scene.faulty.plan(
        Fault(Kind.GARBAGE, ("DescribeStackEvents",), Caller.OURS, times=1),
        Fault(Kind.THROTTLED, ("DescribeStackEvents",), Caller.OURS, after=1, times=1),
        Hold("CREATE", seconds=2),
    )
    run = scene.run("deploy", iam_user="alice")
    assert run.rc == 0, str(run)
    assert f"{STACK} is deployed" in said(run)
    assert scene.status == "CREATE_COMPLETE"


def test_passes_before_anything_is_done(scene: Scene) -> None:
    """Of the calls by which it is planned and verified, each may go wrong once, each in its own way."""
    faults = {
        "GetCallerIdentity": Kind.THROTTLED,
        "GetUser": Kind.UNAVAILABLE,
        "DescribeStacks": Kind.RESET,
        "DescribeRepositories": Kind.THROTTLED,
        "GetRepositoryPolicy": Kind.UNAVAILABLE,
    }
    scene.faulty.plan(*(Fault(kind, (action,), Caller.OURS, times=1) for action, kind in faults.items()))
    run = scene.run("deploy", iam_user="alice")
    assert run.rc == 0, str(run)
    assert f"{STACK} is deployed" in said(run)
    assert scene.principals == ["alice"]
    assert [call.action for call in scene.faulty.calls() if call.fault] == list(faults)


def test_garbage_before_anything_is_done(scene: Scene) -> None:
    """What answers in the place of AWS, as a guest network's page does, is told in a sentence, and nothing is done."""
    scene.faulty.plan(Fault(Kind.GARBAGE))
    run = scene.run("deploy", iam_user="alice")
    assert run.rc == 2, str(run)
    assert "the answer makes no sense" in said(run)
    assert scene.faulty.writes() == []


def test_request_whose_answer_is_lost(scene: Scene) -> None:
    """A request to create that has to be repeated, because nobody got its answer, comes to one stack and a good end."""
    lost = Fault(Kind.RESET, ("CreateStack",), times=1, once_served=True)
    scene.faulty.plan(lost, Hold("CREATE", seconds=2))
    run = scene.run("deploy", iam_user="alice")
    assert run.rc == 0, str(run)
    assert f"{STACK} is deployed" in said(run)
    assert scene.status == "CREATE_COMPLETE"
    assert scene.faulty.writes() == ["CreateStack", "CreateStack"]


def test_storm_that_does_not_end(scene: Scene) -> None:
    """A service that never comes back is told as that when the time is over, and nothing as done."""
    scene.faulty.plan(Hold("CREATE"))
    with scene.start("deploy", iam_user="alice", timeout="6") as live:
        live.wait_for(f"{STACK}  CREATE_IN_PROGRESS")
        scene.faulty.plan(Fault(Kind.UNAVAILABLE, READING, Caller.OURS))
        run = live.finish()
    assert_presentable(run)
    assert run.rc == 2, str(run)
    assert "the service failed (ServiceUnavailable" in said(run)
    assert "it was last seen CREATE_IN_PROGRESS" in said(run)
    assert "is deployed" not in said(run)


def test_teardown_in_a_storm(scene: Scene) -> None:
    """A deletion that is hard to follow is told as done once it is read as done, and not before."""
    stack_id = scene.create()
    scene.faulty.plan(
        Fault(Kind.RESET, READING, Caller.OURS, after=2, times=2),
        Fault(Kind.GARBAGE, READING, Caller.OURS, after=5, times=2),
        Hold("DELETE", seconds=2),
    )
    run = scene.run("teardown")
    assert run.rc == 0, str(run)
    assert f"{STACK} is gone" in said(run)
    deleted = scene.stack(stack_id)
    assert deleted is not None
    assert deleted["StackStatus"] == "DELETE_COMPLETE"
    assert scene.repositories == []
