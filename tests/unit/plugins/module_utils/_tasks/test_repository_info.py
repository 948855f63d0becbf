# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is of repositories, and whether a principal may push and pull."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError, Denied, Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._policy import PUSH_PULL_ACTIONS
from ansible_collections.cargohold.ecr.plugins.module_utils._tasks.repository_info import ARGUMENT_SPEC, run
from ansible_collections.cargohold.ecr.tests.unit.support.fake_client import (
    ACCOUNT,
    DENIED,
    NAME,
    FakeClient,
    client_error,
)
from ansible_collections.cargohold.ecr.tests.unit.support.fake_task import FakeTask

ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
GONE = "AIDAQ3EGS5M4EXAMPLEID"
NO_REPOSITORY = client_error("RepositoryNotFoundException")
NO_POLICY = client_error("RepositoryPolicyNotFoundException")


def granting(principal: str, actions: tuple[str, ...] = PUSH_PULL_ACTIONS) -> dict[str, str]:
    """A policy that grants something to a principal, as GetRepositoryPolicy answers."""
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": list(actions)}
    return {"policyText": json.dumps({"Statement": [statement]})}


def task(
    policy: Any = None, *, names: list[str] | None = None, principal: str | None = None, **scripts: Any
) -> FakeTask:
    """A task to read repositories, of which C(absent) does not exist."""

    def describe(repositoryNames: list[str]) -> Any:
        [name] = repositoryNames
        if name == "absent":
            return NO_REPOSITORY
        return {
            "repositories": [
                {
                    "repositoryName": name,
                    "repositoryArn": f"arn:{name}",
                    "repositoryUri": f"x/{name}",
                    "registryId": ACCOUNT,
                }
            ]
        }

    usual: dict[str, Any] = {
        "describe_repositories": describe,
        "get_repository_policy": policy or granting(ALICE),
        "get_lifecycle_policy": client_error("LifecyclePolicyNotFoundException"),
        "list_tags_for_resource": {"tags": [{"Key": "team", "Value": "payments"}]},
        "describe_images": {"imageDetails": []},
    }
    ecr = FakeClient(**{**usual, **scripts})
    return FakeTask(ARGUMENT_SPEC, {"ecr": ecr}, names=names if names is not None else [NAME], principal=principal)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        pytest.param([], "No repository is named", id="none"),
        pytest.param([NAME, "A"], "'A' is 1 character", id="a bad one"),
    ],
)
def test_bad_input(names: list[str], says: str) -> None:
    """Bad names are refused, and AWS is not asked."""
    asked = task(names=names)
    with pytest.raises(Refused, match=says):
        run(asked)
    assert asked.called == []


def test_one_result_for_each() -> None:
    """There is a result for each name, in order; what does not exist is no failure."""
    result = run(task(names=["absent", NAME]))
    assert [(each["name"], each["exists"]) for each in result["repositories"]] == [("absent", False), (NAME, True)]
    assert (result["changed"], result["count"]) == (False, 2)


def test_what_is_told() -> None:
    """What is told of a repository, besides what DescribeRepositories says."""
    [told] = run(task())["repositories"]
    expected = {
        "granted_principals": [ALICE],
        "deleted_principals": [],
        "missing_actions": None,
        "lifecycle_policy": None,
        "tags": {"team": "payments"},
        "images": {"count": 0, "bytes": 0, "last_pushed": None, "last_pulled": None},
    }
    assert {name: told[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("operation", "keys"),
    [
        pytest.param("get_repository_policy", ["policy", "granted_principals", "deleted_principals"], id="policy"),
        pytest.param("get_lifecycle_policy", ["lifecycle_policy"], id="lifecycle policy"),
        pytest.param("list_tags_for_resource", ["tags"], id="tags"),
        pytest.param("describe_images", ["images"], id="images"),
    ],
)
def test_denied_is_left_out(operation: str, keys: list[str]) -> None:
    """What may not be read is left out with a warning, and nothing is claimed about it."""
    denied: dict[str, Any] = {operation: DENIED}
    asked = task(**denied)
    [told] = run(asked)["repositories"]
    assert [told[key] for key in keys] == [None] * len(keys)
    assert ["left out" in warning for warning in asked.warnings] == [True]


def test_granted() -> None:
    """A principal to whom all is granted is missing nothing."""
    assert run(task(principal=ALICE))["repositories"][0]["missing_actions"] == []


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        pytest.param(NO_POLICY, "does not grant ecr:GetDownloadUrlForLayer, .* to arn:.*:user/alice", id="no policy"),
        pytest.param(
            granting(ALICE, PUSH_PULL_ACTIONS[:-1]), "does not grant ecr:CompleteLayerUpload to", id="one missing"
        ),
        pytest.param(granting(GONE), f"{GONE}, which stands for a user or role that was deleted", id="a deleted user"),
    ],
)
def test_not_granted(policy: Any, says: str) -> None:
    """What is missing is named, with the reason where it can be told, and the result is that of a success."""
    with pytest.raises(CargoholdError, match=says) as caught:
        run(task(policy, principal=ALICE))
    assert caught.value.known["repositories"][0]["exists"]


def test_nothing_to_grant() -> None:
    """Nobody may do anything with a repository that does not exist."""
    with pytest.raises(CargoholdError, match=r"absent does not exist, so .*alice may do nothing"):
        run(task(names=["absent"], principal=ALICE))


def test_verifying_needs_the_policy() -> None:
    """Who may not read the policy cannot verify it."""
    with pytest.raises(Denied, match="policy of the repository"):
        run(task(DENIED, principal=ALICE))


STACK = {
    "name": NAME,
    "stack_id": f"arn:aws:cloudformation:eu-west-1:{ACCOUNT}:stack/{NAME}/1",
    "parameters": {"ScanOnPush": "true"},
    "tags": {"team": "payments"},
}
UNSCANNED = f"The scanning on push of {NAME} is False, and True was asked for."


def test_as_its_stack_says() -> None:
    """A repository is compared with what its stack was deployed with; what differs is told, and is no failure."""
    asked = task()
    asked.params = {**asked.params, "stack": STACK}
    [found] = run(asked)["repositories"]
    assert [each["message"] for each in found["differences"]] == [UNSCANNED]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param(NAME, f"{UNSCANNED} If somebody changed it in ECR, repair_drift=true", id="another"),
        pytest.param("absent", "The repository absent does not exist", id="none"),
    ],
)
def test_not_as_expected(name: str, says: str) -> None:
    """A repository that is not as it is expected to be is a failure, with all that was read."""
    asked = task(names=[name])
    asked.params = {**asked.params, "expected": {"scan_on_push": True}}
    with pytest.raises(CargoholdError, match=says) as failure:
        run(asked)
    assert failure.value.known["count"] == 1


@pytest.mark.parametrize(
    ("names", "more"),
    [
        pytest.param([NAME, "other"], {"expected": {"scan_on_push": True}}, id="of two repositories"),
        pytest.param([NAME], {"expected": {"scan_on_push": True}, "stack": STACK}, id="twice"),
    ],
)
def test_expectations_that_do_not_fit(names: list[str], more: dict[str, Any]) -> None:
    """What is expected is that of one repository, and given once."""
    asked = task(names=names)
    asked.params = {**asked.params, **more}
    with pytest.raises(Refused, match="give one name, and either expected or its stack"):
        run(asked)
    assert asked.called == []
