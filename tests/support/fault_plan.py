# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the proxy of L(faults) does to whom: plain data, shared by the tests that write it and the addon that obeys it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any


class Kind(str, Enum):
    """What happens to a call."""

    # The service asks for fewer calls, in the words of its protocol.
    THROTTLED = "throttled"
    # 503, as of a service that is overloaded.
    UNAVAILABLE = "unavailable"
    # The connection ends without an answer.
    RESET = "reset"
    EXPIRED = "expired"
    DENIED = "denied"
    # 200, and a body that is not what was asked for.
    GARBAGE = "garbage"
    # Neither passed on nor answered until the proxy is told to release.
    HUNG = "hung"


class Caller(str, Enum):
    """Who calls, by the user agent."""

    # The modules and action plugins of this collection.
    OURS = "ours"
    # amazon.aws's.
    STANDARD = "standard"
    # Anybody else, such as a test's own client; no fault ever meets them.
    SOMEBODY = "somebody"


# How a stack is looked at, whichever of these a follower prefers.
READING = ("DescribeStacks", "DescribeStackEvents", "DescribeEvents")


@dataclass(frozen=True)
class Fault:
    """Some calls go wrong.

    :param actions: which ones, such as DescribeStacks; none means all.
    :param by: whose; C(None) means of everybody but SOMEBODY.
    :param after: so many of these calls are let through first.
    :param times: and then so many go wrong; C(None) means all.
    :param every: of these, each so-manieth.
    :param once_served: whether the service gets the call, and only its answer goes wrong.
    """

    kind: Kind
    actions: tuple[str, ...] = ()
    by: Caller | None = None
    after: int = 0
    times: int | None = None
    every: int = 1
    once_served: bool = False

    def concerns(self, action: str, caller: Caller) -> bool:
        """Whether such a call counts."""
        if caller is Caller.SOMEBODY or (self.by is not None and caller is not self.by):
            return False
        return not self.actions or action in self.actions


@dataclass(frozen=True)
class Hold:
    """Operations on stacks take time: the stack is in progress, and its events agree, however soon the service is done.

    With neither C(seconds) nor C(looks), until the proxy is told to release.

    :param operation: CREATE, UPDATE or DELETE; or CHANGE_SET, for change sets that are slow to be made, which have no looks.
    :param seconds: how long since the request.
    :param looks: how many looks at the stack, or at its events; the standard module's do not count.
    :param status: what is told instead of CREATE_IN_PROGRESS and the like.
    """

    operation: str
    seconds: float | None = None
    looks: int | None = None
    status: str | None = None


@dataclass(frozen=True)
class Reason:
    """The failure of a resource has another reason.

    :param logical_id: of the resource; it has to fail.
    :param text: its ResourceStatusReason; empty for none at all.
    """

    logical_id: str
    text: str


Part = Fault | Hold | Reason
_TYPES: dict[str, type[Any]] = {each.__name__: each for each in (Fault, Hold, Reason)}


def as_data(part: Part) -> dict[str, Any]:
    """A part of a plan, as JSON can carry it."""
    return {"type": type(part).__name__, **asdict(part)}


def from_data(data: Mapping[str, Any]) -> Part:
    """The reverse of L(as_data)."""
    values = {name: value for name, value in data.items() if name != "type"}
    if data["type"] == Fault.__name__:
        values["kind"] = Kind(values["kind"])
        values["actions"] = tuple(values["actions"])
        values["by"] = Caller(values["by"]) if values["by"] else None
    part: Part = _TYPES[data["type"]](**values)
    return part


@dataclass(frozen=True)
class Call:
    """A call that came to the proxy.

    :param at: seconds on the proxy's clock, which only goes forward.
    :param stack: the name or ID that it named; empty where it named none.
    :param parameters: all that a query said, but not the template.
    :param fault: what the plan made of it; empty where it went through.
    :param status: the answer's HTTP status; 0 while there is none, and where there never was one.
    """

    at: float
    service: str
    action: str
    caller: Caller
    stack: str
    parameters: Mapping[str, str]
    fault: str
    status: int

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.action.startswith(("Describe", "List", "Get", "BatchGet", "Validate", "Simulate"))

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Call:
        """A call, of what JSON carried."""
        return cls(**{**data, "caller": Caller(data["caller"])})
