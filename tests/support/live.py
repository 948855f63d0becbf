# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-playbook while it runs: what it has said so far, what runs on its behalf, and how a person stops it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

from ansible_collections.cargohold.ecr.tests.support.playbook import (
    SECONDS_AT_MOST,
    PlaybookRunner,
    Run,
    clean_environment,
)

SECONDS_BETWEEN_LOOKS = 0.02

# What a playbook has told to end may still be about to.
SECONDS_TO_TIDY_UP = 15.0


class DidNotHappen(Exception):
    """What was waited for did not come about in time; the message has what was said until then."""


def wait_until(happened: Callable[[], bool], what: Callable[[], str], timeout: float = SECONDS_AT_MOST) -> None:
    """Wait for something.

    :param what: says, once it is too late, what was waited for.
    :param timeout: seconds after which it counts as never.
    :raises DidNotHappen: it did not.
    """
    deadline = time.monotonic() + timeout
    while not happened():
        if time.monotonic() > deadline:
            raise DidNotHappen(f"Not within {timeout:.0f} s: {what()}")
        time.sleep(SECONDS_BETWEEN_LOOKS)


def processes_of(home: Path) -> list[psutil.Process]:
    """The processes that have this HOME, and so belong to the playbooks that were run with it."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("HOME") == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def jobs_of(home: Path) -> list[psutil.Process]:
    """Those of them that run a task in the background: async_wrapper and the modules that it started."""
    found = []
    for process in processes_of(home):
        with suppress(psutil.Error):
            if any("async_wrapper" in argument or "AnsiballZ_" in argument for argument in process.cmdline()):
                found.append(process)
    return found


def leftovers_of(home: Path) -> list[str]:
    """What playbooks left behind in this HOME and should not have: processes, and files of jobs and modules."""
    found = []
    for process in processes_of(home):
        with suppress(psutil.Error):
            found.append(" ".join(process.cmdline()))
    files = [*home.glob(".ansible_async/*"), *home.glob(".ansible/tmp/ansible-tmp-*")]
    return found + [str(file.relative_to(home)) for file in files]


def wait_for_tidiness(home: Path) -> None:
    """Wait until nothing is left behind in this HOME.

    :raises DidNotHappen: something stays.
    """
    wait_until(lambda: not leftovers_of(home), lambda: f"nothing is left of {leftovers_of(home)}", SECONDS_TO_TIDY_UP)


class LivePlaybook:
    """A playbook that is running; see L(started)."""

    def __init__(self, process: subprocess.Popen[str], command: list[str]) -> None:
        self.process = process
        self._command = command
        self._began = time.monotonic()
        self._said: dict[str, list[str]] = {"stdout": [], "stderr": []}
        assert process.stdout is not None
        assert process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read, args=(stream, self._said[name]), daemon=True)
            for name, stream in (("stdout", process.stdout), ("stderr", process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: IO[str], said: list[str]) -> None:
        with stream:
            for line in stream:
                said.append(line)  # noqa: PERF402  (others read it meanwhile)

    @property
    def stdout(self) -> str:
        """What it said so far."""
        return "".join(self._said["stdout"])

    @property
    def stderr(self) -> str:
        """What it said so far on the standard error output, its progress among it."""
        return "".join(self._said["stderr"])

    def wait_for(self, text: str) -> None:
        """Wait until it says something.

        :raises DidNotHappen: it ended without, or did not in time.
        """
        wait_until(
            lambda: text in self.stdout + self.stderr or self.process.poll() is not None, lambda: self._so_far(text)
        )
        for reader in self._readers if self.process.poll() is not None else ():
            reader.join(SECONDS_AT_MOST)
        if text not in self.stdout + self.stderr:
            raise DidNotHappen(self._so_far(text))

    def interrupt(self) -> None:
        """Press Ctrl-C: a terminal sends SIGINT to the whole process group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """End it at once, with no chance to do anything more: C(kill -9)."""
        self.process.kill()

    def finish(self, timeout: float = SECONDS_AT_MOST) -> Run:
        """Wait for its end.

        :raises subprocess.TimeoutExpired: it did not end in time.
        """
        rc = self.process.wait(timeout)
        for reader in self._readers:
            # A process that it left behind may hold on to the pipes.
            reader.join(1.0)
        return Run(self._command, rc, self.stdout, self.stderr, time.monotonic() - self._began)

    def _so_far(self, text: str) -> str:
        return f"it says {text!r}\n{self.stdout}\n{self.stderr}"


@contextmanager
def started(runner: PlaybookRunner, playbook: str, *arguments: str, **extra_vars: object) -> Iterator[LivePlaybook]:
    """Start a playbook in a session of its own, as a terminal does, and end all of it when the block is left."""
    command = runner.command(playbook, *arguments, **extra_vars)
    process = subprocess.Popen(
        command,
        env=clean_environment(runner.home, runner.environment),
        cwd=runner.cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield LivePlaybook(process, command)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
