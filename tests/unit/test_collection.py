# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to agree between the parts of the collection: groups, plugins, documentation, roles and playbooks."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.utils.version import SemanticVersion

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = "ansible_collections.cargohold.ecr.plugins"
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _documented(module: str) -> dict[str, Any]:
    options: dict[str, Any] = yaml.safe_load(import_module(f"{PLUGINS}.modules.{module}").DOCUMENTATION)["options"]
    return options


def test_the_roles_group_names_what_its_tasks_call() -> None:
    """The connection that a role was given reaches each of its tasks that talks to AWS."""
    called = {
        line.strip().removesuffix(":")
        for role in ROLES
        for file in (ROOT / "roles" / role / "tasks").glob("*.yml")
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.strip().startswith(("cargohold.ecr.", "amazon.aws.")) and line.strip().endswith(":")
    }
    group = _yaml(ROOT / "meta" / "runtime.yml")["action_groups"]["repository"]
    assert {name if "." in name else f"cargohold.ecr.{name}" for name in group} == called


def test_the_action_group_names_every_module() -> None:
    """C(module_defaults) for C(group/cargohold.ecr.all) reach each module, and amazon.aws's, which the roles use."""
    extension, *modules = _yaml(ROOT / "meta" / "runtime.yml")["action_groups"]["all"]
    assert sorted(modules) == MODULES
    assert extension == {"metadata": {"extend_group": ["amazon.aws.aws"]}}


@pytest.mark.parametrize("module", MODULES)
def test_an_action_plugin_runs_what_its_module_runs(module: str) -> None:
    """A module and its action plugin have one spec and one body, so that they cannot drift apart."""
    task = import_module(f"{PLUGINS}.module_utils._tasks.{module}")
    action = import_module(f"{PLUGINS}.action.{module}").ActionModule
    assert action.SPEC is task.ARGUMENT_SPEC
    assert action.RUN is task.run


@pytest.mark.parametrize("module", MODULES)
def test_a_module_documents_its_options_as_they_are(module: str) -> None:
    """Each option is documented with the type, the default, the choices and the aliases that it has."""
    spec = import_module(f"{PLUGINS}.module_utils._tasks.{module}").ARGUMENT_SPEC
    traits = ("type", "default", "choices", "aliases", "elements", "required")
    assert {
        name: {trait: option[trait] for trait in traits if trait in option}
        for name, option in _documented(module).items()
    } == {name: {trait: option[trait] for trait in traits if trait in option} for name, option in spec.items()}


@pytest.mark.parametrize("role", ROLES)
def test_a_roles_defaults_are_those_of_its_argument_spec(role: str) -> None:
    """What the documentation of a role says of its defaults is what it uses; what has none is left to AWS."""
    specified = _yaml(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    assert {name: option["default"] for name, option in specified.items() if "default" in option} == _yaml(
        ROOT / "roles" / role / "defaults" / "main.yml"
    )


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.stem)
def test_a_playbook_is_one_short_play(playbook: Path) -> None:
    """A playbook translates the names that a person types; what it does is the role's business."""
    plays = _yaml(playbook)
    assert len(plays) == 1
    assert len(playbook.read_text(encoding="utf-8").splitlines()) <= 20
    assert "when" not in playbook.read_text(encoding="utf-8")


def _texts(*names: str) -> dict[str, str]:
    """Files of the checkout with what they say, by path; folders stand for all that is in them."""
    paths = [
        path for name in names for path in ([ROOT / name] if (ROOT / name).is_file() else (ROOT / name).rglob("*"))
    ]
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in paths
        if path.is_file() and path.suffix != ".pyc"
    }


def test_the_version_is_that_of_the_newest_release() -> None:
    """The artifact is what the changelog tells of last."""
    releases = _yaml(ROOT / "changelogs" / "changelog.yaml")["releases"]
    assert _yaml(ROOT / "galaxy.yml")["version"] == max(releases, key=SemanticVersion)


def test_the_version_stands_nowhere_else() -> None:
    """Nothing that is shipped or that makes a release has to be changed for another version."""
    names = (
        "README.md",
        "docs",
        "execution-environment.yml",
        "files",
        "meta",
        "playbooks",
        "plugins",
        "roles",
        "tools",
    )
    version = re.compile(r"cargohold[.-]ecr\W+(?:version\W+)?v?\d+\.\d+\.\d+")
    assert {name: version.findall(text) for name, text in _texts(*names).items() if version.search(text)} == {}


def test_nothing_was_added_in_a_version_to_come() -> None:
    """What the documentation says of when something was added is true of this version."""
    added = {
        match
        for text in _texts("plugins", "roles").values()
        for match in re.findall(r"^ *version_added: (\S+)$", text, re.MULTILINE)
    }
    assert added
    assert max(map(SemanticVersion, added)) <= SemanticVersion(_yaml(ROOT / "galaxy.yml")["version"])
