# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""mitmproxy's part of L(faults): obeys a plan, and writes down every call.

It is told what to do over HTTP, at C(/_faults/…) of its own port. What it adds to MiniStack is AWS's behaviour, as far as
botocore's users can see it: operations that take time and keep others out meanwhile, and tokens that make a request safe to
repeat.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import parse_qsl, urlencode

from mitmproxy import http

from ansible_collections.cargohold.ecr.tests.support.fault_plan import (
    Call,
    Caller,
    Fault,
    Hold,
    Kind,
    Part,
    Reason,
    from_data,
)

CONTROL = "/_faults/"
XMLNS = "http://cloudformation.amazonaws.com/doc/2010-05-15/"

OPERATIONS = {"CreateStack": "CREATE", "UpdateStack": "UPDATE", "DeleteStack": "DELETE"}

# What a plan calls the making of a change set, which is no operation on the stack.
CHANGE_SET = "CHANGE_SET"

LOOKS = ("DescribeStacks", "DescribeStackEvents")

# HTTP status, code for the query protocol, code for JSON, and what is said.
ERRORS = {
    Kind.THROTTLED: (400, "Throttling", "ThrottlingException", "Rate exceeded"),
    Kind.UNAVAILABLE: (
        503,
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "Service is unable to handle request.",
    ),
    Kind.EXPIRED: (
        403,
        "ExpiredToken",
        "ExpiredTokenException",
        "The security token included in the request is expired",
    ),
    Kind.DENIED: (
        403,
        "AccessDenied",
        "AccessDeniedException",
        "User: {user} is not authorized to perform: {permission}",
    ),
}
GARBAGE = b"<!DOCTYPE html><html><body>Please log in to the guest network & accept our terms.</body>"


@dataclass
class Operation:
    """What was last begun on a stack.

    :param hold: how long it seems to take; C(None) for as long as it takes.
    """

    kind: str
    stack_id: str
    name: str
    hold: Hold | None
    began: float
    looks: int = 0
    ended: float | None = None

    @property
    def held_status(self) -> str | None:
        """The status to tell while it is held."""
        if self.hold is None or self.ended is not None:
            return None
        return self.hold.status or f"{self.kind}_IN_PROGRESS"

    def end_if_due(self) -> None:
        """End the hold when its time is over."""
        if self.hold is None or self.ended is not None:
            return
        late = self.hold.seconds is not None and time.monotonic() - self.began >= self.hold.seconds
        if late or (self.hold.looks is not None and self.looks > self.hold.looks):
            self.ended = time.monotonic()


@dataclass
class Request:
    """What a call asks for, read once."""

    service: str
    action: str
    caller: Caller
    parameters: dict[str, str]

    @property
    def stack(self) -> str:
        """The stack's name or ID; empty where none is named."""
        return self.parameters.get("StackName", "")

    @property
    def speaks_json(self) -> bool:
        """Whether the service's protocol is JSON, rather than queries and XML."""
        return self.service == "ecr"


@dataclass
class Note:
    """What is written down of a call; see L(fault_plan.Call)."""

    at: float
    request: Request
    fault: str = ""
    status: int = 0

    def as_data(self) -> dict[str, Any]:
        """As JSON can carry it."""
        call = Call(
            self.at,
            self.request.service,
            self.request.action,
            self.request.caller,
            self.request.stack,
            {name: value for name, value in self.request.parameters.items() if name != "TemplateBody"},
            self.fault,
            self.status,
        )
        return asdict(call)


@dataclass
class Faults:
    """The addon."""

    plan: list[Part] = field(default_factory=list)
    met: dict[int, int] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    operations: dict[str, Operation] = field(default_factory=dict)
    answers: dict[tuple[str, str], http.Response] = field(default_factory=dict)
    # By name and ID of each change set what its execution is, and on which stack: the execution itself does not tell.
    change_sets: dict[str, tuple[str, str]] = field(default_factory=dict)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def running(self) -> None:
        """The proxy listens; whoever started it reads that in its log, in the words that all stand-ins have in common."""
        print(f"Listening on http://127.0.0.1:{os.environ['FAULTS_PORT']} ", flush=True)

    async def request(self, flow: http.HTTPFlow) -> None:
        """A call, before MiniStack gets it."""
        if flow.request.path.startswith(CONTROL):
            flow.response = self.control(flow.request)
            return
        request = _read(flow.request)
        if request is None:
            return
        note = Note(time.monotonic(), request)
        self.notes.append(note)
        flow.metadata["note"] = note
        fault = self.fault_for(request)
        if fault:
            note.fault = fault.kind.value
            flow.metadata["fault"] = fault
            if not fault.once_served:
                await self.spoil(flow, fault, request)
        if flow.response is None and flow.error is None:
            await self.play_aws(flow, request)

    async def response(self, flow: http.HTTPFlow) -> None:
        """MiniStack's answer, before the caller gets it."""
        note: Note | None = flow.metadata.get("note")
        if note is None or flow.response is None:
            return
        request, fault = note.request, flow.metadata.get("fault")
        if fault is None or fault.once_served or fault.kind is Kind.HUNG:
            self.remember(flow, request)
            self.rewrite(flow.response, request)
        if fault and fault.once_served:
            await self.spoil(flow, fault, request)
        note.status = flow.response.status_code

    def control(self, request: http.Request) -> http.Response:
        """What the tests say."""
        said = json.loads(request.get_text() or "null")
        match request.path.removeprefix(CONTROL):
            case "plan":
                self.plan, self.met = [from_data(each) for each in said], {}
            case "calls":
                return _json([note.as_data() for note in self.notes])
            case "release":
                self.release()
            case "let_go":
                self.let_go()
            case "reset":
                self.release()
                for kept in (self.plan, self.met, self.notes, self.operations, self.answers, self.change_sets):
                    kept.clear()
            case unknown:
                return http.Response.make(404, unknown.encode())
        return _json(None)

    def release(self) -> None:
        """End everything that is held or hung."""
        for operation in self.operations.values():
            if operation.hold and operation.ended is None:
                operation.ended = time.monotonic()
        self.let_go()

    def let_go(self) -> None:
        """End everything that is hung."""
        self.released.set()
        self.released = asyncio.Event()

    def fault_for(self, request: Request) -> Fault | None:
        """The first fault of the plan whose turn it is; every one that is concerned counts the call."""
        chosen: Fault | None = None
        for number, part in enumerate(self.plan):
            if not isinstance(part, Fault) or not part.concerns(request.action, request.caller):
                continue
            met = self.met[number] = self.met.get(number, 0) + 1
            turn = met - part.after
            concerned = turn > 0 and (part.times is None or turn <= part.times)
            if chosen is None and concerned and turn % part.every == 0:
                chosen = part
        return chosen

    async def spoil(self, flow: http.HTTPFlow, fault: Fault, request: Request) -> None:
        """Let a call go wrong."""
        if fault.kind is Kind.HUNG:
            await self.released.wait()
            if not flow.client_conn.connected:
                flow.kill()  # type: ignore[no-untyped-call]
            return
        if fault.kind is Kind.RESET:
            flow.kill()  # type: ignore[no-untyped-call]
            return
        if fault.kind is Kind.GARBAGE:
            flow.response = http.Response.make(200, GARBAGE, {"Content-Type": "text/html"})
            return
        status, query, as_json, message = ERRORS[fault.kind]
        permission = f"{request.service}:{request.action}"
        message = message.format(user="arn:aws:iam::123456789012:user/deployer", permission=permission)
        flow.response = _error(request, status, as_json if request.speaks_json else query, message)

    async def play_aws(self, flow: http.HTTPFlow, request: Request) -> None:
        """Refuse what AWS refuses while an operation is going on, and answer a repeated request as the first time."""
        if request.service != "cloudformation":
            return
        if request.action in LOOKS and request.caller is not Caller.STANDARD:
            for each in self.operations.values():
                each.looks += request.stack in ("", each.name, each.stack_id)
        if request.action == "DeleteStack":
            flow.metadata["stack_id"] = await self.stack_id(flow.request, request.stack)
        operation = self.held_on(request.stack)
        again = self.answers.get((request.action, request.parameters.get("ClientRequestToken", "")))
        if again:
            flow.response = again.copy()
        elif operation and request.action == "UpdateStack":
            said = f"Stack:{operation.stack_id} is in {operation.held_status} state and can not be updated."
            flow.response = _error(request, 400, "ValidationError", said)
        elif operation and request.action == "CreateStack":
            flow.response = _error(request, 400, "AlreadyExistsException", f"Stack [{operation.name}] already exists")
        elif operation and operation.kind == "DELETE" and request.stack:
            # MiniStack has deleted it and knows it by its ID only.
            flow.request.text = urlencode({**request.parameters, "StackName": operation.stack_id})

    async def stack_id(self, request: http.Request, name: str) -> str:
        """The ID of the stack that is about to be deleted."""
        operation = self.held_on(name)
        if name.startswith("arn:"):
            return name
        if operation:
            return operation.stack_id
        body = urlencode({"Action": "DescribeStacks", "Version": "2010-05-15", "StackName": name})
        headers = {
            key: request.headers[key] for key in ("Authorization", "Content-Type", "Host") if key in request.headers
        }
        answer = await asyncio.to_thread(_ask, request.host, request.port, headers, body)
        found = re.search(r"<StackId>([^<]+)</StackId>", answer)
        return found[1] if found else ""

    def held_on(self, name_or_id: str) -> Operation | None:
        """What is held on a stack."""
        for operation in self.operations.values():
            operation.end_if_due()
            if operation.held_status and name_or_id in (operation.stack_id, operation.name):
                return operation
        return None

    def remember(self, flow: http.HTTPFlow, request: Request) -> None:
        """Write down an operation that MiniStack began."""
        if request.action == "CreateChangeSet" and flow.response is not None:
            self.remember_change_set(flow.response.get_text() or "", request)
        kind, executed = OPERATIONS.get(request.action), ""
        if request.action == "ExecuteChangeSet":
            kind, executed = self.change_sets.get(request.parameters["ChangeSetName"], ("UPDATE", ""))
        if (
            request.service != "cloudformation"
            or kind is None
            or flow.response is None
            or flow.response.status_code != 200
        ):
            return
        token = request.parameters.get("ClientRequestToken")
        if token and (request.action, token) in self.answers:
            return
        if token:
            self.answers[request.action, token] = flow.response.copy()
        found = re.search(r"<StackId>([^<]+)</StackId>", flow.response.get_text() or "")
        stack_id = flow.metadata.get("stack_id") or executed or (found[1] if found else "")
        present = self.operations.get(stack_id)
        if not stack_id or (present and present.held_status and present.kind == kind == "DELETE"):
            return
        self.begin(kind, stack_id)

    def remember_change_set(self, answer: str, request: Request) -> None:
        """Write down what the execution of a change set will be."""
        found = [re.search(rf"<{name}>([^<]+)</{name}>", answer) for name in ("Id", "StackId")]
        told = [each[1] for each in found if each]
        if len(told) == len(found):
            execution = request.parameters.get("ChangeSetType", "UPDATE"), told[1]
            self.change_sets[told[0]] = self.change_sets[request.parameters["ChangeSetName"]] = execution
            self.begin(CHANGE_SET, told[0])

    def begin(self, kind: str, arn: str) -> None:
        """Write down that something began, and how long it is to seem to take.

        :param arn: the ID of a stack, or of a change set.
        """
        hold = next((part for part in self.plan if isinstance(part, Hold) and part.operation == kind), None)
        self.operations[arn] = Operation(kind, arn, arn.split("/")[1], hold, time.monotonic())

    def rewrite(self, response: http.Response, request: Request) -> None:
        """Make an answer agree with what is held, and failures have the reasons of the plan."""
        change: Callable[[ET.Element], None] | None = {
            "DescribeStacks": self.hold_stacks if request.stack else self.hold_listing,
            "ListStacks": self.hold_deleted,
            "DescribeStackEvents": self.hold_events,
            "DescribeChangeSet": self.hold_change_set,
            "ListStackResources": self.hold_resources,
            "DescribeStackResources": self.hold_resources,
        }.get(request.action)
        if request.service != "cloudformation" or change is None or response.status_code != 200:
            return
        root = ET.fromstring(response.content or b"")  # noqa: S314  (it is MiniStack's)
        change(root)
        ET.register_namespace("", XMLNS)
        response.content = ET.tostring(root, encoding="utf-8", xml_declaration=True)

    def hold_stacks(self, root: ET.Element) -> None:
        """A stack that is held is in progress, and a new one has no outputs yet."""
        for member in _members(root, "Stacks"):
            operation = self.operations.get(_text(member, "StackId"))
            if operation is None:
                continue
            operation.end_if_due()
            if operation.held_status is None:
                continue
            _set(member, "StackStatus", operation.held_status)
            if operation.kind == "CREATE":
                for outputs in member.findall(_tag("Outputs")):
                    member.remove(outputs)

    def hold_change_set(self, root: ET.Element) -> None:
        """A change set that is held is being made, and tells of no changes yet."""
        for result in root.iter(_tag("DescribeChangeSetResult")):
            operation = self.operations.get(_text(result, "ChangeSetId"))
            if operation is None:
                continue
            operation.end_if_due()
            if operation.held_status:
                _set(result, "Status", "CREATE_IN_PROGRESS")
                _set(result, "ExecutionStatus", "UNAVAILABLE")
                for changes in result.findall(_tag("Changes")):
                    result.remove(changes)

    def hold_listing(self, root: ET.Element) -> None:
        """A stack that is held while it is deleted is in the listing, whose last page it is put on here."""
        self.hold_stacks(root)
        if any(_text(each, "NextToken") for each in root.iter()):
            return
        for stacks in root.iter(_tag("Stacks")):
            present = {_text(member, "StackId") for member in stacks}
            for operation in self.operations.values():
                operation.end_if_due()
                if operation.kind == "DELETE" and operation.held_status and operation.stack_id not in present:
                    stacks.append(_deleting(operation))

    def hold_deleted(self, root: ET.Element) -> None:
        """A stack that is held while it is deleted is not among the deleted ones."""
        held = {each.stack_id for each in self.operations.values() if each.held_status}
        for summaries in root.iter(_tag("StackSummaries")):
            for member in [each for each in summaries if _text(each, "StackId") in held]:
                summaries.remove(member)

    def hold_resources(self, root: ET.Element) -> None:
        """The resources of a stack that is held are in progress."""
        for member in [*_members(root, "StackResourceSummaries"), *_members(root, "StackResources")]:
            stack_id = _text(member, "StackId")
            held = [each for each in self.operations.values() if each.held_status and stack_id in ("", each.stack_id)]
            for operation in held:
                if _text(member, "ResourceStatus") == f"{operation.kind}_COMPLETE":
                    _set(member, "ResourceStatus", f"{operation.kind}_IN_PROGRESS")

    def hold_events(self, root: ET.Element) -> None:
        """The events of a held operation stop where something has ended; afterwards they are as late as the hold made them."""
        for events in root.iter(_tag("StackEvents")):
            for member, operation in self._ends(list(events)):
                if operation.held_status:
                    events.remove(member)
                elif operation.ended is not None:
                    moment = datetime.fromisoformat(_text(member, "Timestamp").replace("Z", "+00:00"))
                    late = moment + timedelta(seconds=operation.ended - operation.began)
                    _set(member, "Timestamp", late.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
        for member in _members(root, "StackEvents"):
            for part in self.plan:
                failed = _text(member, "ResourceStatus").endswith("_FAILED")
                if isinstance(part, Reason) and failed and _text(member, "LogicalResourceId") == part.logical_id:
                    _set(member, "ResourceStatusReason", part.text)

    def _ends(self, newest_first: list[ET.Element]) -> Iterator[tuple[ET.Element, Operation]]:
        """Those events of the last operation on a stack that come once it, or something in it, has ended."""
        for operation in self.operations.values():
            operation.end_if_due()
            own = []
            for member in newest_first:
                if _text(member, "StackId") != operation.stack_id:
                    continue
                own.append(member)
                if _is_of_stack(member) and _text(member, "ResourceStatus") == f"{operation.kind}_IN_PROGRESS":
                    break
            going_on = True
            for member in own[-2::-1]:
                going_on = going_on and not _is_of_stack(member)
                if not going_on or not _text(member, "ResourceStatus").endswith("_IN_PROGRESS"):
                    yield member, operation


def _read(request: http.Request) -> Request | None:
    """What a call asks for; C(None) where it is no call of an AWS service."""
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", request.headers.get("Authorization", ""))
    if scope is None:
        return None
    agent = request.headers.get("User-Agent", "")
    caller = Caller.OURS if "cargohold.ecr" in agent else Caller.STANDARD if "Ansible" in agent else Caller.SOMEBODY
    target = request.headers.get("X-Amz-Target")
    if target:
        return Request(scope[1], target.rpartition(".")[2], caller, {})
    parameters = dict(parse_qsl(request.get_text() or "", keep_blank_values=True))
    return Request(scope[1], parameters.get("Action", ""), caller, parameters)


def _ask(host: str, port: int, headers: dict[str, str], body: str) -> str:
    """Ask MiniStack something of our own; the text of its answer."""
    connection = HTTPConnection(host, port, timeout=30)
    try:
        connection.request("POST", "/", body, headers)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def _json(value: object) -> http.Response:
    return http.Response.make(200, json.dumps(value), {"Content-Type": "application/json"})


def _error(request: Request, status: int, code: str, message: str) -> http.Response:
    """An error in the words of the service's protocol."""
    if request.speaks_json:
        body = json.dumps({"__type": code, "message": message})
        # JSON services tell everything that the caller did as 400.
        return http.Response.make(
            max(status, 500) if status >= 500 else 400, body, {"Content-Type": "application/x-amz-json-1.1"}
        )
    root = ET.Element("ErrorResponse", xmlns=XMLNS)
    error = ET.SubElement(root, "Error")
    for name, text in (("Type", "Receiver" if status >= 500 else "Sender"), ("Code", code), ("Message", message)):
        ET.SubElement(error, name).text = text
    ET.SubElement(root, "RequestId").text = "00000000-0000-0000-0000-000000000000"
    return http.Response.make(status, ET.tostring(root), {"Content-Type": "text/xml"})


def _tag(name: str) -> str:
    return f"{{{XMLNS}}}{name}"


def _members(root: ET.Element, name: str) -> Iterable[ET.Element]:
    return [member for each in root.iter(_tag(name)) for member in each]


def _text(member: ET.Element, name: str) -> str:
    return member.findtext(_tag(name)) or ""


def _set(member: ET.Element, name: str, text: str) -> None:
    """Give a field a value, or take it away where that is empty."""
    present = member.find(_tag(name))
    if present is None:
        present = ET.SubElement(member, _tag(name))
    if text:
        present.text = text
    else:
        member.remove(present)


def _deleting(operation: Operation) -> ET.Element:
    """A stack that is being deleted, as a listing tells it."""
    member = ET.Element(_tag("member"))
    for name, text in (
        ("StackName", operation.name),
        ("StackId", operation.stack_id),
        ("CreationTime", "2026-01-01T00:00:00.000Z"),
        ("StackStatus", operation.held_status or ""),
    ):
        _set(member, name, text)
    return member


def _is_of_stack(event: ET.Element) -> bool:
    return _text(event, "PhysicalResourceId") == _text(event, "StackId")
