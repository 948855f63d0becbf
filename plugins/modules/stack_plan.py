#!/usr/bin/python

# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_plan
version_added: 1.0.0
short_description: Find out what deploying or tearing down a repository's stack would do
description:
  - Checks names, template and parameters by the rules of CloudFormation, ECR and IAM, looks at the account, the IAM user, the stack and the
    repository, and tells what will be done, or refuses and says why.
  - It never changes anything. If an operation is under way on the stack, it is followed to its end before anything is decided,
    except in check mode.
  - A deployment is refused when the user does not exist, when a repository of that name belongs to another stack or to none,
    when resources would be removed from the stack, and when the stack is in a status that needs a person's decision.
  - A teardown is refused while a repository of the stack holds images or cannot be asked whether it does, unless O(delete_images=true),
    when the stack is protected, and when it is not a repository's.
options:
  stack_name:
    description:
      - The name of the stack. The repository is named after it, so for O(state=present) it must be a name that ECR takes, too.
    type: str
    required: true
  state:
    description:
      - Whether a deployment or a teardown is planned.
    type: str
    choices: [present, absent]
    default: present
  iam_user:
    description:
      - The IAM user who may push and pull, for the template's parameter C(IAMUserName).
      - The user's path is found out, and need not be given. If it is given, as in V(team/alice), it must be the right one.
      - If the caller may not look the user up, there is a warning and the name is taken as it is given.
    type: str
  template:
    description:
      - The path of the template, on the controller.
    type: str
  template_body:
    description:
      - The text of the template, instead of O(template).
    type: str
  template_parameters:
    description:
      - Further parameters of the template.
    type: dict
    default: {}
  delete_images:
    description:
      - Whether a teardown may delete the images in the repository.
    type: bool
    default: false
  continue_rollback:
    description:
      - Whether the rollback of a failed update may be continued, where the stack is V(UPDATE_ROLLBACK_FAILED).
    type: bool
    default: false
  delete_failed:
    description:
      - Whether a stack that is V(CREATE_FAILED) or V(ROLLBACK_FAILED) may be deleted, with what it holds, and created anew.
      - Images in it are guarded all the same; see O(delete_images).
    type: bool
    default: false
  retain:
    description:
      - Whether a teardown may leave the repository in place, where the stack is V(DELETE_FAILED).
    type: bool
    default: false
  timeout:
    description:
      - How many seconds to wait at most for the end of an operation that is already under way. Must be positive.
    type: int
    default: 900
  progress:
    description:
      - Whether to print a line whenever something changes while waiting.
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
    details:
      - In check mode RV(ignore:changed) tells whether the planned action would change anything. Otherwise it is always V(false), as this module only reads.
seealso:
  - module: amazon.aws.cloudformation
  - module: cargohold.ecr.stack_status
"""

EXAMPLES = r"""
- name: What would a deployment do?
  cargohold.ecr.stack_plan:
    stack_name: payments-api
    iam_user: alice
    template: files/ecr.yml
  register: plan

- name: May the stack be deleted, with its images?
  cargohold.ecr.stack_plan:
    stack_name: payments-api
    state: absent
    delete_images: true
    template: files/ecr.yml
"""

RETURN = r"""
action:
  description:
    - What will be done.
    - V(wait) is only told in check mode; what would be done after the wait cannot be known then.
  returned: always
  type: str
  choices: [create, update, recreate, continue_rollback, delete, nothing, wait]
reason:
  description: Why, in a sentence.
  returned: always
  type: str
account:
  description: The account of the credentials.
  returned: when it was asked
  type: str
region:
  description: The region.
  returned: when it was asked
  type: str
partition:
  description: The partition of AWS.
  returned: when it was asked
  type: str
  sample: aws
caller_arn:
  description: Who the credentials belong to.
  returned: when it was asked
  type: str
stack:
  description:
    - What the stack is now, in the form in which O(cargohold.ecr.stack_status#module:before) takes it; empty when there is none.
  returned: always
  type: dict
principal:
  description: The ARN of the IAM user, path included.
  returned: when O(iam_user) was given
  type: str
principal_found:
  description: Whether the IAM user was looked up and found.
  returned: always
  type: bool
template_parameters:
  description: The parameters to deploy with.
  returned: always
  type: dict
template_body:
  description: The text of the template to deploy.
  returned: on success, when there is a template
  type: str
notification_arns:
  description: The topics that the stack tells of its events now, to be kept.
  returned: always
  type: list
  elements: str
repositories:
  description: The repositories that a teardown would delete, with what is known of their images.
  returned: always
  type: list
  elements: dict
retained:
  description: The logical IDs of the resources that a teardown would leave in place.
  returned: always
  type: list
  elements: str
empties_first:
  description: Whether the stack has to be updated before it is deleted, so that CloudFormation deletes the images with the repository.
  returned: always
  type: bool
"""

from ansible_collections.cargohold.ecr.plugins.module_utils._module import run_module
from ansible_collections.cargohold.ecr.plugins.module_utils._tasks.stack_plan import ARGUMENT_SPEC, run


def main() -> None:
    """Find out what will be done."""
    run_module(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
