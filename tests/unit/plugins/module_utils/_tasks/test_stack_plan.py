# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan is made, or refused in a sentence, before anything is changed."""

from __future__ import annotations

import json
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
from ansible_collections.cargohold.ecr.tests.unit.support.small_template import TEMPLATE

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


def modify(replacement: str = "False", *details: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What a change set says of the repository that would be changed."""
    change = {
        "Action": "Modify",
        "LogicalResourceId": "ECRRepository",
        "PhysicalResourceId": NAME,
        "ResourceType": "AWS::ECR::Repository",
        "Replacement": replacement,
        "Details": [{"Target": detail} for detail in details],
        **more,
    }
    return {"Type": "Resource", "ResourceChange": change}


def change_set(*changes: dict[str, Any], status: str = "CREATE_COMPLETE", reason: str = "") -> dict[str, Any]:
    """A change set, as DescribeChangeSet tells it."""
    return {"Status": status, "StatusReason": reason, "Changes": list(changes)}


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
        "iam": {
            "get_user": {"User": {"UserName": "alice", "Path": "/team/", "Arn": ALICE}},
            "simulate_principal_policy": {"EvaluationResults": [{"EvalDecision": "allowed"}]},
        },
        "cloudformation": {
            "describe_stacks": no_stack(),
            "describe_stack_events": events(event("CREATE_IN_PROGRESS"), event("CREATE_COMPLETE", at=1)),
            "list_stack_resources": resources(resource()),
            "get_template": {"TemplateBody": TEMPLATE},
            "create_change_set": {},
            "describe_change_set": change_set(modify()),
            "delete_change_set": {},
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


# A stack of the tutorial's template.
OF_THE_TUTORIAL = {"Parameters": [{"ParameterKey": "IAMUserName", "ParameterValue": "alice"}]}


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
            deployed(**OF_THE_TUTORIAL),
            "Resources: {ECRRepository: {}}",
            "not made from a template .*parameter EmptyOnDelete",
            id="another template",
        ),
        pytest.param(deployed(**OF_THE_TUTORIAL), None, "parameter EmptyOnDelete", id="no template"),
        pytest.param(
            {**deployed(**OF_THE_TUTORIAL), "list_stack_resources": resources(resource(), BUCKET)},
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
    """Whatever is planned, AWS is only read, but for the change set that comes and goes."""
    asked = [
        task(),
        task(scripts={"cloudformation": deployed(**parameters("bob"))}),
        absent(delete_images=True, scripts={"cloudformation": deployed(), "ecr": {"describe_images": images(1)}}),
    ]
    for each in asked:
        run(each)
    called = [name for each in asked for name in each.called]
    reading = [name for name in called if name.split("_")[0] in ("describe", "get", "list", "simulate")]
    assert [name for name in called if name not in reading] == ["create_change_set", "delete_change_set"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (7, "7"), ("x", "x"), (["a", "b"], "a,b"), ("", "")],
)
def test_parameter_text(value: Any, text: str) -> None:
    """A parameter's value becomes the text that CloudFormation takes."""
    assert stack_plan._text(value) == text


# --- What would change -------------------------------------------------------------------------------------------------


def updating(*answers: dict[str, Any], **params: Any) -> FakeTask:
    """A task that finds bob where it wants alice, and so has an update to preview."""
    described = list(answers) or change_set(modify())
    return task(
        scripts={"cloudformation": {**deployed(**parameters("bob")), "describe_change_set": described}}, **params
    )


def requests(asked: FakeTask, operation: str) -> list[Any]:
    """What was asked of CloudFormation."""
    return [call.request for call in asked.services["cloudformation"].calls if call.operation == operation]


def test_changes_of_an_update() -> None:
    """What CloudFormation says of the update is told, and the change set is gone afterwards."""
    policy = {
        "Attribute": "Properties",
        "Name": "RepositoryPolicyText",
        "BeforeValue": "{bob}",
        "AfterValue": "{alice}",
        "RequiresRecreation": "Never",
    }
    asked = updating(change_set(status="CREATE_IN_PROGRESS"), change_set(modify("False", policy)))
    plan = run(asked)
    assert plan["summary"] == [
        "Modify ECRRepository (AWS::ECR::Repository) in place: RepositoryPolicyText {bob} → {alice}"
    ]
    assert plan["changes"][0]["properties"] == [
        {"name": "RepositoryPolicyText", "before": "{bob}", "after": "{alice}", "requires_recreation": "Never"}
    ]
    [made], [gone] = requests(asked, "create_change_set"), requests(asked, "delete_change_set")
    assert (made["ChangeSetName"], made["StackName"]) == (gone["ChangeSetName"], gone["StackName"])
    assert made["Parameters"] == [{"ParameterKey": "IAMUserName", "ParameterValue": "team/alice"}]
    assert requests(asked, "describe_change_set")[0]["IncludePropertyValues"] is True


def test_changes_of_a_new_stack() -> None:
    """For a new stack, what the template declares is told, and nothing is written."""
    asked = task()
    assert run(asked)["summary"] == ["Add ECRRepository (AWS::ECR::Repository)"]
    assert requests(asked, "create_change_set") == []


def test_an_empty_change_set() -> None:
    """An update that CloudFormation finds nothing to do for changes nothing."""
    empty = change_set(status="FAILED", reason="The submitted information didn't contain changes. Submit different …")
    assert run(updating(empty))["changes"] == []


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(
            change_set(status="FAILED", reason="Template error: …"), "cannot update .*Template error", id="failed"
        ),
        pytest.param(change_set(status="CREATE_IN_PROGRESS"), "took longer than 900 s", id="takes too long"),
    ],
)
def test_a_change_set_that_cannot_be_made(answer: dict[str, Any], says: str) -> None:
    """Where CloudFormation cannot say what would change, the plan fails, and leaves no change set behind."""
    asked = updating(answer)
    with pytest.raises(CargoholdError, match=says):
        run(asked)
    assert len(requests(asked, "delete_change_set")) == 1


def test_interrupted_while_the_change_set_is_made() -> None:
    """Ctrl-C in the very call that makes the change set leaves none behind."""

    class Interrupted(BaseException):
        """What the action plugin makes of the signal."""

    asked = updating()
    asked.services["cloudformation"]._scripts["create_change_set"] = [
        lambda **_request: (each for each in ()).throw(Interrupted)
    ]
    with pytest.raises(Interrupted):
        run(asked)
    assert len(requests(asked, "delete_change_set")) == 1


def test_a_change_set_that_stays_is_told() -> None:
    """A change set that cannot be deleted is named."""
    asked = updating()
    asked.services["cloudformation"]._scripts["delete_change_set"] = [DENIED]
    run(asked)
    assert re.search(r"delete the change set cargohold-plan-\w+.*left behind in payments-api", asked.warnings[0])


RENAMED = {
    "Attribute": "Properties",
    "Name": "RepositoryName",
    "BeforeValue": NAME,
    "AfterValue": "team/app",
    "RequiresRecreation": "Always",
}


@pytest.mark.parametrize(
    ("change", "answer", "says"),
    [
        pytest.param(
            modify("True", RENAMED),
            images(2),
            "would replace the repository payments-api: its RepositoryName payments-api → team/app cannot change in place. "
            "It holds 2 images",
            id="another name",
        ),
        pytest.param(modify("Conditional"), images(0), "It holds no images", id="perhaps"),
        pytest.param(
            modify("True", RENAMED), DENIED, "How many images it holds is not known", id="who knows what it holds"
        ),
        pytest.param(modify(Action="Remove"), images(1), "would remove the repository", id="removed"),
    ],
)
def test_the_gate(change: dict[str, Any], answer: Any, says: str) -> None:
    """A repository is not replaced or removed unasked, and it is said what is at stake."""
    asked = updating(change_set(change))
    asked.services["ecr"]._scripts["describe_images"] = [answer]
    with pytest.raises(Refused, match=re.escape(says)) as caught:
        run(asked)
    assert "allow_replacement: true" in caught.value.message
    assert caught.value.known["changes"][0]["logical_id"] == "ECRRepository"


@pytest.mark.parametrize(
    ("told", "replacement"),
    [
        pytest.param({**RENAMED, "AfterValue": NAME}, "False", id="a name that comes to the same"),
        pytest.param(RENAMED, "True", id="a new name"),
        pytest.param({**RENAMED, "BeforeValue": None, "AfterValue": None}, "False", id="a name in neither template"),
    ],
)
def test_a_replacement_is_weighed(told: dict[str, Any], replacement: str) -> None:
    """A change set counts a property that refers to a new parameter; what it comes to counts here."""
    plan = run(updating(change_set(modify("True", told)), allow_replacement=True))
    assert plan["changes"][0]["replacement"] == replacement


@pytest.mark.parametrize(("name", "replacement"), [(NAME, "False"), ("team/app", "True")])
def test_a_change_set_without_details(name: str, replacement: str) -> None:
    """Where only the resource before and after is told, its properties are compared."""
    before, after = (json.dumps({"Properties": {"RepositoryName": each, "Tags": [each]}}) for each in (NAME, name))
    told = modify("True", BeforeContext=before, AfterContext=after.replace("[", '["x", '))
    plan = run(updating(change_set(told), allow_replacement=True))
    assert plan["changes"][0]["replacement"] == replacement
    assert plan["changes"][0]["properties"][-1]["name"] == "Tags"


def test_a_replacement_that_is_allowed() -> None:
    """Whoever allows it gets it."""
    assert run(updating(change_set(modify("True", RENAMED)), allow_replacement=True))["action"] == "update"


def test_no_leave_to_preview() -> None:
    """Who may not make change sets cannot know what an update replaces: it is refused, or allowed on trust."""

    def asked(**params: Any) -> FakeTask:
        made = updating(**params)
        made.services["cloudformation"]._scripts["create_change_set"] = [DENIED]
        return made

    with pytest.raises(Refused, match="not known whether this update would replace"):
        run(asked())
    trusting = asked(allow_replacement=True)
    assert run(trusting)["action"] == "update"
    assert len(trusting.warnings) == 1


def test_diff() -> None:
    """The diff has the parameters and the template, before and after, and hides what NoEcho hides."""
    body = TEMPLATE.replace("Resources:", "  Secret: {Type: String, NoEcho: true, Default: hush}\nResources:")
    plan = run(updating(template_body=body, tags={"team": "payments"}))
    told = {each["after_header"]: (each["before"], each["after"]) for each in plan["diff"]}
    assert told["parameters"] == (
        "EmptyOnDelete: false\nIAMUserName: bob\n",
        "EmptyOnDelete: false\nIAMUserName: team/alice\nSecret: ****\n",
    )
    assert told["tags"] == ("", "team: payments\n")
    assert told["template"] == (TEMPLATE, body)


# --- What the stack is deployed with -----------------------------------------------------------------------------------


def test_wrong_account() -> None:
    """Credentials of another account are refused before anything else is asked."""
    asked = task(expected_account="210987654321")
    with pytest.raises(Refused, match=f"credentials of the account {ACCOUNT}, and 210987654321 is expected"):
        run(asked)
    assert asked.called == ["get_caller_identity"]


@pytest.mark.parametrize(
    ("live", "params", "action"),
    [
        pytest.param({}, {"tags": {"team": "a"}}, "update", id="tags"),
        pytest.param({"Tags": [{"Key": "team", "Value": "a"}]}, {"tags": {"team": "a"}}, "nothing", id="the same tags"),
        pytest.param({"Tags": [{"Key": "team", "Value": "a"}]}, {}, "nothing", id="tags that stay"),
        pytest.param({"Tags": [{"Key": "team", "Value": "a"}]}, {"tags": {}}, "update", id="no tags any more"),
        pytest.param({"NotificationARNs": ["arn:a"]}, {"notification_arns": []}, "update", id="no topics any more"),
        pytest.param({"RoleARN": "arn:a"}, {"role_arn": "arn:b"}, "update", id="another role"),
        pytest.param({"RoleARN": "arn:a"}, {"role_arn": "arn:a"}, "nothing", id="the same role"),
    ],
)
def test_settings_of_the_stack(live: dict[str, Any], params: dict[str, Any], action: str) -> None:
    """Tags, topics and the role count where they are given, and only there."""
    assert run(task(scripts={"cloudformation": deployed(**live)}, **params))["action"] == action


def test_everything_wrong_is_told_at_once() -> None:
    """Every mistake of the input is in the one message."""
    asked = task(writers=["bob"], kms_key="k", tags={"aws:x": "y"}, iam_user="al ice")
    with pytest.raises(Refused) as caught:
        run(asked)
    for part in ("'al ice'", "'bob', which is no principal", "encryption_type is AES256", "'aws:x' has a key"):
        assert part in caught.value.message
    assert asked.called == []


LOGIN = """
Parameters:
  LoginUsers: {Type: CommaDelimitedList}
  LoginRoles: {Type: CommaDelimitedList}
Resources:
  LoginUsersPolicy: {Type: AWS::IAM::Policy}
"""


def test_login_granted() -> None:
    """Users and roles of the account may log in, by a policy in the stack; those of other accounts are left to theirs."""
    body = TEMPLATE.replace("Resources:", "  Writers: {Type: CommaDelimitedList, Default: ''}\nResources:")
    roles = [f"arn:aws:iam::{ACCOUNT}:role/ci/pusher", "arn:aws:iam::210987654321:role/other"]
    asked = task(template_body=body, grant_login=True, login_template_body=LOGIN, writers=roles)
    plan = run(asked)
    assert plan["capabilities"] == ["CAPABILITY_IAM"]
    told = {name: plan["template_parameters"][name] for name in ("LoginUsers", "LoginRoles")}
    assert told == {"LoginUsers": "alice", "LoginRoles": "pusher"}
    assert set(stack_plan.read_template(plan["template_body"], "x").resources) == {"ECRRepository", "LoginUsersPolicy"}
    assert plan["may_log_in"] is None


def test_login_for_nobody() -> None:
    """To grant the login to nobody of this account is refused."""
    body = TEMPLATE.replace("Resources:", "  Writers: {Type: CommaDelimitedList, Default: ''}\nResources:")
    asked = task(
        iam_user=None, template_body=body, grant_login=True, login_template_body=LOGIN, writers=["210987654321"]
    )
    with pytest.raises(Refused, match="none of them may push or pull"):
        run(asked)


@pytest.mark.parametrize(
    ("answer", "may"),
    [
        ({"EvaluationResults": [{"EvalDecision": "allowed"}]}, True),
        ({"EvaluationResults": [{"EvalDecision": "implicitDeny"}]}, False),
        ({"EvaluationResults": []}, None),
        (DENIED, None),
    ],
)
def test_may_log_in(answer: Any, may: bool | None) -> None:
    """Whether the user may log in is told where it can be."""
    assert run(task(scripts={"iam": {"simulate_principal_policy": answer}}))["may_log_in"] is may


def drifting(policy: Any) -> FakeTask:
    """A task whose stack is as it shall be, and whose repository has this policy."""
    body = TEMPLATE.replace("Resources:", "  Writers: {Type: CommaDelimitedList, Default: ''}\nResources:")
    live = parameters()
    live["Parameters"].append({"ParameterKey": "Writers", "ParameterValue": ""})
    return task(
        template_body=body,
        scripts={
            "cloudformation": {**deployed(**live), "get_template": {"TemplateBody": body}},
            "ecr": {"describe_repositories": REPOSITORY, "get_repository_policy": policy},
        },
    )


def test_drift() -> None:
    """A policy that was changed in ECR is told, though the stack is as it shall be."""
    plan = run(drifting(client_error("RepositoryPolicyNotFoundException")))
    assert plan["action"] == "nothing"
    [difference] = plan["drift"]
    assert difference["what"] == "policy"
    assert re.search(f"Allow .*ecr:putimage.* to {ALICE} is missing", difference["message"])


def test_drift_that_may_not_be_read() -> None:
    """Without leave to read ECR, it is not known, which is said."""
    asked = drifting(DENIED)
    assert run(asked)["drift"] is None
    assert "not known whether somebody changed" in asked.warnings[0]
