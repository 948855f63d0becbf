#!/usr/bin/python

# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stacks
version_added: 1.0.0
short_description: Bring many stacks of repositories to where they are wanted, all at once
description:
  - Creates, updates, recreates or removes CloudFormation stacks, each of which holds an ECR repository, concurrently in one process.
  - Each stack is planned, followed, judged and verified as M(cargohold.ecr.stack_plan), M(cargohold.ecr.stack_status) and
    M(cargohold.ecr.repository_info) do it for one. An update is made by the very change set that was looked at.
  - All mistakes of the list are told at once, before anything is asked for.
  - A stack that fails keeps no other from its end. The task fails at last, and its result tells of each.
  - Whether there is anything to do is told by one listing of the stacks, with the parameters, the tags, and a mark in a tag that stands
    for the template, RV(stacks[].tags) C(cargohold:template). What others changed behind CloudFormation's back is seen with O(deep=true) only.
  - Where an earlier run was interrupted, what is under way is followed to its end, and then decided about again.
options:
  stacks:
    description:
      - The stacks, all in one account and region; each is a dictionary with what M(cargohold.ecr.stack_plan) takes for one.
      - C(stack_name) is the name of the stack, and of the repository in it. It must be given.
      - C(state) is V(present) or V(absent), if it is another one than O(state).
      - C(iam_user), C(repository_name), C(writers), C(readers), C(organization_id), C(lambda_pull), C(grant_login),
        C(image_tag_mutability), C(image_tag_mutability_exclusion_filters), C(scan_on_push), C(encryption_type), C(kms_key),
        C(lifecycle_policy), C(lifecycle_rules), C(empty_on_delete), C(template_parameters), C(notification_arns), C(role_arn),
        C(allow_replacement), C(delete_images), C(continue_rollback), C(delete_failed) and C(retain) are as there.
      - C(termination_protection) and C(stack_policy) are as those of M(cargohold.ecr.stack_protection). A stack policy of an unchanged
        stack is looked at with O(deep=true) only.
      - C(repair_drift) says whether what ECR tells otherwise than the stack has it, is set right where it is seen.
      - C(template), C(template_body) and C(timeout) take the place of the task's own.
      - C(tags) is a dictionary of the stack's tags. Left out, the tags that a stack has stay.
      - C(depends_on) is a list of stacks of the list that are made before this one, and removed after it.
    type: list
    elements: raw
    required: true
  state:
    description:
      - Whether the stacks shall be there.
    type: str
    choices: [present, absent]
    default: present
  template:
    description:
      - The path of the template, on the controller; a relative one begins at the playbook.
    type: str
  template_body:
    description:
      - The template's text, instead of O(template).
    type: str
  login_template:
    description:
      - The path of the template that grants the login, C(files/login.yml), on the controller. Needed where a stack has C(grant_login).
    type: str
  login_template_body:
    description:
      - That template's text, instead of O(login_template).
    type: str
  expected_account:
    description:
      - The number of the account that the credentials have to be of.
    type: str
  fleet:
    description:
      - A name for the stacks of the list. It becomes the value of their tag C(cargohold:fleet).
    type: str
  prune:
    description:
      - Whether to remove the stacks that are tagged as those of O(fleet) and are not in the list. Images stand against that as in any removal.
    type: bool
    default: false
  delete_images:
    description:
      - Whether the images of what is removed by O(prune) may be deleted.
    type: bool
    default: false
  deep:
    description:
      - Whether to compare the stacks in full that a listing tells to be unchanged, with their templates and with what ECR says of their repositories.
        That takes two to five calls for each stack.
    type: bool
    default: false
  verify:
    description:
      - Whether to read back the repositories that were made or changed, and whether those of removed stacks are gone.
    type: bool
    default: true
  concurrency:
    description:
      - How many stacks are begun and not ended at most; V(0) stands for no limit.
    type: int
    default: 0
  max_failures:
    description:
      - After so many failures no other stack is begun; V(0) stands for no limit.
      - What has begun by then goes on, so with O(concurrency=0) most will have.
    type: int
    default: 0
  rate:
    description:
      - How many requests for changes are made a second at most. Left out, as many as CloudFormation takes; they slow down where it asks for fewer.
    type: float
  timeout:
    description:
      - How many seconds each stack may take, counted from its own beginning. Must be positive.
      - AWS goes on with what it does when the time is over.
    type: int
    default: 900
  progress:
    description:
      - Whether to print a line whenever something changes; of more than 25 stacks, only where one fails, and how many are settled.
      - Nothing is printed where the connection is not local.
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
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
    support: full
seealso:
  - module: cargohold.ecr.stack_plan
  - module: cargohold.ecr.stack_status
"""

EXAMPLES = r"""
- name: Deploy three repositories
  cargohold.ecr.stacks:
    template: ecr.yml
    stacks:
      - stack_name: payments-api
        iam_user: alice
      - stack_name: orders-api
        iam_user: alice
      - stack_name: orders-worker
        iam_user: bob
        depends_on: [orders-api]

- name: Have exactly these repositories of the fleet, and at most ten stacks under way at once
  cargohold.ecr.stacks:
    template: ecr.yml
    fleet: shop
    prune: true
    concurrency: 10
    stacks: "{{ repositories }}"
  register: fleet
"""

RETURN = r"""
stacks:
  description: One entry for each of O(stacks), in order; also returned when the task fails, once something was begun.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The stack's name.
      returned: always
      type: str
    action:
      description: What was to be done, one of those of RV(cargohold.ecr.stack_plan#module:action).
      returned: always
      type: str
      sample: create
    changed:
      description: Whether something was begun about the stack, or would be in check mode.
      returned: always
      type: bool
    status:
      description: The stack's status, as last read; none when there is no such stack.
      returned: always
      type: str
      sample: CREATE_COMPLETE
    outcome:
      description:
        - What it came to.
        - V(succeeded) and V(unchanged) are good ends, and in check mode V(planned).
        - V(failed), V(refused), V(overtaken), V(timed_out) and V(unreadable) are as those of RV(cargohold.ecr.stack_status#module:stacks[].outcome).
        - V(drifted) means that the stack is as it shall be and its repository is not; V(not_started) that others kept it from being begun.
      returned: always
      type: str
      sample: succeeded
    reason:
      description: Why, in a sentence.
      returned: always
      type: str
    stack_id:
      description: The stack's ID; none when there is no such stack.
      returned: always
      type: str
    outputs:
      description: The stack's outputs.
      returned: always
      type: dict
    parameters:
      description: The stack's parameters.
      returned: always
      type: dict
    tags:
      description: The stack's tags.
      returned: always
      type: dict
    console_url:
      description: The stack's page in the CloudFormation console.
      returned: always
      type: str
    failures:
      description: The resources that failed for a reason of their own, the root cause first.
      returned: always
      type: list
      elements: dict
    differences:
      description: In what the repository is not as its stack has it.
      returned: always
      type: list
      elements: dict
    repositories:
      description: The repositories that a removal deletes, with what they hold.
      returned: always
      type: list
      elements: dict
    elapsed:
      description: How many seconds it took.
      returned: always
      type: float
pruned:
  description: The same for the stacks that O(prune) found.
  returned: always
  type: list
  elements: dict
count:
  description: The number of RV(stacks).
  returned: always
  type: int
counts:
  description: How many stacks came to each outcome.
  returned: always
  type: dict
calls:
  description: How many requests were made.
  returned: always
  type: int
account:
  description: The account's number.
  returned: always
  type: str
region:
  description: The region.
  returned: always
  type: str
mistakes:
  description: What is wrong with the list, a sentence each.
  returned: when it has mistakes
  type: list
  elements: str
"""

from ansible_collections.cargohold.ecr.plugins.module_utils._module import run_module
from ansible_collections.cargohold.ecr.plugins.module_utils._tasks.stacks import ARGUMENT_SPEC, run


def main() -> None:
    """Bring the stacks to where they are wanted."""
    run_module(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
