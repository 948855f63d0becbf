# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bad way to AWS: a proxy in front of MiniStack that delays, breaks and refuses by a plan, and counts the calls."""

from __future__ import annotations

import json
import sys
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from ansible_collections.cargohold.ecr.tests.support.fault_plan import Call, Caller, Part, as_data
from ansible_collections.cargohold.ecr.tests.support.stand_in import HOST, SECONDS_TO_ANSWER, Program, StandIn
from ansible_collections.cargohold.ecr.tests.support.stand_in import running as start

SCRIPT = Path(__file__).with_name("faults_script.py")


@dataclass(frozen=True)
class FaultyCloud(StandIn):
    """A MiniStack as it is seen through the proxy; C(port) and C(pid) are the proxy's."""

    def plan(self, *parts: Part) -> None:
        """Let this happen from now on, and nothing else; what is held already stays held, by its own plan."""
        self._tell("plan", [as_data(part) for part in parts])

    def release(self) -> None:
        """End every hold, and let every hung call go on."""
        self._tell("release")

    def let_go(self) -> None:
        """Let every hung call go on, and hold on to the operations that are held."""
        self._tell("let_go")

    def forget(self) -> None:
        """Have no plan, no calls and no operations, and release everything."""
        self._tell("reset")

    def calls(self, *actions: str, by: Caller | None = None) -> list[Call]:
        """The calls so far, in order.

        :param actions: only these; none means all.
        :param by: only this caller's; C(None) means those of all that a playbook runs.
        """
        calls = [Call.from_data(each) for each in self._tell("calls")]
        wanted = [by] if by else [Caller.OURS, Caller.STANDARD]
        return [call for call in calls if call.caller in wanted and (not actions or call.action in actions)]

    def writes(self) -> list[str]:
        """The actions by which a playbook changed something, or tried to, in order."""
        return [call.action for call in self.calls() if not call.reads]

    def _tell(self, what: str, value: object = None) -> Any:
        """Tell the addon something; what it answers."""
        connection = HTTPConnection(HOST, self.port, timeout=SECONDS_TO_ANSWER)
        with closing(connection):
            connection.request("POST", f"/_faults/{what}", json.dumps(value))
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise HTTPException(f"The proxy does not understand {what}: {answer.status} {body.decode()}")
            return json.loads(body)


def running(upstream: StandIn) -> AbstractContextManager[FaultyCloud]:
    """Start a proxy in front of a MiniStack, and end it when the block is left, however it is left.

    :raises DidNotStart: it ended at once, or did not answer in time.
    """

    def environment(port: int, _folder: Path) -> dict[str, str]:
        return {"FAULTS_PORT": str(port), "FAULTS_UPSTREAM": upstream.endpoint, "LANG": "C.UTF-8"}

    return start(Program("Faults", [sys.executable, str(SCRIPT)], environment), FaultyCloud)
