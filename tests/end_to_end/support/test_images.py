# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images arrive whole, whichever way they are pushed."""

from __future__ import annotations

import requests

from ansible_collections.cargohold.ecr.tests.support.images import (
    digest_of,
    push_by_api,
    push_by_registry,
    small_image,
)
from ansible_collections.cargohold.ecr.tests.support.ministack import MiniStack

ACCOUNT = "210987654321"
REGION = "us-east-1"


def test_by_registry(cloud: MiniStack) -> None:
    """What was pushed over HTTP is in ECR under its digest, and its layer can be downloaded again."""
    ecr = cloud.client("ecr")
    ecr.create_repository(repositoryName="team/app")
    digest = push_by_registry(cloud, "team/app", "v1")
    [image] = ecr.describe_images(repositoryName="team/app")["imageDetails"]
    assert (image["imageDigest"], image["imageTags"]) == (digest, ["v1"])
    layer = small_image().layer
    answer = requests.get(f"{cloud.endpoint}/v2/team/app/blobs/{digest_of(layer)}", timeout=30)
    assert answer.content == layer


def test_by_registry_of_another_account(cloud: MiniStack) -> None:
    """The registry is the named account's in the named region, though others have a repository of that name."""
    cloud.client("ecr").create_repository(repositoryName="app")
    theirs = cloud.client("ecr", account=ACCOUNT, region=REGION)
    theirs.create_repository(repositoryName="app")
    push_by_registry(cloud, "app", account=ACCOUNT, region=REGION)
    assert len(theirs.list_images(repositoryName="app")["imageIds"]) == 1
    assert cloud.client("ecr").list_images(repositoryName="app")["imageIds"] == []


def test_by_api(cloud: MiniStack) -> None:
    """What was pushed by ECR's own actions is there under its digest; pushed again, it is the same image."""
    ecr = cloud.client("ecr")
    ecr.create_repository(repositoryName="app")
    digest = push_by_api(ecr, "app", "v1", image=small_image("one"))
    assert digest == digest_of(small_image("one").manifest.encode())
    assert push_by_api(ecr, "app", "v2", image=small_image("one")) == digest
    other = push_by_api(ecr, "app", "v3", image=small_image("two"))
    images = ecr.describe_images(repositoryName="app")["imageDetails"]
    assert {image["imageDigest"]: image["imageTags"] for image in images} == {digest: ["v1", "v2"], other: ["v3"]}
