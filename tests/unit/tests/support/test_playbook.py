# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read from ansible-playbook's output, and what it is started with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.cargohold.ecr.tests.support import playbook
from ansible_collections.cargohold.ecr.tests.support.playbook import Run, Task

COUNTERS = {"ok": 5, "changed": 2, "unreachable": 0, "failed": 1, "skipped": 3, "rescued": 0, "ignored": 0}
LINE = "localhost          : ok=5    changed=2    unreachable=0    failed=1    skipped=3    rescued=0    ignored=0"
HEADING = "PLAY RECAP *********************************************************************"

OUTPUTS = {
    "usual": (f"TASK [x] ***\nok: [localhost]\n\n{HEADING}\n{LINE}\n\n", COUNTERS),
    "among other hosts": (f"{HEADING}\na.b : ok=1 changed=0\n{LINE}\n", COUNTERS),
    "in a play within the play": (f"{HEADING}\nlocalhost : ok=9 changed=9\n{HEADING}\n{LINE}\n", COUNTERS),
    "without the host": (f"{HEADING}\nother : ok=1 changed=0\n", {}),
    "a line like it and no recap": (f"{LINE}\n", {}),
    "nothing": ("", {}),
}


def run(stdout: str) -> Run:
    """A run that wrote so much."""
    return Run(command=["ansible-playbook", "x.yml"], rc=2, stdout=stdout, stderr="why", seconds=1.0)


@pytest.mark.parametrize(("output", "counters"), OUTPUTS.values(), ids=OUTPUTS.keys())
def test_recap(output: str, counters: dict[str, int]) -> None:
    """The counters are those of localhost in the last recap."""
    assert run(output).recap == counters


def test_json_has_recap_and_results() -> None:
    """From the json callback's document come the same counters, and each task's result in order."""
    tasks = [
        {"task": {"name": "one"}, "hosts": {"localhost": {"changed": False}}},
        {"task": {"name": "two"}, "hosts": {"localhost": {"changed": True, "stack": {"name": "a"}}}},
    ]
    done = run(json.dumps({"plays": [{"tasks": tasks}], "stats": {"localhost": COUNTERS}}))
    assert done.recap == COUNTERS
    assert done.task_results == [
        Task("one", "localhost", {"changed": False}),
        Task("two", "localhost", {"changed": True, "stack": {"name": "a"}}),
    ]


def test_results_not_asked_for() -> None:
    """Whoever wants results without having asked for them is told, with all of the output."""
    with pytest.raises(ValueError, match=r"no results of tasks(.|\n)*why(.|\n)*exit code 2"):
        assert run(f"{HEADING}\n{LINE}\n").task_results


def test_nothing_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither AWS's nor Ansible's variables nor the HOME come from the one who tests."""
    for name in ("AWS_PROFILE", "AWS_REGION", "ANSIBLE_CONFIG", "ANSIBLE_STDOUT_CALLBACK", "PYTHONPATH"):
        monkeypatch.setenv(name, "x")
    environment = playbook.clean_environment(Path("/empty"), {"AWS_REGION": "eu-west-1"})
    assert environment.pop("AWS_REGION") == "eu-west-1"
    assert environment["HOME"] == "/empty"
    assert not [name for name in environment if name.startswith(("AWS_", "ANSIBLE_", "PYTHON"))]
