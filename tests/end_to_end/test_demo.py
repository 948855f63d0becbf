# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo, which checks itself."""

from __future__ import annotations

import subprocess
import sys

from ansible_collections.cargohold.ecr.tests.support.playbook import CHECKOUT


def test_everything_is_as_told() -> None:
    """It comes to its end, and a reader sees every command and what became of it."""
    done = subprocess.run(
        [sys.executable, CHECKOUT / "tools" / "demo.py"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("$ ansible-playbook playbooks/") == 6
    assert "Everything was as told" in done.stdout.splitlines()[-1]
