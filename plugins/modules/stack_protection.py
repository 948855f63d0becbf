#!/usr/bin/python

# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_protection
version_added: 1.0.0
short_description: Protect a CloudFormation stack from deletion and from updates
description:
  - Sets a stack's termination protection and its stack policy, where they are otherwise.
  - M(amazon.aws.cloudformation) sets a stack policy only along with an update that changes something, and does not tell that it changed the
    termination protection.
options:
  stack_name:
    description:
      - The stack's name or ID.
    type: str
    required: true
    aliases: [stack_id]
  termination_protection:
    description:
      - Whether the stack is protected from being deleted. If left out, it stays as it is.
    type: bool
  stack_policy:
    description:
      - The stack policy, which says what updates may do. If left out, it stays as it is; CloudFormation cannot remove one.
    type: dict
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
  - module: amazon.aws.cloudformation
"""

EXAMPLES = r"""
- name: Let nobody delete the stack, or replace the repository in it
  cargohold.ecr.stack_protection:
    stack_name: payments-api
    termination_protection: true
    stack_policy:
      Statement:
        - Effect: Allow
          Action: Update:Modify
          Principal: "*"
          Resource: "*"
"""

RETURN = r"""
settings:
  description: The names of the options that were otherwise.
  returned: always
  type: list
  elements: str
  sample: [termination_protection]
"""

from ansible_collections.cargohold.ecr.plugins.module_utils._module import run_module
from ansible_collections.cargohold.ecr.plugins.module_utils._tasks.stack_protection import ARGUMENT_SPEC, run


def main() -> None:
    """Set what is otherwise."""
    run_module(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
