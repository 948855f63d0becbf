# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What those have to say who take the collection from us: Galaxy, readers of licences and of documentation, and GitHub."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.cargohold.ecr.tests.support.commands import output_of
from ansible_collections.cargohold.ecr.tests.support.environments import link_collections, provided
from ansible_collections.cargohold.ecr.tests.support.examples import write_files_of
from ansible_collections.cargohold.ecr.tests.support.playbook import CHECKOUT, clean_environment

pytestmark = pytest.mark.check

# The artifact has no configuration of ansible-lint, and CloudFormation's tags are no plain YAML. The checks of the templates are cfn-lint's.
NOT_SO = {
    "WARNING: files/ecr.yml:1: load-failure[runtimeerror]",
    "WARNING: files/login.yml:1: load-failure[runtimeerror]",
}

# ansible-builder leaves out what comes with ansible-core.
COMES_WITH_ANSIBLE = {"PyYAML"}

WORKFLOWS = sorted(CHECKOUT.joinpath(".github", "workflows").glob("*.yml"))


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


def _begin_repository(folder: Path, surroundings: dict[str, str]) -> None:
    """Let ansible-lint end its search for a configuration in a folder, or it takes the checkout's for that of what is below."""
    output_of(["git", "init", "--quiet"], env=surroundings, cwd=folder)


def test_galaxy_importer(publishing: Path, surroundings: dict[str, str], tmp_path: Path) -> None:
    """Galaxy takes the artifact, and warns of nothing that is not explained here."""
    output_of(["ansible-galaxy", "collection", "build", "--output-path", tmp_path], env=surroundings)
    [artifact] = tmp_path.glob("cargohold-ecr-*.tar.gz")
    _begin_repository(tmp_path, surroundings)
    configuration = CHECKOUT / "tests" / "publishing" / "galaxy-importer.cfg"
    said = output_of(
        [publishing / "python", "-m", "galaxy_importer.main", artifact],
        env={**surroundings, "GALAXY_IMPORTER_CONFIG": str(configuration)},
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
    output_of(["reuse", "lint", "--lines"], env=surroundings)


def test_antsibull_docs(surroundings: dict[str, str]) -> None:
    """The documentation can be rendered, and each reference in it leads somewhere: to this collection or to one that it depends on."""
    arguments = ["--plugin-docs", "--validate-collection-refs=dependent", "--disallow-unknown-collection-refs"]
    output_of(["antsibull-docs", "lint-collection-docs", *arguments, CHECKOUT], env=surroundings)


@pytest.fixture
def collections(tmp_path: Path) -> Path:
    """A folder of collections that has this one."""
    link_collections(tmp_path / "collections", {"cargohold/ecr": CHECKOUT})
    return tmp_path / "collections"


def test_the_execution_environment_is_taken(surroundings: dict[str, str], tmp_path: Path) -> None:
    """Ansible-builder makes the context of an image that has this collection, and what the tests run with."""
    context = tmp_path / "context"
    definition = CHECKOUT / "execution-environment.yml"
    output_of(["ansible-builder", "create", "--file", definition, "--context", context], env=surroundings)
    requirements = yaml.safe_load((context / "_build" / "requirements.yml").read_text())
    assert requirements == {"collections": [{"name": "cargohold.ecr"}]}
    dependencies = yaml.safe_load(definition.read_text())["dependencies"]
    pinned = {dependencies[name]["package_pip"] for name in ("ansible_core", "ansible_runner")}
    assert pinned <= set((CHECKOUT / "requirements.txt").read_text().split())


def test_the_execution_environment_gets_what_the_collection_needs(
    surroundings: dict[str, str], collections: Path
) -> None:
    """Ansible-builder finds each requirement of Python that the collection states."""
    found = yaml.safe_load(output_of(["ansible-builder", "introspect", collections], env=surroundings))
    ours = {
        requirement
        for requirement, _from, source in (each.partition("  # from collection ") for each in found["python"])
        if source == "cargohold.ecr"
    }
    stated = (CHECKOUT / "meta" / "requirements.txt").read_text().split()
    assert ours == {each for each in stated if re.split("[<>=]", each)[0] not in COMES_WITH_ANSIBLE}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the files that the page on execution environments shows."""
    return write_files_of(CHECKOUT / "docs" / "execution-environments.md", tmp_path / "project", CHECKOUT)


def _linted(project: Path, surroundings: dict[str, str], collections: Path, *playbooks: str) -> str:
    _begin_repository(project, surroundings)
    return output_of(
        ["ansible-lint", "--offline", "--strict", "--nocolor", *playbooks],
        env={**surroundings, "ANSIBLE_COLLECTIONS_PATH": str(collections)},
        cwd=project,
    )


def test_the_setup_of_awx(project: Path, surroundings: dict[str, str], collections: Path) -> None:
    """The playbooks of the page are right, down to each argument of each module, and the survey asks for what the playbook takes."""
    _linted(project, surroundings, collections)
    [play] = yaml.safe_load((project / "awx.yml").read_text())
    [template] = [task["awx.awx.job_template"] for task in play["tasks"] if "awx.awx.job_template" in task]
    questions: list[dict[str, Any]] = template["survey_spec"]["spec"]
    taken = set(re.findall(r"\{\{ (\w+) \| default", (CHECKOUT / "playbooks" / "deploy.yml").read_text()))
    assert {each["variable"] for each in questions} | set(template["extra_vars"]) <= taken
    # What the API asks of a question, and what else it knows.
    assert all(each.keys() >= {"question_name", "variable", "type", "required"} for each in questions)
    assert template["timeout"] > template["extra_vars"]["timeout"]
    assert (project / template["playbook"]).exists()


def test_the_setup_of_awx_is_looked_at(project: Path, surroundings: dict[str, str], collections: Path) -> None:
    """An argument that awx.awx does not have would be found."""
    setup = project / "awx.yml"
    setup.write_text(setup.read_text().replace("survey_enabled:", "survey_wanted:"))
    with pytest.raises(pytest.fail.Exception, match=r"args.module.: Unsupported parameters.*survey_wanted"):
        _linted(project, surroundings, collections, setup.name)


@pytest.mark.parametrize(
    "command",
    [
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS],
        ["check-jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml"],
        ["zizmor", "--offline", "--persona=pedantic", ".github"],
    ],
    ids=["workflows", "dependabot", "zizmor"],
)
def test_github(surroundings: dict[str, str], command: list[str | Path]) -> None:
    """GitHub takes the workflows, and nobody else can use them."""
    output_of(command, env=surroundings)
