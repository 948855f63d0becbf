# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What the action plugins share: run the module's task in the controller where that is the same place.

A task with a local connection, as tasks that talk to AWS have, needs no Python process of its own, and in the controller
it can print while it works. Everywhere else the module does the same work without the lines.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec

from ansible_collections.cargohold.ecr.plugins.module_utils._clients import HAS_BOTO3
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError
from ansible_collections.cargohold.ecr.plugins.module_utils._following import Reporter
from ansible_collections.cargohold.ecr.plugins.module_utils._polling import Time
from ansible_collections.cargohold.ecr.plugins.module_utils._task import Run, Task
from ansible_collections.cargohold.ecr.plugins.plugin_utils._progress import Progress, Tone

display = Display()

_COLORS = {
    Tone.MOVING: constants.COLOR_VERBOSE,
    Tone.GOOD: constants.COLOR_OK,
    Tone.BAD: constants.COLOR_ERROR,
    Tone.TROUBLE: constants.COLOR_WARN,
}


class Interrupted(BaseException):
    """The controller ends this task; not an L(Exception), so that nothing on the way takes it for a failure."""


class AwsAction(ActionBase):
    """An action plugin with the name, the options and the results of a module.

    :cvar SPEC: the module's own argument spec, without amazon.aws's common options.
    :cvar RUN: what the module does.
    """

    SPEC: ClassVar[dict[str, Any]]
    RUN: ClassVar[Run]

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the task here, or leave it to the module."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self.prepare_arguments()
        if not self._is_here():
            module: dict[str, Any] = self._execute_module(task_vars=task_vars)
            return {**result, **module}
        self._take_environment()
        params = self.validate_argument_spec(argument_spec={**aws_argument_spec(), **self.SPEC})[1]
        warnings: list[str] = []
        task = Task(
            params=params,
            check_mode=bool(self._task.check_mode),
            time=Time(clock=time.monotonic, sleep=time.sleep),
            warn=warnings.append,
            reporter=self._reporter(params),
        )
        try:
            with _ends_in_order():
                result.update(type(self).RUN(task))
        except CargoholdError as problem:
            result.update(problem.known, failed=True, msg=problem.message)
        if warnings:
            result["warnings"] = warnings
        return result

    def prepare_arguments(self) -> None:
        """Turn options that only mean something on the controller into what the module takes."""

    def read_local_file(self, option: str, into: str) -> None:
        """Put the text of the controller's file that one option names into another option.

        :raises AnsibleActionFail: when there is no such file.
        """
        arguments = self._task.args
        if arguments.get(option):
            arguments[into] = self.local_text(arguments[option])

    def local_text(self, name: object) -> str:
        """The text of a file of the controller.

        :raises AnsibleActionFail: when there is no such file.
        """
        path = Path(self._loader.path_dwim(str(name)))
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            why = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8 text"
            raise AnsibleActionFail(f"The template {path} cannot be read: {why}. Check the path.") from problem

    def _is_here(self) -> bool:
        return HAS_BOTO3 and self._connection.transport == "local" and not self._play_context.become

    def _take_environment(self) -> None:
        """Take on the task's C(environment), as the module's process would; this process runs one task."""
        environment: dict[str, str] = {}
        self._compute_environment_string(environment)
        os.environ.update({name: str(value) for name, value in environment.items()})

    @staticmethod
    def _reporter(params: dict[str, Any]) -> Reporter:
        if not params.get("progress"):
            return Reporter()
        # To stderr: stdout belongs to the callback, which may be writing JSON there.
        return Progress(lambda text, tone: display.display(text, color=_COLORS[tone], stderr=True), time.monotonic)


@contextmanager
def _ends_in_order() -> Iterator[None]:
    """Let the block clean up after itself when the controller ends this process, as it does after Ctrl-C.

    The controller passes on the signal that it got itself, to each of its workers.
    """
    previous = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    received = 0

    def restore() -> None:
        for signum, handler in previous.items():
            signal.signal(signum, handler)

    def interrupt(signum: int, _frame: FrameType | None) -> None:
        nonlocal received
        received = signum
        # Cleaning up takes a moment, in which another signal is not to interrupt it.
        for each in previous:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted

    for signum in previous:
        signal.signal(signum, interrupt)
    try:
        yield
    except Interrupted:
        restore()
        os.kill(os.getpid(), received)
        raise
    finally:
        restore()
