# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What C(cargohold.ecr.stack_recover) does: the two recoveries that amazon.aws.cloudformation does not know."""

from __future__ import annotations

from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils import _stacks
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._following import Follower
from ansible_collections.cargohold.ecr.plugins.module_utils._records import Stack
from ansible_collections.cargohold.ecr.plugins.module_utils._status import Operation, Status
from ansible_collections.cargohold.ecr.plugins.module_utils._task import Task
from ansible_collections.cargohold.ecr.plugins.module_utils._watch import Before, Target

ARGUMENT_SPEC: dict[str, Any] = {
    "stack_name": {"type": "str", "required": True, "aliases": ["stack_id"]},
    "recovery": {"type": "str", "required": True, "choices": ["continue_rollback", "delete_retaining"]},
    "retain": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "int", "default": 900},
    "progress": {"type": "bool", "default": True},
}

# The only status in which CloudFormation takes each of them, and the operation that it starts.
_KINDS = {
    "continue_rollback": (Status.UPDATE_ROLLBACK_FAILED, Operation.ROLLBACK),
    "delete_retaining": (Status.DELETE_FAILED, Operation.DELETE),
}


def run(task: Task) -> dict[str, Any]:
    """Start the recovery, and follow it to its end.

    :raises Refused: when the stack is not in the status that the recovery is for.
    """
    recovery, retain, timeout = task.params["recovery"], task.params["retain"], task.timeout()
    needed, operation = _KINDS[recovery]
    # The writing client retries by botocore's rules, the following one leaves that to the loop.
    cloudformation = task.clients()("cloudformation")
    stack = _stacks.describe(cloudformation, task.params["stack_name"])
    if stack is None or stack.status is not needed:
        found = stack.status.value if stack else "not there"
        raise Refused(f"{recovery} is for a stack that is {needed.value}, and {task.params['stack_name']} is {found}.")
    if task.check_mode:
        return {"changed": True, "stacks": [stack.as_result()], "count": 1, "calls": 1}
    _start(cloudformation, stack, recovery, retain)
    follower = Follower(
        task.clients(attempts=1)("cloudformation"),
        [Target(stack.stack_id, operation, Before.from_result(stack.as_result()))],
        time=task.time,
        reporter=task.reporter,
    )
    follower.follow(timeout)
    return follower.result()


def _start(cloudformation: Any, stack: Stack, recovery: str, retain: list[str]) -> None:
    if recovery == "continue_rollback":
        _stacks.continue_rollback(cloudformation, stack)
    else:
        _stacks.delete_retaining(cloudformation, stack, retain)
