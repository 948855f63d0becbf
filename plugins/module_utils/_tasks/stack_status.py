# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What C(cargohold.ecr.stack_status) does."""

from __future__ import annotations

from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError, Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._following import Follower
from ansible_collections.cargohold.ecr.plugins.module_utils._job import Job
from ansible_collections.cargohold.ecr.plugins.module_utils._names import is_stack_id, stack_name_problem
from ansible_collections.cargohold.ecr.plugins.module_utils._status import Operation
from ansible_collections.cargohold.ecr.plugins.module_utils._task import Task
from ansible_collections.cargohold.ecr.plugins.module_utils._watch import Before, Target

ARGUMENT_SPEC: dict[str, Any] = {
    "stack_names": {
        "type": "list",
        "elements": "str",
        "required": True,
        "aliases": ["stack_name", "stack_ids", "stack_id"],
    },
    "wait": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 900},
    "operation": {"type": "str", "choices": [operation.value for operation in Operation]},
    "before": {"type": "dict"},
    "job": {"type": "dict"},
    "parameters": {"type": "dict", "default": {}},
    "progress": {"type": "bool", "default": True},
}


def run(task: Task) -> dict[str, Any]:
    """Look at the stacks, or follow them; one result for each name, in order.

    :raises CargoholdError: when an operation did not end as it was meant to, or that cannot be known.
    """
    names = [str(name) for name in task.params["stack_names"]]
    job = Job.from_result(task.params["job"]) if task.params["job"] else None
    try:
        timeout = task.timeout()
        targets = _targets(task, names, has_job=job is not None)
        follower = Follower(
            # The loop retries, so that it can tell of it and keep to its time; a single look leaves it to botocore.
            task.clients(attempts=1)("cloudformation") if task.params["wait"] else task.clients()("cloudformation"),
            targets,
            time=task.time,
            reporter=task.reporter,
            job=job,
        )
        if task.params["wait"]:
            follower.follow(timeout)
        else:
            _look_once(follower)
    finally:
        if job:
            job.end(task.time)
    return follower.result()


def _targets(task: Task, names: list[str], *, has_job: bool) -> list[Target]:
    if not names:
        raise Refused("No stack is named: give stack_names at least one name or ID.")
    for name in names:
        problem = None if is_stack_id(name) else stack_name_problem(name)
        if problem:
            raise Refused(problem)
    if has_job and (len(names) != 1 or not task.params["operation"] or not task.params["wait"]):
        raise Refused("A job starts one operation on one stack: job goes with wait, an operation and a single name.")
    operation = Operation(task.params["operation"]) if task.params["operation"] else None
    before = Before.from_result(task.params["before"]) if task.params["before"] is not None else None
    # A parameter that is kept is told as a dictionary, as amazon.aws.cloudformation takes it.
    given = task.params["parameters"].items()
    parameters = {name: str(value) for name, value in given if not isinstance(value, dict)}
    return [Target(name, operation, before, parameters) for name in names]


def _look_once(follower: Follower) -> None:
    try:
        follower.look_once()
    except CargoholdError as problem:
        problem.known = {**follower.known(), **problem.known}
        raise
