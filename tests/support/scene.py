# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A playbook on a bad way to AWS: what it says on the one side, and what is so on the other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ansible_collections.cargohold.ecr.tests.support.fault_plan import Call, Caller
from ansible_collections.cargohold.ecr.tests.support.faults import FaultyCloud
from ansible_collections.cargohold.ecr.tests.support.live import LivePlaybook, started
from ansible_collections.cargohold.ecr.tests.support.ministack import MiniStack
from ansible_collections.cargohold.ecr.tests.support.playbook import PlaybookRunner, Run
from ansible_collections.cargohold.ecr.tests.support.templates import TEMPLATE

STACK = "payments-api"

# What Python and Ansible print where something was not thought of.
BLUNDERS = ("Traceback (most recent call last)", "unhandled exception", "object at 0x", "AnsibleUndefined")


def said(run: Run | LivePlaybook) -> str:
    """All that a playbook said, on one line: where a sentence is broken depends on the width of the terminal."""
    return " ".join(f"{run.stdout}\n{run.stderr}".split())


@dataclass(frozen=True)
class Scene:
    """One test's AWS and playbooks.

    :param cloud: what is so.
    :param faulty: what is seen of it.
    :param runner: runs playbooks that see C(faulty).
    """

    cloud: MiniStack
    faulty: FaultyCloud
    runner: PlaybookRunner

    def run(self, playbook: str, **extra_vars: object) -> Run:
        """Run one of the playbooks on the stack, to its end; whatever that is, nothing in it was not thought of."""
        # As an option, because the runner has a timeout of its own.
        run = self.runner(f"playbooks/{playbook}.yml", "-e", json.dumps({"stack_name": STACK, **extra_vars}))
        assert_presentable(run)
        return run

    def start(self, playbook: str, **extra_vars: object) -> AbstractContextManager[LivePlaybook]:
        """Start one of the playbooks on the stack."""
        return started(self.runner, f"playbooks/{playbook}.yml", stack_name=STACK, **extra_vars)

    def stack(self, name_or_id: str = STACK) -> dict[str, Any] | None:
        """The stack as it is, seen past the proxy; C(None) where there is none."""
        try:
            stack: dict[str, Any] = self.cloud.client("cloudformation").describe_stacks(StackName=name_or_id)["Stacks"][
                0
            ]
        except ClientError:
            return None
        return stack

    @property
    def status(self) -> str | None:
        """The stack's status as it is; C(None) where there is no stack."""
        stack = self.stack()
        return stack["StackStatus"] if stack else None

    @property
    def repositories(self) -> list[str]:
        """The repositories that there are."""
        return [each["repositoryName"] for each in self.cloud.client("ecr").describe_repositories()["repositories"]]

    @property
    def principals(self) -> list[str]:
        """The users whom the repository's policy names."""
        text = self.cloud.client("ecr").get_repository_policy(repositoryName=STACK)["policyText"]
        return [each["Principal"]["AWS"].rpartition("/")[2] for each in json.loads(text)["Statement"]]

    def create(self, user: str = "alice", template: str = TEMPLATE) -> str:
        """Create the stack past the proxy, at once; its ID."""
        cloudformation = self.cloud.client("cloudformation")
        stack_id = cloudformation.create_stack(StackName=STACK, TemplateBody=template, Parameters=parameters(user))[
            "StackId"
        ]
        cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 0})
        return str(stack_id)

    @property
    def somebody(self) -> Any:
        """Another person's CloudFormation client, whom no fault meets, and whose operations can be held."""
        return self.faulty.client("cloudformation")

    def followed(self) -> Sequence[Call]:
        """The calls that read something of CloudFormation since the playbook first changed something there."""
        calls = self.faulty.calls()
        first = next((number for number, call in enumerate(calls) if not call.reads), len(calls))
        return [
            call
            for call in calls[first:]
            if call.reads and call.caller is Caller.OURS and call.service == "cloudformation"
        ]


def parameters(user: str) -> list[dict[str, str]]:
    """The template's parameters, as the API takes them."""
    return [{"ParameterKey": "IAMUserName", "ParameterValue": user}]


def assert_presentable(run: Run) -> None:
    """Nothing happened that was not thought of: no traceback, and an exit code of Ansible's."""
    blunders = [each for each in BLUNDERS if each in run.stdout + run.stderr]
    assert not blunders, str(run)
    assert run.rc in (0, 2), str(run)
