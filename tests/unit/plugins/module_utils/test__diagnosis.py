# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From events as AWS tells them to the root cause, in a sentence, with what to do about it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._diagnosis import (
    advice_for,
    failures,
    nested_stacks,
    plain_reason,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._records import STACK_TYPE, Event

STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/payments-api/1"
NESTED = "arn:aws:cloudformation:eu-west-1:123456789012:stack/payments-api-Inner-1X/2"

TOKENS = "(RequestToken: 0f1e2d3c-aaaa-bbbb-cccc-1234567890ab, HandlerErrorCode: {code})"
SERVICE = "(Service: Ecr, Status Code: 400, Request ID: 9e8d7c6b-1234)"
NOT_FOUND = (
    "Resource handler returned message: \"Invalid parameter at 'PolicyText' failed to satisfy constraint: "
    f"'Principal not found' {SERVICE}\" {TOKENS.format(code='InvalidRequest')}"
)
CANCELLED = "Resource creation cancelled"
SUMMARY = "The following resource(s) failed to create: [ECRRepository]. Rollback requested by user."


def event(logical_id: str, status: str, reason: str = "", **more: Any) -> Event:
    """An event of a repository in the stack, unless told otherwise."""
    return Event(
        **{
            "event_id": f"{logical_id}-{status}",
            "time": datetime(2026, 11, 23, tzinfo=timezone.utc),
            "stack_id": STACK,
            "stack_name": "payments-api",
            "logical_id": logical_id,
            "physical_id": "",
            "type": "AWS::ECR::Repository",
            "status": status,
            "reason": reason,
            **more,
        }
    )


def of_stack(status: str, reason: str = "") -> Event:
    """An event of the stack itself."""
    return event("payments-api", status, reason, physical_id=STACK, type=STACK_TYPE)


def of_nested(status: str, reason: str = "") -> Event:
    """An event of the outer stack about a nested one."""
    return event("Inner", status, reason, physical_id=NESTED, type=STACK_TYPE)


@pytest.mark.parametrize(
    ("reason", "plain"),
    [
        pytest.param(
            NOT_FOUND,
            "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Principal not found'",
            id="handler and service",
        ),
        pytest.param(
            f"Resource of type 'AWS::ECR::Repository' with identifier 'payments-api' already exists. {TOKENS.format(code='AlreadyExists')}",
            "Resource of type 'AWS::ECR::Repository' with identifier 'payments-api' already exists",
            id="tokens only",
        ),
        pytest.param("Broken (Service: Ecr) (SDK Attempt Count: 3)", "Broken", id="the SDK's attempts"),
        pytest.param('He said "no" (really)', 'He said "no" (really)', id="quotes and parentheses of its own"),
        pytest.param("Two\n  lines.", "Two lines", id="two lines"),
        pytest.param("", "CloudFormation gives no reason", id="none"),
    ],
)
def test_plain_reason(reason: str, plain: str) -> None:
    """The service's own words are left, on one line."""
    assert plain_reason(reason) == plain


@pytest.mark.parametrize(
    ("events", "causes"),
    [
        pytest.param([event("A", "CREATE_IN_PROGRESS"), event("A", "CREATE_COMPLETE")], [], id="nothing failed"),
        pytest.param(
            [
                of_stack("CREATE_IN_PROGRESS"),
                event("B", "CREATE_FAILED", CANCELLED),
                event("A", "CREATE_FAILED", NOT_FOUND),
                of_stack("CREATE_FAILED", SUMMARY),
                of_stack("ROLLBACK_COMPLETE"),
            ],
            ["A"],
            id="cancellations and summaries are none",
        ),
        pytest.param(
            [event("A", "UPDATE_FAILED", "Resource update cancelled"), event("B", "UPDATE_FAILED", "x")],
            ["B"],
            id="cancelled update",
        ),
        pytest.param(
            [event("A", "CREATE_FAILED", "x"), event("B", "CREATE_FAILED", "y")], ["A", "B"], id="the first comes first"
        ),
        pytest.param([event("A", "DELETE_FAILED")], ["A"], id="no reason at all (defect F)"),
        pytest.param([event("A", "CREATE_FAILED", CANCELLED)], ["A"], id="only consequences"),
        pytest.param([of_stack("DELETE_FAILED")], ["payments-api"], id="only a summary without words"),
        pytest.param(
            [of_stack("CREATE_FAILED", "Stack creation timed out")],
            ["payments-api"],
            id="the stack has a reason of its own",
        ),
        pytest.param(
            [of_nested("CREATE_FAILED", "Inner failed"), event("Deep", "CREATE_FAILED", NOT_FOUND, stack_id=NESTED)],
            ["Deep", "Inner"],
            id="a nested stack's resource tells more",
        ),
        pytest.param(
            [
                of_nested("CREATE_FAILED", f"Embedded stack {NESTED} was not successfully created: [Deep]"),
                event("Deep", "CREATE_FAILED", "x", stack_id=NESTED),
            ],
            ["Deep"],
            id="that a nested stack failed is none",
        ),
        pytest.param(
            [event("A", "CREATE_FAILED", "x"), event("A", "CREATE_FAILED", "x", event_id="another")],
            ["A"],
            id="the same told twice",
        ),
    ],
)
def test_failures(events: list[Event], causes: list[str]) -> None:
    """What failed for a reason of its own, the root cause first."""
    assert [failure.event.logical_id for failure in failures(events)] == causes


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        pytest.param(
            event("A", "CREATE_FAILED", "x."), "A (AWS::ECR::Repository) could not be created: x.", id="create"
        ),
        pytest.param(
            event("A", "UPDATE_FAILED", "x"), "A (AWS::ECR::Repository) could not be updated: x.", id="update"
        ),
        pytest.param(
            event("A", "DELETE_FAILED"),
            "A (AWS::ECR::Repository) could not be deleted: CloudFormation gives no reason.",
            id="delete without a reason (defect F)",
        ),
        pytest.param(of_stack("ROLLBACK_FAILED", "x"), "The stack could not be rolled back: x.", id="rollback"),
        pytest.param(
            of_stack("UPDATE_ROLLBACK_FAILED", "x"),
            "The stack could not be rolled back: x.",
            id="rollback of an update",
        ),
        pytest.param(
            event("A", "IMPORT_FAILED", "x"), "A (AWS::ECR::Repository) could not be imported: x.", id="import"
        ),
        pytest.param(
            event("A", "SIGNAL_FAILED", "x"), "A (AWS::ECR::Repository) could not be processed: x.", id="anything else"
        ),
    ],
)
def test_sentence(told: Event, sentence: str) -> None:
    """A failure says what could not be done, and why."""
    [failure] = failures([told])
    assert failure.sentence == sentence


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        pytest.param(NOT_FOUND, "check the IAM user's name", id="principal not found"),
        pytest.param("Invalid principal in policy", "check the IAM user's name", id="invalid principal"),
        pytest.param("payments-api already exists in stack x", "choose another name", id="exists in a stack"),
        pytest.param("Resource of type 'AWS::ECR::Repository' … already exists.", "choose another name", id="exists"),
        pytest.param(
            "The repository with name 'a' in registry with id '1' cannot be deleted because it still contains images",
            "repository_delete_images",
            id="not empty",
        ),
        pytest.param(
            "The maximum limit exceeded for repositories (LimitExceededException)", "Service Quotas", id="quota"
        ),
        pytest.param("User: x is not authorized to perform: ecr:CreateRepository", "grant the action", id="denied"),
        pytest.param("Access Denied", "grant the action", id="denied in two words"),
        pytest.param("KmsException: key is disabled", "KMS key cannot be used", id="KMS"),
        pytest.param("Rate exceeded (ThrottlingException)", "run it again later", id="throttled"),
        pytest.param("Too Many Requests (429)", "run it again later", id="too many requests"),
        pytest.param(
            "Request limit exceeded (RequestLimitExceeded)", "run it again later", id="too many requests of EC2"
        ),
        pytest.param("Tag value is not valid", "", id="unknown"),
        pytest.param("", "", id="none"),
    ],
)
def test_advice(reason: str, advice: str) -> None:
    """A known cause comes with what to do about it, and an unknown one with nothing."""
    given = advice_for(reason)
    assert (advice in given) if advice else (given == "")


def test_failure_as_result() -> None:
    """A failure in a task's result has the plain reason and the advice."""
    [failure] = failures([event("A", "CREATE_FAILED", NOT_FOUND)])
    result = failure.as_result()
    assert (result["logical_id"], result["reason"], result["advice"]) == ("A", failure.reason, failure.advice)


def test_nested_stacks() -> None:
    """The nested stacks that failed, each once; not those that went well, nor the stack itself."""
    told = [of_nested("CREATE_FAILED", "x"), of_nested("DELETE_FAILED", "y"), of_stack("CREATE_FAILED")]
    well = event("Other", "CREATE_COMPLETE", physical_id=NESTED + "9", type=STACK_TYPE)
    assert nested_stacks([*told, well]) == [NESTED]
