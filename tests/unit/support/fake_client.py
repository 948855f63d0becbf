# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A boto3 client that answers by script, and the answers that AWS would give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from ansible_collections.cargohold.ecr.tests.unit.support.fake_time import FakeTime

# What a client gives for a request: an answer, an exception to raise, or a function from the request to either.
Answer = Mapping[str, Any] | Exception | Callable[..., Any]

ACCOUNT = "123456789012"
REGION = "eu-west-1"
NAME = "payments-api"
T0 = datetime(2026, 11, 23, 21, 41, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Call:
    """A request that was made, and when."""

    operation: str
    request: Mapping[str, Any]
    at: float


class _NewestModel:
    """What botocore knows of the service: every member of every request."""

    input_shape = SimpleNamespace(members={"IncludePropertyValues"})

    def operation_model(self, _operation: str) -> _NewestModel:
        """What it knows of an operation."""
        return self


class FakeClient:
    """A client of any service.

    :param time: the clock that requests are noted by, and that passes while they are answered.
    :param latency: seconds that an answer takes.
    :param scripts: by operation what is answered: one answer for all requests, or a list of them, the last of which stays.
        An operation without a script does not exist.
    """

    def __init__(
        self, time: FakeTime | None = None, latency: float = 0.0, **scripts: Answer | Sequence[Answer]
    ) -> None:
        self.calls: list[Call] = []
        self.meta = SimpleNamespace(region_name=REGION, service_model=_NewestModel())
        self._time = time or FakeTime()
        self._latency = latency
        self._scripts = {name: [*script] if isinstance(script, list) else [script] for name, script in scripts.items()}

    @property
    def called(self) -> list[str]:
        """The operations that were asked for, in order."""
        return [call.operation for call in self.calls]

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        if operation not in self.__dict__.get("_scripts", {}):
            raise AttributeError(f"{operation} is not in the script")
        return lambda **request: self._ask(operation, request)

    def get_paginator(self, operation: str) -> SimpleNamespace:
        """A paginator, each page of which is a request, as with botocore's."""
        assert operation in self._scripts, f"{operation} is not in the script"

        def paginate(**request: Any) -> Iterator[Any]:
            page = self._ask(operation, request)
            yield page
            while token := page.get("NextToken"):
                page = self._ask(operation, {**request, "NextToken": token})
                yield page

        return SimpleNamespace(paginate=paginate)

    def _ask(self, operation: str, request: Mapping[str, Any]) -> Any:
        self.calls.append(Call(operation, request, self._time.elapsed))
        self._time.now += self._latency
        script = self._scripts[operation]
        answer = script.pop(0) if len(script) > 1 else script[0]
        if callable(answer) and not isinstance(answer, Exception):
            answer = answer(**request)
        if isinstance(answer, Exception):
            raise answer
        return answer


def timeline(time: FakeTime, *answers: tuple[float, Answer]) -> Callable[..., Any]:
    """An answer that depends on the time: of the pairs of seconds and answer, the last that is due."""

    def now(**request: Any) -> Any:
        answer = [answer for at, answer in answers if at <= time.elapsed][-1]
        return answer(**request) if callable(answer) and not isinstance(answer, Exception) else answer

    return now


def client_error(
    code: str, message: str = "no reason given", status: int = 400, operation: str = "DescribeStacks"
) -> ClientError:
    """The exception that botocore makes of an error that a service answered."""
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        operation,
    )


DENIED = client_error(
    "AccessDenied", f"User: arn:aws:iam::{ACCOUNT}:user/deployer is not authorized to perform this", 403
)
THROTTLED = client_error("Throttling", "Rate exceeded")
EXPIRED = client_error("ExpiredToken", "The security token included in the request is expired", 403)
BROKEN = client_error("ServiceUnavailable", "Unable to reach the resource", 503)


def no_stack(name: str = NAME) -> ClientError:
    """What CloudFormation answers where there is no stack of a name."""
    return client_error("ValidationError", f"Stack with id {name} does not exist")


def stack_id(name: str = NAME, unique: str = "1") -> str:
    """A stack's ID."""
    return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/{unique}"


def stack(status: str, name: str = NAME, unique: str = "1", **more: Any) -> dict[str, Any]:
    """A stack as DescribeStacks tells it."""
    return {
        "StackName": name,
        "StackId": stack_id(name, unique),
        "StackStatus": status,
        "CreationTime": T0,
        "Parameters": [],
        **more,
    }


def stacks(*each: Mapping[str, Any]) -> dict[str, Any]:
    """A page of stacks, as DescribeStacks answers."""
    return {"Stacks": list(each)}


def event(
    status: str,
    logical_id: str = NAME,
    reason: str = "",
    *,
    at: float = 0.0,
    kind: str = "",
    physical_id: str = "",
    unique: str = "1",
) -> dict[str, Any]:
    """An event as DescribeStackEvents tells it: of the stack itself, unless another logical ID is given."""
    of_stack = logical_id == NAME
    told = {
        "StackId": stack_id(unique=unique),
        "StackName": NAME,
        "EventId": f"{logical_id}-{status}-{at}-{unique}",
        "LogicalResourceId": logical_id,
        "PhysicalResourceId": physical_id or (stack_id(unique=unique) if of_stack else ""),
        "ResourceType": kind or ("AWS::CloudFormation::Stack" if of_stack else "AWS::ECR::Repository"),
        "ResourceStatus": status,
        "Timestamp": T0 + timedelta(seconds=at),
    }
    return {**told, "ResourceStatusReason": reason} if reason else told


def events(*oldest_first: Mapping[str, Any]) -> dict[str, Any]:
    """A page of events, newest first, as DescribeStackEvents answers."""
    return {"StackEvents": list(reversed(oldest_first))}


def resource(logical_id: str = "ECRRepository", status: str = "CREATE_COMPLETE", **more: Any) -> dict[str, Any]:
    """A resource as ListStackResources tells it."""
    return {
        "LogicalResourceId": logical_id,
        "PhysicalResourceId": NAME,
        "ResourceType": "AWS::ECR::Repository",
        "ResourceStatus": status,
        **more,
    }


def resources(*each: Mapping[str, Any]) -> dict[str, Any]:
    """A page of resources, as ListStackResources answers."""
    return {"StackResourceSummaries": list(each)}
