# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""C(fleet.yml): many repositories in one task, each as if it were alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.tests.support.account import (
    ACTIONS,
    Account,
    arn_of,
    assert_done,
    assert_says,
    sentence_of,
)
from ansible_collections.cargohold.ecr.tests.support.images import push_by_registry
from ansible_collections.cargohold.ecr.tests.support.playbook import PlaybookRunner, Run
from ansible_collections.cargohold.ecr.tests.support.scene import said
from ansible_collections.cargohold.ecr.tests.support.stand_in import ACCOUNT, REGION
from ansible_collections.cargohold.ecr.tests.support.templates import TEMPLATE

FLEET = "playbooks/fleet.yml"

MANY = 30

# Our template, and beside the repository something that cannot be created.
UNLUCKY = TEMPLATE.replace(
    "\nOutputs:\n", "\n  Impossible:\n    Type: AWS::CloudFormation::WaitCondition\n\nOutputs:\n"
)

Deploy = Callable[..., Run]


def names(count: int) -> list[str]:
    """So many names, in the order in which AWS tells them, too."""
    return [f"app-{number:02}" for number in range(count)]


def entries(*called: str, **options: Any) -> list[dict[str, Any]]:
    """An entry for each name."""
    return [{"stack_name": name, **options} for name in called]


@pytest.fixture
def deploy(operator: PlaybookRunner, tmp_path: Path) -> Deploy:
    """Runs the playbook on a file with a list; the report is C(report.json) beside it."""
    file = tmp_path / "repositories.yml"

    def run(
        repositories: Sequence[Mapping[str, Any]], *arguments: str, results: bool = False, **extra_vars: Any
    ) -> Run:
        listed = {"repositories_defaults": {"iam_user": "alice"}, "repositories": repositories}
        file.write_text(json.dumps(listed))
        report = str(tmp_path / "report.json")
        return operator(FLEET, "-e", f"@{file}", *arguments, results=results, report=report, **extra_vars)

    return run


@pytest.fixture
def report(tmp_path: Path) -> Callable[[], dict[str, Any]]:
    """Reads the report."""

    def read() -> dict[str, Any]:
        told: dict[str, Any] = json.loads((tmp_path / "report.json").read_text())
        return told

    return read


def outcomes(report: Mapping[str, Any]) -> dict[str, str]:
    """What became of each stack of the list."""
    return {each["name"]: each["outcome"] for each in report["stacks"]}


def test_many(account: Account, deploy: Deploy, report: Callable[[], dict[str, Any]]) -> None:
    """Thirty are made, nothing is done the second time, one is changed, and all are removed."""
    everyone = names(MANY)
    assert_done(deploy(entries(*everyone)), changed=1)
    assert sorted(account.repositories) == everyone
    assert account.granted(everyone[-1]) == {arn_of("alice"): ACTIONS}
    told = report()
    assert [each["name"] for each in told["stacks"]] == everyone
    assert {each["outcome"] for each in told["stacks"]} == {"succeeded"}
    assert told["stacks"][0]["outputs"]["RepositoryUri"] == f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{everyone[0]}"

    with account.recorded() as calls:
        run = deploy(entries(*everyone))
    assert_done(run, changed=0)
    assert sorted(call["Action"] for call in calls) == ["DescribeStacks", "GetUser"]
    assert_says(run.stdout, f"{MANY} unchanged of {MANY} in {ACCOUNT}/{REGION}")

    run = deploy([*entries(*everyone[:-1]), *entries(everyone[-1], iam_user="bob")])
    assert_done(run, changed=1)
    assert account.granted(everyone[-1]) == {arn_of("team/bob"): ACTIONS}
    assert [name for name, outcome in outcomes(report()).items() if outcome == "succeeded"] == everyone[-1:]

    assert_done(deploy(entries(*everyone, state="absent")), changed=1)
    assert account.repositories == []


def test_prune(account: Account, deploy: Deploy, report: Callable[[], dict[str, Any]]) -> None:
    """What the list no longer names goes, what holds images and what is not of the fleet stays."""
    account.create(name="somebody-elses")
    assert_done(deploy(entries("kept", "dropped", "full"), fleet="shop"), changed=1)
    push_by_registry(account.cloud, "full")
    run = deploy(entries("kept"), fleet="shop", prune=True)
    sentence = sentence_of(run, changed=0)
    assert_says(sentence, "1 of 3 stacks: full: The repository full holds 1 image")
    assert sorted(account.repositories) == ["full", "kept", "somebody-elses"]
    assert {each["name"]: each["outcome"] for each in report()["pruned"]} == {
        "dropped": "succeeded",
        "full": "refused",
    }


def test_joins_a_fleet(account: Account, deploy: Deploy) -> None:
    """A stack that was made by itself is taken over as it is, but for its tags."""
    account.create(name="app")
    stack_id = account.stack("app")["StackId"]
    assert_done(deploy(entries("app"), fleet="shop"), changed=1)
    stack = account.stack("app")
    assert stack["StackId"] == stack_id
    assert {"Key": "cargohold:fleet", "Value": "shop"} in stack["Tags"]
    assert_done(deploy(entries("app"), fleet="shop"), changed=0)


def test_made_by_itself(account: Account, deploy: Deploy) -> None:
    """A stack that another tool made, and that is as it shall be, is left alone."""
    account.create(name="app")
    with account.untouched():
        run = deploy(entries("app"))
    assert_done(run, changed=0)


def test_order(account: Account, deploy: Deploy) -> None:
    """What depends on another is made after it, and removed before it."""
    listed = [*entries("last", depends_on=["middle"]), *entries("middle", depends_on=["first"]), *entries("first")]
    assert_done(deploy(listed), changed=1)
    created = {name: account.stack(name)["CreationTime"] for name in ("first", "middle", "last")}
    assert created["first"] < created["middle"] < created["last"]
    with account.recorded() as calls:
        run = deploy([{**entry, "state": "absent"} for entry in listed])
    assert_done(run, changed=1)
    removed = [call["StackName"].split("/")[1] for call in calls if call["Action"] == "DeleteStack"]
    assert removed == ["last", "middle", "first"]


def test_one_fails(account: Account, deploy: Deploy, report: Callable[[], dict[str, Any]], tmp_path: Path) -> None:
    """One failure stops nobody else but those that depend on it, and the report is true."""
    unlucky = tmp_path / "unlucky.yml"
    unlucky.write_text(UNLUCKY)
    listed = [
        *entries("good"),
        {"stack_name": "bad", "template": str(unlucky)},
        *entries("after-bad", depends_on=["bad"]),
        *entries("after-good", depends_on=["good"]),
    ]
    run = deploy(listed)
    sentence = sentence_of(run, changed=0)
    assert_says(sentence, "2 of 4 stacks: bad: The create of bad was rolled back", "after-bad: It was not begun")
    assert outcomes(report()) == {
        "good": "succeeded",
        "bad": "failed",
        "after-bad": "not_started",
        "after-good": "succeeded",
    }
    assert account.status("bad") == "ROLLBACK_COMPLETE"
    assert account.status("after-bad") is None
    # What failed gives way to a new one as soon as it can be made.
    assert_done(deploy(entries("good", "bad")), changed=1)
    assert report()["stacks"][1]["action"] == "recreate"


def test_check(account: Account, deploy: Deploy, report: Callable[[], dict[str, Any]]) -> None:
    """C(--check --diff) tells what would be done with each, and changes nothing."""
    assert_done(deploy(entries("same", "other", "gone")), changed=1)
    listed = [
        *entries("new", "same"),
        *entries("other", iam_user="bob"),
        *entries("gone", state="absent"),
    ]
    with account.untouched():
        run = deploy(listed, "--check", "--diff")
    assert_done(run, changed=1)
    assert {each["name"]: each["action"] for each in report()["stacks"]} == {
        "new": "create",
        "same": "nothing",
        "other": "update",
        "gone": "delete",
    }
    assert_says(said(run), "- IAMUserName: alice", "+ IAMUserName: team/bob", "3 planned, 1 unchanged of 4")


def test_changed_behind_our_back(account: Account, deploy: Deploy) -> None:
    """A policy that somebody edited in ECR is not seen by a listing, and is with C(deep)."""
    assert_done(deploy(entries("app", "other")), changed=1)
    account.client("ecr").delete_repository_policy(repositoryName="app")
    assert_done(deploy(entries("app", "other")), changed=0)
    sentence = sentence_of(deploy(entries("app", "other"), deep=True))
    assert_says(sentence, "1 of 2 stacks: app: The policy of app is not what was asked for")
    assert_done(deploy(entries("app", "other", repair_drift=True), deep=True), changed=1)
    assert account.granted("app") == {arn_of("alice"): ACTIONS}
    assert_done(deploy(entries("app", "other"), deep=True), changed=0)


def test_all_that_a_repository_can_be(account: Account, deploy: Deploy) -> None:
    """An entry takes what the role C(repository) takes; what is set is what is there, and stays."""
    listed = [
        {
            "stack_name": "payments",
            "repository_name": "team/payments",
            "readers": ["arn:aws:iam::210987654321:root"],
            "lambda_pull": True,
            "grant_login": True,
            "image_tag_mutability": "IMMUTABLE",
            "scan_on_push": True,
            "lifecycle_rules": [{"keep": 30}],
            "tags": {"team": "payments"},
            "termination_protection": True,
            "stack_policy": {
                "Statement": [{"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}]
            },
        },
        *entries("plain"),
    ]
    assert_done(deploy(listed, fleet="shop"), changed=1)
    assert sorted(account.repositories) == ["plain", "team/payments"]
    repository = account.client("ecr").describe_repositories(repositoryNames=["team/payments"])["repositories"][0]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert account.stack("payments")["EnableTerminationProtection"] is True
    with account.untouched():
        again = deploy(listed, fleet="shop", deep=True)
    assert_done(again, changed=0)


def test_would_lose_a_repository(account: Account, deploy: Deploy) -> None:
    """An update that would replace a repository is refused, and leaves no change set behind; the others go on."""
    assert_done(deploy(entries("app", "other")), changed=1)
    push_by_registry(account.cloud, "app")
    run = deploy([*entries("app", repository_name="app-2"), *entries("other", iam_user="bob")])
    assert_says(sentence_of(run), "1 of 2 stacks: app: This deployment would replace the repository app", "1 image")
    assert sorted(account.repositories) == ["app", "other"]
    assert account.client("cloudformation").list_change_sets(StackName="app")["Summaries"] == []
    assert account.granted("other") == {arn_of("team/bob"): ACTIONS}


def test_updated_by_somebody(account: Account, deploy: Deploy) -> None:
    """A parameter that somebody changed is seen, and set right."""
    assert_done(deploy(entries("app", "other")), changed=1)
    account.client("cloudformation").update_stack(
        StackName="app",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "IAMUserName", "ParameterValue": "team/bob"}],
    )
    account.settle("app")
    assert_done(deploy(entries("app", "other")), changed=1)
    assert account.granted("app") == {arn_of("alice"): ACTIONS}


def test_mistakes(stranger: PlaybookRunner, tmp_path: Path) -> None:
    """All mistakes of a list are told at once, to somebody who has not even credentials."""
    file = tmp_path / "repositories.yml"
    listed = [
        {"stack_name": "Payments", "iam_user": "alice"},
        {"stack_name": "twice", "iam_user": "alice"},
        {"stack_name": "twice", "iam_user": "YOUR_USER_NAME"},
        {"stack_name": "typo", "ian_user": "alice"},
    ]
    file.write_text(json.dumps({"repositories": listed}))
    sentence = sentence_of(stranger(FLEET, "-e", f"@{file}"))
    assert_says(
        sentence,
        "There are 5 mistakes in the list of 4 stacks, so nothing was begun.",
        "Entry 1 (Payments):",
        "Entry 3 (twice): The IAM user name is still the placeholder",
        "Entry 4 (typo): There is no option ian_user",
        "2 entries are called twice.",
    )


def test_users_that_do_not_exist(account: Account, deploy: Deploy) -> None:
    """All users that the account does not have are told at once, and nothing is begun."""
    listed = [*entries("one", iam_user="alcie"), *entries("two", iam_user="bbo"), *entries("three", "four")]
    with account.untouched():
        sentence = sentence_of(deploy(listed))
    assert_says(sentence, "2 mistakes", "'alcie' does not exist", "'bbo' does not exist")
