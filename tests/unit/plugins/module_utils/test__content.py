# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a repository shall be: refused in sentences, turned into parameters, and compared by meaning."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._content import (
    Content,
    differences,
    expectation_problems,
    expected,
)

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ci/pusher"
PLACE = {"stack_name": "payments-api", "account": ACCOUNT, "partition": "aws", "region": "eu-west-1"}

# files/ecr.yml's parameters with their defaults.
DEFAULTS = {
    "IAMUserName": "",
    "Writers": "",
    "Readers": "",
    "OrganizationId": "",
    "LambdaPull": "false",
    "RepositoryName": "",
    "ImageTagMutability": "MUTABLE",
    **{f"ImageTagMutabilityExclusionFilter{number}": "" for number in range(1, 6)},
    "ScanOnPush": "false",
    "EncryptionType": "",
    "KmsKey": "",
    "LifecyclePolicyText": "",
    "EmptyOnDelete": "false",
}
RULES = {
    "rules": [
        {
            "rulePriority": 1,
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9},
            "action": {"type": "expire"},
        }
    ]
}


def expectation(**parameters: str) -> dict[str, Any]:
    """What is expected of a stack with these parameters, besides the defaults."""
    return expected({**DEFAULTS, **parameters}, **PLACE)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param({"repository_name": "Team/App"}, "'Team/App' is not one that ECR takes", id="name"),
        pytest.param({"writers": ["alice"]}, "writers have 'alice', which is no principal", id="writer"),
        pytest.param({"readers": ["12345"]}, "readers have '12345', which is no principal", id="reader"),
        pytest.param({"writers": [ROLE + "x" * 60] * 50}, "list of writers has 5,", id="many writers"),
        pytest.param({"organization_id": "x-1"}, "'x-1' is not an organization's", id="organization"),
        pytest.param({"image_tag_mutability_exclusion_filters": ["a b"]}, "have 'a b', and ECR takes", id="filter"),
        pytest.param({"image_tag_mutability_exclusion_filters": list("abcdef")}, "There are 6 image_tag", id="filters"),
        pytest.param({"kms_key": "alias/x"}, "encryption_type is AES256", id="key without KMS"),
        pytest.param({"lifecycle_policy": RULES, "lifecycle_rules": [{"keep": 1}]}, "leave one of them out", id="both"),
        pytest.param({"lifecycle_policy": {"rule": []}}, "has no list of rules", id="no rules"),
        pytest.param({"lifecycle_policy": {"rules": []}}, "has 12 characters, and ECR takes 100", id="too short"),
        pytest.param({"lifecycle_policy": {"rules": [*RULES["rules"] * 50]}}, "parameter takes 4,096", id="too long"),
        pytest.param({"lifecycle_policy": {"rules": ["x" * 200]}}, "needs a rulePriority", id="no rule"),
        pytest.param({"tags": {"a#b": "c"}}, "'a#b' has characters that AWS does not take", id="characters of a tag"),
        pytest.param({"lifecycle_rules": [{"keep": 0}]}, "it must be a number from 1", id="friendly rule"),
        pytest.param({"tags": {"aws:x": "y"}}, "'aws:x' has a key that AWS does not take", id="tag of AWS"),
        pytest.param({"tags": {"x": "y" * 257}}, "value of 257 characters", id="long tag"),
        pytest.param({"tags": {str(number): "" for number in range(51)}}, "There are 51 tags", id="tags"),
    ],
)
def test_problems(options: dict[str, Any], says: str) -> None:
    """What AWS would not take is told in a sentence."""
    [problem] = Content.from_options(options).problems()
    assert says in problem


def test_no_problems() -> None:
    """What is good is not complained of."""
    content = Content(
        repository_name="team/app",
        writers=[ROLE, ACCOUNT],
        readers=[f"arn:aws-cn:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:user/team/bob"],
        organization_id="o-a1b2c3d4e5",
        image_tag_mutability_exclusion_filters=["latest", "dev-*"],
        encryption_type="KMS_DSSE",
        kms_key="alias/ecr",
        lifecycle_rules=[{"keep": 10}],
        tags={"team": "payments"},
    )
    assert content.problems() == []


def test_parameters() -> None:
    """What is asked for becomes parameters; what is as the template's defaults needs none."""
    assert Content().parameters() == {}
    assert Content(
        writers=[ROLE, ACCOUNT],
        lambda_pull=True,
        image_tag_mutability="IMMUTABLE",
        image_tag_mutability_exclusion_filters=["latest", "dev-*"],
        lifecycle_policy=RULES,
    ).parameters() == {
        "Writers": f"{ROLE},{ACCOUNT}",
        "LambdaPull": "true",
        "ImageTagMutability": "IMMUTABLE",
        "ImageTagMutabilityExclusionFilter1": "latest",
        "ImageTagMutabilityExclusionFilter2": "dev-*",
        "LifecyclePolicyText": json.dumps(RULES, separators=(",", ":"), sort_keys=True),
    }


def test_expected_of_the_tutorial() -> None:
    """Of a stack of the tutorial's template nothing is expected, as its parameters do not say what it is like."""
    assert expected({"IAMUserName": "alice"}, **PLACE) == {"name": "payments-api"}


def test_expected_by_default() -> None:
    """By default nobody may do anything, and the repository is as ECR makes it."""
    assert expectation() == {
        "name": "payments-api",
        "policy": None,
        "lifecycle_policy": None,
        "image_tag_mutability": "MUTABLE",
        "image_tag_mutability_exclusion_filters": [],
        "scan_on_push": False,
        "encryption": {"type": "AES256", "kms_key": None},
    }


def test_a_policy_that_is_too_long() -> None:
    """ECR's limit of a policy is found out before."""
    many = ",".join(f"{ROLE}{number:04d}" for number in range(85))
    assert expectation_problems(expectation(Writers=many)) == []
    both = expectation(Writers=many, Readers=many)
    [problem] = expectation_problems({**both, "policy": {"x": "y" * 10_300}})
    assert "ECR takes 10,240" in problem


ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"


def live(**changed: Any) -> dict[str, Any]:
    """What ECR tells of the repository that alice may use, as it should be but for the changes."""
    return {**expectation(IAMUserName="alice"), "encryption": {"type": "AES256"}, **changed}


def policy(**changed: Any) -> dict[str, Any]:
    """Alice's policy, with something of its statement changed."""
    made = expectation(IAMUserName="alice")["policy"]
    return {**made, "Statement": [{**made["Statement"][0], **changed}]}


ACTIONS = expectation(IAMUserName="alice")["policy"]["Statement"][0]["Action"]


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({}, id="as it is"),
        pytest.param({"policy": policy(Action=[*reversed(ACTIONS)])}, id="another order"),
        pytest.param({"policy": policy(Action=[each.upper() for each in ACTIONS])}, id="another case"),
        pytest.param({"policy": policy(Sid="Else", Principal={"AWS": [ALICE]})}, id="another spelling"),
        pytest.param(
            {"policy": {"Statement": [*({**policy()["Statement"][0], "Action": each} for each in ACTIONS)]}},
            id="a statement for each action",
        ),
        pytest.param(
            {
                "policy": {
                    "Statement": [
                        *policy()["Statement"],
                        {"Sid": "LambdaECRImageRetrievalPolicy", "Effect": "Allow", "Action": "x"},
                    ]
                }
            },
            id="what Lambda adds",
        ),
    ],
)
def test_no_differences(changed: dict[str, Any]) -> None:
    """What means the same is the same."""
    assert differences(expectation(IAMUserName="alice"), live(**changed)) == []


@pytest.mark.parametrize(
    ("changed", "what", "says"),
    [
        pytest.param({"policy": None}, "policy", f"Allow .* to {ALICE} is missing", id="no policy"),
        pytest.param({"policy": policy(Principal="*")}, "policy", "Allow .* to \\* was added", id="everybody"),
        pytest.param(
            {"policy": policy(Action=ACTIONS[1:])}, "policy", "getdownloadurlforlayer to .* is missing", id="an action"
        ),
        pytest.param(
            {"policy": policy(Condition={"Bool": {"x": "true"}})},
            "policy",
            "under a condition was added",
            id="condition",
        ),
        pytest.param({"policy": policy(Effect="Deny")}, "policy", "Deny .* was added", id="denied"),
        pytest.param(
            {"policy": policy(Principal={"AWS": "AIDAEXAMPLEEXAMPLE"})},
            "policy",
            "AIDAEXAMPLEEXAMPLE stands for a user or role that was deleted",
            id="a deleted user",
        ),
        pytest.param(
            {"lifecycle_policy": RULES},
            "lifecycle_policy",
            "lifecycle policy of payments-api is not the one",
            id="lifecycle",
        ),
        pytest.param(
            {"image_tag_mutability": "IMMUTABLE"}, "image_tag_mutability", "is IMMUTABLE, and MUTABLE", id="mutability"
        ),
        pytest.param({"scan_on_push": True}, "scan_on_push", "is True, and False", id="scanning"),
        pytest.param({"encryption": {"type": "KMS"}}, "encryption", "encrypted by KMS, and AES256", id="encryption"),
        pytest.param(
            {"image_tag_mutability_exclusion_filters": ["a"]},
            "image_tag_mutability_exclusion_filters",
            "are a, and none was asked",
            id="filters",
        ),
    ],
)
def test_differences(changed: dict[str, Any], what: str, says: str) -> None:
    """What is otherwise is told, with both sides and a sentence."""
    asked = expectation(IAMUserName="alice")
    [difference] = differences(asked, live(**changed))
    assert (difference["what"], difference["asked"], difference["live"]) == (what, asked[what], changed[what])
    assert re.search(says, difference["message"])


def test_tags_differ() -> None:
    """Tags are compared where they are asked about, and AWS's own are nobody's business."""
    asked = {"name": "x", "tags": {"a": "1", "b": "2"}}
    [difference] = differences(asked, {"tags": {"a": "1", "b": "3", "c": "4", "aws:cloudformation:stack-name": "x"}})
    assert difference["message"].endswith("b is '3' instead of '2'; c was added.")


@pytest.mark.parametrize(
    ("asked", "told", "same"),
    [
        ("", "arn:aws:kms:eu-west-1:1:key/managed", True),
        ("1234", "arn:aws:kms:eu-west-1:1:key/1234", True),
        ("arn:aws:kms:eu-west-1:1:key/1234", "arn:aws:kms:eu-west-1:1:key/1234", True),
        ("arn:aws:kms:eu-west-1:1:key/1234", "arn:aws:kms:eu-west-1:1:key/5678", False),
        ("alias/ecr", "arn:aws:kms:eu-west-1:1:key/5678", True),
    ],
)
def test_keys(asked: str, told: str, same: bool) -> None:
    """A key is known by its ARN and its ID; which one an alias stands for is not asked."""
    found = differences(
        {"name": "x", "encryption": {"type": "KMS", "kms_key": asked or None}},
        {"encryption": {"type": "KMS", "kms_key": told}},
    )
    assert (found == []) is same
