# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin of C(cargohold.ecr.stacks); the module of the same name documents it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils._tasks.stacks import ARGUMENT_SPEC, run
from ansible_collections.cargohold.ecr.plugins.plugin_utils._action import AwsAction


class ActionModule(AwsAction):
    """Runs C(stacks) in the controller where the connection is local, and as a module elsewhere."""

    SPEC = ARGUMENT_SPEC
    RUN = staticmethod(run)

    def prepare_arguments(self) -> None:
        """Read the templates, which are files of the controller wherever the module runs."""
        self.read_local_file("template", into="template_body")
        self.read_local_file("login_template", into="login_template_body")
        stacks = self._task.args.get("stacks")
        if isinstance(stacks, list):
            self._task.args["stacks"] = [self._with_template(entry) for entry in stacks]

    def _with_template(self, entry: Any) -> Any:
        if not isinstance(entry, Mapping) or not entry.get("template"):
            return entry
        return {**entry, "template_body": self.local_text(entry["template"])}
