# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small but real container images, pushed in the two ways there are: through the registry and through ECR's API."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oras.client import OrasClient

from ansible_collections.cargohold.ecr.tests.support.ministack import MiniStack
from ansible_collections.cargohold.ecr.tests.support.stand_in import ACCOUNT, HOST, REGION

# https://github.com/opencontainers/image-spec/blob/main/media-types.md
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True)
class Image:
    """The two blobs of an image with one layer.

    :param config: the JSON document that says what the image is for and what its layer unpacks to.
    :param layer: a gzipped tar archive.
    """

    config: bytes
    layer: bytes

    @property
    def manifest(self) -> str:
        """The JSON document that names the blobs."""
        return json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": _descriptor(CONFIG_TYPE, self.config),
                "layers": [_descriptor(LAYER_TYPE, self.layer)],
            }
        )


def small_image(text: str = "cargohold") -> Image:
    """An image of one file.

    :param text: what the file says. Another text gives another digest.
    """
    content = text.encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        file = tarfile.TarInfo("cargo.txt")
        file.size = len(content)
        tar.addfile(file, io.BytesIO(content))
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(archive.getvalue())]},
    }
    return Image(config=json.dumps(config).encode(), layer=gzip.compress(archive.getvalue(), mtime=0))


def push_by_registry(
    stand_in: MiniStack,
    repository: str,
    tag: str = "latest",
    *,
    image: Image | None = None,
    account: str = ACCOUNT,
    region: str = REGION,
) -> str:
    """Push an image as docker does, over the registry's HTTP API.

    :returns: the digest of its manifest.
    :raises ValueError: the registry refused it.
    """
    image = image or small_image()
    registry = f"{HOST}:{stand_in.port}"
    client = OrasClient(hostname=registry, insecure=True, auth_backend="basic")
    # The name by which AWS serves this account's registry in this region, and MiniStack knows it too.
    client.session.headers["Host"] = f"{account}.dkr.ecr.{region}.amazonaws.com"
    with tempfile.TemporaryDirectory() as name:
        config, layer = Path(name, "config.json"), Path(name, "layer.tar.gz")
        config.write_bytes(image.config)
        layer.write_bytes(image.layer)
        response = client.push(
            target=f"{registry}/{repository}:{tag}",
            files=[f"{layer}:{LAYER_TYPE}"],
            manifest_config=f"{config}:{CONFIG_TYPE}",
            disable_path_validation=True,
            quiet=True,
        )
    return str(response.headers["Docker-Content-Digest"])


def push_by_api(ecr: Any, repository: str, tag: str = "latest", *, image: Image | None = None) -> str:
    """Push an image with the very actions that a repository's policy grants to somebody who pushes.

    :param ecr: a boto3 client, of the user who pushes.
    :returns: the digest of its manifest.
    :raises botocore.exceptions.ClientError: an action failed; AccessDeniedException where the user lacks it.
    """
    image = image or small_image()
    for blob in (image.config, image.layer):
        _upload(ecr, repository, blob)
    answer = ecr.put_image(
        repositoryName=repository, imageTag=tag, imageManifest=image.manifest, imageManifestMediaType=MANIFEST_TYPE
    )
    return str(answer["image"]["imageId"]["imageDigest"])


def _upload(ecr: Any, repository: str, blob: bytes) -> None:
    """Upload a blob, unless the repository has it."""
    digest = digest_of(blob)
    answer = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest])
    if any(layer["layerAvailability"] == "AVAILABLE" for layer in answer["layers"]):
        return
    upload = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    ecr.upload_layer_part(
        repositoryName=repository, uploadId=upload, partFirstByte=0, partLastByte=len(blob) - 1, layerPartBlob=blob
    )
    ecr.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=[digest])


def digest_of(blob: bytes) -> str:
    """What an image is identified by: the SHA-256 of a blob or of a manifest."""
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    """How a manifest names a blob."""
    return {"mediaType": media_type, "digest": digest_of(blob), "size": len(blob)}
