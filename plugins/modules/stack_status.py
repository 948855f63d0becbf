#!/usr/bin/python

# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_status
version_added: 1.0.0
short_description: Look at CloudFormation stacks, or follow them to their end and judge it
description:
  - Tells the status of CloudFormation stacks, or follows them until they are settled and gives a verdict on the operation.
  - The verdict depends on the operation, not on how a status ends. V(UPDATE_ROLLBACK_COMPLETE) is a failed update and V(DELETE_COMPLETE)
    a failed creation, for example.
  - A stack is followed by its ID, so that a deleted stack is not taken for one that cannot be read, nor the other way round.
  - Where the connection is local, a line is printed to the standard error output whenever something changes.
  - Throttling, failures of the service and of the network are tried again until O(timeout) is over, slower and slower.
    Rejected credentials, missing permissions and unknown statuses end the task at once.
options:
  stack_names:
    description:
      - The names or IDs of the stacks, all in one account and region.
      - A name stops to mean anything when its stack is deleted, so follow a deletion by ID.
    type: list
    elements: str
    required: true
    aliases: [stack_name, stack_ids, stack_id]
  wait:
    description:
      - Whether to follow the stacks until they are settled, rather than to look once.
    type: bool
    default: false
  timeout:
    description:
      - How many seconds to follow the stacks at most. Must be positive.
      - AWS goes on with what it does when the time is over.
    type: int
    default: 900
  operation:
    description:
      - The operation that was started, and is to be judged.
      - Left out, whatever is going on is followed, and every end of it is a success of this task.
      - V(rollback) is the continued rollback of an update that failed to roll back.
    type: str
    choices: [create, update, delete, rollback]
  before:
    description:
      - What the stack was before O(operation), as the return value RV(cargohold.ecr.stack_plan#module:stack) tells it; an empty dictionary
        when there was no stack.
      - With it, a status that is left from before is not taken for the operation's result. Without it, the operation counts as begun.
    type: dict
  job:
    description:
      - What a task of M(amazon.aws.cloudformation) with C(async) and C(poll=0) registered.
      - If the job ends without having started an operation, its own message is the reason. The job's processes and its file are removed
        at the end, whatever the end.
      - Needs O(wait), O(operation) and a single name.
    type: dict
  parameters:
    description:
      - The parameters that O(operation) sets, in the form in which M(amazon.aws.cloudformation) takes them.
      - If the stack has others in the end, somebody else's operation came in between, and that is the verdict.
    type: dict
    default: {}
  progress:
    description:
      - Whether to print a line whenever something changes.
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
  - cargohold.ecr.attributes.info
seealso:
  - module: amazon.aws.cloudformation
  - module: amazon.aws.cloudformation_info
"""

EXAMPLES = r"""
- name: Look at a stack
  cargohold.ecr.stack_status:
    stack_name: payments-api
  register: look

- name: Wait for whatever is going on
  cargohold.ecr.stack_status:
    stack_names: [payments-api, orders-api]
    wait: true

- name: Start a deployment
  amazon.aws.cloudformation:
    stack_name: payments-api
    template_body: "{{ lookup('ansible.builtin.file', 'ecr.yml') }}"
    template_parameters:
      IAMUserName: alice
  async: 900
  poll: 0
  register: deployment

- name: Follow it to its end
  cargohold.ecr.stack_status:
    stack_name: payments-api
    operation: "{{ 'update' if look.stacks[0].exists else 'create' }}"
    before: "{{ look.stacks[0] }}"
    job: "{{ deployment }}"
    wait: true
    timeout: 900
"""

RETURN = r"""
stacks:
  description: One entry for each of O(stack_names), in order; also returned when the task fails.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The stack's name.
      returned: always
      type: str
    stack_id:
      description: The stack's ID; none when there is no such stack.
      returned: always
      type: str
    status:
      description: The stack's status, as last read; none when there is no such stack.
      returned: always
      type: str
      sample: CREATE_COMPLETE
    status_reason:
      description: What CloudFormation says about the status, often nothing.
      returned: when the stack was seen
      type: str
    exists:
      description: Whether the stack was seen, and is not deleted.
      returned: always
      type: bool
    settled:
      description: Whether no operation is under way.
      returned: always
      type: bool
    healthy:
      description: Whether the stack's last operation ended as it was meant to.
      returned: always
      type: bool
    outcome:
      description:
        - What it came to.
        - V(succeeded) and V(failed) judge the operation. V(unchanged) means that there was nothing to do, V(refused) that CloudFormation
          did not begin, V(overtaken) that somebody else's operation came in between, V(timed_out) and V(unreadable) that the end is not known.
        - Without an operation it is V(settled), V(moving) or V(absent).
      returned: always
      type: str
      sample: succeeded
    reason:
      description: Why, in a sentence; empty when all is well.
      returned: always
      type: str
    failures:
      description: The resources that failed for a reason of their own, the root cause first.
      returned: always
      type: list
      elements: dict
    events:
      description: The events of the operation, oldest first, as far as they were read.
      returned: always
      type: list
      elements: dict
    outputs:
      description: The stack's outputs.
      returned: when the stack was seen
      type: dict
    parameters:
      description: The stack's parameters.
      returned: when the stack was seen
      type: dict
    tags:
      description: The stack's tags.
      returned: when the stack was seen
      type: dict
    notification_arns:
      description: The topics that are told of the stack's events.
      returned: when the stack was seen
      type: list
      elements: str
    role_arn:
      description: The service role that is attached to the stack.
      returned: when the stack was seen
      type: str
    termination_protection:
      description: Whether the stack is protected from being deleted.
      returned: when the stack was seen
      type: bool
    console_url:
      description: The stack's page in the CloudFormation console.
      returned: when the stack was seen
      type: str
    created:
      description: When the stack was created, in UTC.
      returned: when the stack was seen
      type: str
      sample: "2026-11-23T21:41:00.000Z"
    updated:
      description: When the stack was last updated, in UTC.
      returned: when the stack was seen
      type: str
    deleted:
      description: When the stack was deleted, in UTC.
      returned: when the stack was seen
      type: str
    started:
      description: When the operation began by CloudFormation's clock, in UTC.
      returned: always
      type: str
    ended:
      description: When the operation ended by CloudFormation's clock, in UTC.
      returned: always
      type: str
    elapsed:
      description: How many seconds the operation was followed.
      returned: always
      type: float
count:
  description: The number of RV(stacks).
  returned: always
  type: int
calls:
  description: How many reading requests were made.
  returned: always
  type: int
"""

from ansible_collections.cargohold.ecr.plugins.module_utils._module import run_module
from ansible_collections.cargohold.ecr.plugins.module_utils._tasks.stack_status import ARGUMENT_SPEC, run


def main() -> None:
    """Look at the stacks, or follow them."""
    run_module(ARGUMENT_SPEC, run)


if __name__ == "__main__":
    main()
