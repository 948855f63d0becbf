# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""The only file that knows ECR's API: one function per call, answers as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils._clients import told
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Absent
from ansible_collections.cargohold.ecr.plugins.module_utils._records import iso


@dataclass(frozen=True)
class Repository:
    """A repository, as DescribeRepositories tells it."""

    name: str
    arn: str
    uri: str
    registry_id: str
    created: datetime | None
    tag_mutability: str
    exclusion_filters: tuple[str, ...]
    scan_on_push: bool
    encryption: Mapping[str, str]

    def as_result(self) -> dict[str, Any]:
        """The repository as part of a task's result."""
        return {
            "name": self.name,
            "arn": self.arn,
            "uri": self.uri,
            "registry_id": self.registry_id,
            "created": iso(self.created),
            "image_tag_mutability": self.tag_mutability,
            "image_tag_mutability_exclusion_filters": list(self.exclusion_filters),
            "scan_on_push": self.scan_on_push,
            "encryption": dict(self.encryption),
        }


@dataclass(frozen=True)
class Images:
    """What DescribeImages says of a repository's images, summed up; sizes in bytes, as they are stored."""

    count: int
    size: int
    last_pushed: datetime | None
    last_pulled: datetime | None

    def as_result(self) -> dict[str, Any]:
        """The summary as part of a task's result."""
        return {
            "count": self.count,
            "bytes": self.size,
            "last_pushed": iso(self.last_pushed),
            "last_pulled": iso(self.last_pulled),
        }


def describe(ecr: Any, name: str) -> Repository | None:
    """DescribeRepositories for one repository of the caller's registry; C(None) when it does not exist."""
    try:
        with told(f"read the repository {name}"):
            found = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    except Absent:
        return None
    return _repository(found[0]) if found else None


def policy(ecr: Any, name: str) -> dict[str, Any] | None:
    """GetRepositoryPolicy; C(None) when there is no policy."""
    try:
        with told(f"read the policy of the repository {name}"):
            document: dict[str, Any] = json.loads(ecr.get_repository_policy(repositoryName=name)["policyText"])
            return document
    except Absent:
        return None


def lifecycle_policy(ecr: Any, name: str) -> dict[str, Any] | None:
    """GetLifecyclePolicy; C(None) when there is no such policy."""
    try:
        with told(f"read the lifecycle policy of the repository {name}"):
            document: dict[str, Any] = json.loads(ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"])
            return document
    except Absent:
        return None


def tags(ecr: Any, arn: str) -> dict[str, str]:
    """ListTagsForResource."""
    with told(f"read the tags of {arn}"):
        return {each["Key"]: each["Value"] for each in ecr.list_tags_for_resource(resourceArn=arn)["tags"]}


def images(ecr: Any, name: str) -> Images:
    """DescribeImages, every page of it, summed up."""
    with told(f"count the images of the repository {name}"):
        pages = ecr.get_paginator("describe_images").paginate(repositoryName=name)
        details = [each for page in pages for each in page["imageDetails"]]
    return Images(
        count=len(details),
        size=sum(each.get("imageSizeInBytes", 0) for each in details),
        last_pushed=max((each["imagePushedAt"] for each in details if "imagePushedAt" in each), default=None),
        last_pulled=max(
            (each["lastRecordedPullTime"] for each in details if "lastRecordedPullTime" in each), default=None
        ),
    )


def set_policy(ecr: Any, name: str, document: Mapping[str, Any] | None) -> None:
    """SetRepositoryPolicy, or DeleteRepositoryPolicy for C(None)."""
    with told(f"set the policy of the repository {name}"):
        if document is None:
            ecr.delete_repository_policy(repositoryName=name)
        else:
            ecr.set_repository_policy(repositoryName=name, policyText=json.dumps(document))


def set_lifecycle_policy(ecr: Any, name: str, document: Mapping[str, Any] | None) -> None:
    """PutLifecyclePolicy, or DeleteLifecyclePolicy for C(None)."""
    with told(f"set the lifecycle policy of the repository {name}"):
        if document is None:
            ecr.delete_lifecycle_policy(repositoryName=name)
        else:
            ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps(document))


def set_tag_mutability(ecr: Any, name: str, mutability: str, filters: Sequence[str]) -> None:
    """PutImageTagMutability."""
    excluded = [{"filterType": "WILDCARD", "filter": each} for each in filters]
    # An older botocore does not know the filters, so they are only named where there are some.
    named = {"imageTagMutabilityExclusionFilters": excluded} if excluded else {}
    with told(f"set the tag mutability of the repository {name}"):
        ecr.put_image_tag_mutability(repositoryName=name, imageTagMutability=mutability, **named)


def set_scan_on_push(ecr: Any, name: str, scan: bool) -> None:
    """PutImageScanningConfiguration."""
    with told(f"set the scanning of the repository {name}"):
        ecr.put_image_scanning_configuration(repositoryName=name, imageScanningConfiguration={"scanOnPush": scan})


def set_tags(ecr: Any, arn: str, wanted: Mapping[str, str], unwanted: Sequence[str]) -> None:
    """TagResource and UntagResource."""
    with told(f"set the tags of {arn}"):
        # First those that go: there may be 50 at most.
        if unwanted:
            ecr.untag_resource(resourceArn=arn, tagKeys=list(unwanted))
        if wanted:
            ecr.tag_resource(resourceArn=arn, tags=[{"Key": key, "Value": value} for key, value in wanted.items()])


def _repository(answer: Mapping[str, Any]) -> Repository:
    encryption = answer.get("encryptionConfiguration") or {}
    return Repository(
        name=answer["repositoryName"],
        arn=answer["repositoryArn"],
        uri=answer["repositoryUri"],
        registry_id=answer["registryId"],
        created=answer.get("createdAt"),
        tag_mutability=answer.get("imageTagMutability", "MUTABLE"),
        exclusion_filters=tuple(each["filter"] for each in answer.get("imageTagMutabilityExclusionFilters") or []),
        scan_on_push=bool((answer.get("imageScanningConfiguration") or {}).get("scanOnPush", False)),
        encryption={
            key: value
            for key, value in (("type", encryption.get("encryptionType")), ("kms_key", encryption.get("kmsKey")))
            if value
        },
    )


def names(ecr: Any) -> frozenset[str]:
    """DescribeRepositories for all of the caller's registry, every page of it: their names."""
    with told("list the repositories"):
        pages = ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 1000})
        return frozenset(each["repositoryName"] for page in pages for each in page["repositories"])
