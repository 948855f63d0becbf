# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What the modules share: options, the task, and its end as a module's result."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError
from ansible_collections.cargohold.ecr.plugins.module_utils._polling import Time
from ansible_collections.cargohold.ecr.plugins.module_utils._task import Run, Task


def run_module(argument_spec: dict[str, Any], run: Run) -> None:
    """Run the task as a module; this is the only place where a module fails."""
    module = AnsibleAWSModule(argument_spec=dict(argument_spec), supports_check_mode=True)
    task = Task(
        params=module.params,
        check_mode=module.check_mode,
        time=Time(clock=time.monotonic, sleep=time.sleep),
        warn=module.warn,
    )
    try:
        result = run(task)
    except CargoholdError as problem:
        module.fail_json(**{**problem.known, "msg": problem.message})
    module.exit_json(**result)
