# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MiniStack, the stand-in for AWS that makes repositories: started on a free port of this machine, and emptied."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from ansible_collections.cargohold.ecr.tests.support import stand_in
from ansible_collections.cargohold.ecr.tests.support.stand_in import (
    ACCOUNT,
    HOST,
    REGION,
    SECONDS_TO_ANSWER,
    Program,
    StandIn,
)


class MiniStack(StandIn):
    """A running MiniStack."""

    def reset(self) -> None:
        """Empty it: no account has anything any more.

        :raises OSError: it does not answer.
        :raises http.client.HTTPException: it answers that it cannot.
        """
        connection = HTTPConnection(HOST, self.port, timeout=SECONDS_TO_ANSWER)
        with closing(connection):
            connection.request("POST", "/_ministack/reset")
            answer = connection.getresponse()
            if answer.status != 200:
                raise HTTPException(f"MiniStack could not be reset: {answer.status} {answer.reason}")


def running(auth: bool = False) -> AbstractContextManager[MiniStack]:
    """Start MiniStack, and end it when the block is left, however it is left.

    :param auth: check signatures and IAM's policies, as AWS does. Otherwise everybody may do everything.
    :raises DidNotStart: it ended at once, or did not answer in time.
    """

    def variables(port: int, folder: Path) -> Mapping[str, str]:
        return {
            "STATE_DIR": str(folder / "state"),
            "S3_DATA_DIR": str(folder / "s3"),
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": HOST,
            # Whom a request without a signature belongs to, as those to the registry are.
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "AUTH": str(auth).lower(),
            # These would listen on every address of the machine, on a port that only one MiniStack can have.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
        }

    return stand_in.running(Program("MiniStack", [sys.executable, "-m", "ministack"], variables), MiniStack)
