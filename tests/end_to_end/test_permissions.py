# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shipped IAM policies: they suffice for what the playbooks do, and hold nothing that is not explained."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.tests.support.account import STACK, Account, assert_done
from ansible_collections.cargohold.ecr.tests.support.images import push_by_api
from ansible_collections.cargohold.ecr.tests.support.playbook import CHECKOUT, PlaybookRunner

POLICIES = CHECKOUT / "files" / "policies"
RECORDING = CHECKOUT / "tests" / "support" / "recording"
EXPLANATIONS = (CHECKOUT / "docs" / "permissions.md").read_text()

# In the order of a repository's life.
LIFE: list[tuple[str, dict[str, Any]]] = [
    ("deploy", {"iam_user": "alice", "repository_termination_protection": False}),
    ("deploy", {"iam_user": "alice", "repository_stack_policy": {"Statement": []}}),
    ("deploy", {"iam_user": "bob", "repository_scan_on_push": True}),
    ("deploy", {"iam_user": "bob", "repository_scan_on_push": True}),
    ("status", {}),
    ("teardown", {"delete_images": True}),
]


def actions(name: str) -> set[str]:
    """What a shipped policy allows."""
    document = json.loads((POLICIES / f"{name}.json").read_text())
    return {action for statement in document["Statement"] for action in statement["Action"]}


@pytest.fixture
def run_with(strict_account: Account, stranger: PlaybookRunner) -> Callable[[str], PlaybookRunner]:
    """Runs playbooks with the credentials of a user who has a shipped policy, where AWS checks who may do what.

    MiniStack holds ECR's calls against no repository's ARN, so that it is the actions that are shown to suffice here.
    """

    def run_with(policy: str) -> PlaybookRunner:
        strict_account.user(policy)
        key = strict_account.credentials(policy)
        document = json.loads((POLICIES / f"{policy}.json").read_text())
        for statement in document["Statement"]:
            statement["Resource"] = "*"
        strict_account.client("iam").put_user_policy(
            UserName=policy, PolicyName=policy, PolicyDocument=json.dumps(document)
        )
        credentials = {variable.upper(): value for variable, value in key.items()}
        recording = {"PYTHONPATH": str(RECORDING), "RECORD_CALLS": str(stranger.home / "calls")}
        return replace(stranger, environment={**strict_account.cloud.environment(), **credentials, **recording})

    return run_with


def recorded_by(runner: PlaybookRunner) -> Path:
    """The file with the calls that a runner's playbooks make, as botocore's events tell of them."""
    return Path(runner.environment["RECORD_CALLS"])


def test_deployer(strict_account: Account, run_with: Callable[[str], PlaybookRunner]) -> None:
    """The deployer may do everything that a repository's life takes, and nothing is skipped for lack of permission."""
    deployer = run_with("deployer")
    calls = recorded_by(deployer)
    for name, variables in LIFE:
        if name == "teardown":
            push_by_api(strict_account.client("ecr"), STACK)
        run = deployer(f"playbooks/{name}.yml", **variables)
        assert run.rc == 0, str(run)
        assert "not allowed" not in run.stdout + run.stderr
    asked = set(calls.read_text().split()) - {"sts:GetCallerIdentity"}
    assert asked <= actions("deployer")
    unexplained = {action for action in actions("deployer") - asked if f"`{action}`" not in EXPLANATIONS}
    assert unexplained == set()


def test_deployer_of_a_fleet(
    strict_account: Account, run_with: Callable[[str], PlaybookRunner], tmp_path: Path
) -> None:
    """The deployer may do everything that a fleet's life takes, too, and nothing is skipped for lack of permission."""
    users = [strict_account.user(name).rpartition("/")[2] for name in ("carol", "dave", "erin", "frank")]
    deployer = run_with("deployer")
    calls = recorded_by(deployer)
    file = tmp_path / "repositories.yml"

    def run(**options: Any) -> None:
        listed = [{"stack_name": f"app-{user}", "iam_user": user, **options} for user in users]
        file.write_text(json.dumps({"repositories": listed}))
        done = deployer("playbooks/fleet.yml", "-e", f"@{file}", fleet="shop", deep=True)
        assert_done(done, changed=1)
        assert "not allowed" not in done.stdout + done.stderr

    run()
    run(scan_on_push=True)
    run(state="absent")
    asked = set(calls.read_text().split())
    assert {"cloudformation:ExecuteChangeSet", "iam:ListUsers"} <= asked
    assert asked - {"sts:GetCallerIdentity"} <= actions("deployer")


def test_status_reader(strict_account: Account, run_with: Callable[[str], PlaybookRunner]) -> None:
    """The reader of the status sees all there is to it."""
    strict_account.create()
    reader = run_with("status-reader")
    calls = recorded_by(reader)
    run = reader("playbooks/status.yml")
    assert_done(run, changed=0)
    assert "not allowed" not in run.stdout + run.stderr
    assert set(calls.read_text().split()) - {"sts:GetCallerIdentity"} <= actions("status-reader")


@pytest.mark.parametrize("name", sorted(path.stem for path in POLICIES.glob("*.json")))
def test_policy_is_explained(name: str) -> None:
    """The documentation names each policy, and each of its actions exists once."""
    assert f"files/policies/{name}.json" in EXPLANATIONS
    document = json.loads((POLICIES / f"{name}.json").read_text())
    for statement in document["Statement"]:
        assert statement["Action"] == sorted(set(statement["Action"]))
        assert statement["Sid"] in EXPLANATIONS
