# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An AWS that plays a script, for modules that run in this process: the same for whichever module is asked to look at it.

Modules are called by their documented options and answer with their result, as Ansible would have it. What they wait for
passes on a clock of the script's own.
"""

from __future__ import annotations

import json
import runpy
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from botocore import xform_name
from botocore.client import BaseClient
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"
REGION = "eu-west-1"
NAME = "payments-api"
STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{NAME}/0b7a3b1e-0000-4000-8000-000000000000"
BEGINNING = datetime(2026, 11, 23, 12, 0, tzinfo=timezone.utc)
CONNECTION = {"region": REGION, "access_key": ACCOUNT, "secret_key": "test"}

# A module that waits longer than this waits for ever.
SECONDS_AT_MOST = 3600.0


class NeverEnds(Exception):
    """A module waited longer than anybody would."""


def error(code: str, message: str, status: int = 400) -> ClientError:
    """An error that a service answers with."""
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Operation")  # type: ignore[arg-type]


@dataclass(frozen=True)
class Event:
    """A resource comes to a status, so many seconds after the request; no reason is no field at all, as in AWS."""

    after: float
    logical_id: str
    type: str
    status: str
    reason: str | None = None


@dataclass
class Script:
    """What AWS is like, and what becomes of it.

    :param before: the stack's status at first; C(None) when there is no stack.
    :param becomes: the statuses after a request to create, update or delete, by the seconds since it.
    :param events: what its resources do after the request.
    :param faults: what the first looks at the stack after the request fail with, one by one; C(None) lets one through.
    :param lasting: what all further looks fail with.
    :param stack: more of what DescribeStacks tells.
    :param answers: what other actions answer with, or fail with.
    """

    before: str | None
    becomes: Sequence[tuple[float, str]] = ()
    events: Sequence[Event] = ()
    faults: Sequence[Exception | None] = ()
    lasting: Exception | None = None
    stack: dict[str, Any] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    now: float = 0.0
    requested: float | None = None
    token: str | None = None
    looks: int = 0

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        if self.now > SECONDS_AT_MOST:
            raise NeverEnds

    @property
    def status(self) -> str | None:
        """The stack's status, as it is now."""
        if self.requested is None:
            return self.before
        since = self.now - self.requested
        return next((status for after, status in reversed(self.becomes) if after <= since), self.before)

    def answer(self, action: str, parameters: dict[str, Any]) -> Any:
        """What AWS answers."""
        self.calls.append((action, parameters))
        if action in self.answers:
            said = self.answers[action]
            if isinstance(said, Exception):
                raise said
            return said
        own: Callable[[dict[str, Any]], Any] = getattr(self, f"_{xform_name(action)}")
        return own(parameters)

    def _begin(self, parameters: dict[str, Any]) -> dict[str, str]:
        self.requested, self.token = self.now, parameters.get("ClientRequestToken")
        return {"StackId": STACK_ID}

    _create_stack = _update_stack = _delete_stack = _begin

    def _simulate_principal_policy(self, _parameters: dict[str, Any]) -> dict[str, Any]:
        return {"EvaluationResults": []}

    def _create_change_set(self, _parameters: dict[str, Any]) -> dict[str, Any]:
        return {}

    _delete_change_set = _create_change_set

    def _describe_change_set(self, _parameters: dict[str, Any]) -> dict[str, Any]:
        return {"Status": "CREATE_COMPLETE", "Changes": []}

    def _describe_stacks(self, parameters: dict[str, Any]) -> dict[str, Any]:
        if self.requested is not None:
            self.looks += 1
            fault = self.faults[self.looks - 1] if self.looks <= len(self.faults) else self.lasting
            if fault:
                raise fault
        status = self.status
        if status is None or (status == "DELETE_COMPLETE" and parameters["StackName"] == NAME):
            raise error("ValidationError", f"Stack with id {parameters['StackName']} does not exist")
        told = {"StackName": NAME, "StackId": STACK_ID, "StackStatus": status, "CreationTime": BEGINNING}
        moved = (
            {"LastUpdatedTime": self._moment(self.requested)}
            if status.startswith("UPDATE") and self.requested is not None
            else {}
        )
        return {"Stacks": [{"EnableTerminationProtection": False, **told, **moved, **self.stack}]}

    def _describe_stack_events(self, _parameters: dict[str, Any]) -> dict[str, Any]:
        if self.requested is None:
            return {"StackEvents": []}
        of_stack = [
            Event(after, NAME, "AWS::CloudFormation::Stack", status)
            for after, status in self.becomes
            if status != self.before
        ]
        since = self.now - self.requested
        past = sorted((each for each in [*of_stack, *self.events] if each.after <= since), key=lambda each: each.after)
        told = [self._event(number, each) for number, each in enumerate(past)]
        return {"StackEvents": told[::-1]}

    def _describe_events(self, _parameters: dict[str, Any]) -> dict[str, Any]:
        return {"OperationEvents": []}

    def _list_stack_resources(self, _parameters: dict[str, Any]) -> dict[str, Any]:
        return {"StackResourceSummaries": []}

    def _update_termination_protection(self, parameters: dict[str, Any]) -> dict[str, str]:
        self.stack["EnableTerminationProtection"] = parameters["EnableTerminationProtection"]
        return {"StackId": STACK_ID}

    def _get_caller_identity(self, _parameters: dict[str, Any]) -> dict[str, str]:
        return {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/deployer", "UserId": "AIDADEPLOYER"}

    def _get_user(self, parameters: dict[str, Any]) -> dict[str, Any]:
        name = parameters["UserName"]
        return {"User": {"UserName": name, "Arn": f"arn:aws:iam::{ACCOUNT}:user/{name}", "Path": "/", "UserId": "AIDA"}}

    def _describe_repositories(self, _parameters: dict[str, Any]) -> dict[str, Any]:
        raise error("RepositoryNotFoundException", "The repository does not exist")

    def _event(self, number: int, event: Event) -> dict[str, Any]:
        assert self.requested is not None
        of_stack = event.logical_id == NAME
        told = {
            "EventId": f"event-{number}",
            "StackId": STACK_ID,
            "StackName": NAME,
            "LogicalResourceId": event.logical_id,
            "PhysicalResourceId": STACK_ID if of_stack else event.logical_id.lower(),
            "ResourceType": event.type,
            "ResourceStatus": event.status,
            "Timestamp": self._moment(self.requested + event.after),
        }
        if event.reason is not None:
            told["ResourceStatusReason"] = event.reason
        if self.token:
            told["ClientRequestToken"] = self.token
        return told

    @staticmethod
    def _moment(seconds: float) -> datetime:
        return BEGINNING + timedelta(seconds=seconds)


@contextmanager
def _on_stage(script: Script) -> Iterator[None]:
    """Every boto3 client asks the script, and every wait passes on its clock."""

    def ask(_client: BaseClient, action: str, parameters: dict[str, Any]) -> Any:
        return script.answer(action, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", ask)
        patch.setattr(time, "sleep", script.sleep)
        patch.setattr(time, "monotonic", lambda: script.now)
        yield


def answer_of(
    module: str, script: Script, capsys: pytest.CaptureFixture[str], *, check_mode: bool = False, **options: object
) -> dict[str, Any]:
    """What a module answers when it is called on what the script plays.

    :param module: its full name, such as V(amazon.aws.cloudformation).
    :raises NeverEnds: it would wait for ever.
    """
    namespace, collection, name = module.split(".")
    path = f"ansible_collections.{namespace}.{collection}.plugins.modules.{name}"
    # Another test may have imported it, to look at its documentation.
    sys.modules.pop(path, None)
    arguments = {**CONNECTION, **options, "_ansible_check_mode": check_mode, "_ansible_remote_tmp": "/tmp"}  # noqa: S108
    capsys.readouterr()
    with patch_module_args(arguments), _on_stage(script), pytest.raises(SystemExit):
        runpy.run_module(path, run_name="__main__")
    answer: dict[str, Any] = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    return answer
