#!/usr/bin/python

# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: repository_info
version_added: 1.0.0
short_description: Read ECR repositories, and check what their policies grant
description:
  - Tells what there is to know about ECR repositories, as ECR itself tells it.
  - With O(principal), it fails unless every repository's policy grants that user or role all that pushing and pulling takes.
  - With O(expected), it fails unless the repository is what is expected. With either, it reads only what that takes.
  - Where the caller may not read a part, that part is none, and there is a warning.
options:
  names:
    description:
      - The names of the repositories, all in one registry.
    type: list
    elements: str
    required: true
    aliases: [name]
  principal:
    description:
      - The ARN of a user or role that must be able to push and pull by the repositories' own policies.
      - A statement with a condition does not count as a grant, nor does one to the whole account.
    type: str
  expected:
    description:
      - What the one repository has to be, as RV(cargohold.ecr.stack_plan#module:expected) tells it. What it does not mention may be anything.
      - The policy is compared by meaning, and so is the lifecycle policy. What deleting the repository would do to its images is not told by ECR.
    type: dict
  stack:
    description:
      - The stack that the one repository belongs to, as RV(cargohold.ecr.stack_status#module:stacks) tells it.
      - RV(repositories[].differences) then tells where the repository is not what the stack was deployed with; the task does not fail because of it.
    type: dict
author:
  - The cargohold.ecr contributors (@cargohold)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - cargohold.ecr.attributes
  - cargohold.ecr.attributes.info
seealso:
  - name: community.aws.ecs_ecr
    description: Makes and removes repositories without CloudFormation.
    link: https://docs.ansible.com/projects/ansible/latest/collections/community/aws/ecs_ecr_module.html
"""

EXAMPLES = r"""
- name: Read a repository
  cargohold.ecr.repository_info:
    name: payments-api
  register: found

- name: Make sure that alice can push to both
  cargohold.ecr.repository_info:
    names: [payments-api, orders-api]
    principal: arn:aws:iam::123456789012:user/alice
"""

RETURN = r"""
repositories:
  description: One entry for each of O(names), in order; also returned when the task fails because of O(principal).
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The repository's name.
      returned: always
      type: str
    exists:
      description: Whether there is such a repository; everything below is only returned if there is.
      returned: always
      type: bool
    arn:
      description: The repository's ARN.
      returned: when it exists
      type: str
    uri:
      description: Where to push to and pull from.
      returned: when it exists
      type: str
      sample: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/payments-api
    registry_id:
      description: The account of the registry.
      returned: when it exists
      type: str
    created:
      description: When the repository was created, in UTC.
      returned: when it exists
      type: str
    image_tag_mutability:
      description: Whether a tag can be pushed again.
      returned: when it exists
      type: str
      sample: MUTABLE
    image_tag_mutability_exclusion_filters:
      description: The patterns of tags that are excepted from that.
      returned: when it exists
      type: list
      elements: str
    scan_on_push:
      description: Whether images are scanned when they are pushed, as far as the repository decides it.
      returned: when it exists
      type: bool
    encryption:
      description: How the images are encrypted.
      returned: when it exists
      type: dict
      sample: {"type": "AES256"}
    policy:
      description: The repository's policy; none if there is none.
      returned: when it exists
      type: dict
    granted_principals:
      description: The principals that the policy names and grants all that pushing and pulling takes.
      returned: when it exists
      type: list
      elements: str
    deleted_principals:
      description: The unique IDs in the policy that stand for users and roles that were deleted.
      returned: when it exists
      type: list
      elements: str
    missing_actions:
      description: The actions that pushing and pulling takes and the policy does not grant to O(principal); none without it.
      returned: when it exists
      type: list
      elements: str
    lifecycle_policy:
      description: The lifecycle policy; none if there is none.
      returned: when it exists
      type: dict
    tags:
      description: The repository's tags.
      returned: when it exists
      type: dict
    images:
      description: How many images there are (C(count)), their size as stored (C(bytes)), and when the last was pushed and pulled.
      returned: when it exists
      type: dict
      sample: {"count": 3, "bytes": 41000000, "last_pushed": "2026-11-23T21:41:00.000Z", "last_pulled": null}
    differences:
      description:
        - Where the repository is not as O(expected), or not as the O(stack) was deployed, each with C(what), C(asked), C(live) and a sentence, C(message).
        - None without either.
      returned: when it exists
      type: list
      elements: dict
count:
  description: The number of RV(repositories).
  returned: always
  type: int
"""

from ansible_collections.cargohold.ecr.plugins.module_utils._module import run_module
from ansible_collections.cargohold.ecr.plugins.module_utils._tasks.repository_info import ARGUMENT_SPEC, run


def main() -> None:
    """Read the repositories."""
    run_module(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
