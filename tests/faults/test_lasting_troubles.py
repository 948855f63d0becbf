# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Troubles that do not pass: told at once, with what is known so far, and never as a success."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ansible_collections.cargohold.ecr.tests.support.fault_plan import Caller, Fault, Hold, Kind
from ansible_collections.cargohold.ecr.tests.support.scene import STACK, Scene, assert_presentable, said
from ansible_collections.cargohold.ecr.tests.support.templates import TEMPLATE

PLAYBOOKS: Mapping[str, tuple[str, dict[str, str], str]] = {
    "create": ("deploy", {"iam_user": "alice"}, "is deployed"),
    "update": ("deploy", {"iam_user": "bob"}, "is deployed"),
    "delete": ("teardown", {}, "is gone"),
}
SENTENCES = {
    Kind.EXPIRED: "AWS does not take the credentials (ExpiredToken",
    Kind.DENIED: "is not authorized to perform: cloudformation:DescribeStacks",
}


# Every operation, and both kinds.
MIDWAY = [("create", Kind.EXPIRED), ("update", Kind.DENIED), ("delete", Kind.EXPIRED)]


@pytest.mark.parametrize(("operation", "kind"), MIDWAY, ids=[f"{operation}-{kind.value}" for operation, kind in MIDWAY])
def test_reading_ends_midway(operation: str, kind: Kind, scene: Scene) -> None:
    """Whoever may no longer read the stack is told so, and what was last seen, while AWS goes on."""
    playbook, extra_vars, claim = PLAYBOOKS[operation]
    if operation != "create":
        scene.create()
    scene.faulty.plan(Hold(operation.upper()))
    with scene.start(playbook, **extra_vars) as live:
        live.wait_for(f"{STACK}  {operation.upper()}_IN_PROGRESS")
        scene.faulty.plan(Fault(kind, ("DescribeStacks",) if kind is Kind.DENIED else ()))
        run = live.finish()
    assert_presentable(run)
    assert run.rc == 2, str(run)
    assert SENTENCES[kind] in said(run)
    assert f"It was last seen {operation.upper()}_IN_PROGRESS, and what became of it is not known." in said(run)
    assert claim not in said(run)
    # Nobody asks again with what was refused.
    assert sum(bool(call.fault) for call in scene.faulty.calls(by=Caller.OURS)) == 1


def test_policy_may_not_be_read(scene: Scene) -> None:
    """A stack that is there, with a policy that could not be read, is not told as deployed."""
    scene.faulty.plan(Fault(Kind.DENIED, ("GetRepositoryPolicy",)))
    run = scene.run("deploy", iam_user="alice")
    assert run.rc == 2, str(run)
    assert "Could not read the policy of the repository payments-api" in said(run)
    assert "is deployed" not in said(run)
    assert scene.status == "CREATE_COMPLETE"


def test_events_of_a_success_denied(scene: Scene) -> None:
    """Events are for progress and for reasons: who may not read them still gets the verdict."""
    scene.faulty.plan(Fault(Kind.DENIED, ("DescribeStackEvents", "DescribeEvents")), Hold("CREATE", seconds=2))
    run = scene.run("deploy", iam_user="alice")
    assert run.rc == 0, str(run)
    assert f"{STACK} is deployed" in said(run)
    assert run.stderr.count("DescribeStackEvents") == 1, run.stderr
    # It is not tried again, so that is not said.
    assert "Trying again" not in run.stderr, run.stderr


def test_events_of_a_failure_denied(scene: Scene) -> None:
    """A failure whose events may not be read is a failure, with a word on why its reason is not known."""
    template = scene.runner.home / "broken.yml"
    template.write_text(TEMPLATE.replace("LifecyclePolicy: !If\n", "LifecyclePolicy: none\n      Ignored: !If\n"))
    scene.faulty.plan(Fault(Kind.DENIED, ("DescribeStackEvents", "DescribeEvents")), Hold("CREATE", seconds=2))
    run = scene.run("deploy", iam_user="alice", repository_template=str(template))
    assert run.rc == 2, str(run)
    assert f"The create of {STACK} was rolled back" in said(run)
    assert "not authorized to perform: cloudformation:DescribeStackEvents" in said(run)
    assert scene.status == "ROLLBACK_COMPLETE"


NOT_STARTED = {
    "create": ("deploy", {"iam_user": "alice"}, Kind.DENIED, "CreateStack", None),
    "update": ("deploy", {"iam_user": "bob"}, Kind.DENIED, "UpdateStack", "CREATE_COMPLETE"),
    "delete": ("teardown", {}, Kind.EXPIRED, "DeleteStack", "CREATE_COMPLETE"),
}


@pytest.mark.parametrize("operation", NOT_STARTED)
def test_starting_is_refused(operation: str, scene: Scene) -> None:
    """An operation that AWS did not begin is told as not begun, with AWS's reason."""
    playbook, extra_vars, kind, action, status = NOT_STARTED[operation]
    if status:
        scene.create()
    scene.faulty.plan(Fault(kind, (action,)))
    run = scene.run(playbook, **extra_vars)
    assert run.rc == 2, str(run)
    assert "CloudFormation did not begin" in said(run)
    expected = {
        Kind.EXPIRED: "token included in the request is expired",
        Kind.DENIED: f"perform: cloudformation:{action}",
    }
    assert expected[kind] in said(run)
    assert scene.status == status
