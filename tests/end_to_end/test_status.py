# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""C(status.yml): a readable account of what there is, and an exit code that says whether it is well."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from ansible_collections.cargohold.ecr.tests.support.account import (
    STACK,
    Account,
    arn_of,
    assert_done,
    assert_says,
    sentence_of,
)
from ansible_collections.cargohold.ecr.tests.support.images import push_by_registry
from ansible_collections.cargohold.ecr.tests.support.playbook import PlaybookRunner
from ansible_collections.cargohold.ecr.tests.support.stand_in import ACCOUNT, REGION
from ansible_collections.cargohold.ecr.tests.support.templates import FAILING

STATUS = "playbooks/status.yml"


def test_healthy(account: Account, operator: PlaybookRunner) -> None:
    """The account names the stack's status, the repository's address, who may push, and how many images there are."""
    account.create()
    push_by_registry(account.cloud, STACK)
    with account.untouched():
        run = operator(STATUS)
    assert_done(run, changed=0)
    assert re.search(r"images +1 of ", run.stdout), str(run)
    assert_says(
        run.stdout,
        f"{STACK} is CREATE_COMPLETE",
        f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{STACK}",
        arn_of("alice"),
        f"https://{REGION}.console.aws.amazon.com/cloudformation/",
    )


def delete_repository(account: Account) -> None:
    """Delete the stack's repository behind its back."""
    account.create()
    account.client("ecr").delete_repository(repositoryName=STACK)


def fail_to_delete(account: Account) -> None:
    """Try to delete the stack while there is an image."""
    account.create()
    push_by_registry(account.cloud, STACK)
    account.delete()


@pytest.mark.parametrize(
    ("leave", "words"),
    [
        pytest.param(lambda _account: None, ("There is no stack",), id="absent"),
        pytest.param(
            lambda account: account.create(FAILING, user=None), ("Impossible", "could not be created"), id="rolled-back"
        ),
        pytest.param(lambda account: account.create_shell(), ("REVIEW_IN_PROGRESS",), id="never-executed"),
        pytest.param(fail_to_delete, ("ECRRepository", "could not be deleted", "images"), id="delete-failed"),
        pytest.param(delete_repository, ("repository", "not exist"), id="repository-deleted"),
    ],
)
def test_not_healthy(
    account: Account, operator: PlaybookRunner, leave: Callable[[Account], object], words: tuple[str, ...]
) -> None:
    """What is not well is said, and the exit code is not 0."""
    leave(account)
    with account.untouched():
        run = operator(STATUS)
    assert_says(sentence_of(run), f"{STACK} is not healthy", *words)
