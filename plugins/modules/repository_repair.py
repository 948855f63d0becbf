#!/usr/bin/python

# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: repository_repair
version_added: 1.0.0
short_description: Set an ECR repository to what was asked for
description:
  - Sets, by ECR's own calls, what somebody changed behind CloudFormation's back. CloudFormation itself has nothing to update then, because what
    it has on record is what was asked for.
  - It also restores the grant of a user or role that was deleted and made again, which AWS holds for another one.
  - Reads everything back, and fails if it still differs.
  - A repository's name and encryption cannot be changed in place; it fails before it sets anything if these differ.
options:
  name:
    description:
      - The repository's name.
    type: str
    required: true
  expected:
    description:
      - What the repository has to be, as RV(cargohold.ecr.stack_plan#module:expected) tells it. What it does not mention is left alone.
    type: dict
    required: true
author:
  - The cargohold.ecr contributors (@cargohold)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - cargohold.ecr.attributes
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
seealso:
  - module: cargohold.ecr.stack_plan
  - module: cargohold.ecr.repository_info
"""

EXAMPLES = r"""
- name: Find out what was asked for
  cargohold.ecr.stack_plan:
    stack_name: payments-api
    iam_user: alice
    template: files/ecr.yml
  register: plan

- name: Set the repository to that
  cargohold.ecr.repository_repair:
    name: payments-api
    expected: "{{ plan.expected }}"
"""

RETURN = r"""
differences:
  description: What differed, each with C(what), C(asked), C(live) and a sentence, C(message).
  returned: always
  type: list
  elements: dict
"""

from ansible_collections.cargohold.ecr.plugins.module_utils._module import run_module
from ansible_collections.cargohold.ecr.plugins.module_utils._tasks.repository_repair import ARGUMENT_SPEC, run


def main() -> None:
    """Set what differs."""
    run_module(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
