# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxy itself: each fault is, to botocore, what its name says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.parsers import ResponseParserError

from ansible_collections.cargohold.ecr.tests.support.fault_plan import (
    Caller,
    Fault,
    Hold,
    Kind,
    Reason,
    as_data,
    from_data,
)
from ansible_collections.cargohold.ecr.tests.support.faults import FaultyCloud
from ansible_collections.cargohold.ecr.tests.support.ministack import MiniStack
from ansible_collections.cargohold.ecr.tests.support.scene import STACK, parameters
from ansible_collections.cargohold.ecr.tests.support.stand_in import listening
from ansible_collections.cargohold.ecr.tests.support.templates import TEMPLATE

CALLS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "query": ("cloudformation", lambda client: client.describe_stacks()),
    "json": ("ecr", lambda client: client.describe_repositories()),
}
ANSWERS = {
    (Kind.THROTTLED, "query"): (400, "Throttling"),
    (Kind.THROTTLED, "json"): (400, "ThrottlingException"),
    (Kind.UNAVAILABLE, "query"): (503, "ServiceUnavailable"),
    (Kind.UNAVAILABLE, "json"): (503, "ServiceUnavailableException"),
    (Kind.EXPIRED, "query"): (403, "ExpiredToken"),
    (Kind.EXPIRED, "json"): (400, "ExpiredTokenException"),
    (Kind.DENIED, "query"): (403, "AccessDenied"),
    (Kind.DENIED, "json"): (400, "AccessDeniedException"),
}


@pytest.fixture
def faulty(cloud: MiniStack, proxy: FaultyCloud) -> FaultyCloud:
    """The proxy with nothing planned, in front of an AWS with nothing in it."""
    assert cloud.pid != proxy.pid
    proxy.forget()
    return proxy


def ours(faulty: FaultyCloud, service: str) -> Any:
    """A client that is taken for this collection's."""
    client = faulty.client(service)
    client.meta.events.register("before-send", _sign_as_ours)
    return client


def _sign_as_ours(request: Any, **_more: object) -> None:
    request.headers["User-Agent"] = "Boto3 cargohold.ecr"


@pytest.mark.parametrize(("kind", "protocol"), ANSWERS, ids=[f"{kind.value}-{protocol}" for kind, protocol in ANSWERS])
def test_error_in_the_protocol_of_the_service(kind: Kind, protocol: str, faulty: FaultyCloud) -> None:
    """An error has the status and the code that this service gives it, and the call after it goes through."""
    faulty.plan(Fault(kind, times=1))
    service, call = CALLS[protocol]
    client = ours(faulty, service)
    with pytest.raises(ClientError) as raised:
        call(client)
    answer = raised.value.response
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == ANSWERS[kind, protocol]
    call(client)
    assert [(each.fault, each.status) for each in faulty.calls()] == [
        (kind.value, ANSWERS[kind, protocol][0]),
        ("", 200),
    ]


@pytest.mark.parametrize(("kind", "raised"), [(Kind.RESET, ConnectionClosedError), (Kind.GARBAGE, ResponseParserError)])
def test_no_answer_at_all(kind: Kind, raised: type[Exception], faulty: FaultyCloud) -> None:
    """A reset ends the connection, and garbage makes no sense."""
    faulty.plan(Fault(kind, ("DescribeStacks",), after=1))
    client = ours(faulty, "cloudformation")
    client.describe_stacks()
    with pytest.raises(raised):
        client.describe_stacks()


def test_somebody_meets_no_fault(faulty: FaultyCloud) -> None:
    """Only playbooks meet faults, so that a test can act as another person."""
    faulty.plan(Fault(Kind.DENIED))
    faulty.client("cloudformation").describe_stacks()
    assert faulty.calls() == []
    assert [call.action for call in faulty.calls(by=Caller.SOMEBODY)] == ["DescribeStacks"]


def test_held_operations_look_like_those_of_aws(faulty: FaultyCloud, cloud: MiniStack) -> None:
    """A stack is created, kept from others, and deleted by its name, each for two looks; then it is as MiniStack has it."""
    client = faulty.client("cloudformation")
    faulty.plan(Hold("CREATE", looks=2), Hold("DELETE", looks=2))
    wanted = {"StackName": STACK, "TemplateBody": TEMPLATE, "Parameters": parameters("alice")}
    stack_id = client.create_stack(**wanted, ClientRequestToken="once")["StackId"]
    cloud.client("cloudformation").get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 0})
    assert client.create_stack(**wanted, ClientRequestToken="once")["StackId"] == stack_id
    with pytest.raises(ClientError, match="is in CREATE_IN_PROGRESS state and can not be updated"):
        client.update_stack(**wanted)
    assert client.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"] == "CREATE_IN_PROGRESS"
    assert {each["ResourceStatus"] for each in _events(client, STACK)} == {"CREATE_IN_PROGRESS"}
    assert client.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
    assert _events(client, STACK)[0]["ResourceStatus"] == "CREATE_COMPLETE"
    client.delete_stack(StackName=STACK)
    assert client.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"] == "DELETE_IN_PROGRESS"
    assert _events(client, stack_id)[0]["ResourceStatus"] == "DELETE_IN_PROGRESS"
    with pytest.raises(ClientError, match="does not exist"):
        client.describe_stacks(StackName=STACK)
    assert client.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"


def test_plan_survives_the_wire() -> None:
    """A plan that was sent as JSON is the plan that was meant."""
    parts = [
        Fault(Kind.HUNG, ("CreateStack",), Caller.STANDARD, after=1, times=2, once_served=True),
        Hold("DELETE", seconds=1.5),
        Reason("ECRRepository", ""),
    ]
    assert [from_data(as_data(part)) for part in parts] == parts


def test_listens_on_this_machine_only(faulty: FaultyCloud) -> None:
    """Nobody else can reach it."""
    assert listening(faulty.pid) == {("127.0.0.1", faulty.port)}


def _events(client: Any, name: str) -> list[dict[str, Any]]:
    """A stack's events, newest first."""
    events: list[dict[str, Any]] = client.describe_stack_events(StackName=name)["StackEvents"]
    return events
