# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module's task with clients that answer by script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils._clients import ATTEMPTS, Clients
from ansible_collections.cargohold.ecr.plugins.module_utils._task import Task
from ansible_collections.cargohold.ecr.tests.unit.support.fake_client import FakeClient
from ansible_collections.cargohold.ecr.tests.unit.support.fake_time import FakeTime


class FakeTask(Task):
    """A task that remembers its warnings.

    :param spec: the module's argument spec, from which the options have their defaults.
    :param services: a client for each service that may be asked.
    :param params: the options that are given.
    """

    def __init__(
        self,
        spec: Mapping[str, Mapping[str, Any]],
        services: Mapping[str, FakeClient],
        *,
        fake_time: FakeTime | None = None,
        check_mode: bool = False,
        **params: Any,
    ) -> None:
        self.warnings: list[str] = []
        self.services = services
        defaults = {name: option.get("default") for name, option in spec.items()}
        time = (fake_time or FakeTime()).time
        super().__init__({**defaults, **params}, check_mode, time, self.warnings.append)

    def clients(self, attempts: int = ATTEMPTS) -> Clients:  # noqa: ARG002
        """The clients by script."""
        return self.services.__getitem__

    @property
    def called(self) -> list[str]:
        """The operations that were asked for, of all services."""
        return [name for service in self.services.values() for name in service.called]
