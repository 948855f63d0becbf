# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan is made, or refused in a sentence, before anything is changed."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError, CredentialsRejected, Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._tasks import stack_plan
from ansible_collections.cargohold.ecr.plugins.module_utils._tasks.stack_plan import ARGUMENT_SPEC, run
from ansible_collections.cargohold.ecr.tests.unit.support.fake_client import (
    ACCOUNT,
    BROKEN,
    DENIED,
    NAME,
    FakeClient,
    client_error,
    event,
    events,
    no_stack,
    resource,
    resources,
    stack,
    stack_id,
    stacks,
    timeline,
)
from ansible_collections.cargohold.ecr.tests.unit.support.fake_task import FakeTask
from ansible_collections.cargohold.ecr.tests.unit.support.fake_time import FakeTime

TEMPLATE = """
Parameters:
  IAMUserName: {Type: String}
  EmptyOnDelete: {Type: String, Default: "false"}
Resources:
  ECRRepository: {Type: AWS::ECR::Repository}
"""
ALICE = f"arn:aws:iam::{ACCOUNT}:user/team/alice"
BUCKET = resource("Bucket", ResourceType="AWS::S3::Bucket")
NO_REPOSITORY = client_error("RepositoryNotFoundException", "no such repository")
REPOSITORY = {
    "repositories": [
        {"repositoryName": NAME, "repositoryArn": "arn:x", "repositoryUri": f"x/{NAME}", "registryId": ACCOUNT}
    ]
}


def parameters(user: str = "team/alice", empty: str = "false") -> dict[str, Any]:
    """A deployed stack's parameters."""
    values = {"IAMUserName": user, "EmptyOnDelete": empty}
    return {"Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]}


def images(count: int, size: int = 1024**2, age: timedelta = timedelta(hours=3)) -> dict[str, Any]:
    """So many images, the newest of them of such an age."""
    pushed = datetime.now(timezone.utc) - age
    return {"imageDetails": [{"imageSizeInBytes": size, "imagePushedAt": pushed}] * count}


def task(
    fake_time: FakeTime | None = None,
    *,
    check_mode: bool = False,
    scripts: dict[str, dict[str, Any]] | None = None,
    **params: Any,
) -> FakeTask:
    """A task for alice in an account where there is nothing yet, unless told otherwise.

    :param scripts: by service, what is answered differently.
    """
    usual: dict[str, dict[str, Any]] = {
        "sts": {"get_caller_identity": {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/deployer"}},
        "iam": {"get_user": {"User": {"UserName": "alice", "Path": "/team/", "Arn": ALICE}}},
        "cloudformation": {
            "describe_stacks": no_stack(),
            "describe_stack_events": events(event("CREATE_IN_PROGRESS"), event("CREATE_COMPLETE", at=1)),
            "list_stack_resources": resources(resource()),
            "get_template": {"TemplateBody": TEMPLATE},
        },
        "ecr": {"describe_repositories": NO_REPOSITORY, "describe_images": images(0)},
    }
    time = fake_time or FakeTime()
    services = {
        name: FakeClient(time, **{**answers, **(scripts or {}).get(name, {})}) for name, answers in usual.items()
    }
    given = {"stack_name": NAME, "iam_user": "alice", "template_body": TEMPLATE, **params}
    return FakeTask(ARGUMENT_SPEC, services, fake_time=time, check_mode=check_mode, **given)


def deployed(status: str = "CREATE_COMPLETE", **more: Any) -> dict[str, Any]:
    """CloudFormation with the stack in a status."""
    return {"describe_stacks": stacks(stack(status, **{**parameters(), **more}))}


def absent(*args: Any, **params: Any) -> FakeTask:
    """A task to remove the stack."""
    return task(*args, **{"state": "absent", "iam_user": None, **params})


# --- Before AWS is asked -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "says"),
    [
        pytest.param({"stack_name": "My-Repo"}, "'My-Repo' cannot name the repository", id="stack name"),
        pytest.param({"stack_name": "", "state": "absent"}, "stack name is empty", id="stack name to remove"),
        pytest.param({"iam_user": "al ice"}, "'al ice' is not one that IAM takes", id="user name"),
        pytest.param({"timeout": 0}, "timeout is 0, and must be", id="no time"),
        pytest.param({"timeout": -5}, "timeout is -5, and must be", id="negative time"),
        pytest.param({"template_body": ""}, "no template to deploy", id="no template"),
        pytest.param({"template_body": "x: [", "template": "my.yml"}, "my.yml is not YAML", id="broken template"),
        pytest.param({"template_body": "#" * 51_201}, "in template_body has 51,201 bytes", id="long template"),
        pytest.param(
            {"template_parameters": {"B": 1, "A": 2}},
            "no parameter A, B: it has IAMUserName, EmptyOnDelete",
            id="unknown parameters",
        ),
        pytest.param(
            {"template_body": "Resources: {A: {}}"},
            "no parameter IAMUserName: it has none",
            id="a template without the user",
        ),
    ],
)
def test_bad_input(params: dict[str, Any], says: str) -> None:
    """Bad input is refused in a sentence, and AWS is not asked."""
    asked = task(**params)
    with pytest.raises(Refused, match=says):
        run(asked)
    assert asked.called == []


def test_bad_credentials() -> None:
    """Credentials that AWS does not take are told before anything else is asked."""
    asked = task(scripts={"sts": {"get_caller_identity": client_error("InvalidClientTokenId", status=403)}})
    with pytest.raises(CredentialsRejected, match="does not take the credentials"):
        run(asked)
    assert asked.called == ["get_caller_identity"]


# --- The user ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["alice", "team/alice", "/team/alice"])
def test_user_found(given: str) -> None:
    """The user's path is found out, and goes into the parameter and the principal."""
    plan = run(task(iam_user=given))
    assert (plan["principal"], plan["principal_found"], plan["template_parameters"]) == (
        ALICE,
        True,
        {"IAMUserName": "team/alice"},
    )


@pytest.mark.parametrize(
    ("user", "answer", "says"),
    [
        pytest.param(
            "alcie",
            client_error("NoSuchEntity", status=404),
            f"'alcie' does not exist in the account {ACCOUNT}",
            id="no such user",
        ),
        pytest.param(
            "other/alice",
            None,
            "has the path /team/, not /other/: write 'team/alice', or just 'alice'",
            id="another path",
        ),
    ],
)
def test_user_refused(user: str, answer: Any, says: str) -> None:
    """A user who is not there is refused, naming the account, before CloudFormation is asked."""
    asked = task(iam_user=user, scripts={"iam": {"get_user": answer}} if answer else None)
    with pytest.raises(Refused, match=re.escape(says)):
        run(asked)
    assert asked.services["cloudformation"].calls == []


@pytest.mark.parametrize(
    ("given", "arn"),
    [("alice", f"arn:aws:iam::{ACCOUNT}:user/alice"), ("/ops/alice", f"arn:aws:iam::{ACCOUNT}:user/ops/alice")],
)
def test_user_not_to_be_looked_up(given: str, arn: str) -> None:
    """Who may not look the user up is warned, and the user is taken as given."""
    asked = task(iam_user=given, scripts={"iam": {"get_user": DENIED}})
    plan = run(asked)
    assert (plan["principal"], plan["principal_found"]) == (arn, False)
    assert plan["template_parameters"] == {"IAMUserName": given.lstrip("/")}
    assert [re.search("on trust", warning) is not None for warning in asked.warnings] == [True]


# --- Present -----------------------------------------------------------------------------------------------------------


def test_create() -> None:
    """Where there is nothing, the stack is created, and the plan says where and by whom."""
    plan = run(task())
    expected = {
        "action": "create",
        "account": ACCOUNT,
        "region": "eu-west-1",
        "partition": "aws",
        "caller_arn": f"arn:aws:iam::{ACCOUNT}:user/deployer",
        "stack": {},
        "template_body": TEMPLATE,
        "changed": False,
    }
    assert {name: plan[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("cloudformation", "params", "action"),
    [
        pytest.param({}, {}, "nothing", id="as it is"),
        pytest.param(
            {}, {"template_parameters": {"EmptyOnDelete": False}}, "nothing", id="a boolean that says the same"
        ),
        pytest.param({}, {"template_parameters": {"EmptyOnDelete": True}}, "update", id="another parameter"),
        pytest.param(parameters(user="bob"), {}, "update", id="another user"),
        pytest.param({}, {"template_body": TEMPLATE + "Description: new\n"}, "update", id="another template"),
        pytest.param(
            {}, {"template_body": TEMPLATE + "Transform: X\n"}, "update", id="a template that may mean something new"
        ),
    ],
)
def test_unchanged_or_not(cloudformation: dict[str, Any], params: dict[str, Any], action: str) -> None:
    """Nothing is planned where template and parameters say what is deployed, and only there."""
    body = (
        {"get_template": {"TemplateBody": params.get("template_body", TEMPLATE)}} if "Transform" in str(params) else {}
    )
    asked = task(scripts={"cloudformation": {**deployed(**cloudformation), **body}}, **params)
    assert run(asked)["action"] == action


@pytest.mark.parametrize(("check_mode", "changed"), [(True, True), (False, False)])
def test_check_mode_tells_of_a_change(check_mode: bool, changed: bool) -> None:
    """Planning changes nothing; in check mode it says whether a run would."""
    assert run(task(check_mode=check_mode))["changed"] is changed


def test_topics_are_kept() -> None:
    """The topics of the stack are told, so that an update does not remove them (defect I)."""
    asked = task(scripts={"cloudformation": deployed(NotificationARNs=["arn:topic"])})
    assert run(asked)["notification_arns"] == ["arn:topic"]


def test_removal_refused() -> None:
    """A template that would remove something from the stack is refused."""
    asked = task(
        scripts={
            "cloudformation": {**deployed(**parameters("bob")), "list_stack_resources": resources(resource(), BUCKET)}
        }
    )
    with pytest.raises(Refused, match=r"would remove Bucket \(AWS::S3::Bucket\).*another stack name"):
        run(asked)


@pytest.mark.parametrize(
    ("holder", "says"),
    [
        pytest.param(
            {"StackResources": [resource(StackName="other")]}, "belongs to the stack other", id="another stack's"
        ),
        pytest.param(no_stack("x"), "belongs to no stack", id="nobody's"),
    ],
)
def test_repository_taken(holder: Any, says: str) -> None:
    """A repository of that name that the stack could not create is refused, saying where it is and whose."""
    scripts = {"ecr": {"describe_repositories": REPOSITORY}, "cloudformation": {"describe_stack_resources": holder}}
    with pytest.raises(Refused, match=f"{NAME} exists already in {ACCOUNT}/eu-west-1 and {says}"):
        run(task(scripts=scripts))


def test_repository_not_to_be_looked_up() -> None:
    """Who may not read ECR is warned that a repository may be there, and goes on."""
    asked = task(scripts={"ecr": {"describe_repositories": DENIED}})
    assert run(asked)["action"] == "create"
    assert len(asked.warnings) == 1


def test_recreate_counts_images_first() -> None:
    """A stack that failed and holds a repository with images does not give way to a new one unasked."""
    asked = task(
        delete_failed=True, scripts={"cloudformation": deployed("CREATE_FAILED"), "ecr": {"describe_images": images(2)}}
    )
    with pytest.raises(Refused, match="holds 2 images"):
        run(asked)


def test_failure_carries_what_is_known() -> None:
    """A refusal's result has what was found out by then."""
    with pytest.raises(Refused) as caught:
        run(task(scripts={"cloudformation": deployed("DELETE_FAILED")}))
    known = caught.value.known
    assert (known["account"], known["stack"]["status"], known["principal"]) == (ACCOUNT, "DELETE_FAILED", ALICE)


# --- Somebody else's operation -----------------------------------------------------------------------------------------


def busy(fake_time: FakeTime, until: float, then: Any) -> dict[str, Any]:
    """CloudFormation with a stack that is being updated until then."""
    moving = stacks(stack("UPDATE_IN_PROGRESS", **parameters()))
    return {
        "describe_stacks": timeline(fake_time, (0, moving), (until, then)),
        "describe_stack_events": events(event("UPDATE_IN_PROGRESS")),
    }


@pytest.mark.parametrize(
    ("then", "action"),
    [
        pytest.param(stacks(stack("UPDATE_COMPLETE", **parameters())), "nothing", id="it did what is wanted"),
        pytest.param(stacks(stack("UPDATE_COMPLETE", **parameters("bob"))), "update", id="it did something else"),
        pytest.param(stacks(stack("ROLLBACK_COMPLETE", **parameters())), "recreate", id="it failed"),
        pytest.param(
            lambda StackName: stacks(stack("DELETE_COMPLETE")) if StackName == stack_id() else no_stack(),
            "create",
            id="it was a delete",
        ),
    ],
)
def test_waits_and_decides_again(fake_time: FakeTime, then: Any, action: str) -> None:
    """An operation that is under way is waited for, and what it left decides."""
    asked = task(fake_time, scripts={"cloudformation": busy(fake_time, 20, then)})
    assert run(asked)["action"] == action


def test_waits_no_longer_than_allowed(fake_time: FakeTime) -> None:
    """An operation that takes longer than the time is in the way, and is told."""
    asked = task(fake_time, timeout=60, scripts={"cloudformation": busy(fake_time, 999, no_stack())})
    with pytest.raises(CargoholdError, match="in the way: payments-api is still UPDATE_IN_PROGRESS after 60 s"):
        run(asked)
    assert fake_time.elapsed == 60


def test_does_not_wait_in_check_mode(fake_time: FakeTime) -> None:
    """Check mode says that there is something to wait for, and waits for nothing."""
    asked = task(fake_time, check_mode=True, scripts={"cloudformation": busy(fake_time, 20, no_stack())})
    plan = run(asked)
    assert (plan["action"], plan["changed"], fake_time.elapsed) == ("wait", False, 0)


# --- Absent ------------------------------------------------------------------------------------------------------------


def test_absent_already() -> None:
    """Where there is no stack, nothing is done, and no image counted."""
    asked = absent()
    assert run(asked)["action"] == "nothing"
    assert asked.services["ecr"].calls == []


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(
            images(1),
            r"holds 1 image of 1\.00 MB in all, the newest pushed 3 hours ago, so it is not deleted",
            id="one",
        ),
        pytest.param(
            images(3, 512, timedelta(days=1)), r"3 images of 1\.50 KB in all, the newest pushed 1 day ago", id="three"
        ),
        pytest.param(
            # Made when it is asked for: the other ages may grow by minutes until then.
            lambda **_request: images(1, 5, timedelta(seconds=5)),
            r"of 5\.00 Bytes in all, the newest pushed less than a minute ago",
            id="new",
        ),
        pytest.param({"imageDetails": [{}]}, r"holds 1 image of 0\.00 Bytes in all, so", id="of an unknown age"),
        pytest.param(
            DENIED,
            "not known what the repository payments-api holds, it is not deleted.*delete_images: true",
            id="denied",
        ),
        pytest.param(BROKEN, "not known what the repository payments-api holds", id="broken"),
    ],
)
def test_images_refused(answer: Any, says: str) -> None:
    """A repository with images in it, or with who knows how many, is not deleted unasked."""
    with pytest.raises(Refused, match=says):
        run(absent(scripts={"cloudformation": deployed(), "ecr": {"describe_images": answer}}))


@pytest.mark.parametrize(
    ("answer", "known"),
    [
        pytest.param(
            images(0),
            [{"name": NAME, "images": {"count": 0, "bytes": 0, "last_pushed": None, "last_pulled": None}}],
            id="empty",
        ),
        pytest.param(NO_REPOSITORY, [], id="no longer there"),
    ],
)
def test_delete(answer: Any, known: list[Any]) -> None:
    """A repository without images is deleted as it is."""
    plan = run(absent(scripts={"cloudformation": deployed(), "ecr": {"describe_images": answer}}))
    assert (plan["action"], plan["repositories"], plan["empties_first"]) == ("delete", known, False)


@pytest.mark.parametrize(
    ("cloudformation", "answer", "empties_first"),
    [
        pytest.param({}, images(1), True, id="images"),
        pytest.param({}, DENIED, True, id="who knows"),
        pytest.param({}, images(0), False, id="no images"),
        pytest.param(parameters(empty="true"), images(1), False, id="already told to"),
    ],
)
def test_emptying_planned(cloudformation: dict[str, Any], answer: Any, empties_first: bool) -> None:
    """Where images may go, the stack is told so before it is deleted, unless it knows or there are none."""
    asked = absent(
        delete_images=True, scripts={"cloudformation": deployed(**cloudformation), "ecr": {"describe_images": answer}}
    )
    plan = run(asked)
    emptying = {"IAMUserName": {"use_previous_value": True}, "EmptyOnDelete": "true"}
    assert (plan["empties_first"], plan["template_parameters"]) == (empties_first, emptying if empties_first else {})


@pytest.mark.parametrize(
    ("cloudformation", "body", "says"),
    [
        pytest.param(
            deployed("DELETE_FAILED"),
            TEMPLATE,
            "is DELETE_FAILED, so it cannot be told",
            id="a stack that cannot be updated",
        ),
        pytest.param(
            deployed(),
            "Resources: {ECRRepository: {}}",
            "not made from a template .*parameter EmptyOnDelete",
            id="another template",
        ),
        pytest.param(deployed(), None, "parameter EmptyOnDelete", id="no template"),
        pytest.param(
            {**deployed(), "list_stack_resources": resources(resource(), BUCKET)},
            TEMPLATE,
            "parameter EmptyOnDelete",
            id="somebody else's stack",
        ),
    ],
)
def test_emptying_refused(cloudformation: dict[str, Any], body: str | None, says: str) -> None:
    """A stack that cannot be told to delete the images is left alone, and it is said what to do instead."""
    asked = absent(
        delete_images=True,
        template_body=body,
        scripts={"cloudformation": cloudformation, "ecr": {"describe_images": images(1)}},
    )
    with pytest.raises(Refused, match=f"{says}.*delete the images yourself"):
        run(asked)


def test_retain() -> None:
    """A repository that keeps its stack from being deleted may be retained, with its images."""
    asked = absent(
        retain=True, scripts={"cloudformation": deployed("DELETE_FAILED"), "ecr": {"describe_images": images(9)}}
    )
    plan = run(asked)
    assert (plan["action"], plan["retained"], plan["stack"]["stack_id"]) == ("delete", ["ECRRepository"], stack_id())


def test_nothing_is_written() -> None:
    """Whatever is planned, AWS is only read."""
    asked = [
        task(),
        task(scripts={"cloudformation": deployed(**parameters("bob"))}),
        absent(delete_images=True, scripts={"cloudformation": deployed(), "ecr": {"describe_images": images(1)}}),
    ]
    for each in asked:
        run(each)
    assert {name.split("_")[0] for each in asked for name in each.called} == {"describe", "get", "list"}


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (7, "7"), ("x", "x"), (["a", "b"], "a,b"), ("", "")],
)
def test_parameter_text(value: Any, text: str) -> None:
    """A parameter's value becomes the text that CloudFormation takes."""
    assert stack_plan._text(value) == text
