# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What C(cargohold.ecr.repository_info) does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ansible_collections.cargohold.ecr.plugins.module_utils import _registry
from ansible_collections.cargohold.ecr.plugins.module_utils._content import differences, expected
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
    "expected": {"type": "dict"},
    "stack": {"type": "dict"},
}


def run(task: Task) -> dict[str, Any]:
    """Read the repositories; one result for each name, in order.

    :raises CargoholdError: when C(principal) was given and is not granted to push and pull, or C(expected) was given and
        something differs.
    """
    names = [str(name) for name in task.params["names"]]
    if not names:
        raise Refused("No repository is named: give names at least one name.")
    for name in names:
        problem = repository_name_problem(name)
        if problem:
            raise Refused(problem)
    principal, expectation = task.params["principal"], _expectation(task.params, names)
    ecr = task.clients()("ecr")
    found = [_read(task, ecr, name, principal, expectation) for name in names]
    result = {"changed": False, "repositories": found, "count": len(found)}
    problems = [_grant_problem(each, principal) for each in found] if principal else []
    if task.params["expected"]:
        problems += [_difference_problem(each) for each in found]
    if any(problems):
        raise CargoholdError(" ".join(dict.fromkeys(filter(None, problems))), **result)
    return result


def _expectation(params: Mapping[str, Any], names: list[str]) -> dict[str, Any] | None:
    """What is expected of the repository, as it was given, or as its stack was deployed; C(None) where nothing is."""
    given, stack = params["expected"], params["stack"]
    if not given and not stack:
        return None
    if len(names) != 1 or (given and stack):
        raise Refused("What is expected is that of one repository: give one name, and either expected or its stack.")
    if given:
        return {**given, "name": names[0]}
    partition, _service, region, account = stack["stack_id"].split(":")[1:5]
    return expected(
        stack["parameters"],
        stack_name=stack["name"],
        account=account,
        partition=partition,
        region=region,
        tags=stack["tags"],
    )


def _read(
    task: Task, ecr: Any, name: str, principal: str | None, expectation: Mapping[str, Any] | None
) -> dict[str, Any]:
    repository = _registry.describe(ecr, name)
    if repository is None:
        return {"name": name, "exists": False}
    judged = bool(principal or task.params["expected"])

    def read(part: str, call: Callable[[], T]) -> T | None:
        """What is judged has to be known; else what may not be read is left out."""
        if not judged:
            return _if_allowed(task, call)
        return call() if part in (expectation or {}) or (part == "policy" and principal) else None

    # Without a policy nobody is granted anything; where it may not be read, nothing is known.
    policy = read("policy", lambda: _registry.policy(ecr, name) or {})
    lifecycle = read("lifecycle_policy", lambda: _registry.lifecycle_policy(ecr, name) or {})
    found = {
        **repository.as_result(),
        "exists": True,
        "policy": policy or None,
        "granted_principals": None if policy is None else list(granted_principals(policy)),
        "deleted_principals": None if policy is None else list(deleted_principals(policy)),
        "missing_actions": list(missing_actions(policy or {}, principal)) if principal else None,
        "lifecycle_policy": lifecycle or None,
        "tags": read("tags", lambda: _registry.tags(ecr, repository.arn)),
        "images": read("images", lambda: _registry.images(ecr, name).as_result()),
    }
    # Where something could not be read, there is a warning instead.
    parts = {"policy": policy, "lifecycle_policy": lifecycle, "tags": found["tags"]}
    readable = {what: asked for what, asked in (expectation or {}).items() if parts.get(what, "") is not None}
    return {**found, "differences": differences(readable, found) if expectation else None}


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


def _difference_problem(repository: dict[str, Any]) -> str | None:
    if not repository["exists"]:
        return f"The repository {repository['name']} does not exist."
    told = " ".join(each["message"] for each in repository["differences"])
    return f"{told} If somebody changed it in ECR, repair_drift=true sets it to what was asked for." if told else None
