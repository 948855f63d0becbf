# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Operations that fail: the root cause stands in the sentence, and what to do about it where that is known."""

from __future__ import annotations

import pytest

from ansible_collections.cargohold.ecr.tests.support.fault_plan import Fault, Hold, Kind, Reason
from ansible_collections.cargohold.ecr.tests.support.images import push_by_api
from ansible_collections.cargohold.ecr.tests.support.live import wait_until
from ansible_collections.cargohold.ecr.tests.support.scene import STACK, Scene, assert_presentable, said
from ansible_collections.cargohold.ecr.tests.support.templates import TEMPLATE

# MiniStack cannot make the repository of this template, and says something about Python.
BROKEN = TEMPLATE.replace("LifecyclePolicy: !If\n", "LifecyclePolicy: none\n      Ignored: !If\n")

# The second project fails after the repository was made, so that there is something to take back.
BROKEN_SECOND = TEMPLATE.replace(
    "\nOutputs:",
    """
  First:
    Type: AWS::CodeBuild::Project
    DependsOn: ECRRepository
    Properties: {Name: one}
  Second:
    Type: AWS::CodeBuild::Project
    DependsOn: First
    Properties: {Name: one}

Outputs:""",
)

# As AWS wraps what ECR says.
PRINCIPAL_NOT_FOUND = (
    "Resource handler returned message: \"Invalid parameter at 'PolicyText' failed to satisfy constraint: "
    "'Principal not found' (Service: Ecr, Status Code: 400, Request ID: 6e1b6a7e-0000-4000-8000-000000000000)\" "
    "(RequestToken: 6e1b6a7e-0000-4000-8000-000000000001, HandlerErrorCode: InvalidRequest)"
)

NOT_FOUND = (
    "ECRRepository (AWS::ECR::Repository) could not be created: "
    "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Principal not found'. "
    "A user or role that the policy names does not exist in the account"
)


def test_root_cause_of_a_create(scene: Scene) -> None:
    """A create that is rolled back is told with its cause first, without what AWS wraps around it."""
    template = scene.runner.home / "broken.yml"
    template.write_text(BROKEN)
    scene.faulty.plan(Hold("CREATE", looks=2), Reason("ECRRepository", PRINCIPAL_NOT_FOUND))
    run = scene.run("deploy", iam_user="alice", repository_template=str(template))
    assert run.rc == 2, str(run)
    assert f"The create of {STACK} was rolled back: {NOT_FOUND}" in said(run)
    assert "is deployed" not in said(run)
    assert scene.status == "ROLLBACK_COMPLETE"


def test_second_resource_fails_and_the_next_run_starts_over(scene: Scene) -> None:
    """The resource that failed is named rather than the one that was taken back; the dead stack gives way to a new one."""
    template = scene.runner.home / "broken.yml"
    template.write_text(BROKEN_SECOND)
    run = scene.run("deploy", iam_user="alice", repository_template=str(template))
    assert run.rc == 2, str(run)
    assert "was rolled back: Second (AWS::CodeBuild::Project) could not be created" in said(run)
    assert scene.status == "ROLLBACK_COMPLETE"
    again = scene.run("deploy", iam_user="alice")
    assert again.rc == 0, str(again)
    assert f"{STACK} is deployed" in said(again)
    assert scene.status == "CREATE_COMPLETE"
    assert scene.faulty.writes() == ["CreateStack", "DeleteStack", "CreateStack"]


@pytest.mark.parametrize("holds", [(), (Hold("DELETE", looks=2),)], ids=["at-once", "after-a-while"])
def test_delete_of_a_repository_that_is_no_longer_empty(holds: tuple[Hold, ...], scene: Scene) -> None:
    """An image that is pushed after it was made sure that there is none keeps the repository, and that is told."""
    scene.create()
    scene.faulty.plan(Fault(Kind.HUNG, ("DeleteStack",)))
    with scene.start("teardown") as live:
        wait_until(lambda: bool(scene.faulty.calls("DeleteStack")), lambda: str(live.stdout))
        push_by_api(scene.cloud.client("ecr"), STACK)
        scene.faulty.plan(*holds)
        scene.faulty.release()
        run = live.finish()
    assert_presentable(run)
    assert run.rc == 2, str(run)
    assert f"The delete of {STACK} failed: ECRRepository (AWS::ECR::Repository) could not be deleted" in said(run)
    assert "The repository still holds images: delete them" in said(run)
    assert "is gone" not in said(run)
    assert scene.status == "DELETE_FAILED"
    assert scene.repositories == [STACK]
