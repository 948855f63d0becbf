# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module runs what its action plugin runs; some action plugins read files of the controller first."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader

PLUGINS = Path(__file__).parents[4] / "plugins"
NAMES = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py"))


def plugin(kind: str, name: str) -> Any:
    """A plugin's file, imported."""
    return import_module(f"ansible_collections.cargohold.ecr.plugins.{kind}.{name}")


def prepared(name: str, **args: Any) -> dict[str, Any]:
    """What an action plugin makes of a task's arguments before it decides where to work."""
    action = object.__new__(plugin("action", name).ActionModule)
    action._task, action._loader = SimpleNamespace(args=args), DataLoader()
    action.prepare_arguments()
    arguments: dict[str, Any] = action._task.args
    return arguments


@pytest.fixture
def template(tmp_path: Path) -> str:
    """A template's path."""
    file = tmp_path / "template.yml"
    file.write_text("Resources: {}")
    return str(file)


@pytest.mark.parametrize("name", NAMES)
def test_same_options_and_work(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module runs what its action plugin runs, with the same options."""
    module, action = plugin("modules", name), plugin("action", name).ActionModule
    ran: list[tuple[Any, Any]] = []
    monkeypatch.setattr(module, "run_module", lambda spec, run: ran.append((spec, run)))
    module.main()
    assert ran == [(action.SPEC, action.RUN)]


@pytest.mark.parametrize("name", ["stack_plan", "stacks"])
def test_templates(name: str, template: str) -> None:
    """The templates' texts go where the module works, which may not have the files."""
    assert prepared(name, template=template, login_template=template) == {
        "template": template,
        "template_body": "Resources: {}",
        "login_template": template,
        "login_template_body": "Resources: {}",
    }


def test_templates_of_a_list(template: str) -> None:
    """A stack's own template is read, too; what is no entry of a list is left for the module to tell."""
    given = [{"stack_name": "a", "template": template}, {"stack_name": "b"}, "c"]
    read = prepared("stacks", stacks=given)["stacks"]
    assert read == [{**given[0], "template_body": "Resources: {}"}, *given[1:]]  # type: ignore[dict-item]
    assert prepared("stacks", stacks="all") == {"stacks": "all"}
