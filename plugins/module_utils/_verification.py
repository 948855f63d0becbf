# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""Whether a repository is what was asked for: read from ECR, compared, and put right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils import _registry
from ansible_collections.cargohold.ecr.plugins.module_utils._content import differences
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Refused


def drift(ecr: Any, expectation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where the live repository is not what is expected; what nothing is expected of is not read.

    :param expectation: as M(_content.expected) makes it.
    """
    name = expectation["name"]
    if len(expectation) == 1:
        return []
    repository = _registry.describe(ecr, name)
    if repository is None:
        gone = f"The repository {name} does not exist, though its stack says so."
        return [{"what": "repository", "asked": name, "live": None, "message": gone}]
    live = repository.as_result()
    # Each is a call of its own.
    if "policy" in expectation:
        live["policy"] = _registry.policy(ecr, name)
    if "lifecycle_policy" in expectation:
        live["lifecycle_policy"] = _registry.lifecycle_policy(ecr, name)
    if "tags" in expectation:
        live["tags"] = _registry.tags(ecr, repository.arn)
    return differences(expectation, live)


def beyond_repair(found: Sequence[Mapping[str, Any]]) -> str:
    """Why it cannot be put right in place, where something differs that only a new repository can have; else empty."""
    lasting = [each["message"] for each in found if each["what"] in ("repository", "encryption")]
    if not lasting:
        return ""
    return f"{' '.join(lasting)} That cannot be put right in place: delete the stack, and deploy it anew."


def refuse_beyond_repair(found: Sequence[Mapping[str, Any]]) -> None:
    """What only a new repository can have is not set in place.

    :raises Refused: when something of that kind differs.
    """
    lasting = beyond_repair(found)
    if lasting:
        raise Refused(lasting)


def repair(ecr: Any, expectation: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> None:
    """Set straight in ECR what differs: CloudFormation has nothing to update where its own record is right.

    :param found: as M(drift) gives them, and none that are beyond repair.
    """
    name = expectation["name"]
    differing = {each["what"]: each for each in found}
    if "policy" in differing:
        _registry.set_policy(ecr, name, expectation["policy"])
    if "lifecycle_policy" in differing:
        _registry.set_lifecycle_policy(ecr, name, expectation["lifecycle_policy"])
    if not differing.keys().isdisjoint({"image_tag_mutability", "image_tag_mutability_exclusion_filters"}):
        filters = expectation["image_tag_mutability_exclusion_filters"]
        _registry.set_tag_mutability(ecr, name, expectation["image_tag_mutability"], filters)
    if "scan_on_push" in differing:
        _registry.set_scan_on_push(ecr, name, expectation["scan_on_push"])
    if "tags" in differing:
        asked, live = expectation["tags"], differing["tags"]["live"]
        repository = _registry.describe(ecr, name)
        if repository is not None:
            unwanted = [key for key in live if key not in asked and not key.startswith("aws:")]
            _registry.set_tags(ecr, repository.arn, asked, unwanted)
