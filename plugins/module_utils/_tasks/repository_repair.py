# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What C(cargohold.ecr.repository_repair) does."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError, Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._names import repository_name_problem
from ansible_collections.cargohold.ecr.plugins.module_utils._task import Task
from ansible_collections.cargohold.ecr.plugins.module_utils._verification import (
    drift,
    refuse_beyond_repair,
    repair,
)

ARGUMENT_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "expected": {"type": "dict", "required": True},
}


def run(task: Task) -> dict[str, Any]:
    """Set what differs to what is expected, and read it back.

    :raises CargoholdError: when something differs that cannot be put right, or still differs afterwards.
    """
    name = task.params["name"]
    problem = repository_name_problem(name)
    if problem:
        raise Refused(problem)
    expectation = {**task.params["expected"], "name": name}
    ecr = task.clients()("ecr")
    found = drift(ecr, expectation)
    refuse_beyond_repair(found)
    result = {"changed": bool(found), "differences": found, "diff": [_diff(name, each) for each in found]}
    if found and not task.check_mode:
        repair(ecr, expectation, found)
        left = drift(ecr, expectation)
        if left:
            told = " ".join(each["message"] for each in left)
            raise CargoholdError(f"{told} It was set, and reads otherwise: somebody else sets it, too.", **result)
    return result


def _diff(name: str, difference: dict[str, Any]) -> dict[str, str]:
    before, after = (json.dumps(difference[side], indent=2, sort_keys=True) + "\n" for side in ("live", "asked"))
    header = f"{name}: {difference['what']}"
    return {"before_header": header, "after_header": header, "before": before, "after": after}
