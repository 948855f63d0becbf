# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much of the plugins the unit tests run, branch by branch."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.cargohold.ecr.tests.support.commands import output_of
from ansible_collections.cargohold.ecr.tests.support.playbook import CHECKOUT, COMMANDS


@pytest.mark.check
def test_unit_tests_cover_the_plugins(tmp_path: Path) -> None:
    """As much is covered as pyproject.toml asks for, and a file that no test imports counts as not covered."""
    report = tmp_path / "coverage.json"
    # This pytest may be a worker of another one, which the variables would tell it.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    measuring = ["--cov", "--cov-report=term", f"--cov-report=json:{report}"]
    output_of(
        [COMMANDS / "pytest", "-q", "-n", "2", *measuring, "tests/unit/plugins"],
        env={**inherited, "COVERAGE_FILE": str(tmp_path / "coverage")},
    )
    told = json.loads(report.read_text())
    assert told["meta"]["branch_coverage"]
    plugins = {str(file.relative_to(CHECKOUT)) for file in CHECKOUT.joinpath("plugins").rglob("*.py")}
    assert set(told["files"]) == plugins
