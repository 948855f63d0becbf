# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo, which checks itself."""

from __future__ import annotations

import sys

from ansible_collections.cargohold.ecr.tests.support.commands import output_of
from ansible_collections.cargohold.ecr.tests.support.playbook import CHECKOUT


def test_everything_is_as_told() -> None:
    """It comes to its end, and a reader sees every command and what became of it."""
    told = output_of([sys.executable, CHECKOUT / "tools" / "demo.py"])
    assert told.count("$ ansible-playbook playbooks/") == 6
    assert "Everything was as told" in told.splitlines()[-1]
