# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lifecycle policies of ECR, from rules that a person reads at a glance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._lifecycle import lifecycle_document

DOCUMENTATION = """
name: lifecycle_policy
author: The cargohold.ecr contributors
version_added: 1.0.0
short_description: Turn readable rules into a lifecycle policy of Amazon ECR
description:
  - Makes the document that ECR, CloudFormation and other modules take as a lifecycle policy, and assigns the priorities.
  - The first rule that an image matches decides about it. Rules that protect come first, then those that are limited by tags, in the
    order given, then the one for untagged images, and the one for all images last.
options:
  _input:
    description:
      - The rules. Each has one of V(protect), V(keep), V(expire_after) and V(expire_untagged_after).
      - "V(protect): a list of patterns; images with a tag that matches one of them stay."
      - "V(keep): a number; so many of the newest images stay, the others expire. Images that a rule before it keeps count, too.
        With V(tags), a list of patterns, that is said
        of the images with such a tag, for each pattern on its own."
      - "V(expire_after): a number of days since the push, after which images expire. V(tags) limits it, too."
      - "V(expire_untagged_after): a number of days since the push, after which images without a tag expire."
      - A pattern has at most four stars, each for any characters, as in V(release-*).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = """
- name: Keep releases for good, the newest hundred of all images, and untagged ones for two weeks
  community.aws.ecs_ecr:
    name: payments-api
    lifecycle_policy: "{{ rules | cargohold.ecr.lifecycle_policy }}"
  vars:
    rules:
      - protect: [release-*]
      - expire_untagged_after: 14
      - keep: 100
"""

RETURN = """
_value:
  description: The policy, with C(rules).
  type: dict
"""


def lifecycle_policy(rules: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The policy that says what the rules say.

    :raises AnsibleFilterError: the rules cannot be a policy.
    """
    if not isinstance(rules, (list, tuple)) or not all(isinstance(rule, Mapping) for rule in rules):
        raise AnsibleFilterError("cargohold.ecr.lifecycle_policy takes a list of rules, such as [{keep: 100}].")
    try:
        return lifecycle_document(rules)
    except Refused as problem:
        raise AnsibleFilterError(problem.message) from problem


class FilterModule:
    """The filters of this file, as Ansible finds them."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """By name."""
        return {"lifecycle_policy": lifecycle_policy}
