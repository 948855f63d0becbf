# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CloudFormation on a clock that only sleeping and calling move, spoken to by real botocore clients.

It answers where botocore would send a request, so that everything above that is what runs in earnest: waiters, paginators,
parsers and retries. Needs nothing but the standard library, because it is used in two virtual environments.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol
from unittest.mock import patch
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

NAME = "payments-api"
REGION = "eu-west-1"
STACK_ID = f"arn:aws:cloudformation:{REGION}:123456789012:stack/{NAME}/5f2c8a10-c8b1-11f0-9d5e-0a1b2c3d4e5f"
CREDENTIALS = {"aws_access_key_id": "123456789012", "aws_secret_access_key": "test"}
T0 = datetime(2026, 11, 23, 21, 41, tzinfo=timezone.utc)

# How long a change set takes to be made; CloudFormation takes some seconds.
CHANGE_SET_SECONDS = 3.0

# What botocore emits before it sends a request; who answers it keeps the request from being sent.
BEFORE_SEND = "before-send.cloudformation"


@dataclass
class Clock:
    """Seconds since the beginning, which pass only when somebody sleeps or waits for an answer."""

    now: float = 0.0

    def read(self) -> float:
        """The time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        self.now += max(0.0, seconds)


@dataclass(frozen=True)
class Answer:
    """What botocore needs of an HTTP response."""

    status_code: int
    content: bytes
    headers: dict[str, str]


@dataclass
class CloudFormation:
    """A service with one stack, which is created in so many seconds.

    :param takes: seconds from the request, or from the beginning where there is none, to the end of the creation.
    :param latency: seconds that an answer takes, half of them on the way there.
    :param begins: when the creation begins; C(None) for when it is asked for.
    :param fails: whether it is rolled back, beginning at half of its time.
    :ivar calls: when each call was answered, and its action.
    :ivar seen: when an answer first told of the end, by the status or by an event.
    """

    takes: float
    latency: float = 0.0
    begins: float | None = 0.0
    fails: bool = False
    clock: Clock = field(default_factory=Clock)
    calls: list[tuple[float, str]] = field(default_factory=list)
    seen: float | None = None
    _change_set_at: float | None = None

    @property
    def settles(self) -> float:
        """When the creation ends.

        :raises ValueError: nobody asked for it.
        """
        if self.begins is None:
            raise ValueError("The creation has not begun.")
        return self.begins + self.takes

    @property
    def calls_of_operation(self) -> int:
        """How many calls were answered since the creation began, the one that began it left out."""
        began = self.begins or 0.0
        return sum(at >= began and not action.startswith(("Create", "Execute")) for at, action in self.calls)

    def send(self, request: Any, **_event: Any) -> Answer:
        """Answer a request, as a handler of C(BEFORE_SEND)."""
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        asked = dict(parse_qsl(body))
        self.clock.sleep(self.latency / 2)
        self.calls.append((self.clock.now, asked["Action"]))
        answer: Answer = getattr(self, f"_{asked['Action']}")()
        self.clock.sleep(self.latency / 2)
        return answer

    @property
    def _status(self) -> str | None:
        """The stack's status now; C(None) where there is no stack yet."""
        if self.begins is None or self.clock.now < self.begins:
            return None
        if self.clock.now >= self.settles:
            return "ROLLBACK_COMPLETE" if self.fails else "CREATE_COMPLETE"
        failed = self.fails and self.clock.now >= self.begins + self.takes / 2
        return "ROLLBACK_IN_PROGRESS" if failed else "CREATE_IN_PROGRESS"

    def _tell(self) -> None:
        """Note that an answer tells of the end, if there was one."""
        if self.seen is None and self.clock.now >= self.settles:
            self.seen = self.clock.now

    def _DescribeStacks(self) -> Answer:  # noqa: N802 - the service's name for it
        status = self._status
        if status is None:
            return _refusal(f"Stack with id {NAME} does not exist")
        self._tell()
        stack = _fields(
            StackName=NAME,
            StackId=STACK_ID,
            StackStatus=status,
            CreationTime=_iso(self.begins),
            DisableRollback="false",
        )
        return _answer("DescribeStacks", f"<Stacks><member>{stack}</member></Stacks>")

    def _DescribeStackEvents(self) -> Answer:  # noqa: N802
        if self._status is None:
            return _refusal(f"Stack [{NAME}] does not exist")
        self._tell()
        events = "".join(reversed([_event(*each) for each in self._events() if each[0] <= self.clock.now]))
        return _answer("DescribeStackEvents", f"<StackEvents>{events}</StackEvents>")

    def _DescribeEvents(self) -> Answer:  # noqa: N802
        return _answer("DescribeEvents", "<OperationEvents/>")

    def _CreateChangeSet(self) -> Answer:  # noqa: N802
        self._change_set_at = self.clock.now
        return _answer("CreateChangeSet", _fields(Id=f"{STACK_ID}/change-set", StackId=STACK_ID))

    def _DescribeChangeSet(self) -> Answer:  # noqa: N802
        done = self._change_set_at is not None and self.clock.now >= self._change_set_at + CHANGE_SET_SECONDS
        status = "CREATE_COMPLETE" if done else "CREATE_IN_PROGRESS"
        return _answer("DescribeChangeSet", _fields(ChangeSetName="change-set", StackId=STACK_ID, Status=status))

    def _ExecuteChangeSet(self) -> Answer:  # noqa: N802
        self.begins = self.clock.now
        return _answer("ExecuteChangeSet", "")

    def _events(self) -> Iterator[tuple[float, str, str, str]]:
        """Time, logical ID, status and reason of each event that there will be, oldest first."""
        began = self.begins or 0.0
        middle = began + self.takes / 2
        yield began, NAME, "CREATE_IN_PROGRESS", "User Initiated"
        yield min(began + 0.7, middle), "ECRRepository", "CREATE_IN_PROGRESS", ""
        if self.fails:
            yield middle, "ECRRepository", "CREATE_FAILED", "Principal not found"
            yield middle, NAME, "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [ECRRepository]."
            yield self.settles, "ECRRepository", "DELETE_COMPLETE", ""
            yield self.settles, NAME, "ROLLBACK_COMPLETE", ""
        else:
            yield max(self.settles - 0.3, middle), "ECRRepository", "CREATE_COMPLETE", ""
            yield self.settles, NAME, "CREATE_COMPLETE", ""


class Poller(Protocol):
    """Somebody who follows a stack."""

    name: str
    # Whether it asks for the creation itself; else the creation begins when it does.
    asks: bool

    def follow(self, service: CloudFormation) -> None:
        """Return when the stack is known to have settled."""


@dataclass(frozen=True)
class Sample:
    """How one poller followed one stack.

    :param takes: seconds that the stack took.
    :param seen: seconds from the stack's settling to the first answer that tells of it, at the service.
    :param told: seconds from the stack's settling to the poller's saying so.
    :param calls: calls of all kinds from the beginning of the creation on.
    """

    takes: float
    seen: float
    told: float
    calls: int


def sample(poller: Poller, takes: float, latency: float, *, begins: float = 0.0, fails: bool = False) -> Sample:
    """Let a poller follow a stack.

    :param begins: how long after the poller the creation begins, for a poller that does not ask for it itself.
    :raises RuntimeError: it ended without having seen the end.
    """
    service = CloudFormation(takes, latency, begins=None if poller.asks else begins, fails=fails)
    with sleeping(service.clock.sleep):
        poller.follow(service)
    if service.seen is None:
        raise RuntimeError(f"{poller.name} has not seen a stack of {takes} s settle: {service.calls}")
    return Sample(
        takes,
        round(service.seen - service.settles, 3),
        round(service.clock.now - service.settles, 3),
        service.calls_of_operation,
    )


@contextmanager
def sleeping(sleep: Callable[[float], None]) -> Iterator[None]:
    """Have everybody in this process sleep like that."""
    with patch.object(time, "sleep", sleep):
        yield


def _event(at: float, logical_id: str, status: str, reason: str) -> str:
    of_stack = logical_id == NAME
    fields = _fields(
        StackId=STACK_ID,
        StackName=NAME,
        EventId=f"{logical_id}-{status}",
        LogicalResourceId=logical_id,
        PhysicalResourceId=STACK_ID if of_stack else NAME,
        ResourceType="AWS::CloudFormation::Stack" if of_stack else "AWS::ECR::Repository",
        ResourceStatus=status,
        ResourceStatusReason=reason,
        Timestamp=_iso(at),
    )
    return f"<member>{fields}</member>"


def _iso(seconds: float | None) -> str:
    return (T0 + timedelta(seconds=seconds or 0.0)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(**fields: str) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())


def _answer(action: str, result: str) -> Answer:
    namespace = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
    return _as_xml(
        200, f'<{action}Response xmlns="{namespace}"><{action}Result>{result}</{action}Result></{action}Response>'
    )


def _refusal(message: str) -> Answer:
    error = _fields(Type="Sender", Code="ValidationError", Message=message)
    return _as_xml(400, f"<ErrorResponse><Error>{error}</Error><RequestId>0</RequestId></ErrorResponse>")


def _as_xml(status: int, text: str) -> Answer:
    return Answer(status, text.encode(), {"content-type": "text/xml", "x-amzn-requestid": "0"})
