# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""A stack's status, parsed once into a value with named predicates, and what it says of an operation.

The statuses are botocore's C(StackStatus), all of them; what each means for an operation is a table, because a suffix
does not tell: C(UPDATE_ROLLBACK_COMPLETE) is a good place to start an update from and a failed end of one.
"""

from __future__ import annotations

from enum import Enum

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError


class UnknownStatus(CargoholdError):
    """CloudFormation told a status that this version does not know, so nothing may be concluded from it."""


class Operation(str, Enum):
    """What is being done to a stack."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    # ContinueUpdateRollback, after an update whose rollback failed.
    ROLLBACK = "rollback"


class Verdict(str, Enum):
    """What a status says of an operation."""

    MOVING = "moving"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    # The status belongs to another operation than the one that is judged.
    FOREIGN = "foreign"


class Status(str, Enum):
    """A stack's status (botocore, cloudformation 2010-05-15, C(StackStatus))."""

    CREATE_IN_PROGRESS = "CREATE_IN_PROGRESS"
    CREATE_FAILED = "CREATE_FAILED"
    CREATE_COMPLETE = "CREATE_COMPLETE"
    ROLLBACK_IN_PROGRESS = "ROLLBACK_IN_PROGRESS"
    ROLLBACK_FAILED = "ROLLBACK_FAILED"
    ROLLBACK_COMPLETE = "ROLLBACK_COMPLETE"
    DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS"
    DELETE_FAILED = "DELETE_FAILED"
    DELETE_COMPLETE = "DELETE_COMPLETE"
    UPDATE_IN_PROGRESS = "UPDATE_IN_PROGRESS"
    UPDATE_COMPLETE_CLEANUP_IN_PROGRESS = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    UPDATE_COMPLETE = "UPDATE_COMPLETE"
    UPDATE_FAILED = "UPDATE_FAILED"
    UPDATE_ROLLBACK_IN_PROGRESS = "UPDATE_ROLLBACK_IN_PROGRESS"
    UPDATE_ROLLBACK_FAILED = "UPDATE_ROLLBACK_FAILED"
    UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
    UPDATE_ROLLBACK_COMPLETE = "UPDATE_ROLLBACK_COMPLETE"
    REVIEW_IN_PROGRESS = "REVIEW_IN_PROGRESS"
    IMPORT_IN_PROGRESS = "IMPORT_IN_PROGRESS"
    IMPORT_COMPLETE = "IMPORT_COMPLETE"
    IMPORT_ROLLBACK_IN_PROGRESS = "IMPORT_ROLLBACK_IN_PROGRESS"
    IMPORT_ROLLBACK_FAILED = "IMPORT_ROLLBACK_FAILED"
    IMPORT_ROLLBACK_COMPLETE = "IMPORT_ROLLBACK_COMPLETE"

    @property
    def is_moving(self) -> bool:
        """An operation is under way, so that the status will change by itself."""
        return self.value.endswith("_IN_PROGRESS") and not self.is_shell

    @property
    def is_shell(self) -> bool:
        """The stack holds nothing yet but a change set that waits for somebody to execute it."""
        return self is Status.REVIEW_IN_PROGRESS

    @property
    def is_settled(self) -> bool:
        """No operation is under way, so that the status will not change by itself."""
        return not self.is_moving

    @property
    def is_gone(self) -> bool:
        """The stack was deleted."""
        return self is Status.DELETE_COMPLETE

    @property
    def is_healthy(self) -> bool:
        """The stack's last operation ended as it was meant to, and the stack exists."""
        return self in _HEALTHY

    @property
    def is_failure(self) -> bool:
        """The last operation ended otherwise than it was meant to, and the stack exists."""
        return self.is_settled and not self.is_healthy and not self.is_gone and not self.is_shell

    @property
    def can_be_updated(self) -> bool:
        """UpdateStack takes a stack in this status."""
        return self in _UPDATABLE

    @property
    def is_dead(self) -> bool:
        """The stack was never created and holds nothing: it can only be deleted."""
        return self is Status.ROLLBACK_COMPLETE

    def verdict(self, operation: Operation) -> Verdict:
        """What this status says of C(operation), given that the operation began."""
        if self.is_moving:
            return Verdict.MOVING
        succeeded, failed = _ENDS[operation]
        if self in succeeded:
            return Verdict.SUCCEEDED
        if self in failed:
            return Verdict.FAILED
        return Verdict.FOREIGN


_HEALTHY = frozenset({Status.CREATE_COMPLETE, Status.UPDATE_COMPLETE, Status.IMPORT_COMPLETE})

# The CloudFormation user guide, "Stack status codes"; rolled-back stacks are as they were before.
_UPDATABLE = _HEALTHY | {Status.UPDATE_ROLLBACK_COMPLETE, Status.IMPORT_ROLLBACK_COMPLETE}

# For each operation the ends that it can have: the good ones, and the bad ones. A create that fails may end as deleted
# (OnFailure DELETE), and any operation may be cut short by somebody who deletes the stack.
_ENDS: dict[Operation, tuple[frozenset[Status], frozenset[Status]]] = {
    Operation.CREATE: (
        frozenset({Status.CREATE_COMPLETE}),
        frozenset(
            {
                Status.CREATE_FAILED,
                Status.ROLLBACK_COMPLETE,
                Status.ROLLBACK_FAILED,
                Status.DELETE_COMPLETE,
                Status.DELETE_FAILED,
            }
        ),
    ),
    Operation.UPDATE: (
        frozenset({Status.UPDATE_COMPLETE}),
        frozenset(
            {
                Status.UPDATE_FAILED,
                Status.UPDATE_ROLLBACK_COMPLETE,
                Status.UPDATE_ROLLBACK_FAILED,
                Status.DELETE_COMPLETE,
                Status.DELETE_FAILED,
            }
        ),
    ),
    Operation.DELETE: (
        frozenset({Status.DELETE_COMPLETE}),
        frozenset({Status.DELETE_FAILED}),
    ),
    Operation.ROLLBACK: (
        frozenset({Status.UPDATE_ROLLBACK_COMPLETE}),
        frozenset({Status.UPDATE_ROLLBACK_FAILED, Status.DELETE_COMPLETE, Status.DELETE_FAILED}),
    ),
}


def parse_status(text: str) -> Status:
    """The status that CloudFormation told as C(text).

    :raises UnknownStatus: for a status that is not in botocore's list of today.
    """
    try:
        return Status(text)
    except ValueError:
        raise UnknownStatus(
            f"CloudFormation tells a status, {text!r}, that this version of cargohold.ecr does not know: "
            "look at the stack in the CloudFormation console, and update the collection."
        ) from None
