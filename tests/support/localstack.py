# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""LocalStack without a container: started on a free port of this machine, ready and stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.cargohold.ecr.tests.support import stand_in
from ansible_collections.cargohold.ecr.tests.support.environments import NotInstalled, provided
from ansible_collections.cargohold.ecr.tests.support.stand_in import HOST, DidNotStart, Program, StandIn

CHECKOUT = Path(__file__).resolve().parents[2]

# What LocalStack finds out about itself at its first start is kept for the next.
CACHE = CHECKOUT / ".cache" / "localstack"


class LocalStack(StandIn):
    """A running LocalStack. Its CloudFormation is real, and makes no repositories: ECR is not emulated."""


@contextmanager
def running() -> Iterator[LocalStack]:
    """Start LocalStack, and end it when the block is left, however it is left.

    The first time on a machine, its virtual environment is made, which takes a minute.

    :raises DidNotStart: it could not be installed, ended at once, did not answer in time, or listens on other addresses.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        python = provided("localstack") / "python"
    except NotInstalled as problem:
        raise DidNotStart(f"LocalStack could not be installed:\n{problem}") from None
    command = [str(python), "-m", "localstack.runtime.main"]
    with stand_in.running(Program("LocalStack", command, _variables), LocalStack, files=CACHE) as localstack:
        yield localstack


def _variables(port: int, folder: Path) -> Mapping[str, str]:
    return {
        "GATEWAY_LISTEN": f"{HOST}:{port}",
        # Its default server listens on every address, whatever GATEWAY_LISTEN says.
        "GATEWAY_SERVER": "hypercorn",
        "LOCALSTACK_VOLUME_DIR": str(folder / "volume"),
        "XDG_CACHE_HOME": str(CACHE),
        # Nothing is told to, or fetched from, anybody.
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
    }
