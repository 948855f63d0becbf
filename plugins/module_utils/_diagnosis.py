# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""From a stack's events to the root cause of a failure, in a sentence, with what to do about it where that is known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils._records import STACK_TYPE, Event

# CloudFormation cancels what else was going on when one resource fails, and then sums up what failed; neither is a cause.
_CONSEQUENCE = re.compile(
    r"^Resource (?:creation|update|deletion) cancelled|^The following resource\(s\) failed to|^Embedded stack .* was not successfully",
    re.IGNORECASE,
)

# What the resource handlers wrap around the service's own words.
_WRAPPER = re.compile(r'^Resource handler returned message: "(?P<inner>.*)"\s*(?:\(.*\))?$', re.DOTALL)
_TRAILERS = re.compile(
    r"\s*\((?:Service|RequestToken|Request ID|HandlerErrorCode|SDK Attempt Count)\b[^()]*\)", re.IGNORECASE
)

_DOING = {
    "CREATE": "created",
    "UPDATE": "updated",
    "DELETE": "deleted",
    "ROLLBACK": "rolled back",
    "IMPORT": "imported",
}


@dataclass(frozen=True)
class _Remedy:
    pattern: re.Pattern[str]
    advice: str


# The known causes, most particular first. Sources: aws-facts and the ECR, IAM and KMS user guides.
_REMEDIES = tuple(
    _Remedy(re.compile(pattern, re.IGNORECASE), advice)
    for pattern, advice in (
        (
            r"principal not found|invalid principal",
            "A user or role that the policy names does not exist in the account: check the IAM user's name.",
        ),
        (
            r"repositor\S* .*(?:not empty|contains images|still contains)|RepositoryNotEmpty",
            "The repository still holds images: delete them, or say that they may go with it (repository_delete_images: true).",
        ),
        (
            r"already exists",
            "Something of that name exists outside this stack: choose another name, or delete or import what is there.",
        ),
        (
            r"throttl|rate exceeded|too many requests|request\s*limit",
            "AWS was asked too much at once: run it again later.",
        ),
        (
            r"limit\s*exceeded|LimitExceeded|quota|too many",
            "A quota of the account is used up: delete what is not needed, or ask for more in Service Quotas.",
        ),
        (
            r"kms|key .*(?:not found|disabled|does not exist|pending deletion)",
            "The KMS key cannot be used: it must exist here, be enabled, and allow kms:DescribeKey, CreateGrant and RetireGrant.",
        ),
        (
            r"access\s*denied|not authorized|AccessDenied|is not permitted|UnauthorizedOperation",
            "Whoever deploys lacks a permission: grant the action that is named, to the stack's service role where it has one.",
        ),
    )
)


@dataclass(frozen=True)
class Failure:
    """One resource that failed for a reason of its own."""

    event: Event

    @property
    def reason(self) -> str:
        """The service's words, without what CloudFormation wraps around them; never empty."""
        return plain_reason(self.event.reason)

    @property
    def sentence(self) -> str:
        """What failed and why."""
        kind = "ROLLBACK" if "ROLLBACK" in self.event.status else self.event.status.split("_")[0]
        doing = _DOING.get(kind, "processed")
        what = "The stack" if self.event.is_of_stack else f"{self.event.logical_id} ({self.event.type})"
        return f"{what} could not be {doing}: {self.reason}."

    @property
    def advice(self) -> str:
        """What to do about it; empty where the cause is not a known one."""
        return advice_for(self.event.reason)

    def as_result(self) -> dict[str, Any]:
        """The failure as part of a task's result."""
        return {**self.event.as_result(), "reason": self.reason, "advice": self.advice}


def failures(events: Sequence[Event]) -> list[Failure]:
    """The failures in C(events) that have a reason of their own, the root cause first.

    Cancellations and summaries are dropped, unless nothing else is there. A nested stack's own events tell more than its
    parent's event about it, so that goes behind them.

    :param events: the events of one operation, oldest first; those of nested stacks may be among them.
    """
    failed = [event for event in events if event.has_failed]
    causes = [event for event in failed if not _CONSEQUENCE.search(event.reason) and not _is_bare_stack(event)]
    ordered = sorted(causes, key=lambda event: event.type == STACK_TYPE) or failed
    # The two event calls tell of the same failure under different event IDs.
    distinct = {(event.logical_id, event.status, event.reason): event for event in reversed(ordered)}
    return [Failure(event) for event in reversed(distinct.values())]


def nested_stacks(events: Sequence[Event]) -> list[str]:
    """The IDs of the nested stacks in C(events) that failed: their own events hold the cause."""
    return list(
        dict.fromkeys(
            event.physical_id
            for event in events
            if event.has_failed and event.type == STACK_TYPE and not event.is_of_stack and event.physical_id
        )
    )


def plain_reason(reason: str) -> str:
    """A status reason without the wrapping of the resource handlers, on one line, without a full stop at its end."""
    wrapped = _WRAPPER.match(reason.strip())
    text = wrapped["inner"] if wrapped else reason
    return " ".join(_TRAILERS.sub("", text).split()).rstrip(".") or "CloudFormation gives no reason"


def advice_for(reason: str) -> str:
    """What to do about a failure with this reason; empty where the cause is not a known one."""
    return next((remedy.advice for remedy in _REMEDIES if remedy.pattern.search(reason)), "")


def _is_bare_stack(event: Event) -> bool:
    return event.is_of_stack and not event.reason
