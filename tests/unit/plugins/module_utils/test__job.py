# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A background job tells what became of it, and leaves nothing behind when it is ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._job import (
    SECONDS_BETWEEN_LOOKS,
    SECONDS_TO_CLEAN_UP,
    Job,
    JobReport,
    JobState,
)
from ansible_collections.cargohold.ecr.tests.unit.support.fake_time import FakeTime

JOB_ID = f"j{os.getpid()}001.4711"
SLEEP = "import time; print(flush=True); time.sleep(60)"

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts processes that look like a job's, and ends those that the test left."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: str, code: str = SLEEP, leads: bool = True) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", code, *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=leads)
        assert process.stdout is not None
        # What it prints tells that it runs, and not a copy of this process that is about to become it.
        process.stdout.readline()
        started.append(process)
        return process

    yield begin
    for process in started:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job that has written nothing yet."""
    return Job(JOB_ID, str(tmp_path / JOB_ID))


def wrapped(start: Start, *arguments: str, **more: Any) -> subprocess.Popen[bytes]:
    """A process with async_wrapper's arguments."""
    return start("/tmp/async_wrapper.py", JOB_ID.partition(".")[0], "960", *arguments, **more)  # noqa: S108


@pytest.mark.parametrize(
    ("written", "report"),
    [
        pytest.param(
            {"changed": True, "output": "Stack CREATE complete"},
            JobReport(JobState.ENDED, changed=True, message="Stack CREATE complete"),
            id="done",
        ),
        pytest.param(
            {"changed": False, "output": "Stack is already up-to-date."},
            JobReport(JobState.ENDED, message="Stack is already up-to-date."),
            id="unchanged",
        ),
        pytest.param(
            {"failed": True, "msg": "Failed to create stack a:\n denied", "error": {"code": "AccessDenied"}},
            JobReport(JobState.ENDED, failed=True, refused=True, message="Failed to create stack a: denied"),
            id="refused by AWS",
        ),
        pytest.param(
            {"failed": True, "changed": True, "output": "Problem with CREATE. Rollback complete"},
            JobReport(JobState.ENDED, failed=True, changed=True, message="Problem with CREATE. Rollback complete"),
            id="failed",
        ),
        pytest.param(
            {"failed": 1, "msg": "Traceback: KeyError: 'resource_status_reason'"},
            JobReport(JobState.ENDED, failed=True, message="Traceback: KeyError: 'resource_status_reason'"),
            id="broke down, so that AWS refused nothing (defect F)",
        ),
        pytest.param({}, JobReport(JobState.ENDED, message="it gave no reason"), id="without a word"),
    ],
)
def test_ended(job: Job, written: dict[str, Any], report: JobReport) -> None:
    """A job that left its result says how it ended."""
    job.path.write_text(json.dumps(written))
    assert job.read() == report


UNFINISHED = [
    pytest.param(None, id="no file"),
    pytest.param("", id="an empty file"),
    pytest.param('{"started": 1', id="half a file"),
    pytest.param("[]", id="no result"),
    pytest.param('{"started": 1, "finished": 0, "ansible_job_id": "j1"}', id="a beginning"),
]


@pytest.mark.parametrize("written", UNFINISHED)
def test_lost(job: Job, written: str | None) -> None:
    """Without a result and a process, the job is lost."""
    if written is not None:
        job.path.write_text(written)
    assert job.read().state is JobState.LOST


@pytest.mark.parametrize("written", UNFINISHED)
def test_running(job: Job, start: Start, written: str | None) -> None:
    """Without a result, but with a process, the job is running."""
    if written is not None:
        job.path.write_text(written)
    wrapped(start)
    assert job.read().state is JobState.RUNNING


def test_ended_while_it_was_looked_at(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that writes its result and ends between two looks is not lost."""
    monkeypatch.setattr(job, "_wrappers", lambda: job.path.write_text('{"changed": true}') and [])
    assert job.read().changed


def test_other_jobs_are_not_ours(job: Job, start: Start) -> None:
    """Neither another job nor something else that names ours is taken for it."""
    start("/tmp/async_wrapper.py", "j999")  # noqa: S108
    start("grep", JOB_ID.partition(".")[0])
    assert job.read().state is JobState.LOST


@pytest.mark.parametrize("leads", [pytest.param(True, id="runner"), pytest.param(False, id="watcher")])
def test_end_ends_processes(job: Job, start: Start, fake_time: FakeTime, leads: bool) -> None:
    """The runner and the watcher end."""
    process = wrapped(start, leads=leads)
    job.end(fake_time.time)
    assert process.wait(timeout=10) == -signal.SIGKILL


# A module, which is interrupted before it is killed.
TIDY = """
import pathlib, sys, time
try:
    print(flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    pathlib.Path(sys.argv[1]).with_name("payload").rmdir()
    sys.exit(7)
"""
STUBBORN = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); " + SLEEP


@pytest.mark.parametrize(
    ("code", "code_at_the_end"),
    [pytest.param(TIDY, 7, id="tidy"), pytest.param(STUBBORN, -signal.SIGKILL, id="stubborn")],
)
def test_end_reaches_the_module(
    job: Job, start: Start, fake_time: FakeTime, tmp_path: Path, code: str, code_at_the_end: int
) -> None:
    """The module, which stands in the same folder as the wrappers, may clean up; if it does not end by itself, it is ended."""
    module = tmp_path / "ansible-tmp-1" / "AnsiballZ_cloudformation.py"
    module.parent.mkdir()
    module.with_name("payload").mkdir()
    wrapped(start, str(module))
    process = start(str(module), code=code)
    job.end(fake_time.time)
    assert process.wait(timeout=10) == code_at_the_end
    assert fake_time.elapsed <= SECONDS_TO_CLEAN_UP + SECONDS_BETWEEN_LOOKS


def test_end_removes_files(job: Job, start: Start, fake_time: FakeTime, tmp_path: Path) -> None:
    """The job's file, its half-written successor and the folder that the module was unpacked in are gone."""
    folder = tmp_path / "ansible-tmp-1763933999.1-2-3"
    folder.mkdir()
    (folder / "AnsiballZ_cloudformation.py").touch()
    job.path.write_text("{}")
    job.path.with_name(f"{job.path.name}.tmp").write_text("{")
    wrapped(start, str(folder / "AnsiballZ_cloudformation.py"))
    job.end(fake_time.time)
    assert list(tmp_path.iterdir()) == []


def test_end_of_what_is_over(job: Job, fake_time: FakeTime, tmp_path: Path) -> None:
    """Ending a job that has ended and left nothing is no mistake."""
    job.end(fake_time.time)
    job.end(fake_time.time)
    assert list(tmp_path.iterdir()) == []


def test_processes_without_proc(job: Job, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no /proc, as on macOS, processes are found with ps."""
    wrapped(start)
    real = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: "/proc" not in str(path) and real(path))
    assert job.read().state is JobState.RUNNING


@pytest.mark.parametrize("missing", ["ansible_job_id", "results_file"])
def test_no_job(missing: str) -> None:
    """What is no job's registered result is refused, saying what is missing."""
    registered = {"ansible_job_id": "j1.2", "results_file": "/home/me/.ansible_async/j1.2", "started": 1}
    del registered[missing]
    with pytest.raises(Refused, match=f"no {missing}.*async and poll: 0"):
        Job.from_result(registered)
