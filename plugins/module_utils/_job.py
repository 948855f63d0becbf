# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""A job that Ansible runs in the background (C(async) with C(poll: 0)): what became of it, and how to end it.

The job is a file, written by ansible-core's async_wrapper, and three processes: a watcher, a runner, and the module that
the runner started. The watcher and the runner carry the job's ID in their arguments, and the module's folder; that is how
all three are found.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._polling import Time, poll

# Seconds that an interrupted module may take to clean up, and between two looks whether it has.
SECONDS_TO_CLEAN_UP = 1.0
SECONDS_BETWEEN_LOOKS = 0.01


class JobState(Enum):
    """What became of a job."""

    RUNNING = "running"
    # It ended and left its result.
    ENDED = "ended"
    # There is neither a result nor a process.
    LOST = "lost"


@dataclass(frozen=True)
class JobReport:
    """What a job says of itself; only one that ended says more than its state."""

    state: JobState
    failed: bool = False
    changed: bool = False
    # The service did not take the request: amazon.aws's modules pass its error on.
    refused: bool = False
    message: str = ""

    @property
    def is_unchanged(self) -> bool:
        """Whether it found nothing to do."""
        return self.state is JobState.ENDED and not self.failed and not self.changed


@dataclass(frozen=True)
class _Process:
    pid: int
    arguments: tuple[str, ...]


class Job:
    """One background job.

    :param job_id: C(ansible_job_id) of the registered result.
    :param results_file: C(results_file) of the registered result.
    """

    def __init__(self, job_id: str, results_file: str) -> None:
        self.job_id = job_id
        self.path = Path(results_file)
        # Where the module was unpacked: to be removed even if the processes are gone by then.
        self._folders: set[str] = set()

    @classmethod
    def from_result(cls, result: Mapping[str, Any]) -> Job:
        """The job that a task with C(async) and C(poll: 0) registered.

        :raises Refused: when C(result) is not such a task's.
        """
        try:
            job = cls(str(result["ansible_job_id"]), str(result["results_file"]))
        except KeyError as missing:
            raise Refused(
                f"The job to follow has no {missing.args[0]}: give job what a task with async and poll: 0 registered."
            ) from None
        # As early as possible: somebody may kill the processes before they are asked for.
        job._wrappers()
        return job

    def read(self) -> JobReport:
        """What the job says of itself now."""
        result = self._result()
        if result is None or ("started" in result and not result.get("finished")):
            if self._wrappers():
                return JobReport(JobState.RUNNING)
            # It may have written its result and ended since it was looked at.
            result = self._result()
            if result is None or ("started" in result and not result.get("finished")):
                return JobReport(JobState.LOST)
        return JobReport(
            JobState.ENDED,
            failed=bool(result.get("failed")),
            changed=bool(result.get("changed")),
            refused=bool(result.get("failed")) and "error" in result,
            message=_message(result),
        )

    def end(self, time: Time) -> None:
        """End the job's processes, and remove its files and folders. What AWS was asked for goes on."""
        _send(signal.SIGKILL, self._wrappers())
        # A module unpacks itself into a folder of the system's, and removes that when it is interrupted, but not when it is killed.
        _send(signal.SIGINT, self._modules())
        left = poll(
            self._modules,
            lambda modules: not modules,
            timeout=SECONDS_TO_CLEAN_UP,
            time=time,
            next_interval=lambda _modules, _elapsed: SECONDS_BETWEEN_LOOKS,
        )
        _send(signal.SIGKILL, left.value or ())
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)
        for leftover in (self.path, self.path.with_name(self.path.name + ".tmp")):
            leftover.unlink(missing_ok=True)

    def _result(self) -> dict[str, Any] | None:
        try:
            result = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return result if isinstance(result, dict) else None

    def _wrappers(self) -> list[_Process]:
        """The watcher and the runner, as far as they are still there; their folders are remembered."""
        # async_wrapper was given the first part of the ID; the rest is the process ID that it then had.
        name = self.job_id.partition(".")[0]
        found = [
            process
            for process in _all_processes()
            if name in process.arguments and any("async_wrapper" in argument for argument in process.arguments)
        ]
        folders = (Path(argument).parent for process in found for argument in process.arguments)
        self._folders |= {str(folder) for folder in folders if folder.name.startswith("ansible-tmp-")}
        return found

    def _modules(self) -> list[_Process]:
        """The module, found by its folder rather than by its group: it may have been started before the runner got one."""
        return [
            process
            for process in _all_processes()
            if any(str(Path(argument).parent) in self._folders for argument in process.arguments)
        ]


def _send(number: signal.Signals, processes: Iterable[_Process]) -> None:
    for process in processes:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, number)


def _message(result: Mapping[str, Any]) -> str:
    text = str(result.get("msg") or result.get("output") or "it gave no reason")
    return " ".join(text.split())


def _all_processes() -> Iterator[_Process]:
    proc = Path("/proc")
    if (proc / "self" / "cmdline").exists():
        for folder in proc.iterdir():
            if folder.name.isdigit():
                # A process may end, or belong to somebody else, while it is looked at.
                with suppress(OSError):
                    arguments = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
                    yield _Process(int(folder.name), tuple(arguments))
        return
    # There is no module here whose run_command could be called.
    listing = subprocess.run(  # pylint: disable=ansible-bad-function
        ["ps", "-A", "-ww", "-o", "pid=", "-o", "command="], capture_output=True, text=True, check=False
    )
    for line in listing.stdout.splitlines():
        pid, *arguments = line.split()
        yield _Process(int(pid), tuple(arguments))
