# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What is read from AWS, as plain values: they know neither botocore nor Ansible."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils._status import Status

STACK_TYPE = "AWS::CloudFormation::Stack"
REPOSITORY_TYPE = "AWS::ECR::Repository"

# The AWS general reference, the consoles of the partitions.
_CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


_BEGINNINGS = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS"})

# How CloudFormation gives the reason of what it does by itself after a failure.
_OWN_FAILURE = "The following resource(s) failed to"


@dataclass(frozen=True)
class Stack:
    """A stack, as DescribeStacks tells it."""

    name: str
    stack_id: str
    status: Status
    reason: str = ""
    created: datetime | None = None
    updated: datetime | None = None
    deleted: datetime | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    notification_arns: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    role_arn: str | None = None
    termination_protection: bool = False

    @property
    def console_url(self) -> str:
        """The stack's page in the CloudFormation console."""
        _arn, partition, _service, region, _rest = self.stack_id.split(":", 4)
        domain = _CONSOLES.get(partition, "console.aws.amazon.com")
        return (
            f"https://{region}.{domain}/cloudformation/home?region={region}#/stacks/stackinfo?stackId={self.stack_id}"
        )

    def as_result(self) -> dict[str, Any]:
        """The stack as part of a task's result: snake case, times as ISO 8601 in UTC."""
        return {
            "name": self.name,
            "stack_id": self.stack_id,
            "status": self.status.value,
            "status_reason": self.reason,
            "created": iso(self.created),
            "updated": iso(self.updated),
            "deleted": iso(self.deleted),
            "parameters": dict(self.parameters),
            "outputs": dict(self.outputs),
            "tags": dict(self.tags),
            "notification_arns": list(self.notification_arns),
            "role_arn": self.role_arn,
            "termination_protection": self.termination_protection,
            "console_url": self.console_url,
        }


@dataclass(frozen=True)
class Event:
    """A stack event: a resource, or the stack itself, came to a status."""

    event_id: str
    time: datetime
    stack_id: str
    stack_name: str
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str = ""

    @property
    def is_of_stack(self) -> bool:
        """Whether this is about the stack itself, rather than one of its resources."""
        return self.physical_id == self.stack_id

    @property
    def begins_operation(self) -> bool:
        """Whether this is the first event of an operation on the stack.

        A creation that fails may go on to delete the stack (OnFailure DELETE); that is still the creation.
        """
        return self.is_of_stack and self.status in _BEGINNINGS and not self.reason.startswith(_OWN_FAILURE)

    @property
    def has_failed(self) -> bool:
        """Whether something failed here."""
        return self.status.endswith("_FAILED")

    @property
    def has_settled(self) -> bool:
        """Whether the resource is no longer moving."""
        return not self.status.endswith("_IN_PROGRESS")

    def as_result(self) -> dict[str, Any]:
        """The event as part of a task's result."""
        return {
            "time": iso(self.time),
            "stack_name": self.stack_name,
            "logical_id": self.logical_id,
            "physical_id": self.physical_id,
            "type": self.type,
            "status": self.status,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Resource:
    """A resource of a stack, as ListStackResources tells it."""

    logical_id: str
    physical_id: str
    type: str
    status: str

    @property
    def exists(self) -> bool:
        """Whether there is, or may be, something of it left in AWS."""
        return bool(self.physical_id) and self.status not in ("DELETE_COMPLETE", "DELETE_SKIPPED")


def iso(time: datetime | None) -> str | None:
    """C(time) as ISO 8601 in UTC with milliseconds, the form in which times cross from task to task."""
    if time is None:
        return None
    return time.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
