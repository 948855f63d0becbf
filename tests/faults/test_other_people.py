# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody else does to the stack meanwhile is not taken for what was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.cargohold.ecr.tests.support.fault_plan import Fault, Hold, Kind
from ansible_collections.cargohold.ecr.tests.support.live import LivePlaybook, jobs_of, wait_until
from ansible_collections.cargohold.ecr.tests.support.scene import STACK, Scene, assert_presentable, parameters, said
from ansible_collections.cargohold.ecr.tests.support.templates import TEMPLATE


def test_deleted_while_it_is_created(scene: Scene) -> None:
    """A stack that somebody deletes while it is created is no success."""
    scene.faulty.plan(Hold("CREATE"))
    with scene.start("deploy", iam_user="alice") as live:
        live.wait_for(f"{STACK}  CREATE_IN_PROGRESS")
        scene.somebody.delete_stack(StackName=STACK)
        run = live.finish()
    assert_presentable(run)
    assert run.rc == 2, str(run)
    assert f"The create of {STACK} ended with the stack deleted" in said(run)
    assert "is deployed" not in said(run)
    assert scene.status is None


def test_deleted_while_it_is_updated(scene: Scene) -> None:
    """A stack that somebody deletes slowly while it is updated is followed to its true end, which is no update."""
    scene.create()
    scene.faulty.plan(Hold("UPDATE"), Hold("DELETE", seconds=1.5))
    with scene.start("deploy", iam_user="bob") as live:
        live.wait_for(f"{STACK}  UPDATE_IN_PROGRESS")
        scene.somebody.delete_stack(StackName=STACK)
        run = live.finish()
    assert_presentable(run)
    assert run.rc == 2, str(run)
    assert "is deployed" not in said(run)
    assert "DELETE_COMPLETE" in said(run) or "stack deleted" in said(run)
    assert scene.status is None


def test_created_anew_under_the_same_name(scene: Scene) -> None:
    """A stack of the same name that somebody makes in the place of ours is not taken for ours."""
    scene.faulty.plan(Hold("CREATE"))
    with scene.start("deploy", iam_user="alice") as live:
        live.wait_for(f"{STACK}  CREATE_IN_PROGRESS")
        scene.faulty.plan()
        scene.somebody.delete_stack(StackName=STACK)
        wait_until(lambda: scene.status is None, lambda: f"gone, but {scene.status}")
        scene.somebody.create_stack(StackName=STACK, TemplateBody=TEMPLATE, Parameters=parameters("bob"))
        run = live.finish()
    assert_presentable(run)
    assert run.rc == 2, str(run)
    assert "is deployed" not in said(run)
    assert scene.principals == ["bob"]


@contextmanager
def hung_behind_an_update_of_somebody(scene: Scene, **extra_vars: str) -> Iterator[LivePlaybook]:
    """A deployment for bob whose request to update is on its way while an update for carol begins and goes on."""
    scene.create()
    scene.faulty.plan(Fault(Kind.HUNG, ("UpdateStack",)), Hold("UPDATE"))
    with scene.start("deploy", iam_user="bob", **extra_vars) as live:
        wait_until(lambda: bool(scene.faulty.calls("UpdateStack")), lambda: str(live.stdout))
        scene.somebody.update_stack(StackName=STACK, TemplateBody=TEMPLATE, Parameters=parameters("carol"))
        live.wait_for(f"{STACK}  UPDATE_IN_PROGRESS")
        yield live


def refuse(scene: Scene) -> None:
    """Let the request get to AWS, which refuses it, as the other update is going on."""
    scene.faulty.let_go()
    wait_until(
        lambda: all(call.status for call in scene.faulty.calls("UpdateStack")), lambda: "UpdateStack is answered"
    )


def test_updated_before_ours_could_begin(scene: Scene) -> None:
    """An update that AWS refused because of somebody else's is not told as done when that one is; the next run does it."""
    with hung_behind_an_update_of_somebody(scene) as live:
        refuse(scene)
        jobs = scene.runner.home / ".ansible_async"
        wait_until(lambda: all('"failed"' in job.read_text() for job in jobs.iterdir()), lambda: str(live.stdout))
        scene.faulty.release()
        run = live.finish()
    assert_presentable(run)
    assert run.rc == 2, str(run)
    assert "Somebody else began another operation" in said(run)
    assert "is deployed" not in said(run)
    assert scene.principals == ["carol"]
    scene.faulty.plan()
    again = scene.run("deploy", iam_user="bob")
    assert again.rc == 0, str(again)
    assert scene.principals == ["bob"]


def test_updated_before_a_slow_job_could_tell(scene: Scene) -> None:
    """The same, where theirs ends before our job tells that it was refused, and nobody reads the policy."""
    with hung_behind_an_update_of_somebody(scene, repository_verify="false") as live:
        for process in jobs_of(scene.runner.home):
            process.suspend()
        refuse(scene)
        scene.faulty.release()
        run = live.finish()
    assert_presentable(run)
    assert scene.principals == ["carol"]
    assert run.rc == 2, str(run)
    assert "is deployed" not in said(run)


def test_updated_right_after_ours(scene: Scene) -> None:
    """An update that somebody begins before ours was seen to end leaves its effect unknown, and that is said."""
    scene.create()
    scene.faulty.plan(Hold("UPDATE"))
    with scene.start("deploy", iam_user="bob") as live:
        live.wait_for("ECRRepository  AWS::ECR::Repository  UPDATE_IN_PROGRESS")
        scene.faulty.release()
        scene.somebody.update_stack(StackName=STACK, TemplateBody=TEMPLATE, Parameters=parameters("carol"))
        scene.faulty.release()
        run = live.finish()
    assert_presentable(run)
    assert run.rc == 2, str(run)
    assert "Somebody else began another operation" in said(run)
    assert "is deployed" not in said(run)
    assert scene.principals == ["carol"]


def test_deleted_by_somebody_during_our_teardown(scene: Scene) -> None:
    """A stack that somebody else deletes first is gone all the same, as was asked for."""
    stack_id = scene.create()
    scene.faulty.plan(Fault(Kind.HUNG, ("DeleteStack",)))
    with scene.start("teardown") as live:
        wait_until(lambda: bool(scene.faulty.calls("DeleteStack")), lambda: str(live.stdout))
        scene.cloud.client("cloudformation").delete_stack(StackName=STACK)
        wait_until(lambda: scene.status is None, lambda: f"gone, but {scene.status}")
        scene.faulty.plan()
        scene.faulty.release()
        run = live.finish()
    assert_presentable(run)
    assert run.rc == 0, str(run)
    assert f"{STACK} is gone" in said(run)
    deleted = scene.stack(stack_id)
    assert deleted is not None
    assert deleted["StackStatus"] == "DELETE_COMPLETE"
    assert scene.repositories == []
