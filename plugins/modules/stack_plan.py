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
  - What an update would change is asked of CloudFormation, by a change set that is deleted again, also in check mode. Nothing else is ever written.
    If an operation is under way on the stack, it is followed to its end before anything is decided,
    except in check mode.
  - A deployment is refused when a repository would be replaced or removed, unless O(allow_replacement=true), when the
    user does not exist, when a repository of that name belongs to another stack or to none,
    when resources would be removed from the stack, and when the stack is in a status that needs a person's decision.
  - A teardown is refused while a repository of the stack holds images or cannot be asked whether it does, unless O(delete_images=true),
    when the stack is protected, and when it is not a repository's.
options:
  stack_name:
    description:
      - The name of the stack. The repository is named after it, unless there is a O(repository_name), so for O(state=present) it must be a name
        that ECR takes, too.
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
  expected_account:
    description:
      - The account that the credentials must be of, 12 digits. With those of another one, nothing is done.
    type: str
  repository_name:
    description:
      - The repository's name, where it is another than the stack's, as in C(team/app).
    type: str
  writers:
    description:
      - Who else may push and pull, as ARNs of IAM users, roles or accounts; 12 digits are an account.
    type: list
    elements: str
    default: []
  readers:
    description:
      - Who may pull, as O(writers).
    type: list
    elements: str
    default: []
  organization_id:
    description:
      - The organization whose principals may pull, such as V(o-a1b2c3d4e5).
    type: str
  lambda_pull:
    description:
      - Whether Lambda may pull, for functions of this account and region.
    type: bool
    default: false
  grant_login:
    description:
      - Whether the stack grants C(ecr:GetAuthorizationToken) to the IAM user, and to those writers and readers that are users or roles of this account.
      - The resources of O(login_template) are merged into the template then, and RV(capabilities) has C(CAPABILITY_IAM).
    type: bool
    default: false
  image_tag_mutability:
    description:
      - Whether a tag may be moved to another image.
    type: str
    choices: [MUTABLE, IMMUTABLE]
    default: MUTABLE
  image_tag_mutability_exclusion_filters:
    description:
      - Up to five patterns of tags that are excepted from O(image_tag_mutability).
    type: list
    elements: str
    default: []
  scan_on_push:
    description:
      - Whether images are scanned when they are pushed.
    type: bool
    default: false
  encryption_type:
    description:
      - How images are encrypted. Another one than the deployed one replaces the repository.
    type: str
    choices: [AES256, KMS, KMS_DSSE]
    default: AES256
  kms_key:
    description:
      - The key for V(KMS) and V(KMS_DSSE). Without one, it is the key that AWS manages.
    type: str
  lifecycle_policy:
    description:
      - The lifecycle policy as ECR has it. As compact JSON it may have 4,096 characters, as all parameters of CloudFormation.
    type: dict
  lifecycle_rules:
    description:
      - The lifecycle policy in readable rules, as P(cargohold.ecr.lifecycle_policy#filter) explains them; instead of O(lifecycle_policy).
    type: list
    elements: dict
    default: []
  empty_on_delete:
    description:
      - Whether CloudFormation deletes the images, too, whenever it deletes the repository.
    type: bool
    default: false
  tags:
    description:
      - The tags of the stack, which CloudFormation passes on to the repository. If left out, they stay as they are; V({}) removes them.
    type: dict
  notification_arns:
    description:
      - The SNS topics that are told of the stack's events. If left out, they stay as they are; V([]) removes them.
    type: list
    elements: str
  role_arn:
    description:
      - The service role that CloudFormation is to use. If left out, it stays as it is.
    type: str
  allow_replacement:
    description:
      - Whether a deployment may replace or remove a repository.
    type: bool
    default: false
  template:
    description:
      - The path of the template, on the controller; a relative one begins at the playbook.
    type: str
  template_body:
    description:
      - The text of the template, instead of O(template).
    type: str
  login_template:
    description:
      - The path of the template for O(grant_login), on the controller; the one that is shipped is C(files/login.yml).
    type: str
  login_template_body:
    description:
      - Its text, instead of O(login_template).
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
  detect_drift:
    description:
      - Whether to read from ECR what the repository of an existing stack is, and to tell RV(drift).
    type: bool
    default: true
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
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: full
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
  description: The text of the template to deploy; the deployed one where only the images are to be let go.
  returned: always
  type: str
changes:
  description:
    - What would become of each resource, each with C(logical_id), C(physical_id), C(type), C(action), C(replacement), and C(properties), which have
      C(name), C(before), C(after) and C(requires_recreation).
    - For an update, what CloudFormation's change set says; for a new stack, what the template declares.
  returned: always
  type: list
  elements: dict
summary:
  description: The same in lines for a person.
  returned: always
  type: list
  elements: str
  sample: ["Modify ECRRepository (AWS::ECR::Repository) in place: RepositoryPolicyText"]
expected:
  description: What ECR has to tell of the repository after the deployment, for O(cargohold.ecr.repository_info#module:expected).
  returned: always
  type: dict
drift:
  description:
    - Where the repository is not what was deployed, each with C(what), C(asked), C(live) and a sentence, C(message).
    - None where it was not read, or may not be.
  returned: always
  type: list
  elements: dict
may_log_in:
  description:
    - Whether identity policies let the IAM user log in to the registry.
    - None where it was not asked, as where there is nothing to do, or where it cannot be told.
  returned: always
  type: bool
capabilities:
  description: The capabilities that the deployment takes.
  returned: always
  type: list
  elements: str
tags:
  description: The option O(tags), to be passed on.
  returned: on success
  type: dict
role_arn:
  description: The option O(role_arn), to be passed on.
  returned: on success
  type: str
notification_arns:
  description: The topics that the stack shall tell of its events, the present ones where none are given.
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
