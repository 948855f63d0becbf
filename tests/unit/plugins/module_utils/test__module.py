# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module ends with what its task came to, and is the only place that fails."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils import _module
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._task import Run, Task


class Ended(Exception):
    """A module has ended."""


class FakeModule:
    """A module that takes any options, and raises how it ends."""

    params: dict[str, Any] = {"stack_name": "a"}  # noqa: RUF012
    check_mode = True

    def __init__(self, **made_with: Any) -> None:
        assert made_with == {"argument_spec": {"stack_name": {}}, "supports_check_mode": True}
        self.warnings: list[str] = []
        self.warn = self.warnings.append

    def exit_json(self, **result: Any) -> None:
        """End well."""
        raise Ended("well", result, self.warnings)

    def fail_json(self, **result: Any) -> None:
        """Fail."""
        raise Ended("failed", result, self.warnings)


def refuse(_task: Task) -> dict[str, Any]:
    """A task that refuses."""
    raise Refused("No.", stacks=[], msg="not this")


def warn(task: Task) -> dict[str, Any]:
    """A task that warns."""
    task.warn("Beware.")
    return {"changed": task.check_mode, "name": task.params["stack_name"]}


@pytest.mark.parametrize(
    ("run", "end"),
    [
        pytest.param(warn, ("well", {"changed": True, "name": "a"}, ["Beware."]), id="well"),
        pytest.param(refuse, ("failed", {"msg": "No.", "stacks": []}, []), id="refused, with what is known"),
    ],
)
def test_end(monkeypatch: pytest.MonkeyPatch, run: Run, end: tuple[str, dict[str, Any], list[str]]) -> None:
    """The result, or the sentence with what is known, and the warnings."""
    monkeypatch.setattr(_module, "AnsibleAWSModule", FakeModule)
    with pytest.raises(Ended) as caught:
        _module.run_module({"stack_name": {}}, run)
    assert caught.value.args == end
