# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin of C(cargohold.ecr.stack_protection); the module of the same name documents it."""

from __future__ import annotations

from ansible_collections.cargohold.ecr.plugins.module_utils._tasks.stack_protection import ARGUMENT_SPEC, run
from ansible_collections.cargohold.ecr.plugins.plugin_utils._action import AwsAction


class ActionModule(AwsAction):
    """Runs C(stack_protection) in the controller where the connection is local, and as a module elsewhere."""

    SPEC = ARGUMENT_SPEC
    RUN = staticmethod(run)
