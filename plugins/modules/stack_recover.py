#!/usr/bin/python

# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_recover
version_added: 1.0.0
short_description: Bring a CloudFormation stack back from a failed rollback or deletion
description:
  - Continues the rollback of an update that failed to roll back, or deletes a stack whose deletion failed and leaves some of its resources in place.
  - Follows what it started to its end, and judges it.
  - These are the two recoveries that M(amazon.aws.cloudformation) does not know.
options:
  stack_name:
    description:
      - The stack's name or ID.
    type: str
    required: true
    aliases: [stack_id]
  recovery:
    description:
      - What to do.
      - V(continue_rollback) is for a stack that is V(UPDATE_ROLLBACK_FAILED), after what was in the way of the rollback has been mended.
      - V(delete_retaining) is for a stack that is V(DELETE_FAILED).
    type: str
    required: true
    choices: [continue_rollback, delete_retaining]
  retain:
    description:
      - The logical IDs of the resources to leave in place, for V(delete_retaining).
    type: list
    elements: str
    default: []
  timeout:
    description:
      - How many seconds to follow it at most. Must be positive.
    type: int
    default: 900
  progress:
    description:
      - Whether to print a line whenever something changes.
    type: bool
    default: true
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
  - module: cargohold.ecr.stack_status
"""

EXAMPLES = r"""
- name: Continue the rollback of a failed update
  cargohold.ecr.stack_recover:
    stack_name: payments-api
    recovery: continue_rollback

- name: Delete the stack, and keep the repository with its images
  cargohold.ecr.stack_recover:
    stack_name: payments-api
    recovery: delete_retaining
    retain: [ECRRepository]
"""

RETURN = r"""
stacks:
  description: The stack, as RV(cargohold.ecr.stack_status#module:stacks) tells it.
  returned: always
  type: list
  elements: dict
count:
  description: The number of RV(stacks), which is 1.
  returned: always
  type: int
calls:
  description: How many reading requests were made.
  returned: always
  type: int
"""

from ansible_collections.cargohold.ecr.plugins.module_utils._module import run_module
from ansible_collections.cargohold.ecr.plugins.module_utils._tasks.stack_recover import ARGUMENT_SPEC, run


def main() -> None:
    """Start the recovery, and follow it."""
    run_module(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
