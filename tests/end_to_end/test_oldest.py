# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection's playbooks on the oldest ansible-core, Python and boto3 that it promises to work with."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ansible_collections.cargohold.ecr.tests.support.account import (
    ACTIONS,
    STACK,
    Account,
    arn_of,
    assert_done,
    assert_says,
)
from ansible_collections.cargohold.ecr.tests.support.environments import amazon, link_collections, provided
from ansible_collections.cargohold.ecr.tests.support.playbook import CHECKOUT, PlaybookRunner


@pytest.fixture
def old_timer(operator: PlaybookRunner, tmp_path: Path) -> PlaybookRunner:
    """Runs playbooks with the oldest environment, which finds this collection and amazon.aws and no other."""
    link_collections(tmp_path, {"amazon": amazon(), "cargohold/ecr": CHECKOUT})
    environment = {**operator.environment, "ANSIBLE_COLLECTIONS_PATH": str(tmp_path)}
    return replace(operator, environment=environment, commands=provided("oldest"), cwd=tmp_path)


def test_promises() -> None:
    """The environment has the least of each package that the collection's metadata asks for."""
    lock, floors = (CHECKOUT.joinpath(each, "requirements.txt").read_text() for each in ("tests/oldest", "meta"))
    locked = re.findall(r"^([\w-]+)==([\d.]+)", lock, re.MULTILINE)
    least = re.findall(r"^(\w+)>=([\d.]+)$", floors, re.MULTILINE)
    assert {name for name, _version in least} == {"boto3", "botocore", "PyYAML"}
    assert {(name.lower(), version) for name, version in least} <= set(locked)
    requires = yaml.safe_load(CHECKOUT.joinpath("meta/runtime.yml").read_text())["requires_ansible"]
    assert requires.removeprefix(">=").removesuffix(".0") == dict(locked)["ansible-core"].rpartition(".")[0]


def test_life_of_a_repository(account: Account, old_timer: PlaybookRunner) -> None:
    """A repository is deployed, found as it should be, changed nothing about, and taken away again."""
    assert_done(old_timer("cargohold.ecr.deploy", iam_user="alice"), changed=1)
    assert account.granted() == {arn_of("alice"): ACTIONS}
    with account.untouched():
        assert_done(old_timer("cargohold.ecr.deploy", iam_user="alice"), changed=0)
        assert_says(old_timer("cargohold.ecr.status").stdout, STACK)
    assert_done(old_timer("cargohold.ecr.teardown"), changed=1)
    assert account.status() is None
    assert account.repositories == []
