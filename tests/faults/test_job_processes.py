# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The processes of a background job, however the system happened to schedule their start."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._job import Job, JobState
from ansible_collections.cargohold.ecr.plugins.module_utils._polling import Time
from ansible_collections.cargohold.ecr.tests.support.live import SECONDS_TO_TIDY_UP, wait_until

# What async_wrapper does, reduced to its processes: a watcher, which makes the runner the leader of a process group, and
# the module that the runner starts. Which of the two comes first is up to the system.
WRAPPER = """
import os, subprocess, sys, time

_job, _limit, _preserve, *module = sys.argv[1:]
first = {first!r}
if os.fork():
    os._exit(0)
os.setsid()
# No leader of the session stays behind.
if os.fork():
    os._exit(0)
ready, told = os.pipe()
runner = os.fork()
if runner:
    if first == "module":
        os.read(ready, 1)
    os.setpgid(runner, runner)
    if first == "group":
        os.write(told, b".")
    time.sleep(600)
elif first == "group":
    os.read(ready, 1)
    subprocess.call(module)
else:
    started = subprocess.Popen(module)
    os.write(told, b".")
    started.wait()
"""
MODULE = "import time\ntime.sleep(600)\n"


@pytest.mark.parametrize("first", ["group", "module"])
def test_none_is_left(first: str, tmp_path: Path) -> None:
    """The watcher, the runner and the module end, also where the module came before the runner's process group."""
    folder = tmp_path / "ansible-tmp-1"
    folder.mkdir()
    wrapper, module = folder / "async_wrapper.py", folder / "AnsiballZ_cloudformation.py"
    wrapper.write_text(WRAPPER.format(first=first))
    module.write_text(MODULE)
    results = tmp_path / "j1234567890.1"
    results.write_text('{"started": true, "finished": false}')
    command = [sys.executable, str(wrapper), "j1234567890", "900", "false", sys.executable, str(module)]
    subprocess.run(command, check=True)
    try:
        wait_until(
            lambda: len(_running(folder)) == 3, lambda: f"three processes: {_running(folder)}", SECONDS_TO_TIDY_UP
        )
        wait_until(_is_leader(folder), lambda: "the runner leads a group", SECONDS_TO_TIDY_UP)
        job = Job("j1234567890.1", str(results))
        assert job.read().state is JobState.RUNNING
        job.end(Time(time.monotonic, time.sleep))
        wait_until(lambda: not _running(folder), lambda: f"no process: {_running(folder)}", SECONDS_TO_TIDY_UP)
    finally:
        for process in _running(folder):
            process.kill()
    assert not results.exists()
    assert not folder.exists()


def _running(folder: Path) -> list[psutil.Process]:
    """The processes that run something of the folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        arguments = process.info["cmdline"] or []
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(str(folder) in argument for argument in arguments):
            found.append(process)
    return found


def _is_leader(folder: Path) -> Callable[[], bool]:
    """Whether the runner leads a process group yet."""

    def leads() -> bool:
        return sum(os.getpgid(process.pid) == process.pid for process in _running(folder)) == 1

    return leads
