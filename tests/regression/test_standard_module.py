# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What amazon.aws.cloudformation gets wrong, and this collection has to get right, on the same scripted AWS.

What the standard module answers is asserted as it is today: where such a line fails, it was mended there, and the test can
go. The letters are those by which docs/faults.md lists the cases.
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from ansible_collections.cargohold.ecr.tests.support.scripted import NAME, STACK_ID, Event, Script, answer_of, error
from ansible_collections.cargohold.ecr.tests.support.templates import TEMPLATE

STANDARD = "amazon.aws.cloudformation"
DEPLOYMENT = {"stack_name": NAME, "template_body": TEMPLATE, "template_parameters": {"IAMUserName": "alice"}}
REMOVAL = {"stack_name": NAME, "state": "absent"}

DENIED = error("AccessDenied", "User: deployer is not authorized to perform: cloudformation:DescribeStacks", 403)
EXPIRED = error("ExpiredToken", "The security token included in the request is expired", 403)

Capture = pytest.CaptureFixture[str]


def begin(script: Script, operation: str) -> dict[str, object]:
    """Begin an operation as the standard module would; options of stack_status to follow it."""
    before: dict[str, object] = {}
    if script.before:
        before = {"stack_id": STACK_ID, "status": script.before, "updated": None, "deleted": None}
    script.answer(f"{operation.capitalize()}Stack", {})
    return {
        "stack_name": STACK_ID if operation == "delete" else NAME,
        "operation": operation,
        "before": before,
        "wait": True,
        "timeout": 300,
    }


def ours(script: Script, operation: str, capsys: Capture) -> dict[str, Any]:
    """What stack_status answers about an operation."""
    return answer_of("cargohold.ecr.stack_status", script, capsys, **begin(script, operation))


def test_a_access_denied_while_deleting(capsys: Capture) -> None:
    """A: whoever may not read the stack is told that it is deleted, though deleting it will fail."""

    def script() -> Script:
        return Script("CREATE_COMPLETE", [(0, "DELETE_IN_PROGRESS"), (30, "DELETE_FAILED")], lasting=DENIED)

    theirs = answer_of(STANDARD, script(), capsys, **REMOVAL)
    assert (theirs.get("failed", False), theirs["changed"], theirs["output"]) == (False, True, "Stack Deleted")
    mine = ours(script(), "delete", capsys)
    assert mine["failed"]
    assert mine["stacks"][0]["outcome"] == "unreadable"
    assert "is not authorized to perform: cloudformation:DescribeStacks" in mine["msg"]


def test_b_expired_token_while_creating(capsys: Capture) -> None:
    """B: a token that expires while a stack is created makes it a deleted one, and a success."""

    def script() -> Script:
        return Script(None, [(0, "CREATE_IN_PROGRESS"), (30, "ROLLBACK_COMPLETE")], faults=[None, EXPIRED])

    theirs = answer_of(STANDARD, script(), capsys, **DEPLOYMENT)
    assert (theirs.get("failed", False), theirs["changed"], theirs["output"]) == (False, True, "Stack Deleted")
    mine = ours(script(), "create", capsys)
    assert mine["failed"]
    assert mine["stacks"][0]["outcome"] == "unreadable"
    assert "AWS does not take the credentials (ExpiredToken" in mine["msg"]
    assert "last seen CREATE_IN_PROGRESS" in mine["msg"]


def test_c_connection_lost_while_updating(capsys: Capture) -> None:
    """C: a connection that fails once while a stack is updated makes it a deleted one, and a success."""
    lost = EndpointConnectionError(endpoint_url="https://cloudformation.eu-west-1.amazonaws.com/")

    def script() -> Script:
        return Script(
            "CREATE_COMPLETE",
            [(0, "UPDATE_IN_PROGRESS"), (20, "UPDATE_ROLLBACK_IN_PROGRESS"), (30, "UPDATE_ROLLBACK_COMPLETE")],
            [Event(20, "ECRRepository", "AWS::ECR::Repository", "UPDATE_FAILED", "Principal not found")],
            faults=[None, lost],
        )

    theirs = answer_of(STANDARD, script(), capsys, **DEPLOYMENT)
    assert (theirs.get("failed", False), theirs["changed"], theirs["output"]) == (False, True, "Stack Deleted")
    mine = ours(script(), "update", capsys)
    assert mine["failed"]
    assert mine["stacks"][0]["status"] == "UPDATE_ROLLBACK_COMPLETE"
    assert (
        f"The update of {NAME} was rolled back: ECRRepository (AWS::ECR::Repository) could not be updated"
        in mine["msg"]
    )


def test_d_delete_that_did_nothing(capsys: Capture) -> None:
    """D: a stack that is still there, as it was, is told as deleted."""
    theirs = answer_of(STANDARD, Script("CREATE_COMPLETE"), capsys, **REMOVAL)
    assert (theirs.get("failed", False), theirs["changed"], theirs["output"]) == (False, True, "Stack DELETE complete")
    mine = ours(Script("CREATE_COMPLETE"), "delete", capsys)
    assert mine["failed"]
    assert not mine["changed"]
    assert f"No delete of {NAME} has begun" in mine["msg"]
    assert "last seen CREATE_COMPLETE" in mine["msg"]


def test_e_delete_that_failed(capsys: Capture) -> None:
    """E: why a deletion failed is nowhere to be found."""
    reason = "The repository with name 'payments-api' cannot be deleted because it still contains images"

    def script() -> Script:
        return Script(
            "CREATE_COMPLETE",
            [(0, "DELETE_IN_PROGRESS"), (8, "DELETE_FAILED")],
            [Event(7, "ECRRepository", "AWS::ECR::Repository", "DELETE_FAILED", reason)],
        )

    theirs = answer_of(STANDARD, script(), capsys, **REMOVAL)
    assert (theirs["failed"], theirs["events"], theirs["log"]) == (True, [], [])
    mine = ours(script(), "delete", capsys)
    assert mine["failed"]
    assert mine["stacks"][0]["failures"][0]["reason"] == reason
    assert reason in mine["msg"]


def test_f_failure_without_a_reason(capsys: Capture) -> None:
    """F: a failure for which AWS gives no reason is a KeyError."""

    def script() -> Script:
        return Script(
            None,
            [(0, "CREATE_IN_PROGRESS"), (7, "ROLLBACK_IN_PROGRESS"), (8, "ROLLBACK_COMPLETE")],
            [Event(7, "ECRRepository", "AWS::ECR::Repository", "CREATE_FAILED")],
        )

    with pytest.raises(KeyError, match="ResourceStatusReason"):
        answer_of(STANDARD, script(), capsys, **DEPLOYMENT)
    mine = ours(script(), "create", capsys)
    assert mine["failed"]
    assert "ECRRepository (AWS::ECR::Repository) could not be created: CloudFormation gives no reason." in mine["msg"]


def test_g_only_the_termination_protection_changed(capsys: Capture) -> None:
    """G: a stack that is protected from now on is told as unchanged."""
    script = Script(
        "CREATE_COMPLETE", answers={"UpdateStack": error("ValidationError", "No updates are to be performed.")}
    )
    before = answer_of("cargohold.ecr.stack_status", script, capsys, stack_name=NAME)
    theirs = answer_of(STANDARD, script, capsys, **DEPLOYMENT, termination_protection=True)
    after = answer_of("cargohold.ecr.stack_status", script, capsys, stack_name=NAME)
    assert theirs["changed"] is False
    assert (before["stacks"][0]["termination_protection"], after["stacks"][0]["termination_protection"]) == (
        False,
        True,
    )


def test_h_check_mode_on_a_dead_stack(capsys: Capture) -> None:
    """H: what would be done about a stack that was never created cannot be told."""
    refusal = error("ValidationError", f"Stack:{STACK_ID} is in ROLLBACK_COMPLETE state and can not be updated.")
    script = Script("ROLLBACK_COMPLETE", answers={"CreateChangeSet": refusal})
    theirs = answer_of(STANDARD, script, capsys, check_mode=True, **DEPLOYMENT)
    assert theirs["failed"]
    assert "ROLLBACK_COMPLETE state and can not be updated" in theirs["msg"]
    mine = answer_of(
        "cargohold.ecr.stack_plan",
        script,
        capsys,
        check_mode=True,
        stack_name=NAME,
        iam_user="alice",
        template_body=TEMPLATE,
    )
    assert (mine["action"], mine["changed"]) == ("recreate", True)


def test_i_topics_that_nobody_named(capsys: Capture) -> None:
    """I: an update that names no topics takes the stack's away; the plan tells which to name, so that they stay."""
    topic = f"arn:aws:sns:eu-west-1:{'1' * 12}:deployments"

    def script() -> Script:
        return Script(
            "CREATE_COMPLETE",
            [(0, "UPDATE_COMPLETE")],
            stack={"NotificationARNs": [topic]},
            answers={"GetTemplate": {"TemplateBody": "Resources: {ECRRepository: {Type: AWS::ECR::Repository}}"}},
        )

    theirs = script()
    answer_of(STANDARD, theirs, capsys, **DEPLOYMENT)
    assert topics_of_update(theirs) == []
    mine = script()
    plan = answer_of(
        "cargohold.ecr.stack_plan", mine, capsys, stack_name=NAME, iam_user="alice", template_body=TEMPLATE
    )
    assert plan["action"] == "update"
    answer_of(STANDARD, mine, capsys, **DEPLOYMENT, notification_arns=",".join(plan["notification_arns"]))
    assert topics_of_update(mine) == [topic]


def topics_of_update(script: Script) -> list[str]:
    """The topics with which UpdateStack was called."""
    [topics] = [parameters["NotificationARNs"] for action, parameters in script.calls if action == "UpdateStack"]
    return list(topics)
