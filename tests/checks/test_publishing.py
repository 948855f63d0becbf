# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What those have to say who take the collection from us: Galaxy, readers of licences and of documentation, and GitHub."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from ansible_collections.cargohold.ecr.tests.support.environments import provided
from ansible_collections.cargohold.ecr.tests.support.playbook import CHECKOUT, clean_environment

pytestmark = pytest.mark.check

# The artifact has no configuration of ansible-lint, and CloudFormation's tags are no plain YAML. The checks of the templates are cfn-lint's.
NOT_SO = {
    "WARNING: files/ecr.yml:1: load-failure[runtimeerror]",
    "WARNING: files/login.yml:1: load-failure[runtimeerror]",
}


@pytest.fixture(scope="module")
def publishing() -> Path:
    """The commands of the publishing environment, which is made where it is missing."""
    return provided("publishing")


@pytest.fixture
def surroundings(publishing: Path, tmp_path: Path) -> dict[str, str]:
    """The variables of somebody who has these commands and an empty HOME, and whose temporary folders are the test's.

    Nothing below the checkout belongs to its Git repository, so that tools take what they find there for what it is.
    """
    environment = clean_environment(tmp_path)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    return {
        **environment,
        "PATH": f"{publishing}{os.pathsep}{environment['PATH']}",
        "TMPDIR": str(temporary),
        "GIT_CEILING_DIRECTORIES": str(CHECKOUT),
        "NO_COLOR": "1",
    }


def _run(command: list[str | Path], surroundings: dict[str, str], cwd: Path = CHECKOUT) -> str:
    """What a command says that succeeds; otherwise that is the failure's message."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=surroundings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"{' '.join(map(str, command))}\n{done.stdout}", pytrace=False)
    return done.stdout


def test_galaxy_importer(publishing: Path, surroundings: dict[str, str], tmp_path: Path) -> None:
    """Galaxy takes the artifact, and warns of nothing that is not explained here."""
    _run(["ansible-galaxy", "collection", "build", "--output-path", tmp_path], surroundings)
    [artifact] = tmp_path.glob("cargohold-ecr-*.tar.gz")
    # Where a Git repository begins, ansible-lint ends its search for a configuration, which Galaxy does not have.
    _run(["git", "init", "--quiet"], surroundings, cwd=tmp_path)
    configuration = CHECKOUT / "tests" / "publishing" / "galaxy-importer.cfg"
    said = _run(
        [publishing / "python", "-m", "galaxy_importer.main", artifact],
        {**surroundings, "GALAXY_IMPORTER_CONFIG": str(configuration)},
        cwd=tmp_path,
    )
    assert "Importer processing completed successfully" in said
    assert {
        line for line in said.splitlines() if re.match("[A-Z]+: ", line) and not line.startswith(tuple(NOT_SO))
    } == set(), said
    # One that is explained and not there any more is to be forgotten.
    assert all(each in said for each in NOT_SO)


def test_reuse(surroundings: dict[str, str]) -> None:
    """Each file says whose it is and by which licence it may be used: code in its header, the rest in REUSE.toml."""
    _run(["reuse", "lint", "--quiet"], surroundings)


def test_antsibull_docs(surroundings: dict[str, str]) -> None:
    """The documentation can be rendered, and each reference in it leads somewhere: to this collection or to one that it depends on."""
    arguments = ["--plugin-docs", "--validate-collection-refs=dependent", "--disallow-unknown-collection-refs"]
    _run(["antsibull-docs", "lint-collection-docs", *arguments, CHECKOUT], surroundings)
