# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""C(teardown.yml): what is gone afterwards, and what is not taken away unasked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ansible_collections.cargohold.ecr.tests.support.account import (
    STACK,
    Account,
    assert_done,
    assert_says,
    sentence_of,
)
from ansible_collections.cargohold.ecr.tests.support.images import push_by_registry, small_image
from ansible_collections.cargohold.ecr.tests.support.playbook import PlaybookRunner
from ansible_collections.cargohold.ecr.tests.support.templates import FAILING, TEMPLATE, TUTORIAL, UNRELATED

TEARDOWN = "playbooks/teardown.yml"

DELETING_IMAGES = "delete_images=true"


def delete_repository(account: Account) -> None:
    """Delete the stack's repository behind its back."""
    account.create()
    account.client("ecr").delete_repository(repositoryName=STACK)


def fail_to_delete(account: Account) -> None:
    """Try to delete the stack while there is an image, and then delete the image."""
    account.create()
    digest = push_by_registry(account.cloud, STACK)
    account.delete()
    account.client("ecr").batch_delete_image(repositoryName=STACK, imageIds=[{"imageDigest": digest}])


@pytest.mark.parametrize(
    "leave",
    [
        pytest.param(lambda account: account.create(), id="empty"),
        pytest.param(lambda account: account.create(FAILING, user=None), id="rolled-back"),
        pytest.param(delete_repository, id="repository-deleted"),
        pytest.param(fail_to_delete, id="delete-failed"),
    ],
)
def test_gone(account: Account, operator: PlaybookRunner, leave: Callable[[Account], object]) -> None:
    """Where nothing would be lost, the stack and its repository are gone after one change."""
    leave(account)
    stack_id = account.stack()["StackId"]
    run = operator(TEARDOWN)
    assert_done(run, changed=1)
    assert account.status(stack_id) == "DELETE_COMPLETE"
    assert account.repositories == []


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(lambda _account: None, id="never-there"),
        pytest.param(lambda account: (account.create(), account.delete()), id="deleted-before"),
    ],
)
def test_nothing_there(account: Account, operator: PlaybookRunner, before: Callable[[Account], object]) -> None:
    """Where there is no stack, that is a success without a change."""
    before(account)
    with account.untouched():
        run = operator(TEARDOWN)
    assert_done(run, changed=0)
    assert_says(run.stdout, f"{STACK} was not there")


def test_images_are_in_the_way(account: Account, operator: PlaybookRunner) -> None:
    """A repository that holds images is kept, and the person told how many, how large, how recent, and what to do."""
    account.create()
    push_by_registry(account.cloud, STACK, "v1")
    push_by_registry(account.cloud, STACK, "v2", image=small_image("another"))
    with account.untouched():
        run = operator(TEARDOWN)
    assert_says(
        sentence_of(run),
        f"The repository {STACK} holds 2 images of ",
        " Bytes in all",
        "the newest pushed less than a minute ago",
        "delete_images: true",
    )


@pytest.mark.parametrize("template", [TEMPLATE, TUTORIAL], ids=["ours", "tutorials"])
def test_images_may_go(account: Account, operator: PlaybookRunner, template: str) -> None:
    """With permission the images go with the repository; CloudFormation is told so first, and so two things change."""
    account.create(template)
    push_by_registry(account.cloud, STACK)
    stack_id = account.stack()["StackId"]
    run = operator(TEARDOWN, "-e", DELETING_IMAGES)
    assert_done(run, changed=2)
    assert account.status(stack_id) == "DELETE_COMPLETE"
    assert account.repositories == []


def test_images_may_go_and_there_are_none(account: Account, operator: PlaybookRunner) -> None:
    """A permission that is not needed costs nothing: only the deletion changes something."""
    account.create()
    run = operator(TEARDOWN, "-e", DELETING_IMAGES)
    assert_done(run, changed=1)
    assert account.status() is None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(
            lambda account: account.create(EnableTerminationProtection=True),
            ("termination protection", "--no-enable-termination-protection"),
            id="protected",
        ),
        pytest.param(
            lambda account: account.create(UNRELATED, user=None),
            ("no repository's", "Queue (AWS::SQS::Queue)", "Check the stack's name"),
            id="somebody-elses",
        ),
    ],
)
def test_stack_is_kept(
    account: Account, operator: PlaybookRunner, make: Callable[[Account], object], words: tuple[str, ...]
) -> None:
    """A stack that somebody protected, or that is no repository's, is kept, even where images may go."""
    make(account)
    with account.untouched():
        run = operator(TEARDOWN, "-e", DELETING_IMAGES)
    assert_says(sentence_of(run), f"The stack {STACK} ", *words)
