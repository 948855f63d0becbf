# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A repository that is not what was asked for is set to it, read back, and told if it cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError, Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._tasks.repository_repair import ARGUMENT_SPEC, run
from ansible_collections.cargohold.ecr.tests.unit.support.fake_client import ACCOUNT, NAME, FakeClient, client_error
from ansible_collections.cargohold.ecr.tests.unit.support.fake_task import FakeTask

NO_POLICY = client_error("RepositoryPolicyNotFoundException")
NO_LIFECYCLE = client_error("LifecyclePolicyNotFoundException")
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": ["ecr:BatchGetImage"]}],
}
RULE = {
    "rulePriority": 1,
    "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9},
    "action": {"type": "expire"},
}
LIFECYCLE = {"rules": [RULE]}


WRITES = (
    "set_repository_policy",
    "delete_repository_policy",
    "put_lifecycle_policy",
    "delete_lifecycle_policy",
    "put_image_tag_mutability",
    "put_image_scanning_configuration",
    "tag_resource",
    "untag_resource",
)


def repository(**more: Any) -> dict[str, Any]:
    """What DescribeRepositories tells."""
    told = {"repositoryName": NAME, "repositoryArn": "arn:x", "repositoryUri": "x", "registryId": ACCOUNT, **more}
    return {"repositories": [told]}


def task(expected: dict[str, Any], *, check_mode: bool = False, **answers: Any) -> FakeTask:
    """A task to make the repository what is expected."""
    usual: dict[str, Any] = {
        "describe_repositories": repository(),
        **{operation: {} for operation in WRITES},
    }
    services = {"ecr": FakeClient(**{**usual, **answers})}
    return FakeTask(ARGUMENT_SPEC, services, check_mode=check_mode, name=NAME, expected=expected)


def written(asked: FakeTask) -> list[tuple[str, dict[str, Any]]]:
    """What ECR was asked to change, without the repository's name."""
    return [
        (call.operation, {name: value for name, value in call.request.items() if name != "repositoryName"})
        for call in asked.services["ecr"].calls
        if call.operation in WRITES
    ]


KMS = {"encryptionType": "KMS"}
FILTERS = {"image_tag_mutability": "IMMUTABLE_WITH_EXCLUSION", "image_tag_mutability_exclusion_filters": ["dev-*"]}
EXCLUDED = [{"filterType": "WILDCARD", "filter": "dev-*"}]

REPAIRS: dict[str, tuple[dict[str, Any], dict[str, Any], list[tuple[str, dict[str, Any]]]]] = {
    "policy": (
        {"policy": POLICY},
        {"get_repository_policy": [NO_POLICY, {"policyText": json.dumps(POLICY)}]},
        [("set_repository_policy", {"policyText": json.dumps(POLICY)})],
    ),
    "no policy": (
        {"policy": None},
        {"get_repository_policy": [{"policyText": json.dumps(POLICY)}, NO_POLICY]},
        [("delete_repository_policy", {})],
    ),
    "lifecycle policy": (
        {"lifecycle_policy": LIFECYCLE},
        {"get_lifecycle_policy": [NO_LIFECYCLE, {"lifecyclePolicyText": json.dumps(LIFECYCLE)}]},
        [("put_lifecycle_policy", {"lifecyclePolicyText": json.dumps(LIFECYCLE)})],
    ),
    "no lifecycle policy": (
        {"lifecycle_policy": None},
        {"get_lifecycle_policy": [{"lifecyclePolicyText": json.dumps(LIFECYCLE)}, NO_LIFECYCLE]},
        [("delete_lifecycle_policy", {})],
    ),
    "mutability": (
        FILTERS,
        {
            "describe_repositories": [
                repository(),
                repository(imageTagMutability="IMMUTABLE_WITH_EXCLUSION", imageTagMutabilityExclusionFilters=EXCLUDED),
            ]
        },
        [
            (
                "put_image_tag_mutability",
                {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION", "imageTagMutabilityExclusionFilters": EXCLUDED},
            )
        ],
    ),
    "scanning": (
        {"scan_on_push": True},
        {"describe_repositories": [repository(), repository(imageScanningConfiguration={"scanOnPush": True})]},
        [("put_image_scanning_configuration", {"imageScanningConfiguration": {"scanOnPush": True}})],
    ),
    "tags": (
        {"tags": {"team": "a"}},
        {
            "list_tags_for_resource": [
                {"tags": [{"Key": "old", "Value": "x"}, {"Key": "aws:x", "Value": "y"}]},
                {"tags": [{"Key": "team", "Value": "a"}]},
            ]
        },
        [
            ("untag_resource", {"resourceArn": "arn:x", "tagKeys": ["old"]}),
            ("tag_resource", {"resourceArn": "arn:x", "tags": [{"Key": "team", "Value": "a"}]}),
        ],
    ),
}


@pytest.mark.parametrize("what", REPAIRS)
def test_repair(what: str) -> None:
    """What differs, and nothing else, is set and read back; in check mode it is only told."""
    expected, answers, calls = REPAIRS[what]
    foretold = task(expected, check_mode=True, **answers)
    assert (run(foretold)["changed"], written(foretold)) == (True, [])
    asked = task(expected, **answers)
    result = run(asked)
    assert (result["changed"], written(asked)) == (True, calls)
    assert result["diff"][0]["before_header"].startswith(f"{NAME}: ")


def test_nothing_to_repair() -> None:
    """What is as it shall be is left alone."""
    asked = task({"scan_on_push": False})
    assert (run(asked)["changed"], written(asked)) == (False, [])


@pytest.mark.parametrize(
    ("expected", "answers", "says"),
    [
        pytest.param(
            {"encryption": {"type": "KMS", "kms_key": None}, "scan_on_push": True},
            {"describe_repositories": repository(encryptionConfiguration={"encryptionType": "AES256"})},
            "encrypted by AES256, and KMS was asked for.*cannot be put right in place",
            id="encryption",
        ),
        pytest.param(
            {"scan_on_push": True},
            {"describe_repositories": client_error("RepositoryNotFoundException")},
            "does not exist, though its stack says so",
            id="no repository",
        ),
    ],
)
def test_cannot_be_repaired(expected: dict[str, Any], answers: dict[str, Any], says: str) -> None:
    """What takes a new repository is told before anything is set."""
    for check_mode in (False, True):
        asked = task(expected, check_mode=check_mode, **answers)
        with pytest.raises(CargoholdError, match=says):
            run(asked)
        assert written(asked) == []


def test_somebody_sets_it_back() -> None:
    """What still differs afterwards is a failure."""
    with pytest.raises(CargoholdError, match="It was set, and reads otherwise"):
        run(task({"scan_on_push": True}))


def test_bad_name() -> None:
    """A name that no repository can have is refused."""
    asked = FakeTask(ARGUMENT_SPEC, {}, name="Not A Name", expected={})
    with pytest.raises(Refused, match="'Not A Name' is not one that ECR takes"):
        run(asked)
