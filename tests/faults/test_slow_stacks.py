# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stacks that take their time: what is told meanwhile, and in the end."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.cargohold.ecr.tests.support.fault_plan import Caller, Hold
from ansible_collections.cargohold.ecr.tests.support.live import wait_until
from ansible_collections.cargohold.ecr.tests.support.scene import STACK, Scene, assert_presentable, said

OPERATIONS: Mapping[str, tuple[str, bool, dict[str, str], str | None]] = {
    "CREATE": ("deploy", False, {"iam_user": "alice"}, "CREATE_COMPLETE"),
    "UPDATE": ("deploy", True, {"iam_user": "bob"}, "UPDATE_COMPLETE"),
    "DELETE": ("teardown", True, {}, None),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_progress_is_live(operation: str, scene: Scene) -> None:
    """The stack and its resource are told as in progress while they are, and as complete only after that."""
    playbook, exists, extra_vars, status = OPERATIONS[operation]
    if exists:
        scene.create()
    scene.faulty.plan(Hold(operation))
    with scene.start(playbook, **extra_vars) as live:
        live.wait_for(f"{STACK}  {operation}_IN_PROGRESS")
        live.wait_for(f"ECRRepository  AWS::ECR::Repository  {operation}_IN_PROGRESS")
        assert f"{operation}_COMPLETE" not in said(live)
        scene.faulty.release()
        run = live.finish()
    assert_presentable(run)
    assert run.rc == 0, str(run)
    progress = [line.split()[-1] for line in run.stderr.splitlines() if f"{operation}_" in line]
    assert progress == [f"{operation}_{each}" for each in ("IN_PROGRESS", "IN_PROGRESS", "COMPLETE", "COMPLETE")]
    assert scene.status == status


def test_nothing_stays_unpacked(scene: Scene) -> None:
    """The standard module, which is still waiting when the verdict is in, removes what it has unpacked."""
    scene.faulty.plan(Hold("CREATE", seconds=1))
    # A short path, because Ansible makes a socket there.
    with tempfile.TemporaryDirectory() as folder:
        runner = replace(scene.runner, environment={**scene.runner.environment, "TMPDIR": folder})
        run = replace(scene, runner=runner).run("deploy", iam_user="alice")
        assert run.rc == 0, str(run)
        assert [path.name for path in Path(folder).iterdir() if "payload" in path.name] == []


def change_sets(scene: Scene) -> list[str]:
    """The change sets that there are of the stack."""
    found = scene.cloud.client("cloudformation").list_change_sets(StackName=STACK)["Summaries"]
    return [each["ChangeSetName"] for each in found]


def test_slow_change_set(scene: Scene) -> None:
    """What an update would change is waited for: nothing is asked for before, and the change set is gone after."""
    scene.create()
    scene.faulty.plan(Hold("CHANGE_SET"))
    with scene.start("deploy", iam_user="bob") as live:
        wait_until(lambda: len(scene.faulty.calls("DescribeChangeSet")) > 1, lambda: f"a second look\n{said(live)}")
        assert scene.faulty.calls("UpdateStack") == []
        assert len(change_sets(scene)) == 1
        scene.faulty.release()
        run = live.finish()
    assert_presentable(run)
    assert run.rc == 0, str(run)
    assert (scene.status, scene.principals, change_sets(scene)) == ("UPDATE_COMPLETE", ["bob"], [])


def test_change_set_that_takes_too_long(scene: Scene) -> None:
    """Where it does not become known in time what an update would change, nothing is changed, and no change set is left."""
    scene.create()
    scene.faulty.plan(Hold("CHANGE_SET"))
    run = scene.run("deploy", iam_user="bob", timeout=2)
    assert run.rc == 2, str(run)
    assert f"It is not known what would change in {STACK}: the change set took longer than 2 s" in said(run)
    assert scene.faulty.calls("UpdateStack") == []
    assert (scene.status, scene.principals, change_sets(scene)) == ("CREATE_COMPLETE", ["alice"], [])


def test_interrupted_while_a_change_set_is_made(scene: Scene) -> None:
    """Ctrl-C leaves no change set behind."""
    scene.create()
    scene.faulty.plan(Hold("CHANGE_SET"))
    with scene.start("deploy", iam_user="bob") as live:
        wait_until(lambda: bool(scene.faulty.calls("DescribeChangeSet")), lambda: f"a first look\n{said(live)}")
        live.interrupt()
        live.finish()
    assert (scene.status, scene.principals, change_sets(scene)) == ("CREATE_COMPLETE", ["alice"], [])


def test_few_calls(scene: Scene) -> None:
    """A stack of three seconds is followed with few calls."""
    scene.faulty.plan(Hold("CREATE", seconds=3))
    run = scene.run("deploy", iam_user="alice")
    assert run.rc == 0, str(run)
    assert scene.status == "CREATE_COMPLETE"
    calls = [call.action for call in scene.followed()]
    # Of a stack that takes eight seconds, twenty are allowed.
    assert len(calls) <= 12, calls


def test_time_is_over(scene: Scene) -> None:
    """A stack that is still moving when the time is over is not told as done, but as going on; the next run attaches."""
    scene.faulty.plan(Hold("CREATE"))
    run = scene.run("deploy", iam_user="alice", timeout=2)
    assert run.rc == 2, str(run)
    assert f"{STACK} is still CREATE_IN_PROGRESS after 2 s. AWS goes on with it" in said(run)
    assert "is deployed" not in said(run)
    with scene.start("deploy", iam_user="alice") as live:
        live.wait_for(f"{STACK}  CREATE_IN_PROGRESS")
        scene.faulty.release()
        again = live.finish()
    assert again.rc == 0, str(again)
    assert again.recap["changed"] == 0
    assert f"{STACK} is deployed" in said(again)
    assert scene.status == "CREATE_COMPLETE"
    assert scene.faulty.writes() == ["CreateStack"]


def test_unknown_status(scene: Scene) -> None:
    """A status that CloudFormation may have tomorrow ends the task, and nothing is concluded from it."""
    scene.faulty.plan(Hold("CREATE", status="CREATE_PONDERED"))
    run = scene.run("deploy", iam_user="alice")
    assert run.rc == 2, str(run)
    assert "CloudFormation tells a status, 'CREATE_PONDERED'" in said(run)
    assert "is deployed" not in said(run)


def test_status_while_moving(scene: Scene) -> None:
    """C(status.yml) tells of a stack in progress, and does not call it healthy."""
    scene.faulty.plan(Hold("CREATE"))
    scene.somebody.create_stack(
        StackName=STACK,
        TemplateBody="Resources: {Topic: {Type: AWS::SNS::Topic}}",
    )
    run = scene.run("status")
    assert run.rc == 2, str(run)
    assert f"{STACK} is CREATE_IN_PROGRESS" in said(run)
    assert scene.faulty.calls("DescribeStacks", by=Caller.OURS)
    assert scene.faulty.writes() == []
