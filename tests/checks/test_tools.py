# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tools that look at the source have to say: nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ansible_collections.cargohold.ecr.tests.support.commands import output_of

CHECKOUT = Path(__file__).resolve().parents[2]
COMMANDS = Path(sys.prefix, "bin")

CHECKS = {
    "ruff-check": ["ruff", "check", "--output-format", "concise"],
    "ruff-format": ["ruff", "format", "--check"],
    "mypy": ["mypy"],
    # With a cache of its own, because both may run at once.
    "mypy-tools": ["mypy", "--cache-dir", ".cache/mypy-tools", "tools"],
    "yamllint": ["yamllint", "--strict", "."],
    "ansible-lint": ["ansible-lint", "--strict", "--nocolor"],
    "cfn-lint": ["cfn-lint", "files/ecr.yml", "files/login.yml"],
    "antsibull-changelog": ["antsibull-changelog", "lint"],
}


@pytest.mark.check
@pytest.mark.parametrize("command", CHECKS.values(), ids=CHECKS.keys())
def test_tool_has_nothing_to_say(command: list[str]) -> None:
    """The tool finds nothing, and if it does, its output is the failure's message."""
    name, *arguments = command
    output_of([COMMANDS / name, *arguments], env={**os.environ, "NO_COLOR": "1"})
