# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What a module and its action plugin have in common: a task to run, and where it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils._clients import ATTEMPTS, Clients, clients_for
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._following import Reporter
from ansible_collections.cargohold.ecr.plugins.module_utils._polling import Time


@dataclass
class Task:
    """One execution of a module, on the controller or where the module runs.

    :param params: its validated options.
    :param warn: tells the user something that does not end the task.
    """

    params: Mapping[str, Any]
    check_mode: bool
    time: Time
    warn: Callable[[str], None]
    reporter: Reporter = field(default_factory=Reporter)

    def clients(self, attempts: int = ATTEMPTS) -> Clients:
        """Clients by the task's connection options; see L(clients_for)."""
        return clients_for(self.params, attempts=attempts)

    def timeout(self) -> int:
        """The option C(timeout), in seconds.

        :raises Refused: when it is not positive.
        """
        timeout = int(self.params["timeout"])
        if timeout <= 0:
            raise Refused(f"timeout is {timeout}, and must be a positive number of seconds, such as 900.")
        return timeout


Run = Callable[[Task], dict[str, Any]]
