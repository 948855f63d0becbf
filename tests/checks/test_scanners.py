# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What checkov says of the shipped templates, and parliament of the shipped policies: nothing that is not explained."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.tests.support.environments import provided
from ansible_collections.cargohold.ecr.tests.support.playbook import CHECKOUT

POLICIES = CHECKOUT / "files" / "policies"

# The call is newer than parliament's list of calls; botocore has it since 1.40.76.
NOT_SO = {"Unknown action cloudformation:DescribeEvents"}

pytestmark = pytest.mark.check


@pytest.fixture(scope="module")
def scanners() -> Path:
    """The commands of the scanners' virtual environment, which is made where it is missing."""
    return provided("scanners")


def _run(command: list[str | Path], text: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    return subprocess.run(command, input=text, env=environment, capture_output=True, text=True, check=False)


def _findings(scanners: Path, policy: Mapping[str, Any]) -> set[str]:
    """What parliament says of a policy; a detail that is no sentence comes as JSON."""
    done = _run([scanners / "parliament", "--json"], json.dumps(policy, indent=1))
    assert done.returncode in (0, 1), done.stderr
    details = [json.loads(line)["detail"] for line in done.stdout.splitlines()]
    return {each if isinstance(each, str) else json.dumps(each) for each in details}


def test_checkov(scanners: Path) -> None:
    """Each template passes; what is skipped says why in the template itself."""
    templates = sorted(CHECKOUT.joinpath("files").glob("*.yml"))
    command = [
        scanners / "checkov",
        "--framework",
        "cloudformation",
        "--skip-download",
        "--compact",
        "--output",
        "json",
    ]
    done = _run([*command, *(word for each in templates for word in ("--file", str(each)))])
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(done.stdout)["results"]
    assert results["passed_checks"]
    assert results["failed_checks"] == []
    assert all(each["check_result"]["suppress_comment"] for each in results["skipped_checks"])
    assert {each["resource"] for each in results["passed_checks"]} >= {
        "AWS::ECR::Repository.ECRRepository",
        "AWS::IAM::Policy.LoginUsersPolicy",
    }


@pytest.mark.parametrize("name", sorted(path.name for path in POLICIES.glob("*.json")))
def test_parliament(scanners: Path, name: str) -> None:
    """Each action exists, and takes the resources that it is given."""
    assert _findings(scanners, json.loads((POLICIES / name).read_text())) <= NOT_SO


def test_parliament_minds(scanners: Path) -> None:
    """What does not exist is found."""
    statement = {"Effect": "Allow", "Action": "ecr:PushEverything", "Resource": "*"}
    found = _findings(scanners, {"Version": "2012-10-17", "Statement": [statement]})
    assert found == {"Unknown action ecr:PushEverything"}
