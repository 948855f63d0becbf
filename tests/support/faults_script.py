# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts mitmdump with the addon; L(faults) runs this.

mitmdump loads this file again as its script. The addon is elsewhere, because a script becomes no module, and dataclasses
need to be in one.
"""

from __future__ import annotations

import os

from mitmproxy.tools.main import mitmdump

from ansible_collections.cargohold.ecr.tests.support.faults_addon import Faults

if __name__ == "__main__":
    mitmdump(
        [
            *("--mode", f"reverse:{os.environ['FAULTS_UPSTREAM']}"),
            *("--listen-host", "127.0.0.1"),
            *("--listen-port", os.environ["FAULTS_PORT"]),
            # Its certificates, which nobody needs here, are made in the folder of the process.
            *("--set", "confdir=."),
            # A signature is about the host that the caller meant.
            *("--set", "keep_host_header=true"),
            *("--set", "flow_detail=0"),
            *("--scripts", __file__),
        ]
    )
else:
    addons = [Faults()]
