# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxy of the fault tests, which here also holds the stacks that a change set creates, as the AWS CLI's do."""

from __future__ import annotations

import runpy

from mitmproxy import http

from ansible_collections.cargohold.ecr.tests.support import faults_addon
from ansible_collections.cargohold.ecr.tests.support.faults_addon import Faults, Request
from ansible_collections.cargohold.ecr.tests.support.faults_script import __file__ as script

_play_aws = Faults.play_aws


async def play_aws(self: Faults, flow: http.HTTPFlow, request: Request) -> None:
    """Find out which stack a change set is of, because the answer does not tell; then as ever."""
    if request.action == "ExecuteChangeSet":
        flow.metadata["stack_id"] = await self.stack_id(flow.request, request.stack)
    await _play_aws(self, flow, request)


if __name__ == "__main__":
    faults_addon.OPERATIONS["ExecuteChangeSet"] = "CREATE"
    Faults.play_aws = play_aws  # type: ignore[method-assign]
    runpy.run_path(script, run_name="__main__")
