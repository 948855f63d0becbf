# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tutorial's template and ours: a stack of the one becomes a stack of the other in place."""

from __future__ import annotations

import pytest

from ansible_collections.cargohold.ecr.tests.support.account import (
    ACTIONS,
    STACK,
    Account,
    arn_of,
    assert_done,
    assert_says,
)
from ansible_collections.cargohold.ecr.tests.support.images import push_by_registry
from ansible_collections.cargohold.ecr.tests.support.playbook import PlaybookRunner
from ansible_collections.cargohold.ecr.tests.support.templates import TUTORIAL


@pytest.fixture
def tutorials(account: Account) -> Account:
    """An account with the tutorial's stack, and an image in its repository."""
    account.create(TUTORIAL)
    push_by_registry(account.cloud, STACK, "v1")
    return account


def test_change_set_replaces_nothing(tutorials: Account, operator: PlaybookRunner) -> None:
    """CloudFormation's change set, with what each property comes to, modifies the repository in place."""
    with tutorials.untouched():
        run = operator("playbooks/deploy.yml", "--check", iam_user="alice")
    assert_done(run, changed=1)
    assert_says(run.stdout, "Modify ECRRepository (AWS::ECR::Repository) in place: ")


def test_deployment_keeps_everything(tutorials: Account, operator: PlaybookRunner) -> None:
    """The playbook updates the tutorial's stack; stack, repository, image, grant and output are what they were."""
    before = tutorials.stack()
    repository = tutorials.client("ecr").describe_repositories()["repositories"]
    run = operator("playbooks/deploy.yml", iam_user="alice")
    assert_done(run, changed=1)
    after = tutorials.stack()
    assert (after["StackId"], after["StackStatus"]) == (before["StackId"], "UPDATE_COMPLETE")
    assert tutorials.client("ecr").describe_repositories()["repositories"] == repository
    assert tutorials.tags() == ["v1"]
    assert tutorials.granted() == {arn_of("alice"): ACTIONS}
    outputs = [
        {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}["ECRRepository"]
        for stack in (before, after)
    ]
    assert outputs == [STACK, STACK]
