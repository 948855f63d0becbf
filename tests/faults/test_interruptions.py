# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Playbooks and jobs that are ended by force: AWS goes on, nothing stays behind, and the next run goes on from there."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import psutil
import pytest

from ansible_collections.cargohold.ecr.tests.support.fault_plan import Caller, Fault, Hold, Kind
from ansible_collections.cargohold.ecr.tests.support.live import (
    jobs_of,
    leftovers_of,
    processes_of,
    wait_for_tidiness,
    wait_until,
)
from ansible_collections.cargohold.ecr.tests.support.scene import STACK, Scene, assert_presentable, said

OPERATIONS: Mapping[str, tuple[str, dict[str, str], str, str | None]] = {
    "CREATE": ("deploy", {"iam_user": "alice"}, "is deployed", "CREATE_COMPLETE"),
    "DELETE": ("teardown", {}, "was not there", None),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_interrupted_and_run_again(operation: str, scene: Scene) -> None:
    """Ctrl-C ends the playbook and its job, and not what AWS does; the next run waits for that, and ends well."""
    playbook, extra_vars, claim, status = OPERATIONS[operation]
    if operation != "CREATE":
        scene.create()
    scene.faulty.plan(Hold(operation))
    with scene.start(playbook, **extra_vars) as live:
        live.wait_for(f"ECRRepository  AWS::ECR::Repository  {operation}_IN_PROGRESS")
        live.interrupt()
        run = live.finish()
    assert run.rc != 0, str(run)
    assert "Traceback" not in said(run)
    wait_for_tidiness(scene.runner.home)
    with scene.start(playbook, **extra_vars) as live:
        live.wait_for(f"{STACK}  {operation}_IN_PROGRESS")
        scene.faulty.release()
        again = live.finish()
    assert_presentable(again)
    assert again.rc == 0, str(again)
    assert f"{STACK} {claim}" in said(again)
    assert again.recap["changed"] == 0, str(again)
    assert scene.status == status
    assert len(scene.faulty.writes()) == 1


def test_killed_and_run_again(scene: Scene) -> None:
    """C(kill -9) leaves the playbook no chance to tidy up; the next run is right all the same."""
    scene.faulty.plan(Hold("CREATE"))
    with scene.start("deploy", iam_user="alice") as live:
        live.wait_for(f"{STACK}  CREATE_IN_PROGRESS")
        for process in processes_of(scene.runner.home):
            if process not in jobs_of(scene.runner.home):
                process.kill()
        live.process.wait()
    with scene.start("deploy", iam_user="alice") as live:
        live.wait_for(f"{STACK}  CREATE_IN_PROGRESS")
        scene.faulty.release()
        run = live.finish()
    assert_presentable(run)
    assert run.rc == 0, str(run)
    assert f"{STACK} is deployed" in said(run)
    assert scene.status == "CREATE_COMPLETE"
    assert scene.faulty.writes() == ["CreateStack"]
    # The job of the first run was left to itself, and ends by itself; only its file stays.
    wait_until(lambda: not jobs_of(scene.runner.home), lambda: f"no job is left: {leftovers_of(scene.runner.home)}")
    for file in (scene.runner.home / ".ansible_async").iterdir():
        file.unlink()


def _kill_job(scene: Scene) -> None:
    """Kill the job's processes, one by one."""
    for process in jobs_of(scene.runner.home):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def test_job_dies_before_it_began(scene: Scene) -> None:
    """A job that died without having asked for anything is told as that, and what there is: nothing."""
    scene.faulty.plan(Fault(Kind.HUNG, ("CreateStack",)))
    with scene.start("deploy", iam_user="alice") as live:
        wait_until(lambda: bool(scene.faulty.calls("CreateStack")), lambda: str(live.stdout))
        # The plan's look was the first; this one is the follower's, who has met the job by then.
        wait_until(lambda: len(scene.faulty.calls("DescribeStacks", by=Caller.OURS)) > 1, lambda: str(live.stdout))
        _kill_job(scene)
        run = live.finish()
    assert_presentable(run)
    assert run.rc == 2, str(run)
    assert f"The job that was to create {STACK} ended without a result, but the stack shows no such operation" in said(
        run
    )
    scene.faulty.release()
    # Whose caller is gone, that call is not passed on.
    assert scene.status is None


def test_job_dies_after_it_began(scene: Scene) -> None:
    """An operation whose job died is followed to its end all the same."""
    scene.faulty.plan(Hold("CREATE"))
    with scene.start("deploy", iam_user="alice") as live:
        live.wait_for(f"{STACK}  CREATE_IN_PROGRESS")
        _kill_job(scene)
        scene.faulty.release()
        run = live.finish()
    assert_presentable(run)
    assert run.rc == 0, str(run)
    assert f"{STACK} is deployed" in said(run)
    assert scene.status == "CREATE_COMPLETE"


def test_job_dies_with_its_answer_on_the_way(scene: Scene) -> None:
    """A job that never learnt that AWS had begun makes no difference to who looks at the stack."""
    scene.faulty.plan(Fault(Kind.HUNG, ("CreateStack",), Caller.STANDARD, once_served=True), Hold("CREATE", looks=3))
    with scene.start("deploy", iam_user="alice") as live:
        live.wait_for(f"{STACK}  CREATE_IN_PROGRESS")
        _kill_job(scene)
        run = live.finish()
    assert_presentable(run)
    assert run.rc == 0, str(run)
    assert scene.status == "CREATE_COMPLETE"
