# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may do what, where AWS checks it: the users of the repository, and operators who may not do everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from ansible_collections.cargohold.ecr.tests.support.account import (
    ACTIONS,
    STACK,
    Account,
    arn_of,
    assert_done,
    assert_says,
    sentence_of,
)
from ansible_collections.cargohold.ecr.tests.support.images import push_by_api, small_image
from ansible_collections.cargohold.ecr.tests.support.playbook import PlaybookRunner, Run

CLOUDFORMATION = ("cloudformation:*",)
LOOKING_UP_USERS = ("iam:GetUser",)
READING_ECR = ("ecr:DescribeRepositories", "ecr:GetRepositoryPolicy", "ecr:GetLifecyclePolicy")


@pytest.fixture
def root(strict_account: Account, stranger: PlaybookRunner) -> PlaybookRunner:
    """Runs playbooks with the credentials of the root user, who may do everything."""
    return replace(stranger, environment=strict_account.cloud.environment())


def run_as(account: Account, operator: PlaybookRunner, allowed: Sequence[str], name: str, *arguments: str) -> Run:
    """Run a playbook with the credentials of a user who may do just this."""
    account.user("carol")
    key = {variable.upper(): value for variable, value in account.credentials("carol", *allowed).items()}
    return operator(f"playbooks/{name}.yml", *arguments, environment=key)


def test_old_user_loses_access(strict_account: Account, root: PlaybookRunner) -> None:
    """After a deployment for bob he can push an image, and alice, who could before, no longer can."""
    strict_account.create()
    alice, bob = (strict_account.cloud.client("ecr", **strict_account.credentials(name)) for name in ("alice", "bob"))
    push_by_api(alice, STACK, "from-alice", image=small_image("before"))
    run = root("playbooks/deploy.yml", iam_user="bob")
    assert_done(run, changed=1)
    push_by_api(bob, STACK, "from-bob")
    with pytest.raises(ClientError, match="AccessDenied"):
        push_by_api(alice, STACK, "from-alice-again", image=small_image("after"))
    assert sorted(strict_account.tags()) == ["from-alice", "from-bob"]


def test_operator_may_not_look_up_users(strict_account: Account, root: PlaybookRunner) -> None:
    """The user is taken on trust, with the path that was given, and that is said."""
    run = run_as(strict_account, root, [*CLOUDFORMATION, *READING_ECR], "deploy", "-eiam_user=team/bob")
    assert_done(run, changed=1)
    assert_says(run.stdout + run.stderr, "[WARNING]", "team/bob is taken on trust")
    assert strict_account.granted() == {arn_of("team/bob"): ACTIONS}


def test_operator_may_not_read_ecr(strict_account: Account, root: PlaybookRunner) -> None:
    """What cannot be read back is no success, though CloudFormation has done its part."""
    run = run_as(strict_account, root, [*CLOUDFORMATION, *LOOKING_UP_USERS], "deploy", "-eiam_user=alice")
    assert_says(sentence_of(run, changed=1), f"Could not read the repository {STACK}", "not allowed")
    assert strict_account.status() == "CREATE_COMPLETE"


def test_operator_asks_for_no_verification(strict_account: Account, root: PlaybookRunner) -> None:
    """Who may not read ECR can say so; then nothing is claimed about the policy."""
    run = run_as(
        strict_account,
        root,
        [*CLOUDFORMATION, *LOOKING_UP_USERS],
        "deploy",
        "-eiam_user=alice",
        "-erepository_verify=false",
    )
    assert_done(run, changed=1)
    assert_says(run.stdout, "its policy was not read")
    assert "may push and pull" not in run.stdout


def test_images_cannot_be_counted(strict_account: Account, root: PlaybookRunner) -> None:
    """A repository of which it is not known what it holds is kept."""
    strict_account.create()
    run = run_as(strict_account, root, [*CLOUDFORMATION, *READING_ECR], "teardown")
    assert_says(
        sentence_of(run),
        f"Could not count the images of the repository {STACK}",
        "it is not deleted",
        "delete_images: true",
    )
    assert strict_account.status() == "CREATE_COMPLETE"


def test_images_that_cannot_be_counted_may_go(strict_account: Account, root: PlaybookRunner) -> None:
    """With permission that repository goes with whatever it holds, and that is said."""
    strict_account.create()
    push_by_api(strict_account.client("ecr"), STACK)
    run = run_as(strict_account, root, [*CLOUDFORMATION, *READING_ECR], "teardown", "-edelete_images=true")
    assert_done(run, changed=2)
    assert_says(run.stdout + run.stderr, "[WARNING]", "with whatever it holds")
    assert strict_account.repositories == []


def test_operator_may_do_nothing(strict_account: Account, root: PlaybookRunner) -> None:
    """Who may not read stacks is told what was not allowed."""
    run = run_as(strict_account, root, [], "status")
    assert_says(sentence_of(run), f"Could not read the stack {STACK}", "not allowed")
