# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An action plugin does the module's work in the controller where that is the same place, and ends in order."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task as PlaybookTask

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError
from ansible_collections.cargohold.ecr.plugins.module_utils._task import Task
from ansible_collections.cargohold.ecr.plugins.plugin_utils import _action
from ansible_collections.cargohold.ecr.plugins.plugin_utils._action import AwsAction, Interrupted
from ansible_collections.cargohold.ecr.plugins.plugin_utils._progress import Progress


def run(task: Task) -> dict[str, Any]:
    """What the module does: tell what it was given."""
    if task.params["say"] == "nothing":
        raise CargoholdError("There is nothing to say.", stacks=[])
    if task.params["say"] == "twice":
        task.warn("Once is enough.")
    return {"said": task.params["say"], "check_mode": task.check_mode, "reporter": task.reporter}


class Action(AwsAction):
    """The action plugin of that module."""

    SPEC = {  # noqa: RUF012 - as the plugins have it
        "say": {"type": "str", "required": True},
        "said_where": {"type": "str"},
        "progress": {"type": "bool", "default": False},
    }
    RUN = staticmethod(run)

    def prepare_arguments(self) -> None:
        """Read a file of the controller."""
        self.read_local_file("say_file", into="say")
        self._task.args.pop("say_file", None)

    def _execute_module(self, **_arguments: Any) -> dict[str, Any]:
        return {"module": self._task.args}


def action(
    *, transport: str = "local", become: bool = False, environment: object = None, check_mode: bool = False, **args: Any
) -> Action:
    """The plugin for a task with these arguments."""
    task = PlaybookTask()
    task.args, task.environment, task.check_mode = args, [environment or {}], check_mode
    context = PlayContext()
    context.become = become
    shell = SimpleNamespace(tmpdir=None, env_prefix=lambda **_variables: "")
    connection = SimpleNamespace(transport=transport, _shell=shell)
    templar = SimpleNamespace(template=lambda value: value)
    return Action(task, connection, context, DataLoader(), templar, None)


def test_here() -> None:
    """With a local connection the work is done here, with the options checked and their defaults filled in."""
    result = action(say="hello", check_mode=True).run()
    assert (result["said"], result["check_mode"]) == ("hello", True)
    assert "warnings" not in result


@pytest.mark.parametrize(
    ("elsewhere", "boto3"),
    [
        pytest.param({"transport": "ssh"}, True, id="another connection"),
        pytest.param({"become": True}, True, id="another user"),
        pytest.param({}, False, id="no boto3"),
    ],
)
def test_elsewhere(elsewhere: dict[str, Any], boto3: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere, and where the controller has no boto3, the module does the work."""
    monkeypatch.setattr(_action, "HAS_BOTO3", boto3)
    assert action(say="hello", **elsewhere).run()["module"] == {"say": "hello"}


def test_wrong_options() -> None:
    """What the module would not take, the action plugin does not."""
    with pytest.raises(AnsibleError, match="say"):
        action().run()


def test_failure() -> None:
    """A failure is told with its sentence and what was known, as the module tells it."""
    result = action(say="nothing").run()
    assert {name: result[name] for name in ("failed", "msg", "stacks")} == {
        "failed": True,
        "msg": "There is nothing to say.",
        "stacks": [],
    }


def test_warnings() -> None:
    """A warning is part of the result."""
    assert action(say="twice").run()["warnings"] == ["Once is enough."]


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task's environment is this process's, as it would be the module's."""
    monkeypatch.setenv("CARGOHOLD_TEST", "before")
    action(say="hello", environment={"CARGOHOLD_TEST": 1}).run()
    assert os.environ["CARGOHOLD_TEST"] == "1"


def test_progress(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines of progress come where they are asked for, to the standard error output."""
    assert not isinstance(action(say="hello").run()["reporter"], Progress)
    reporter = action(say="hello", progress=True).run()["reporter"]
    assert isinstance(reporter, Progress)
    reporter.remark("Something that a person should know.")
    told = capsys.readouterr()
    assert "Something that a person should know." in told.err
    assert told.out == ""


def test_file(tmp_path: Path) -> None:
    """A file of the controller is read before it is decided where the work is done."""
    file = tmp_path / "words"
    file.write_text("Grüße", encoding="utf-8")
    assert action(say_file=str(file)).run()["said"] == "Grüße"
    assert action(say_file=str(file), transport="ssh").run()["module"] == {"say": "Grüße"}


@pytest.mark.parametrize(
    ("content", "words"),
    [pytest.param(None, "No such file", id="missing"), pytest.param(b"\xff", "it is not UTF-8 text", id="no text")],
)
def test_file_that_cannot_be_read(content: bytes | None, words: str, tmp_path: Path) -> None:
    """A file that cannot be read is told with its path, and why."""
    file = tmp_path / "words"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(AnsibleActionFail, match=f"{file} cannot be read: {words}"):
        action(say_file=str(file)).run()


@pytest.fixture
def received() -> Iterator[list[int]]:
    """The signals that get past the action, to whoever handled them before."""
    signals: list[int] = []
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    for each in before:
        signal.signal(each, lambda signum, _frame: signals.append(signum))
    yield signals
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_ends_in_order(signum: int, received: list[int]) -> None:
    """What runs when the controller ends the task cleans up undisturbed, and then the signal does what it always did."""
    cleaned_up = False

    def work() -> None:
        nonlocal cleaned_up
        with _action._ends_in_order():
            try:
                os.kill(os.getpid(), signum)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                cleaned_up = True

    with pytest.raises(Interrupted):
        work()
    assert cleaned_up
    assert received == [signum]


def test_signals_are_as_they_were(received: list[int]) -> None:
    """After a task that nobody interrupted, a signal does what it did before."""
    with _action._ends_in_order():
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    assert received == [signal.SIGTERM]
