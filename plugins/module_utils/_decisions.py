# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What to do about a stack, decided from what is there; pure functions, one for each state that is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._records import REPOSITORY_TYPE, Resource, Stack
from ansible_collections.cargohold.ecr.plugins.module_utils._status import Status


class Action(str, Enum):
    """What will be done."""

    CREATE = "create"
    UPDATE = "update"
    RECREATE = "recreate"
    DELETE = "delete"
    NOTHING = "nothing"
    WAIT = "wait"


@dataclass(frozen=True)
class Decision:
    """What will be done, and why, in a sentence."""

    action: Action
    reason: str

    @property
    def changes_something(self) -> bool:
        """Whether AWS will look different afterwards; not known while there is something to wait for."""
        return self.action not in (Action.NOTHING, Action.WAIT)


# What a person can do about a stack that nothing may be done to unasked.
_STUCK = {
    Status.CREATE_FAILED: "its creation failed, and it may hold resources",
    Status.ROLLBACK_FAILED: "its creation failed and could not be rolled back, so it may hold resources",
    Status.DELETE_FAILED: "deleting it failed, and all that can be done with it is to delete it again",
    Status.UPDATE_ROLLBACK_FAILED: "an update of it failed and could not be rolled back",
    Status.IMPORT_ROLLBACK_FAILED: "an import into it failed and could not be rolled back",
}
_WAY_OUT = {
    Status.CREATE_FAILED: "Look at what it holds, and delete the stack.",
    Status.ROLLBACK_FAILED: "Look at what it holds, and delete the stack.",
    Status.DELETE_FAILED: "Remove what is in its way, and delete the stack.",
    Status.UPDATE_ROLLBACK_FAILED: "Mend what is in its way, and let CloudFormation continue the rollback.",
    Status.IMPORT_ROLLBACK_FAILED: "Mend what is in its way in the CloudFormation console.",
}


def decide_present(stack: Stack | None, resources: Sequence[Resource], *, unchanged: bool) -> Decision:
    """What to do so that the stack is there as it is wanted.

    :param stack: the stack of that name; C(None) where there is none.
    :param resources: what it holds.
    :param unchanged: whether its template and parameters are already as they are wanted.
    :raises Refused: when nothing may be done unasked.
    """
    if stack is None or stack.status.is_gone:
        return Decision(Action.CREATE, "There is no such stack yet.")
    name, status = stack.name, stack.status
    if status.is_moving:
        return Decision(Action.WAIT, f"{name} is {status.value}: an operation is under way.")
    held = [resource for resource in resources if resource.exists]
    if status.is_dead or (status.is_shell and not held):
        return Decision(
            Action.RECREATE, f"{name} is {status.value}: it was never created and holds nothing, so it gives way to a new one."
        )
    if status in _STUCK or status.is_shell:
        why = _STUCK.get(status, "somebody is about to import resources into it")
        way_out = _WAY_OUT.get(status, "Execute or delete its change set.")
        raise Refused(f"The stack {name} is {status.value}: {why}.{_holding(held)} {way_out}")
    if unchanged and status.can_be_updated:
        return Decision(Action.NOTHING, f"{name} is {status.value}, and its template and parameters are as they shall be.")
    return Decision(Action.UPDATE, f"{name} is {status.value}, and its template or parameters differ.")


def decide_absent(stack: Stack | None, resources: Sequence[Resource]) -> Decision:
    """What to do so that the stack is gone; whether images stand against it is not asked here.

    :raises Refused: when the stack is protected, or is no repository's.
    """
    if stack is None or stack.status.is_gone:
        return Decision(Action.NOTHING, "There is no such stack.")
    name, status = stack.name, stack.status
    if status.is_moving:
        return Decision(Action.WAIT, f"{name} is {status.value}: an operation is under way.")
    held = [resource for resource in resources if resource.exists]
    if held and not any(resource.type == REPOSITORY_TYPE for resource in held):
        raise Refused(f"The stack {name} is no repository's, so it is left alone.{_holding(held)} Check the stack's name.")
    if stack.termination_protection:
        raise Refused(
            f"The stack {name} has termination protection, so it is left alone: turn that off first "
            f"(aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name {name})."
        )
    return Decision(Action.DELETE, f"{name} is {status.value}.")


def removed_resources(resources: Sequence[Resource], declared: Sequence[str]) -> list[Resource]:
    """What of the stack a template that declares only C(declared) would remove."""
    return [resource for resource in resources if resource.exists and resource.logical_id not in declared]


def _holding(resources: Sequence[Resource]) -> str:
    if not resources:
        return ""
    named = ", ".join(f"{resource.logical_id} ({resource.type})" for resource in resources)
    return f" It holds {named}."
