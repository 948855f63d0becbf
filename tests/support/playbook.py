# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-playbook, run as a user runs it: a process of its own, with nothing inherited."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]

# The virtual environment's commands.
COMMANDS = Path(sys.prefix, "bin")

# What a command needs to know about the machine; all else, and so all of AWS and Ansible, is left out.
INHERITED = ("PATH", "LANG", "LC_ALL", "TERM", "COLUMNS", "TMPDIR", "TZ")

# A playbook that takes longer hangs.
SECONDS_AT_MOST = 120.0

RECAP = re.compile(r"^(?P<host>\S+)\s*:(?P<counters>(?:\s+\w+=\d+)+)\s*$")

# Tells apart a recap from a line of output that looks like one.
RECAP_HEADING = "PLAY RECAP"


@dataclass(frozen=True)
class Task:
    """What became of one task on one host, from the json callback.

    :param result: all that the task returned; C(changed) is always in it.
    """

    name: str
    host: str
    result: Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """A finished ansible-playbook.

    :param rc: the exit code; 0 is success, 2 a failed task, 4 an error of the parser or an unreachable host.
    :param stdout: as the chosen callback writes it.
    :param stderr: progress, warnings and errors.
    :param seconds: from start to end, on the wall.
    """

    command: Sequence[str]
    rc: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def recap(self) -> dict[str, int]:
        """The counters of localhost: ok, changed, unreachable, failed, skipped, rescued and ignored.

        Empty where no play got as far as to have one.
        """
        document = _document(self.stdout)
        if document is not None:
            return dict(document["stats"].get("localhost", {}))
        return recap_of(self.stdout)

    @property
    def task_results(self) -> list[Task]:
        """Every task that ran, in order.

        :raises ValueError: the run was not asked for them, or ended before it could tell.
        """
        document = _document(self.stdout)
        if document is None:
            raise ValueError(f"no results of tasks in:\n{self}")
        return [
            Task(name=task["task"]["name"], host=host, result=result)
            for play in document["plays"]
            for task in play["tasks"]
            for host, result in task["hosts"].items()
        ]

    def __str__(self) -> str:
        """Everything there is to know: C(assert run.rc == 0, str(run)). pytest cuts short what is not text."""
        return f"$ {' '.join(self.command)}\n{self.stdout}\n{self.stderr}\nexit code {self.rc}"


def clean_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of a user who has set none for AWS or Ansible, and to whom the virtual environment belongs.

    :param home: the HOME, where Ansible keeps its files.
    :param extra: what the user has set all the same.
    """
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    path = f"{COMMANDS}{os.pathsep}{inherited.pop('PATH', os.defpath)}"
    # A file-system encoding other than UTF-8 is refused by Ansible.
    return {"LANG": "C.UTF-8", **inherited, "PATH": path, "HOME": str(home), **(extra or {})}


def recap_of(output: str, host: str = "localhost") -> dict[str, int]:
    """Read a host's counters from the recap that ends the default callback's output; empty where there is none."""
    _before, heading, recap = output.rpartition(RECAP_HEADING)
    if not heading:
        return {}
    for line in recap.splitlines():
        found = RECAP.match(line)
        if found and found["host"] == host:
            pairs = (pair.split("=") for pair in found["counters"].split())
            return {name: int(count) for name, count in pairs}
    return {}


@dataclass(frozen=True)
class PlaybookRunner:
    """Runs playbooks with one HOME and one set of variables.

    :param home: an empty folder at first.
    :param environment: variables for every run.
    :param cwd: where the user stands; C(ansible.cfg) is read from there.
    :param commands: the folder of the ansible-playbook that is run.
    """

    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = CHECKOUT
    commands: Path = COMMANDS

    def __call__(
        self,
        playbook: str | Path,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        results: bool = False,
        timeout: float = SECONDS_AT_MOST,
        **extra_vars: object,
    ) -> Run:
        """Run a playbook to its end, whatever the end is.

        :param playbook: a path from the folder where the user stands, or a name such as V(cargohold.ecr.deploy).
        :param arguments: further ones of ansible-playbook, such as V(--check).
        :param environment: variables for this run, on top of the runner's.
        :param results: have RV(task_results) instead of readable output.
        :param timeout: seconds after which it is killed.
        :param extra_vars: each becomes C(-e name=value), or C(-e JSON) where only so it arrives as it is.
        :raises subprocess.TimeoutExpired: it did not end in time.
        """
        command = self.command(playbook, *arguments, **extra_vars)
        variables = {**self.environment, **(environment or {})}
        if results:
            variables["ANSIBLE_STDOUT_CALLBACK"] = "ansible.posix.json"
        begin = time.monotonic()
        done = subprocess.run(
            command,
            env=clean_environment(self.home, variables),
            cwd=cwd or self.cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        seconds = time.monotonic() - begin
        return Run(command=command, rc=done.returncode, stdout=done.stdout, stderr=done.stderr, seconds=seconds)

    def command(self, playbook: str | Path, *arguments: str, **extra_vars: object) -> list[str]:
        """What is run for a call with these arguments."""
        return [str(self.commands / "ansible-playbook"), str(playbook), *arguments, *_as_options(extra_vars)]


def _as_options(extra_vars: Mapping[str, object]) -> list[str]:
    """Extra variables as a person types them, and as JSON those that would need quotes or are not text."""
    options = []
    for name, value in extra_vars.items():
        plain = isinstance(value, str) and shlex.quote(value) == value
        options += ["-e", f"{name}={value}" if plain else json.dumps({name: value})]
    return options


def _document(output: str) -> dict[str, Any] | None:
    """What the json callback wrote, or None where another callback did the writing."""
    if not output.lstrip().startswith("{"):
        return None
    document: dict[str, Any] = json.loads(output)
    return document
