# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""The only file that knows CloudFormation's API: one function per call, answers as plain values.

Every function raises the exceptions of L(_errors); a stack that does not exist is C(None), and nothing else is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from ansible_collections.cargohold.ecr.plugins.module_utils._clients import told
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Absent, AwsError, Transient
from ansible_collections.cargohold.ecr.plugins.module_utils._names import stack_name_of
from ansible_collections.cargohold.ecr.plugins.module_utils._records import Event, Resource, Stack
from ansible_collections.cargohold.ecr.plugins.module_utils._status import parse_status


def describe(cloudformation: Any, name_or_id: str) -> Stack | None:
    """DescribeStacks for one stack; a deleted one is found by its ID only."""
    try:
        with told(f"read the stack {stack_name_of(name_or_id)}"):
            found = cloudformation.describe_stacks(StackName=name_or_id).get("Stacks")
    except Absent:
        return None
    if not found:
        raise Transient(f"Could not read the stack {stack_name_of(name_or_id)}: the answer is empty.")
    return _stack(found[0])


T = TypeVar("T")

# The items of a page, and whether there is another page to ask for.
Page = tuple[list[T], bool]


def list_pages(cloudformation: Any, wanted: Container[str]) -> Iterator[Page[Stack]]:
    """DescribeStacks for all stacks of the account and region that are not deleted, a hundred at a time.

    :param wanted: the names and IDs of the stacks to give; what the others are like is not looked at.
    """
    for page, more in _pages(cloudformation, "describe_stacks", "list the stacks"):
        stacks = page.get("Stacks", [])
        yield [_stack(each) for each in stacks if each["StackId"] in wanted or each["StackName"] in wanted], more


def event_pages(cloudformation: Any, stack: Stack) -> Iterator[Page[Event]]:
    """DescribeStackEvents, newest first."""
    doing = f"read the events of the stack {stack.name}"
    for page, more in _pages(cloudformation, "describe_stack_events", doing, StackName=stack.stack_id):
        yield [_event(each) for each in page.get("StackEvents", [])], more


def failed_event_pages(cloudformation: Any, stack: Stack) -> Iterator[Page[Event]]:
    """DescribeEvents for what failed in the stack, newest first.

    It tells of failed validations and hooks besides resources, which DescribeStackEvents does not.
    An empty page where botocore (before 1.40.76) does not have the call.
    """
    if not hasattr(cloudformation, "describe_events"):
        yield [], False
        return
    doing = f"read the failed events of the stack {stack.name}"
    filters = {"FailedEvents": True}
    for page, more in _pages(cloudformation, "describe_events", doing, StackName=stack.stack_id, Filters=filters):
        yield [_operation_event(each, stack) for each in page.get("OperationEvents", [])], more


def _pages(cloudformation: Any, call: str, doing: str, **parameters: Any) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """The pages of a call's answer, each read when it is asked for, and whether another one follows."""
    more = True
    pages = iter(cloudformation.get_paginator(call).paginate(**parameters))
    while more:
        with told(doing):
            page: Mapping[str, Any] = next(pages, {})
        more = bool(page.get("NextToken"))
        yield page, more


def resources(cloudformation: Any, stack_id: str) -> list[Resource]:
    """ListStackResources: what the stack holds, or held."""
    with told(f"list the resources of the stack {stack_name_of(stack_id)}"):
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_id)
        return [_resource(each) for page in pages for each in page.get("StackResourceSummaries", [])]


def template(cloudformation: Any, stack_id: str) -> str | Mapping[str, Any]:
    """GetTemplate as it was given: a text, or what botocore made of it where it is JSON."""
    with told(f"read the template of the stack {stack_name_of(stack_id)}"):
        body: str | Mapping[str, Any] = cloudformation.get_template(StackName=stack_id, TemplateStage="Original")[
            "TemplateBody"
        ]
        return body


def owner(cloudformation: Any, physical_id: str) -> str | None:
    """The name of the stack of this account and region that holds the resource, or C(None) where none does."""
    try:
        with told(f"find the stack that holds {physical_id}"):
            found = cloudformation.describe_stack_resources(PhysicalResourceId=physical_id).get("StackResources", [])
    except Absent:
        return None
    return found[0]["StackName"] if found else None


def continue_rollback(cloudformation: Any, stack: Stack) -> None:
    """ContinueUpdateRollback."""
    with told(f"continue the rollback of the stack {stack.name}"):
        cloudformation.continue_update_rollback(StackName=stack.stack_id)


def delete_retaining(cloudformation: Any, stack: Stack, logical_ids: Sequence[str]) -> None:
    """DeleteStack, leaving some resources in place, which CloudFormation takes of a stack in DELETE_FAILED only."""
    with told(f"delete the stack {stack.name}"):
        cloudformation.delete_stack(StackName=stack.stack_id, RetainResources=list(logical_ids))


@dataclass(frozen=True)
class ChangeSet:
    """A change set, as DescribeChangeSet tells it, all of its pages."""

    status: str
    reason: str
    changes: tuple[Mapping[str, Any], ...]

    @property
    def has_settled(self) -> bool:
        """Whether it is made, or cannot be made."""
        return self.status in ("CREATE_COMPLETE", "FAILED")

    @property
    def is_good(self) -> bool:
        """Whether it can be executed."""
        return self.status == "CREATE_COMPLETE"


def create_change_set(cloudformation: Any, stack: Stack, name: str, request: Mapping[str, Any]) -> None:
    """CreateChangeSet, for an update."""
    with told(f"preview an update of the stack {stack.name}"):
        cloudformation.create_change_set(StackName=stack.name, ChangeSetName=name, ChangeSetType="UPDATE", **request)


def change_set(cloudformation: Any, stack: Stack, name: str) -> ChangeSet:
    """DescribeChangeSet, every page of it, with the properties' values where botocore (from 1.34.84) knows them."""
    request: dict[str, Any] = {"StackName": stack.name, "ChangeSetName": name}
    known = cloudformation.meta.service_model.operation_model("DescribeChangeSet").input_shape.members
    if "IncludePropertyValues" in known:
        request["IncludePropertyValues"] = True
    changes: list[Mapping[str, Any]] = []
    while True:
        with told(f"read the preview of an update of the stack {stack.name}"):
            answer = cloudformation.describe_change_set(**request)
        changes += answer.get("Changes") or []
        if not answer.get("NextToken"):
            return ChangeSet(answer["Status"], answer.get("StatusReason") or "", tuple(changes))
        request["NextToken"] = answer["NextToken"]


def delete_change_set(cloudformation: Any, stack: Stack, name: str) -> None:
    """DeleteChangeSet."""
    with told(f"delete the change set {name}"):
        cloudformation.delete_change_set(StackName=stack.name, ChangeSetName=name)


def stack_policy(cloudformation: Any, stack: Stack) -> dict[str, Any] | None:
    """GetStackPolicy; C(None) where there is none."""
    with told(f"read the stack policy of {stack.name}"):
        body = cloudformation.get_stack_policy(StackName=stack.stack_id).get("StackPolicyBody")
    policy: dict[str, Any] | None = json.loads(body) if body else None
    return policy


def set_stack_policy(cloudformation: Any, stack: Stack, policy: Mapping[str, Any]) -> None:
    """SetStackPolicy."""
    with told(f"set the stack policy of {stack.name}"):
        cloudformation.set_stack_policy(StackName=stack.stack_id, StackPolicyBody=json.dumps(policy))


def set_termination_protection(cloudformation: Any, stack: Stack, protected: bool) -> None:
    """UpdateTerminationProtection."""
    with told(f"set the termination protection of {stack.name}"):
        cloudformation.update_termination_protection(StackName=stack.stack_id, EnableTerminationProtection=protected)


def _stack(answer: Mapping[str, Any]) -> Stack:
    return Stack(
        name=answer["StackName"],
        stack_id=answer["StackId"],
        status=parse_status(answer["StackStatus"]),
        reason=answer.get("StackStatusReason") or "",
        created=answer.get("CreationTime"),
        updated=answer.get("LastUpdatedTime"),
        deleted=answer.get("DeletionTime"),
        parameters={each["ParameterKey"]: each.get("ParameterValue", "") for each in answer.get("Parameters", [])},
        outputs={each["OutputKey"]: each.get("OutputValue", "") for each in answer.get("Outputs", [])},
        tags={each["Key"]: each["Value"] for each in answer.get("Tags", [])},
        notification_arns=tuple(answer.get("NotificationARNs", [])),
        capabilities=tuple(answer.get("Capabilities", [])),
        role_arn=answer.get("RoleARN"),
        termination_protection=bool(answer.get("EnableTerminationProtection", False)),
    )


def _event(answer: Mapping[str, Any]) -> Event:
    time: datetime = answer["Timestamp"]
    return Event(
        event_id=answer["EventId"],
        time=time,
        stack_id=answer["StackId"],
        stack_name=answer["StackName"],
        logical_id=answer.get("LogicalResourceId") or "",
        physical_id=answer.get("PhysicalResourceId") or "",
        type=answer.get("ResourceType") or "",
        status=answer.get("ResourceStatus") or "",
        reason=answer.get("ResourceStatusReason") or "",
    )


def _operation_event(answer: Mapping[str, Any], stack: Stack) -> Event:
    """An event as DescribeEvents tells it: of a resource, a hook or a validation."""
    reason = (
        answer.get("ResourceStatusReason")
        or answer.get("HookStatusReason")
        or answer.get("ValidationStatusReason")
        or ""
    )
    return Event(
        event_id=answer["EventId"],
        time=answer["Timestamp"],
        stack_id=answer.get("StackId") or stack.stack_id,
        stack_name=stack.name,
        logical_id=answer.get("LogicalResourceId") or stack.name,
        physical_id=answer.get("PhysicalResourceId") or "",
        type=answer.get("ResourceType") or answer.get("ValidationName") or answer.get("HookType") or "",
        status=answer.get("ResourceStatus") or f"{answer.get('OperationType', 'CREATE').split('_')[0]}_FAILED",
        reason=reason,
    )


def _resource(answer: Mapping[str, Any]) -> Resource:
    return Resource(
        logical_id=answer["LogicalResourceId"],
        physical_id=answer.get("PhysicalResourceId") or "",
        type=answer["ResourceType"],
        status=answer["ResourceStatus"],
    )


@dataclass(frozen=True)
class Deployment:
    """What CreateStack, UpdateStack and CreateChangeSet are asked for.

    :param stack: the stack's name, or the ID of the one that there is.
    :param template_body: C(None) keeps the deployed template.
    :param parameters: a value of C(None) keeps the present one.
    :param token: makes the request safe to repeat; another one for each operation.
    :param notification_arns: C(None) leaves the topics as they are.
    """

    stack: str
    template_body: str | None
    parameters: Mapping[str, str | None]
    tags: Mapping[str, str]
    token: str
    notification_arns: Sequence[str] | None = None
    role_arn: str | None = None
    capabilities: Sequence[str] = ()

    def as_request(self) -> dict[str, Any]:
        """The part of the request that the three calls have in common."""
        request: dict[str, Any] = {
            **({"UsePreviousTemplate": True} if self.template_body is None else {"TemplateBody": self.template_body}),
            "Parameters": [
                {"ParameterKey": name, "UsePreviousValue": True}
                if value is None
                else {"ParameterKey": name, "ParameterValue": value}
                for name, value in self.parameters.items()
            ],
            "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()],
            "Capabilities": list(self.capabilities),
        }
        if self.notification_arns is not None:
            request["NotificationARNs"] = list(self.notification_arns)
        if self.role_arn:
            request["RoleARN"] = self.role_arn
        return request


def stack_page(
    cloudformation: Any, is_wanted: Callable[[str, Mapping[str, str]], bool], token: str | None
) -> tuple[list[Stack], str | None]:
    """One page of DescribeStacks for all stacks, and what to ask with for the next one.

    A page by itself can be asked for again, which a paginator cannot.

    :param is_wanted: whether to give a stack, from its name and its tags; what the others are like is not looked at.
    """
    with told("list the stacks"):
        page = cloudformation.describe_stacks(**({"NextToken": token} if token else {}))
    wanted = [
        each
        for each in page.get("Stacks", [])
        if is_wanted(each["StackName"], {tag["Key"]: tag["Value"] for tag in each.get("Tags", [])})
    ]
    return [_stack(each) for each in wanted], page.get("NextToken")


def deleted_pages(cloudformation: Any, wanted: Container[str]) -> Iterator[Page[Stack]]:
    """ListStacks for the stacks that were deleted in the last ninety days, a hundred at a time.

    :param wanted: the IDs of the stacks to give.
    """
    doing = "list the deleted stacks"
    for page, more in _pages(cloudformation, "list_stacks", doing, StackStatusFilter=["DELETE_COMPLETE"]):
        yield [_stack(each) for each in page.get("StackSummaries", []) if each["StackId"] in wanted], more


def create(cloudformation: Any, deployment: Deployment) -> str:
    """CreateStack; the new stack's ID. Asked again with the same token, it gives the same stack."""
    try:
        with told(f"create the stack {deployment.stack}"):
            answer = cloudformation.create_stack(
                StackName=deployment.stack, ClientRequestToken=deployment.token, **deployment.as_request()
            )
    except AwsError as problem:
        if problem.code != "AlreadyExistsException":
            raise
        # An earlier answer may have got lost.
        stack = describe(cloudformation, deployment.stack)
        if stack is None or not _is_begun_by(cloudformation, stack, deployment.token):
            raise
        return stack.stack_id
    return str(answer["StackId"])


def update(cloudformation: Any, deployment: Deployment) -> None:
    """UpdateStack."""
    with told(f"update the stack {stack_name_of(deployment.stack)}"):
        cloudformation.update_stack(
            StackName=deployment.stack, ClientRequestToken=deployment.token, **deployment.as_request()
        )


def delete(cloudformation: Any, stack: Stack, token: str) -> None:
    """DeleteStack."""
    with told(f"delete the stack {stack.name}"):
        cloudformation.delete_stack(StackName=stack.stack_id, ClientRequestToken=token)


def execute_change_set(cloudformation: Any, stack: Stack, name: str, token: str) -> None:
    """ExecuteChangeSet. Asked again, it does nothing more."""
    named = {"StackName": stack.name, "ChangeSetName": name}
    try:
        with told(f"update the stack {stack.name}"):
            cloudformation.execute_change_set(**named, ClientRequestToken=token)
    except AwsError as problem:
        # An earlier answer got lost: nobody else knows of this change set.
        if problem.code not in ("InvalidChangeSetStatus", "InvalidChangeSetStatusException"):
            raise
        with told(f"update the stack {stack.name}"):
            status = str(cloudformation.describe_change_set(**named).get("ExecutionStatus"))
        if not status.startswith("EXECUTE_"):
            raise


def _is_begun_by(cloudformation: Any, stack: Stack, token: str) -> bool:
    """Whether the stack's newest operation was asked for with the token."""
    with told(f"read the events of the stack {stack.name}"):
        events = cloudformation.describe_stack_events(StackName=stack.stack_id).get("StackEvents", [])
    return any(each.get("ClientRequestToken") == token for each in events)
