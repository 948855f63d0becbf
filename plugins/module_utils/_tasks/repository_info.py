# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What C(cargohold.ecr.repository_info) does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from ansible_collections.cargohold.ecr.plugins.module_utils import _registry
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError, Denied, Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._names import repository_name_problem
from ansible_collections.cargohold.ecr.plugins.module_utils._policy import (
    deleted_principals,
    granted_principals,
    missing_actions,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._task import Task

T = TypeVar("T")

ARGUMENT_SPEC: dict[str, Any] = {
    "names": {"type": "list", "elements": "str", "required": True, "aliases": ["name"]},
    "principal": {"type": "str"},
}


def run(task: Task) -> dict[str, Any]:
    """Read the repositories; one result for each name, in order.

    :raises CargoholdError: when C(principal) was given and is not granted to push and pull.
    """
    names = [str(name) for name in task.params["names"]]
    if not names:
        raise Refused("No repository is named: give names at least one name.")
    for name in names:
        problem = repository_name_problem(name)
        if problem:
            raise Refused(problem)
    ecr = task.clients()("ecr")
    principal = task.params["principal"]
    found = [_read(task, ecr, name, principal) for name in names]
    result = {"changed": False, "repositories": found, "count": len(found)}
    if principal:
        problems = [_grant_problem(each, principal) for each in found]
        if any(problems):
            raise CargoholdError(" ".join(filter(None, problems)), **result)
    return result


def _read(task: Task, ecr: Any, name: str, principal: str | None) -> dict[str, Any]:
    repository = _registry.describe(ecr, name)
    if repository is None:
        return {"name": name, "exists": False}
    # Without a policy nobody is granted anything; where it may not be read, nothing is known.
    read_policy = partial(_registry.policy, ecr, name)
    policy = (read_policy() or {}) if principal else _if_allowed(task, lambda: read_policy() or {})
    return {
        **repository.as_result(),
        "exists": True,
        "policy": policy or None,
        "granted_principals": None if policy is None else list(granted_principals(policy)),
        "deleted_principals": None if policy is None else list(deleted_principals(policy)),
        "missing_actions": list(missing_actions(policy or {}, principal)) if principal else None,
        "lifecycle_policy": _if_allowed(task, lambda: _registry.lifecycle_policy(ecr, name)),
        "tags": _if_allowed(task, lambda: _registry.tags(ecr, repository.arn)),
        "images": _if_allowed(task, lambda: _registry.images(ecr, name).as_result()),
    }


def _if_allowed(task: Task, read: Callable[[], T]) -> T | None:
    try:
        return read()
    except Denied as problem:
        task.warn(f"{problem.message} It is left out of the result.")
        return None


def _grant_problem(repository: dict[str, Any], principal: str) -> str | None:
    name = repository["name"]
    if not repository["exists"]:
        return f"The repository {name} does not exist, so {principal} may do nothing with it."
    missing = repository["missing_actions"]
    if not missing:
        return None
    gone = repository["deleted_principals"]
    why = (
        f" It grants something to {', '.join(gone)}, which stands for a user or role that was deleted; "
        "one made again under the same name is another to AWS."
        if gone
        else ""
    )
    return f"The policy of {name} does not grant {', '.join(missing)} to {principal}.{why}"
