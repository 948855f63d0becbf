# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What C(cargohold.ecr.stack_protection) does."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils import _stacks
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._names import is_stack_id, stack_name_problem
from ansible_collections.cargohold.ecr.plugins.module_utils._task import Task

# The CloudFormation API reference, SetStackPolicy.
STACK_POLICY_LIMIT = 16_384

ARGUMENT_SPEC: dict[str, Any] = {
    "stack_name": {"type": "str", "required": True, "aliases": ["stack_id"]},
    "termination_protection": {"type": "bool"},
    "stack_policy": {"type": "dict"},
}


def run(task: Task) -> dict[str, Any]:
    """Set what was given and is otherwise; what was not given is left alone.

    :raises Refused: when there is no such stack, or AWS would not take the policy.
    """
    name, protected, policy = (task.params[option] for option in ARGUMENT_SPEC)
    problem = None if is_stack_id(name) else stack_name_problem(name)
    if problem:
        raise Refused(problem)
    length = len(json.dumps(policy or {}))
    if length > STACK_POLICY_LIMIT:
        raise Refused(
            f"The stack policy has {length:,} characters, and CloudFormation takes {STACK_POLICY_LIMIT:,}: shorten it."
        )
    cloudformation = task.clients()("cloudformation")
    stack = _stacks.describe(cloudformation, name)
    if stack is None or stack.status.is_gone:
        raise Refused(f"There is no stack {name} to protect: deploy it first.")
    changed = []
    if protected is not None and protected != stack.termination_protection:
        changed.append("termination_protection")
        if not task.check_mode:
            _stacks.set_termination_protection(cloudformation, stack, protected)
    if policy is not None and policy != _stacks.stack_policy(cloudformation, stack):
        changed.append("stack_policy")
        if not task.check_mode:
            _stacks.set_stack_policy(cloudformation, stack, policy)
    return {"changed": bool(changed), "settings": changed}
