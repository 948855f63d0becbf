# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What CloudFormation says an update would change: a change set that is made, read and deleted again."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils import _stacks
from ansible_collections.cargohold.ecr.plugins.module_utils._changes import Change, changes_of
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Absent, AwsError, CargoholdError
from ansible_collections.cargohold.ecr.plugins.module_utils._polling import Time, poll
from ansible_collections.cargohold.ecr.plugins.module_utils._records import Stack

# How CloudFormation says that a change set is empty.
NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


def preview(
    cloudformation: Any,
    stack: Stack,
    request: dict[str, Any],
    *,
    timeout: float,
    time: Time,
    warn: Callable[[str], None],
) -> list[Change]:
    """What an update of the stack would change; nothing where it would change nothing.

    The stack is there already, so that no shell of one in review can come about, and the change set is deleted in any
    case, also when this is interrupted while it is being made.

    :param request: the update's options, as CreateChangeSet takes them.
    :param timeout: seconds that the change set may take.
    :raises CargoholdError: when CloudFormation cannot make the change set, or not in time.
    """
    name = f"cargohold-plan-{uuid.uuid4().hex}"
    try:
        _stacks.create_change_set(cloudformation, stack, name, request)
        ending = poll(
            lambda: _stacks.change_set(cloudformation, stack, name),
            lambda found: found.has_settled,
            timeout=timeout,
            time=time,
        )
        change_set = ending.value
        if change_set is None or not ending.settled:
            raise CargoholdError(
                f"It is not known what would change in {stack.name}: the change set took longer than {timeout:.0f} s."
            )
        if change_set.is_good:
            return changes_of(change_set.changes)
        if any(words in change_set.reason for words in NO_CHANGES):
            return []
        raise CargoholdError(f"CloudFormation cannot update {stack.name} like this: {change_set.reason}")
    finally:
        _discard(cloudformation, stack, name, warn)


def _discard(cloudformation: Any, stack: Stack, name: str, warn: Callable[[str], None]) -> None:
    try:
        _stacks.delete_change_set(cloudformation, stack, name)
    except Absent:
        pass
    except AwsError as problem:
        warn(f"{problem.message} So it is left behind in {stack.name}, and does nothing there: delete it when you can.")
