# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""C(deploy.yml): what there is afterwards, from whatever there was before."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ansible_collections.cargohold.ecr.tests.support.account import (
    ACTIONS,
    STACK,
    Account,
    arn_of,
    assert_done,
    assert_says,
    sentence_of,
)
from ansible_collections.cargohold.ecr.tests.support.images import push_by_registry
from ansible_collections.cargohold.ecr.tests.support.live import started
from ansible_collections.cargohold.ecr.tests.support.playbook import CHECKOUT, PlaybookRunner
from ansible_collections.cargohold.ecr.tests.support.stand_in import ACCOUNT, REGION
from ansible_collections.cargohold.ecr.tests.support.templates import FAILING, SLOW, UNRELATED

DEPLOY = "playbooks/deploy.yml"

NAMES_OUR_REPOSITORY = f"""
Resources:
  Theirs:
    Type: AWS::ECR::Repository
    Properties:
      RepositoryName: {STACK}
"""


def test_first_time(account: Account, operator: PlaybookRunner) -> None:
    """There is a repository of the stack's name, on which alice may do what pushing and pulling takes, and nobody else."""
    run = operator(DEPLOY, iam_user="alice")
    assert_done(run, changed=1)
    assert account.status() == "CREATE_COMPLETE"
    assert account.granted() == {arn_of("alice"): ACTIONS}


def test_from_the_folder_of_playbooks(account: Account, operator: PlaybookRunner) -> None:
    """Who stands among the playbooks names just the file, and the stack as they like."""
    run = operator("deploy.yml", cwd=CHECKOUT / "playbooks", iam_user="alice", stack_name="payments-api")
    assert_done(run, changed=1)
    assert account.repositories == ["payments-api"]


def test_again(account: Account, operator: PlaybookRunner) -> None:
    """A second time AWS is asked for no change at all, and the person is told the same as after the first."""
    account.create()
    with account.untouched():
        run = operator(DEPLOY, iam_user="alice")
    assert_done(run, changed=0)
    assert_says(
        run.stdout,
        f"{STACK} is deployed in {ACCOUNT}/{REGION}; alice may push and pull",
        f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{STACK}",
        "aws ecr get-login-password",
        str(account.stack()["StackId"]),
    )


def test_for_another_user(account: Account, operator: PlaybookRunner) -> None:
    """The new user may push and pull, the old one no longer may, and the images stay."""
    account.create()
    push_by_registry(account.cloud, STACK, "v1")
    run = operator(DEPLOY, iam_user="bob")
    assert_done(run, changed=1)
    assert account.granted() == {arn_of("team/bob"): ACTIONS}
    assert account.tags() == ["v1"]


@pytest.mark.parametrize("name", ["bob", "team/bob"])
def test_user_with_a_path(account: Account, operator: PlaybookRunner, name: str) -> None:
    """The policy names the user by the true ARN, whether or not the path was given."""
    run = operator(DEPLOY, iam_user=name)
    assert_done(run, changed=1)
    assert account.granted() == {arn_of("team/bob"): ACTIONS}


@pytest.mark.parametrize(
    ("leave", "status"),
    [
        pytest.param(lambda account: account.create(FAILING, user=None), "ROLLBACK_COMPLETE", id="rolled-back"),
        pytest.param(lambda account: account.create_shell(), "REVIEW_IN_PROGRESS", id="never-executed"),
    ],
)
def test_dead_stack_gives_way(
    account: Account, operator: PlaybookRunner, leave: Callable[[Account], str], status: str
) -> None:
    """What an earlier failure left is deleted, and the stack is created anew."""
    dead = leave(account)
    assert account.status() == status
    run = operator(DEPLOY, iam_user="alice")
    assert_done(run, changed=2)
    assert account.status(dead) in (None, "DELETE_COMPLETE")
    assert account.status() == "CREATE_COMPLETE"
    assert account.stack()["StackId"] != dead


@pytest.mark.parametrize(
    ("begin", "status", "changed"),
    [
        pytest.param(lambda account: account.create(SLOW, wait=False), "CREATE_IN_PROGRESS", 2, id="creation"),
        pytest.param(
            lambda account: (account.create(), account.update(SLOW, wait=False)), "UPDATE_IN_PROGRESS", 1, id="update"
        ),
    ],
)
def test_somebody_else_is_at_it(
    account: Account, operator: PlaybookRunner, begin: Callable[[Account], object], status: str, changed: int
) -> None:
    """An operation under way is followed to its end, whatever that is, and then it is decided what to do."""
    begin(account)
    with started(operator, DEPLOY, iam_user="bob") as playbook:
        playbook.wait_for(f"{STACK}  {status}")
        account.end_slow("FAILURE")
        run = playbook.finish()
    assert_done(run, changed=changed)
    assert account.granted() == {arn_of("team/bob"): ACTIONS}


def test_somebody_else_takes_too_long(account: Account, operator: PlaybookRunner) -> None:
    """When the time is over before that operation is, the reason says what is in the way, and it goes on undisturbed."""
    account.create(SLOW, wait=False)
    run = operator(DEPLOY, "-e", "timeout=1", iam_user="bob")
    assert_says(sentence_of(run), "already under way", STACK, "CREATE_IN_PROGRESS", "1 s")
    assert account.status() == "CREATE_IN_PROGRESS"


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda account: account.client("ecr").create_repository(repositoryName=STACK), id="of-no-stack"),
        pytest.param(
            lambda account: account.create(NAMES_OUR_REPOSITORY, name="theirs", user=None), id="of-another-stack"
        ),
    ],
)
def test_repository_is_there_already(
    account: Account, operator: PlaybookRunner, make: Callable[[Account], object]
) -> None:
    """A repository that the stack would have to create is left alone, and the person told what can be done."""
    make(account)
    with account.untouched():
        run = operator(DEPLOY, iam_user="alice")
    assert_says(sentence_of(run), f"repository {STACK} exists already in {ACCOUNT}/{REGION}", "choose another")
    assert account.status() is None


def test_stack_is_somebody_elses(account: Account, operator: PlaybookRunner) -> None:
    """A stack with something else in it is not replaced by ours."""
    account.create(UNRELATED, user=None)
    with account.untouched():
        run = operator(DEPLOY, iam_user="alice")
    assert_says(sentence_of(run), f"to the stack {STACK} would remove Queue (AWS::SQS::Queue)", "another stack name")


@pytest.mark.parametrize("missing", [{"ecr:PutImage"}, ACTIONS], ids=["one-action", "all"])
def test_policy_was_changed_by_hand(account: Account, operator: PlaybookRunner, missing: set[str]) -> None:
    """Where the stack is as it shall be and the policy is not, what is missing is named."""
    account.create()
    left = sorted(ACTIONS - missing) or ["ecr:ListImages"]
    statement = {"Effect": "Allow", "Principal": {"AWS": arn_of("alice")}, "Action": left}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.client("ecr").set_repository_policy(repositoryName=STACK, policyText=policy)
    sentence = sentence_of(operator(DEPLOY, iam_user="alice"))
    assert {action for action in ACTIONS if action in sentence} == missing
    assert_says(sentence, f"The policy of {STACK} does not grant", arn_of("alice"))


def test_repository_was_deleted_behind_the_stack(account: Account, operator: PlaybookRunner) -> None:
    """Where the stack is as it shall be and its repository is gone, that is said."""
    account.create()
    account.client("ecr").delete_repository(repositoryName=STACK)
    sentence = sentence_of(operator(DEPLOY, iam_user="alice"))
    assert_says(sentence, f"The repository {STACK} does not exist")
