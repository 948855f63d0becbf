# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of a repository, in the form in which ECR tells it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ansible_collections.cargohold.ecr.plugins.module_utils import _registry
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Absent, Denied

T0 = datetime(2026, 11, 23, 21, 41, tzinfo=timezone.utc)
ARN = "arn:aws:ecr:eu-west-1:123456789012:repository/payments-api"
REPOSITORY: dict[str, Any] = {
    "repositoryName": "payments-api",
    "repositoryArn": ARN,
    "repositoryUri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/payments-api",
    "registryId": "123456789012",
}
NAME = {"repositoryName": "payments-api"}


@pytest.fixture
def ecr() -> Iterator[Stubber]:
    """A client of ECR that answers what it is told to, and to nothing else."""
    client = boto3.client("ecr", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def test_describe_at_its_barest(ecr: Stubber) -> None:
    """What ECR leaves out is what it does when nothing is said."""
    ecr.add_response("describe_repositories", {"repositories": [REPOSITORY]}, {"repositoryNames": ["payments-api"]})
    repository = _registry.describe(ecr.client, "payments-api")
    assert repository is not None
    assert repository.as_result() == {
        "name": "payments-api",
        "arn": ARN,
        "uri": REPOSITORY["repositoryUri"],
        "registry_id": "123456789012",
        "created": None,
        "image_tag_mutability": "MUTABLE",
        "image_tag_mutability_exclusion_filters": [],
        "scan_on_push": False,
        "encryption": {},
    }


def test_describe_in_full(ecr: Stubber) -> None:
    """Mutability, scanning, encryption and the time are taken from the answer."""
    full = {
        **REPOSITORY,
        "createdAt": T0,
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": "arn:key"},
    }
    ecr.add_response("describe_repositories", {"repositories": [full]})
    result = _registry.describe(ecr.client, "payments-api").as_result()  # type: ignore[union-attr]
    names = ("created", "image_tag_mutability", "scan_on_push", "encryption")
    assert [result[name] for name in names] == [
        "2026-11-23T21:41:00.000Z",
        "IMMUTABLE",
        True,
        {"type": "KMS", "kms_key": "arn:key"},
    ]


READERS = [
    pytest.param("describe_repositories", "RepositoryNotFoundException", _registry.describe, id="repository"),
    pytest.param("get_repository_policy", "RepositoryPolicyNotFoundException", _registry.policy, id="policy"),
    pytest.param(
        "get_lifecycle_policy", "LifecyclePolicyNotFoundException", _registry.lifecycle_policy, id="lifecycle"
    ),
]


@pytest.mark.parametrize(("operation", "code", "read"), READERS)
def test_absent(ecr: Stubber, operation: str, code: str, read: Callable[..., Any]) -> None:
    """What is not there is nothing, and no error."""
    ecr.add_client_error(operation, code)
    assert read(ecr.client, "payments-api") is None


@pytest.mark.parametrize(("operation", "_code", "read"), READERS)
def test_denied(ecr: Stubber, operation: str, _code: str, read: Callable[..., Any]) -> None:
    """What may not be read is not taken for what is not there."""
    ecr.add_client_error(operation, "AccessDeniedException", http_status_code=400)
    with pytest.raises(Denied, match="payments-api"):
        read(ecr.client, "payments-api")


@pytest.mark.parametrize(
    ("operation", "key", "read"),
    [
        pytest.param("get_repository_policy", "policyText", _registry.policy, id="policy"),
        pytest.param("get_lifecycle_policy", "lifecyclePolicyText", _registry.lifecycle_policy, id="lifecycle policy"),
    ],
)
def test_documents(ecr: Stubber, operation: str, key: str, read: Callable[..., Any]) -> None:
    """Policies come as documents, not as text."""
    document = {"rules": [{"description": "x" * 100}]}
    ecr.add_response(operation, {key: json.dumps(document)}, NAME)
    assert read(ecr.client, "payments-api") == document


def test_tags(ecr: Stubber) -> None:
    """Tags come as a dictionary."""
    ecr.add_response("list_tags_for_resource", {"tags": [{"Key": "team", "Value": "payments"}]}, {"resourceArn": ARN})
    assert _registry.tags(ecr.client, ARN) == {"team": "payments"}


def test_images(ecr: Stubber) -> None:
    """Images are counted over all pages, with those that were never pulled and have no size yet."""
    later = T0 + timedelta(days=1)
    first = {"imageSizeInBytes": 30, "imagePushedAt": later}
    second = {"imageSizeInBytes": 12, "imagePushedAt": T0, "lastRecordedPullTime": later}
    ecr.add_response("describe_images", {"imageDetails": [first, {}], "nextToken": "2"}, NAME)
    ecr.add_response("describe_images", {"imageDetails": [second]}, {**NAME, "nextToken": "2"})
    assert _registry.images(ecr.client, "payments-api") == _registry.Images(3, 42, later, later)


def test_no_images(ecr: Stubber) -> None:
    """An empty repository was neither pushed to nor pulled from."""
    ecr.add_response("describe_images", {"imageDetails": []}, NAME)
    expected = {"count": 0, "bytes": 0, "last_pushed": None, "last_pulled": None}
    assert _registry.images(ecr.client, "payments-api").as_result() == expected


def test_images_of_no_repository(ecr: Stubber) -> None:
    """A repository that is not there does not hold zero images."""
    ecr.add_client_error("describe_images", "RepositoryNotFoundException")
    with pytest.raises(Absent):
        _registry.images(ecr.client, "payments-api")
