# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of stacks, in the form in which CloudFormation tells it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import botocore
import pytest
from botocore.stub import Stubber

from ansible_collections.cargohold.ecr.plugins.module_utils import _stacks
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import AwsError, Denied, Transient
from ansible_collections.cargohold.ecr.plugins.module_utils._records import Resource, Stack
from ansible_collections.cargohold.ecr.plugins.module_utils._status import Status, UnknownStatus
from ansible_collections.cargohold.ecr.tests.unit.support.fake_client import (
    NAME,
    T0,
    event,
    resource,
    resources,
    stack,
    stack_id,
    stacks,
)

BOTOCORE = tuple(int(part) for part in botocore.__version__.split("."))
HERE = Stack(NAME, stack_id(), Status.CREATE_COMPLETE)
BY_NAME = {"StackName": NAME}
BY_ID = {"StackName": stack_id()}


@pytest.fixture
def cloudformation() -> Iterator[Stubber]:
    """A client of CloudFormation that answers what it is told to, and to nothing else."""
    client = boto3.client("cloudformation", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def test_describe(cloudformation: Stubber) -> None:
    """A stack comes as a task's result tells it."""
    told = stack(
        "UPDATE_COMPLETE",
        StackStatusReason="because",
        LastUpdatedTime=T0 + timedelta(seconds=1.5),
        Parameters=[{"ParameterKey": "IAMUserName", "ParameterValue": "alice"}, {"ParameterKey": "Empty"}],
        Outputs=[{"OutputKey": "ECRRepository", "OutputValue": NAME}],
        Tags=[{"Key": "team", "Value": "payments"}],
        NotificationARNs=["arn:topic"],
        RoleARN="arn:aws:iam::123456789012:role/deploy",
        EnableTerminationProtection=True,
    )
    cloudformation.add_response("describe_stacks", stacks(told), BY_NAME)
    found = _stacks.describe(cloudformation.client, NAME)
    assert found is not None
    assert found.as_result() == {
        "name": NAME,
        "stack_id": stack_id(),
        "status": "UPDATE_COMPLETE",
        "status_reason": "because",
        "created": "2026-11-23T21:41:00.000Z",
        "updated": "2026-11-23T21:41:01.500Z",
        "deleted": None,
        "parameters": {"IAMUserName": "alice", "Empty": ""},
        "outputs": {"ECRRepository": NAME},
        "tags": {"team": "payments"},
        "notification_arns": ["arn:topic"],
        "role_arn": "arn:aws:iam::123456789012:role/deploy",
        "termination_protection": True,
        "console_url": "https://eu-west-1.console.aws.amazon.com/cloudformation/home?region=eu-west-1"
        f"#/stacks/stackinfo?stackId={stack_id()}",
    }


@pytest.mark.parametrize(
    ("partition", "domain"),
    [
        ("aws-cn", "console.amazonaws.cn"),
        ("aws-us-gov", "console.amazonaws-us-gov.com"),
        ("aws-iso", "console.aws.amazon.com"),
    ],
)
def test_console_of_the_partition(partition: str, domain: str) -> None:
    """A stack's page is in the console of its part of AWS."""
    there = Stack(NAME, f"arn:{partition}:cloudformation:x-1:123456789012:stack/a/1", Status.CREATE_COMPLETE)
    assert there.console_url.startswith(f"https://x-1.{domain}/")


def test_no_stack(cloudformation: Stubber) -> None:
    """A stack that does not exist is nothing."""
    cloudformation.add_client_error("describe_stacks", "ValidationError", f"Stack with id {NAME} does not exist")
    assert _stacks.describe(cloudformation.client, NAME) is None


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        pytest.param("ValidationError", "1 validation error detected", AwsError, id="another validation error"),
        pytest.param("AccessDenied", "not authorized", Denied, id="denied (defect A)"),
    ],
)
def test_errors_are_not_absence(cloudformation: Stubber, code: str, message: str, error: type[AwsError]) -> None:
    """Only the words "does not exist" mean that there is no stack."""
    cloudformation.add_client_error("describe_stacks", code, message)
    with pytest.raises(error, match=f"Could not read the stack {NAME}"):
        _stacks.describe(cloudformation.client, stack_id())


def test_empty_answer(cloudformation: Stubber) -> None:
    """An answer without a stack says nothing about it."""
    cloudformation.add_response("describe_stacks", {"Stacks": []})
    with pytest.raises(Transient, match="the answer is empty"):
        _stacks.describe(cloudformation.client, NAME)


def test_unknown_status(cloudformation: Stubber) -> None:
    """A status that is not known is not guessed at."""
    cloudformation.add_response("describe_stacks", stacks(stack("CREATE_PAUSED")))
    with pytest.raises(UnknownStatus, match="CREATE_PAUSED"):
        _stacks.describe(cloudformation.client, NAME)


def test_list_pages(cloudformation: Stubber) -> None:
    """Of each page those stacks are given that are wanted, by name or ID; of the others not even the status is read."""
    first = stacks(stack("CREATE_COMPLETE"), stack("CREATE_PAUSED", "other"))
    second = stacks(stack("DELETE_FAILED", "by-id", "7"), stack("UPDATE_COMPLETE", "third"))
    cloudformation.add_response("describe_stacks", {**first, "NextToken": "2"}, {})
    cloudformation.add_response("describe_stacks", second, {"NextToken": "2"})
    pages = _stacks.list_pages(cloudformation.client, {NAME, stack_id("by-id", "7")})
    assert [([each.name for each in page], more) for page, more in pages] == [([NAME], True), (["by-id"], False)]


def test_event_pages(cloudformation: Stubber) -> None:
    """Events come newest first, a page at a time, and each page says whether there is another one."""
    newest, oldest = event("CREATE_COMPLETE", at=2), event("CREATE_IN_PROGRESS", at=1)
    cloudformation.add_response("describe_stack_events", {"StackEvents": [newest], "NextToken": "more"}, BY_ID)
    cloudformation.add_response("describe_stack_events", {"StackEvents": [oldest]}, {**BY_ID, "NextToken": "more"})
    pages = _stacks.event_pages(cloudformation.client, HERE)
    assert [([each.status for each in page], more) for page, more in pages] == [
        (["CREATE_COMPLETE"], True),
        (["CREATE_IN_PROGRESS"], False),
    ]


@pytest.mark.skipif(BOTOCORE < (1, 40, 76), reason="botocore has had the call since 1.40.76")
@pytest.mark.parametrize(
    ("told", "type_status_reason"),
    [
        pytest.param(
            {"ResourceType": "AWS::ECR::Repository", "ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "x"},
            ("AWS::ECR::Repository", "CREATE_FAILED", "x"),
            id="a resource",
        ),
        pytest.param(
            {"OperationType": "UPDATE_STACK", "HookType": "Org::Guard", "HookStatusReason": "forbidden"},
            ("Org::Guard", "UPDATE_FAILED", "forbidden"),
            id="a hook",
        ),
        pytest.param(
            {"ValidationName": "NAME_CONFLICT", "ValidationStatusReason": "exists"},
            ("NAME_CONFLICT", "CREATE_FAILED", "exists"),
            id="a validation",
        ),
    ],
)
def test_failed_events(cloudformation: Stubber, told: dict[str, Any], type_status_reason: tuple[str, str, str]) -> None:
    """What failed is told alike, be it a resource, a hook or a validation."""
    answer = {"EventId": "2", "Timestamp": T0, "StackId": stack_id(), **told}
    asked = {**BY_ID, "Filters": {"FailedEvents": True}}
    cloudformation.add_response("describe_events", {"OperationEvents": [answer]}, asked)
    [([failed], _more)] = _stacks.failed_event_pages(cloudformation.client, HERE)
    assert (failed.type, failed.status, failed.reason) == type_status_reason


def test_failed_events_without_the_call() -> None:
    """An older botocore, which does not have the call, tells of nothing."""
    assert list(_stacks.failed_event_pages(object(), HERE)) == [([], False)]


def test_resources(cloudformation: Stubber) -> None:
    """What a stack holds is listed over all pages; what was never made has no physical ID."""
    unmade = resource("Bucket", "CREATE_FAILED", ResourceType="AWS::S3::Bucket", LastUpdatedTimestamp=T0)
    del unmade["PhysicalResourceId"]
    first = resources(resource(LastUpdatedTimestamp=T0))
    cloudformation.add_response("list_stack_resources", {**first, "NextToken": "2"}, BY_ID)
    cloudformation.add_response("list_stack_resources", resources(unmade), {**BY_ID, "NextToken": "2"})
    assert _stacks.resources(cloudformation.client, stack_id()) == [
        Resource("ECRRepository", NAME, "AWS::ECR::Repository", "CREATE_COMPLETE"),
        Resource("Bucket", "", "AWS::S3::Bucket", "CREATE_FAILED"),
    ]


@pytest.mark.parametrize(
    ("status", "physical_id", "exists"),
    [
        ("CREATE_COMPLETE", NAME, True),
        ("DELETE_FAILED", NAME, True),
        ("DELETE_COMPLETE", NAME, False),
        ("DELETE_SKIPPED", NAME, False),
        ("CREATE_FAILED", "", False),
    ],
)
def test_resource_exists(status: str, physical_id: str, exists: bool) -> None:
    """What was never made, was deleted or was let go is not held."""
    assert Resource("A", physical_id, "AWS::ECR::Repository", status).exists is exists


def test_template(cloudformation: Stubber) -> None:
    """The template comes as it was given."""
    cloudformation.add_response(
        "get_template", {"TemplateBody": "Resources: {}"}, {**BY_ID, "TemplateStage": "Original"}
    )
    assert _stacks.template(cloudformation.client, stack_id()) == "Resources: {}"


def test_owner(cloudformation: Stubber) -> None:
    """The stack that holds a resource is told by its name."""
    held = {**resource(StackName="other"), "Timestamp": T0}
    cloudformation.add_response("describe_stack_resources", {"StackResources": [held]}, {"PhysicalResourceId": NAME})
    assert _stacks.owner(cloudformation.client, NAME) == "other"


def test_owned_by_none(cloudformation: Stubber) -> None:
    """A resource that no stack holds has no owner, in both ways in which that is told."""
    cloudformation.add_client_error("describe_stack_resources", "ValidationError", f"Stack for {NAME} does not exist")
    cloudformation.add_response("describe_stack_resources", {"StackResources": []})
    assert [_stacks.owner(cloudformation.client, NAME) for _time in range(2)] == [None, None]


def test_continue_rollback(cloudformation: Stubber) -> None:
    """A rollback is continued by the stack's ID."""
    cloudformation.add_response("continue_update_rollback", {}, BY_ID)
    _stacks.continue_rollback(cloudformation.client, HERE)


def test_delete_retaining(cloudformation: Stubber) -> None:
    """A stack is deleted by its ID, and lets go of what was named."""
    cloudformation.add_response("delete_stack", {}, {**BY_ID, "RetainResources": ["ECRRepository"]})
    _stacks.delete_retaining(cloudformation.client, HERE, ["ECRRepository"])


# --- What is asked for -------------------------------------------------------------------------------------------------

DEPLOYMENT = _stacks.Deployment(
    stack=NAME,
    template_body="{}",
    parameters={"IAMUserName": "alice", "Kept": None},
    tags={"team": "x"},
    token="token",
    notification_arns=["arn:topic"],
    role_arn="arn:aws:iam::123456789012:role/deploy",
    capabilities=["CAPABILITY_IAM"],
)
ASKED = {
    "TemplateBody": "{}",
    "Parameters": [
        {"ParameterKey": "IAMUserName", "ParameterValue": "alice"},
        {"ParameterKey": "Kept", "UsePreviousValue": True},
    ],
    "Tags": [{"Key": "team", "Value": "x"}],
    "Capabilities": ["CAPABILITY_IAM"],
    "NotificationARNs": ["arn:topic"],
    "RoleARN": "arn:aws:iam::123456789012:role/deploy",
}
TOKEN = {"ClientRequestToken": "token"}
CHANGE_SET = {**BY_NAME, "ChangeSetName": "changes"}


def test_create(cloudformation: Stubber) -> None:
    """A stack is asked for with all that the deployment says, and its ID is given."""
    cloudformation.add_response("create_stack", {"StackId": stack_id()}, {**BY_NAME, **ASKED, **TOKEN})
    assert _stacks.create(cloudformation.client, DEPLOYMENT) == stack_id()


def test_what_the_deployment_leaves_open(cloudformation: Stubber) -> None:
    """Topics and the service role that nobody speaks of are not asked for, and the deployed template stays."""
    plain = _stacks.Deployment(NAME, None, {}, {}, "token")
    asked = {"UsePreviousTemplate": True, "Parameters": [], "Tags": [], "Capabilities": []}
    cloudformation.add_response("update_stack", {}, {**BY_NAME, **asked, **TOKEN})
    _stacks.update(cloudformation.client, plain)


def test_created_although_the_answer_got_lost(cloudformation: Stubber) -> None:
    """A stack that exists already is the new one where its newest operation has the request's token."""
    cloudformation.add_client_error("create_stack", "AlreadyExistsException", "exists")
    cloudformation.add_response("describe_stacks", stacks(stack("CREATE_IN_PROGRESS")), BY_NAME)
    began = {**event("CREATE_IN_PROGRESS"), **TOKEN}
    cloudformation.add_response("describe_stack_events", {"StackEvents": [began]}, BY_ID)
    assert _stacks.create(cloudformation.client, DEPLOYMENT) == stack_id()


def test_somebody_elses_stack(cloudformation: Stubber) -> None:
    """A stack that somebody else made meanwhile is not taken for ours."""
    cloudformation.add_client_error("create_stack", "AlreadyExistsException", "exists")
    cloudformation.add_response("describe_stacks", stacks(stack("CREATE_COMPLETE")), BY_NAME)
    cloudformation.add_response("describe_stack_events", {"StackEvents": [event("CREATE_COMPLETE")]}, BY_ID)
    with pytest.raises(AwsError, match="Could not create the stack"):
        _stacks.create(cloudformation.client, DEPLOYMENT)


def test_not_created(cloudformation: Stubber) -> None:
    """Any other error goes through."""
    cloudformation.add_client_error("create_stack", "LimitExceededException", "too many")
    with pytest.raises(AwsError, match="too many"):
        _stacks.create(cloudformation.client, DEPLOYMENT)


def test_delete(cloudformation: Stubber) -> None:
    """A stack is deleted by its ID, so that no other one of its name is."""
    cloudformation.add_response("delete_stack", {}, {**BY_ID, **TOKEN})
    _stacks.delete(cloudformation.client, HERE, "token")


def test_execute(cloudformation: Stubber) -> None:
    """A change set is executed by its name, with the token."""
    cloudformation.add_response("execute_change_set", {}, {**CHANGE_SET, **TOKEN})
    _stacks.execute_change_set(cloudformation.client, HERE, "changes", "token")


@pytest.mark.parametrize("status", ["EXECUTE_IN_PROGRESS", "EXECUTE_COMPLETE"])
def test_executed_although_the_answer_got_lost(cloudformation: Stubber, status: str) -> None:
    """A change set that is being executed was asked to be before."""
    cloudformation.add_client_error("execute_change_set", "InvalidChangeSetStatus", "not now")
    cloudformation.add_response("describe_change_set", {"ExecutionStatus": status}, CHANGE_SET)
    _stacks.execute_change_set(cloudformation.client, HERE, "changes", "token")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        pytest.param("InvalidChangeSetStatus", "OBSOLETE", id="overtaken"),
        pytest.param("InsufficientCapabilitiesException", None, id="another error"),
    ],
)
def test_not_executed(cloudformation: Stubber, code: str, status: str | None) -> None:
    """A change set that is not executed is an error."""
    cloudformation.add_client_error("execute_change_set", code, "no")
    if status:
        cloudformation.add_response("describe_change_set", {"ExecutionStatus": status}, CHANGE_SET)
    with pytest.raises(AwsError, match="Could not update the stack"):
        _stacks.execute_change_set(cloudformation.client, HERE, "changes", "token")


def test_a_page_of_all_stacks(cloudformation: Stubber) -> None:
    """A page gives what is wanted of it by name and tags, and the token of the next one; the rest is not even parsed."""
    ours = stack("CREATE_COMPLETE", "ours", Tags=[{"Key": "fleet", "Value": "shop"}])
    page = stacks(stack("CREATE_PAUSED", "other"), ours, stack("CREATE_COMPLETE", NAME))
    cloudformation.add_response("describe_stacks", {**page, "NextToken": "3"}, {"NextToken": "2"})
    found, token = _stacks.stack_page(
        cloudformation.client, lambda name, tags: name == NAME or tags.get("fleet") == "shop", "2"
    )
    assert ([each.name for each in found], token) == (["ours", NAME], "3")


def test_deleted_pages(cloudformation: Stubber) -> None:
    """Of the deleted stacks those are given that are asked for by their IDs, a page at a time."""
    gone = [
        {"StackName": NAME, "StackId": stack_id(unique=unique), "StackStatus": "DELETE_COMPLETE", "CreationTime": T0}
        for unique in ("1", "2")
    ]
    asked = {"StackStatusFilter": ["DELETE_COMPLETE"]}
    cloudformation.add_response("list_stacks", {"StackSummaries": gone, "NextToken": "2"}, asked)
    cloudformation.add_response("list_stacks", {"StackSummaries": []}, {**asked, "NextToken": "2"})
    pages = list(_stacks.deleted_pages(cloudformation.client, {stack_id(unique="2")}))
    assert [([each.stack_id for each in page], more) for page, more in pages] == [
        ([stack_id(unique="2")], True),
        ([], False),
    ]
