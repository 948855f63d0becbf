# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""C(--check): the recap says what would change, and nothing does."""

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
from ansible_collections.cargohold.ecr.tests.support.images import push_by_registry
from ansible_collections.cargohold.ecr.tests.support.playbook import PlaybookRunner
from ansible_collections.cargohold.ecr.tests.support.templates import FAILING, SLOW

Prepare = Callable[[Account], object]


def nothing(_account: Account) -> None:
    """Leave the account as it is."""


def ours(account: Account) -> None:
    """Have our stack."""
    account.create()


def with_image(account: Account) -> None:
    """Have our stack, and an image in its repository."""
    account.create()
    push_by_registry(account.cloud, STACK)


def rolled_back(account: Account) -> None:
    """Have a stack whose creation failed and was rolled back."""
    account.create(FAILING, user=None)


def creation_failed(account: Account) -> None:
    """Have a stack whose creation failed and was not rolled back."""
    account.create(FAILING, user=None, OnFailure="DO_NOTHING")


def shell(account: Account) -> None:
    """Have a stack that is only reviewed."""
    account.create_shell()


def moving(account: Account) -> None:
    """Have a stack that somebody is creating."""
    account.create(SLOW, wait=False)


@pytest.mark.parametrize(
    ("prepare", "name", "arguments", "changed", "words"),
    [
        pytest.param(nothing, "deploy", ["iam_user=alice"], 1, "create. There is no such stack yet", id="deploy-new"),
        pytest.param(ours, "deploy", ["iam_user=alice"], 0, "nothing. ", id="deploy-same"),
        pytest.param(ours, "deploy", ["iam_user=bob"], 1, "update. ", id="deploy-other-user"),
        pytest.param(rolled_back, "deploy", ["iam_user=alice"], 1, "recreate. ", id="deploy-rolled-back"),
        pytest.param(shell, "deploy", ["iam_user=alice"], 1, "recreate. ", id="deploy-never-executed"),
        pytest.param(moving, "deploy", ["iam_user=alice"], 0, "wait. ", id="deploy-in-progress"),
        pytest.param(nothing, "teardown", [], 0, "nothing. There is no such stack", id="teardown-absent"),
        pytest.param(ours, "teardown", [], 1, "delete. ", id="teardown-empty"),
        pytest.param(with_image, "teardown", ["delete_images=true"], 1, "delete. ", id="teardown-with-images"),
        pytest.param(ours, "status", [], 0, f"{STACK} is CREATE_COMPLETE", id="status"),
    ],
)
def test_says_what_would_be_done(
    account: Account,
    operator: PlaybookRunner,
    prepare: Prepare,
    name: str,
    arguments: list[str],
    changed: int,
    words: str,
) -> None:
    """The recap counts what would change, a line says why, and AWS is asked for no change."""
    prepare(account)
    with account.untouched():
        run = operator(f"playbooks/{name}.yml", "--check", *(f"-e{each}" for each in arguments))
    assert_done(run, changed=changed)
    assert_says(run.stdout, STACK, words)


@pytest.mark.parametrize(
    ("prepare", "name", "words"),
    [
        pytest.param(creation_failed, "deploy", ("CREATE_FAILED", "ECRRepository", "delete_failed: true"), id="deploy"),
        pytest.param(with_image, "teardown", ("holds 1 image", "delete_images: true"), id="teardown"),
        pytest.param(rolled_back, "status", ("is not healthy",), id="status"),
    ],
)
def test_refuses_what_would_be_refused(
    account: Account, operator: PlaybookRunner, prepare: Prepare, name: str, words: tuple[str, ...]
) -> None:
    """What would not be done without being asked is refused now already, in the same words."""
    prepare(account)
    with account.untouched():
        run = operator(f"playbooks/{name}.yml", "--check", *(["-eiam_user=alice"] if name == "deploy" else []))
    assert_says(sentence_of(run), STACK, *words)
