# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual environments beside the tests' own, made by tools/dev when they are first needed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ansible_collections.cargohold.ecr.tests.support.playbook import CHECKOUT


class NotInstalled(Exception):
    """A virtual environment could not be made; what the installer said."""


def provided(name: str) -> Path:
    """The folder of a virtual environment's commands, after it was made if it was missing.

    :param name: as tools/dev knows it: such as C(localstack).
    :raises NotInstalled: it could not be made.
    """
    done = subprocess.run(
        [CHECKOUT / "tools" / "dev", "env", name], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise NotInstalled(done.stderr)
    return Path(done.stdout.strip()) / "bin"
