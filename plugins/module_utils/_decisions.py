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
    CONTINUE_ROLLBACK = "continue_rollback"
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


@dataclass(frozen=True)
class Consent:
    """What a person allowed to be done about a stack that an earlier operation left in a bad way.

    :param continue_rollback: continue the rollback of an update where it failed.
    :param delete_failed: delete a stack that was never created, with what it may hold, and create it anew.
    """

    continue_rollback: bool = False
    delete_failed: bool = False


@dataclass(frozen=True)
class _Trouble:
    """Why nothing is done unasked about a stack in a bad status, and what a person can do."""

    what: str
    way_out: str


_NEVER_CREATED = frozenset({Status.CREATE_FAILED, Status.ROLLBACK_FAILED})
_TROUBLES = {
    Status.CREATE_FAILED: _Trouble(
        "its creation failed, and it may hold resources",
        "Look at what it holds; if that may go, allow the stack to be deleted and created anew (delete_failed: true).",
    ),
    Status.ROLLBACK_FAILED: _Trouble(
        "its creation failed and could not be rolled back, so it may hold resources",
        "Look at what it holds; if that may go, allow the stack to be deleted and created anew (delete_failed: true).",
    ),
    Status.DELETE_FAILED: _Trouble(
        "deleting it failed, and all that can be done with it is to delete it again",
        "Remove what is in the way, and tear it down.",
    ),
    Status.UPDATE_ROLLBACK_FAILED: _Trouble(
        "an update of it failed and could not be rolled back",
        "Mend what is in the way, and allow the rollback to be continued (continue_rollback: true).",
    ),
    Status.IMPORT_ROLLBACK_FAILED: _Trouble(
        "an import into it failed and could not be rolled back",
        "Mend what is in the way in the CloudFormation console.",
    ),
    Status.REVIEW_IN_PROGRESS: _Trouble(
        "somebody is about to import resources into it", "Execute or delete its change set."
    ),
}


def decide_present(
    stack: Stack | None, resources: Sequence[Resource], *, unchanged: bool, consent: Consent = Consent()
) -> Decision:
    """What to do so that the stack is there as it is wanted.

    :param stack: the stack of that name; C(None) where there is none.
    :param resources: what it holds.
    :param consent: what may be done about a stack in a bad way.
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
        _refuse_protected(stack)
        return Decision(
            Action.RECREATE,
            f"{name} is {status.value}: it was never created and holds nothing, so it gives way to a new one.",
        )
    if status in _NEVER_CREATED and consent.delete_failed:
        _refuse_protected(stack)
        return Decision(
            Action.RECREATE,
            f"{name} is {status.value} and may be deleted, so it gives way to a new one.{_holding(held)}",
        )
    if status is Status.UPDATE_ROLLBACK_FAILED and consent.continue_rollback:
        return Decision(Action.CONTINUE_ROLLBACK, f"{name} is {status.value}, and its rollback may be continued.")
    if status in _TROUBLES:
        trouble = _TROUBLES[status]
        raise Refused(f"The stack {name} is {status.value}: {trouble.what}.{_holding(held)} {trouble.way_out}")
    if unchanged and status.can_be_updated:
        return Decision(
            Action.NOTHING, f"{name} is {status.value}, and its template and parameters are as they shall be."
        )
    return Decision(Action.UPDATE, f"{name} is {status.value}, and may not be as it shall be.")


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
        raise Refused(
            f"The stack {name} is no repository's, so it is left alone.{_holding(held)} Check the stack's name."
        )
    _refuse_protected(stack)
    return Decision(Action.DELETE, f"{name} is {status.value}.")


def removed_resources(resources: Sequence[Resource], declared: Sequence[str]) -> list[Resource]:
    """What of the stack a template that declares only C(declared) would remove."""
    return [resource for resource in resources if resource.exists and resource.logical_id not in declared]


def _refuse_protected(stack: Stack) -> None:
    if stack.termination_protection:
        raise Refused(
            f"The stack {stack.name} has termination protection, so it is not deleted: turn that off first "
            "(aws cloudformation update-termination-protection --no-enable-termination-protection "
            f"--stack-name {stack.name})."
        )


def _holding(resources: Sequence[Resource]) -> str:
    if not resources:
        return ""
    named = ", ".join(f"{resource.logical_id} ({resource.type})" for resource in resources)
    return f" It holds {named}."
