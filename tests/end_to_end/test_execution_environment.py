# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What docs/execution-environments.md shows: run as AWX and ansible-navigator run it, by ansible-runner, and as another role."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.tests.support.account import ACTIONS, Account, arn_of, assert_done
from ansible_collections.cargohold.ecr.tests.support.commands import output_of
from ansible_collections.cargohold.ecr.tests.support.examples import write_files_of
from ansible_collections.cargohold.ecr.tests.support.playbook import (
    CHECKOUT,
    COMMANDS,
    PlaybookRunner,
    clean_environment,
)

PAGE = CHECKOUT / "docs" / "execution-environments.md"

NAME = "payments-api"


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A folder as AWX gives it to ansible-runner: the project, an inventory without hosts, and the survey's answers."""
    folder = tmp_path / "job"
    write_files_of(PAGE, folder / "project", CHECKOUT)
    for name, text in {
        "inventory/hosts": "",
        "env/extravars": json.dumps({"iam_user": "alice", "stack_name": NAME}),
    }.items():
        file = folder / name
        file.parent.mkdir()
        file.write_text(text)
    return folder


def test_a_job_shows_progress(account: Account, operator: PlaybookRunner, job: Path) -> None:
    """Each line of progress is an event of its own, before the one that ends its task, and has it in view."""
    command = [COMMANDS / "ansible-runner", "run", "--playbook", "deploy.yml", job]
    output_of(command, env=clean_environment(operator.home, operator.environment))
    assert account.granted(NAME) == {arn_of("alice"): ACTIONS}
    events: list[dict[str, Any]] = [json.loads(file.read_text()) for file in job.glob("artifacts/*/job_events/*.json")]
    events.sort(key=lambda event: int(event["counter"]))
    begun, *lines, ended = _from_to(events, "operate | Follow it to its end")
    assert (begun["event"], ended["event"]) == ("playbook_on_task_start", "runner_on_ok")
    told = [line["stdout"] for line in lines if line["event"] == "verbose"]
    assert "CREATE_IN_PROGRESS" in told[0]
    assert f"{NAME}  CREATE_COMPLETE" in told[-1]


def _from_to(events: list[dict[str, Any]], task: str) -> list[dict[str, Any]]:
    """The events from the beginning of a task to its end."""
    [begin] = [
        index
        for index, event in enumerate(events)
        if event["event"] == "playbook_on_task_start" and event["event_data"]["task"].endswith(task)
    ]
    [end, *_later] = [index for index, event in enumerate(events) if index > begin and event["event"] == "runner_on_ok"]
    return events[begin : end + 1]


def test_another_role(strict_account: Account, stranger: PlaybookRunner, tmp_path: Path) -> None:
    """Who may do nothing but assume a role deploys with that role's permissions."""
    iam = strict_account.client("iam")
    keys = strict_account.credentials("bob", "sts:AssumeRole")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
    role = iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
    everything = _policy({"Effect": "Allow", "Action": "*", "Resource": "*"})
    iam.put_role_policy(RoleName="deployer", PolicyName="everything", PolicyDocument=everything)
    environment = {**strict_account.cloud.environment(), **{name.upper(): value for name, value in keys.items()}}
    bob = replace(stranger, environment=environment)
    assert bob("cargohold.ecr.deploy", iam_user="alice", stack_name=NAME).rc == 2
    project = write_files_of(PAGE, tmp_path / "project", CHECKOUT)
    run = bob(project / "assume.yml", role_arn=role, iam_user="alice", stack_name=NAME, region="eu-west-1")
    assert_done(run, changed=2)
    assert strict_account.granted(NAME) == {arn_of("alice"): ACTIONS}


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
