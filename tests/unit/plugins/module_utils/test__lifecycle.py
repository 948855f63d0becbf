# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules that a person reads become a lifecycle policy, with ECR's priorities."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._lifecycle import lifecycle_document, lifecycle_problems


def test_priorities() -> None:
    """What protects comes first, then tags as they were given, then untagged images, and all images last."""
    made = lifecycle_document(
        [
            {"keep": 100},
            {"expire_untagged_after": 14},
            {"keep": 5, "tags": ["dev-*", "pr-*"]},
            {"expire_after": 30, "tags": ["tmp-*"]},
            {"protect": ["release-*"]},
        ]
    )
    assert [(rule["rulePriority"], rule["description"]) for rule in made["rules"]] == [
        (1, "Keep images tagged release-*"),
        (2, "Keep the newest 5 images tagged dev-*"),
        (3, "Keep the newest 5 images tagged pr-*"),
        (4, "Expire images tagged tmp-* after 30 days"),
        (5, "Expire untagged images after 14 days"),
        (6, "Keep the newest 100 images"),
    ]


@pytest.mark.parametrize(
    ("rule", "selection"),
    [
        ({"keep": 9}, {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9}),
        (
            {"keep": 9, "tags": ["v*"]},
            {"tagStatus": "tagged", "tagPatternList": ["v*"], "countType": "imageCountMoreThan", "countNumber": 9},
        ),
        (
            {"protect": ["v*"]},
            {
                "tagStatus": "tagged",
                "tagPatternList": ["v*"],
                "countType": "imageCountMoreThan",
                "countNumber": 999_999,
            },
        ),
        (
            {"expire_after": "7"},
            {"tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7},
        ),
        (
            {"expire_untagged_after": 7},
            {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7},
        ),
    ],
)
def test_selections(rule: dict[str, Any], selection: dict[str, Any]) -> None:
    """Each form selects what it says, and expires."""
    [made] = lifecycle_document([rule])["rules"]
    assert (made["selection"], made["action"]) == (selection, {"type": "expire"})


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        pytest.param([{}], "rule 1 says nothing", id="nothing"),
        pytest.param([{"keep": 1, "protect": ["x"]}], "says protect and keep", id="two forms"),
        pytest.param([{"keep": 1, "tag": ["x"]}], "has 'tag', which does not go with keep", id="a typo"),
        pytest.param([{"keep": True}], "keep: True; it must be a number", id="no number"),
        pytest.param([{"keep": -1}], "it must be a number", id="negative"),
        pytest.param([{"protect": []}], "at least one pattern", id="no pattern"),
        pytest.param([{"protect": "v*"}], "at least one pattern", id="no list"),
        pytest.param([{"protect": ["*a*b*c*d*"]}], "at most 4 stars", id="stars"),
        pytest.param([{"keep": 1}, {"expire_after": 1}], "Two lifecycle rules speak of all images", id="two of all"),
        pytest.param([{"expire_untagged_after": 1}] * 2, "Two lifecycle rules speak of untagged", id="two of untagged"),
        pytest.param([{"protect": ["x"] * 51}], "make 51 rules of ECR", id="too many"),
    ],
)
def test_problems(rules: list[dict[str, Any]], says: str) -> None:
    """What cannot be a policy is told in a sentence."""
    [problem] = lifecycle_problems(rules)
    assert says in problem
    with pytest.raises(Refused, match="ifecycle"):
        lifecycle_document(rules)
