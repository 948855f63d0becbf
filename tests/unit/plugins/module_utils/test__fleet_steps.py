# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of AWS about one stack of a list, in which order, and what is told of it in the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError, Refused, Transient
from ansible_collections.cargohold.ecr.plugins.module_utils._fleet import TEMPLATE_TAG, Mark, read_entries
from ansible_collections.cargohold.ecr.plugins.module_utils._fleet_engine import Ask, Follow
from ansible_collections.cargohold.ecr.plugins.module_utils._fleet_steps import (
    Report,
    Surroundings,
    failed,
    not_begun,
    steps,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._identity import Caller
from ansible_collections.cargohold.ecr.plugins.module_utils._records import Stack
from ansible_collections.cargohold.ecr.plugins.module_utils._status import Operation, Status
from ansible_collections.cargohold.ecr.plugins.module_utils._template import read_template
from ansible_collections.cargohold.ecr.plugins.module_utils._watch import Outcome, Target, Watch
from ansible_collections.cargohold.ecr.tests.unit.support.fake_client import (
    ACCOUNT,
    DENIED,
    REGION,
    THROTTLED,
    FakeClient,
    client_error,
    resource,
    resources,
    stack_id,
)
from ansible_collections.cargohold.ecr.tests.unit.support.small_template import TEMPLATE

NAME = "app"
AT = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
PARAMETERS = {"IAMUserName": "alice", "EmptyOnDelete": "false"}
POLICY = {"Statement": []}

# The change sets that CloudFormation makes of an update.
GOOD = {"Status": "CREATE_COMPLETE", "Changes": []}
EMPTY = {"Status": "FAILED", "StatusReason": "The submitted information didn't contain changes."}
IMPOSSIBLE = {"Status": "FAILED", "StatusReason": "Template error."}

NO_REPOSITORY = client_error("RepositoryNotFoundException", "no such repository")
TAKEN = client_error("AlreadyExistsException", "exists already")

HOLDS_A_REPOSITORY = resources(resource("ECRRepository", PhysicalResourceId=NAME))


def deployed(status: Status = Status.CREATE_COMPLETE, **changes: Any) -> Stack:
    """The stack as a fleet's listing tells it, made from the template."""
    stack = Stack(
        name=NAME,
        stack_id=stack_id(NAME),
        status=status,
        created=AT,
        parameters=PARAMETERS,
        tags={TEMPLATE_TAG: str(Mark.of(read_template(TEMPLATE, "here"), AT))},
    )
    return replace(stack, **changes)


# As somebody else has updated it since.
CHANGED = {"parameters": {**PARAMETERS, "IAMUserName": "bob"}}


@dataclass
class Region:
    """A region of AWS, and the operations that are followed there.

    :param ends: how the operations end: each a status, or C(None) where no end is seen.
    """

    ends: tuple[Status | None, ...] = (Status.CREATE_COMPLETE,)
    cloudformation: Mapping[str, Any] = field(default_factory=dict)
    ecr: Mapping[str, Any] = field(default_factory=dict)
    repositories: frozenset[str] = frozenset()
    check_mode: bool = False
    deep: bool = False
    verify: bool = False
    followed: list[Target] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    called: list[str] = field(default_factory=list)
    requests: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def bring(self, stack: Stack | None, **options: Any) -> Report:
        """Bring the stack to where an entry with these options wants it; what is told of it, also where that failed."""
        defaults = {"state": "present", "template": "ecr.yml", "template_body": TEMPLATE, "timeout": 900}
        [entry] = read_entries([{"stack_name": NAME, "iam_user": "alice", **options}], defaults)
        answers: dict[str, Any] = {
            "create_stack": {"StackId": stack_id(NAME, "2")},
            "update_stack": {},
            "delete_stack": {},
            "continue_update_rollback": {},
            "create_change_set": {},
            "describe_change_set": GOOD,
            "delete_change_set": {},
            "execute_change_set": {},
            "list_stack_resources": HOLDS_A_REPOSITORY,
            "get_template": {"TemplateBody": TEMPLATE},
            "get_stack_policy": {},
            "set_stack_policy": {},
            "update_termination_protection": {},
            "describe_stack_resources": {"StackResources": []},
        }
        no_images = {"imageDetails": []}
        services = {
            "cloudformation": FakeClient(**{**answers, **self.cloudformation}),
            "ecr": FakeClient(**{"describe_repositories": NO_REPOSITORY, "describe_images": no_images, **self.ecr}),
        }
        around = Surroundings(
            clients=services.__getitem__,
            patient=services.__getitem__,
            caller=Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/deployer", REGION),
            parameters={NAME: entry.parameters("alice")},
            repositories=self.repositories,
            fleet=None,
            check_mode=self.check_mode,
            deep=self.deep,
            verify=self.verify,
            now=lambda: AT,
            warn=self.warnings.append,
            token=lambda: "token",
        )
        report = Report(NAME)
        try:
            return self._play(steps(entry, stack, around, report))
        except CargoholdError as problem:
            return failed(report, problem)
        finally:
            for client in services.values():
                self.called += client.called
                self.requests.update({call.operation: call.request for call in client.calls})

    def _play(self, one: Any) -> Report:
        """Do what the steps ask for, as the engine does, and end what they follow."""
        ends = list(self.ends)
        go_on: Callable[[], Ask | Follow] = lambda: next(one)  # noqa: E731 - it is replaced at each step
        while True:
            try:
                step = go_on()
            except StopIteration as ended:
                report: Report = ended.value
                return report
            if isinstance(step, Follow):
                self.followed.append(step.target)
                go_on = _sending(one, _watched(step.target, ends.pop(0)))
                continue
            try:
                go_on = _sending(one, step.do())
            except CargoholdError as problem:
                go_on = _throwing(one, problem)


def _sending(one: Any, value: Any) -> Callable[[], Ask | Follow]:
    return lambda: one.send(value)


def _throwing(one: Any, problem: CargoholdError) -> Callable[[], Ask | Follow]:
    return lambda: one.throw(problem)


def _watched(target: Target, end: Status | None) -> Watch:
    """The watch that following a stack to its end gives."""
    watch = Watch(target)
    if end is None:
        watch.stack, watch.outcome, watch.reason = deployed(Status.UPDATE_IN_PROGRESS), Outcome.TIMED_OUT, "Too slow."
        return watch
    watch.begin(0.0)
    watch.see(deployed(end, stack_id=target.name if target.name.startswith("arn:") else stack_id(NAME)), 0.0)
    watch.conclude(0.0)
    return watch


def told(report: Report) -> tuple[str, bool, str]:
    """What was done, whether that changed something, and what came of it."""
    return report.action, report.changed, report.outcome


# --- Present ----------------------------------------------------------------------------------------------------------


def test_created() -> None:
    """A stack that is not there is created, with what the entry says and the mark, and followed by its ID."""
    aws = Region()
    report = aws.bring(None, tags={"team": "x"})
    assert told(report) == ("create", True, "succeeded")
    request = aws.requests["create_stack"]
    assert request["StackName"] == NAME
    assert {each["ParameterKey"]: each["ParameterValue"] for each in request["Parameters"]}["IAMUserName"] == "alice"
    assert {each["Key"] for each in request["Tags"]} == {"team", TEMPLATE_TAG}
    assert aws.followed == [Target(stack_id(NAME, "2"), Operation.CREATE, None, aws.followed[0].parameters)]
    assert report.as_result(1.23456)["stack_id"] == stack_id(NAME, "2")
    assert report.after["parameters"] == PARAMETERS


def test_creation_that_fails() -> None:
    """A creation that was rolled back is no success, and its repository is not looked for."""
    aws = Region(ends=(Status.ROLLBACK_COMPLETE,), verify=True)
    report = aws.bring(None)
    assert told(report) == ("create", True, "failed")
    assert not report.is_good
    assert aws.called == ["create_stack"]


@pytest.mark.parametrize(
    ("holder", "words"),
    [
        pytest.param([], "belongs to no stack", id="nobody's"),
        pytest.param([{"StackName": "theirs"}], "belongs to the stack theirs", id="another stack's"),
    ],
)
def test_repository_that_is_there_already(holder: list[dict[str, str]], words: str) -> None:
    """Nothing is created where the repository's name is taken."""
    found = {"repositories": [_repository()]}
    aws = Region(
        repositories=frozenset({NAME}),
        cloudformation={"describe_stack_resources": {"StackResources": holder}},
        ecr={"describe_repositories": found},
    )
    report = aws.bring(None)
    assert told(report) == ("create", False, "refused")
    assert words in report.reason
    assert "create_stack" not in aws.called


def test_unchanged() -> None:
    """A stack that a listing tells to be as it is wanted costs no call at all."""
    aws = Region()
    assert told(aws.bring(deployed())) == ("nothing", False, "unchanged")
    assert aws.called == []


def test_updated_by_somebody_else_to_the_same() -> None:
    """Where the mark does not tell, the template is read, and what says the same is left alone."""
    aws = Region()
    report = aws.bring(deployed(updated=AT + timedelta(days=1)))
    assert told(report) == ("nothing", False, "unchanged")
    assert aws.called == ["get_template"]


def test_updated() -> None:
    """The very change set that was looked at is executed, once it is made."""
    made = [{"Status": "CREATE_IN_PROGRESS"}, GOOD]
    aws = Region(ends=(Status.UPDATE_COMPLETE,), cloudformation={"describe_change_set": made})
    report = aws.bring(deployed(**CHANGED))
    assert told(report) == ("update", True, "succeeded")
    assert aws.called == ["create_change_set", *["describe_change_set"] * 2, "execute_change_set"]
    assert aws.requests["execute_change_set"]["ChangeSetName"] == "cargohold-token"
    assert aws.followed[0].operation is Operation.UPDATE


def test_answer_of_the_change_set_got_lost() -> None:
    """A change set of the same name is the one that was asked for before."""
    aws = Region(ends=(Status.UPDATE_COMPLETE,), cloudformation={"create_change_set": TAKEN})
    assert told(aws.bring(deployed(**CHANGED))) == ("update", True, "succeeded")


def test_change_set_is_denied() -> None:
    """Without leave to make a change set there is no update."""
    aws = Region(cloudformation={"create_change_set": DENIED})
    assert told(aws.bring(deployed(**CHANGED))) == ("update", False, "failed")
    assert aws.called == ["create_change_set"]


def test_nothing_to_change_after_all() -> None:
    """What CloudFormation finds no difference in is unchanged, and the change set is taken away."""
    aws = Region(cloudformation={"describe_change_set": EMPTY})
    report = aws.bring(deployed(**CHANGED))
    assert told(report) == ("nothing", False, "unchanged")
    assert "finds nothing to change" in report.reason
    assert aws.called[-1] == "delete_change_set"


def test_impossible_update() -> None:
    """A change set that cannot be made is taken away, and its reason is told."""
    aws = Region(cloudformation={"describe_change_set": IMPOSSIBLE})
    report = aws.bring(deployed(**CHANGED))
    assert told(report) == ("update", False, "failed")
    assert "Template error." in report.reason
    assert aws.called[-1] == "delete_change_set"


def change(action: str, kind: str, replacement: str, name: str = "RepositoryName") -> dict[str, Any]:
    """A change of a resource, as a change set tells it."""
    target = {"Attribute": "Properties", "Name": name, "RequiresRecreation": "Always"}
    resource_change = {
        "LogicalResourceId": "ECRRepository" if kind.endswith("Repository") else "Queue",
        "PhysicalResourceId": NAME,
        "ResourceType": kind,
        "Action": action,
        "Replacement": replacement,
        "Details": [{"Target": target}],
    }
    return {"ResourceChange": resource_change}


REPOSITORY = "Type: AWS::ECR::Repository"
NAMED = TEMPLATE.replace(REPOSITORY, f"{REPOSITORY}, Properties: {{RepositoryName: other}}")


@pytest.mark.parametrize(
    ("changes", "live", "options", "outcome"),
    [
        pytest.param(change("Modify", "AWS::ECR::Repository", "True"), NAMED, {}, "refused", id="replaced"),
        pytest.param(
            change("Modify", "AWS::ECR::Repository", "True"), TEMPLATE, {}, "succeeded", id="comes to the same"
        ),
        pytest.param(
            change("Modify", "AWS::ECR::Repository", "True"),
            {"Resources": {"ECRRepository": {"Properties": {"RepositoryName": "other"}}}},
            {"allow_replacement": True},
            "succeeded",
            id="replaced, as is allowed",
        ),
        pytest.param(
            change("Remove", "AWS::SQS::Queue", "False"), TEMPLATE, {}, "refused", id="something else removed"
        ),
    ],
)
def test_losses(changes: dict[str, Any], live: Any, options: dict[str, Any], outcome: str) -> None:
    """An update that takes something away is refused and its change set taken away, unless that is allowed."""
    aws = Region(
        ends=(Status.UPDATE_COMPLETE,),
        cloudformation={
            "describe_change_set": {**GOOD, "Changes": [changes]},
            "get_template": {"TemplateBody": live},
        },
    )
    report = aws.bring(deployed(**CHANGED), **options)
    assert report.outcome == outcome
    assert ("execute_change_set" in aws.called) == (outcome == "succeeded")
    assert ("delete_change_set" in aws.called) == (outcome == "refused")


def test_waits_for_others() -> None:
    """An operation that is under way is followed to its end first, and then it is decided anew."""
    aws = Region(ends=(Status.UPDATE_COMPLETE,))
    report = aws.bring(deployed(Status.UPDATE_IN_PROGRESS))
    assert told(report) == ("nothing", False, "unchanged")
    assert aws.followed == [Target(stack_id(NAME))]


def test_waits_for_a_deletion() -> None:
    """A stack that somebody deletes is created again once it is gone."""
    aws = Region(ends=(Status.DELETE_COMPLETE, Status.CREATE_COMPLETE))
    assert told(aws.bring(deployed(Status.DELETE_IN_PROGRESS))) == ("create", True, "succeeded")


def test_others_do_not_come_to_an_end() -> None:
    """Where that end is not seen, nothing is begun."""
    aws = Region(ends=(None,))
    report = aws.bring(deployed(Status.UPDATE_IN_PROGRESS))
    assert told(report) == ("nothing", False, "timed_out")
    assert "already under way" in report.reason
    assert aws.called == []


def test_gives_way() -> None:
    """A stack that was never created gives way to a new one."""
    aws = Region(ends=(Status.DELETE_COMPLETE, Status.CREATE_COMPLETE))
    report = aws.bring(deployed(Status.ROLLBACK_COMPLETE))
    assert told(report) == ("recreate", True, "succeeded")
    assert [name for name in aws.called if name.endswith("_stack")] == ["delete_stack", "create_stack"]


def test_does_not_give_way_with_images() -> None:
    """What a failed creation left behind is weighed before it goes."""
    images = {"imageDetails": [{"imageSizeInBytes": 1, "imagePushedAt": AT}]}
    aws = Region(ecr={"describe_images": images})
    report = aws.bring(deployed(Status.CREATE_FAILED), delete_failed=True)
    assert told(report) == ("recreate", False, "refused")
    assert report.repositories[0]["images"]["count"] == 1
    assert "delete_stack" not in aws.called


def test_rollback_is_continued() -> None:
    """With leave to, a rollback that failed is continued, and then the update made."""
    aws = Region(ends=(Status.UPDATE_ROLLBACK_COMPLETE, Status.UPDATE_COMPLETE))
    report = aws.bring(deployed(Status.UPDATE_ROLLBACK_FAILED, **CHANGED), continue_rollback=True)
    assert report.changed
    assert report.action == "continue_rollback"
    assert aws.called[0] == "list_stack_resources"
    assert "continue_update_rollback" in aws.called
    assert aws.followed[0].operation is Operation.ROLLBACK


def test_rollback_fails_again() -> None:
    """Where the rollback fails again, that is the end."""
    aws = Region(ends=(Status.UPDATE_ROLLBACK_FAILED,))
    report = aws.bring(deployed(Status.UPDATE_ROLLBACK_FAILED), continue_rollback=True)
    assert (report.changed, report.outcome) == (True, "failed")


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        pytest.param(None, ("create", True, "planned"), id="to be created"),
        pytest.param(deployed(**CHANGED), ("update", True, "planned"), id="to be updated"),
        pytest.param(deployed(), ("nothing", False, "unchanged"), id="as it is wanted"),
        pytest.param(deployed(Status.UPDATE_IN_PROGRESS), ("nothing", False, "planned"), id="not known yet"),
    ],
)
def test_check_mode(stack: Stack | None, expected: tuple[str, bool, str]) -> None:
    """Check mode tells what would be done, and does nothing."""
    aws = Region(check_mode=True)
    assert told(aws.bring(stack)) == expected
    assert (aws.called, aws.followed) == ([], [])


# --- Protection, and what ECR tells -----------------------------------------------------------------------------------


def test_protected() -> None:
    """A stack that is unchanged but for its protection is protected, and that is a change."""
    aws = Region()
    report = aws.bring(deployed(), termination_protection=True, stack_policy=POLICY)
    assert told(report) == ("nothing", True, "succeeded")
    assert "is protected as it shall be" in report.reason
    # No listing tells a stack's policy, so that it is looked at only where a deep look is wanted.
    assert aws.called == ["update_termination_protection"]


@pytest.mark.parametrize(
    ("live", "called"),
    [
        pytest.param({}, ["get_stack_policy", "set_stack_policy"], id="without a policy"),
        pytest.param({"StackPolicyBody": json.dumps(POLICY)}, ["get_stack_policy"], id="with the same"),
    ],
)
def test_stack_policy(live: dict[str, str], called: list[str]) -> None:
    """A new stack gets its policy, unless it has it."""
    aws = Region(cloudformation={"get_stack_policy": live})
    assert aws.bring(None, stack_policy=POLICY).outcome == "succeeded"
    assert aws.called == ["create_stack", *called]


def _repository(**changes: Any) -> dict[str, Any]:
    told = {
        "repositoryName": NAME,
        "repositoryArn": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{NAME}",
        "registryId": ACCOUNT,
        "repositoryUri": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{NAME}",
        "createdAt": AT,
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": {"scanOnPush": False},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    }
    return {**told, **changes}


# A template that decides more, and its stack.
DECIDING = TEMPLATE.replace(
    "Resources:",
    """  ScanOnPush: {Type: String, Default: "true"}
  EncryptionType: {Type: String, Default: AES256}
Resources:""",
)
DECIDED = deployed(
    parameters={**PARAMETERS, "ScanOnPush": "true", "EncryptionType": "AES256"},
    tags={TEMPLATE_TAG: str(Mark.of(read_template(DECIDING, "here"), AT))},
)


def looked_at(*repositories: dict[str, Any] | Exception, **ecr: Any) -> Region:
    """A region whose repository looks like this, one look after the other."""
    looks = [{"repositories": [each]} if isinstance(each, dict) else each for each in repositories]
    return Region(
        deep=True,
        verify=True,
        ecr={"describe_repositories": looks, "put_image_scanning_configuration": {}, **ecr},
        cloudformation={"get_template": {"TemplateBody": DECIDING}},
    )


SCANS = _repository(imageScanningConfiguration={"scanOnPush": True})
ENCRYPTED = {"encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": "arn:key"}}


def test_verified() -> None:
    """A deep look compares what ECR tells, and finds a repository that is as its stack says."""
    assert told(looked_at(SCANS).bring(DECIDED, template_body=DECIDING)) == ("nothing", False, "unchanged")


def test_made_and_verified() -> None:
    """A new stack is a success once its repository was read back."""
    aws = looked_at(SCANS)
    aws.ends = (Status.CREATE_COMPLETE,)
    assert told(aws.bring(None, template_body=DECIDING)) == ("create", True, "succeeded")


def test_drifted() -> None:
    """A repository that somebody changed is told of, and left so."""
    report = looked_at(_repository()).bring(DECIDED, template_body=DECIDING)
    assert told(report) == ("nothing", False, "drifted")
    assert not report.is_good
    assert [each["what"] for each in report.differences] == ["scan_on_push"]
    assert report.reason == f"The scanning on push of {NAME} is False, and True was asked for."


def test_put_right() -> None:
    """With leave to, it is put right and read back."""
    aws = looked_at(_repository(), SCANS)
    report = aws.bring(DECIDED, template_body=DECIDING, repair_drift=True)
    assert told(report) == ("nothing", True, "succeeded")
    assert report.reason.startswith(f"{NAME} was put right: ")
    assert report.differences == []
    assert "put_image_scanning_configuration" in aws.called


def test_not_put_right() -> None:
    """What is still different afterwards is told, whatever ECR answered."""
    report = looked_at(_repository()).bring(DECIDED, template_body=DECIDING, repair_drift=True)
    assert told(report) == ("nothing", True, "drifted")
    assert report.differences


def test_beyond_repair() -> None:
    """What only a new repository can have is told, and nothing is said to have changed."""
    report = looked_at({**SCANS, **ENCRYPTED}).bring(DECIDED, template_body=DECIDING, repair_drift=True)
    assert told(report) == ("nothing", False, "drifted")
    assert [each["what"] for each in report.differences] == ["encryption"]
    assert "cannot be put right in place" in report.reason


def test_may_not_be_read() -> None:
    """A repository that may not be read is no reason to fail; a person is told that it was not verified."""
    aws = looked_at(DENIED)
    assert told(aws.bring(DECIDED, template_body=DECIDING)) == ("nothing", False, "unchanged")
    assert aws.warnings
    assert aws.warnings[0].endswith("So it was not verified.")


# --- Absent -----------------------------------------------------------------------------------------------------------

EMPTYING = {"parameters": {**PARAMETERS, "EmptyOnDelete": "true"}}
IMAGE = {"imageDetails": [{"imageSizeInBytes": 1, "imagePushedAt": AT}]}


def test_deleted() -> None:
    """An empty repository's stack is deleted by its ID, and the repository looked for."""
    aws = Region(ends=(Status.DELETE_COMPLETE,), verify=True)
    report = aws.bring(deployed(), state="absent")
    assert told(report) == ("delete", True, "succeeded")
    assert report.reason == f"{NAME} is gone."
    assert aws.called == ["list_stack_resources", "delete_stack", "describe_images", "describe_repositories"]
    assert aws.requests["delete_stack"]["StackName"] == stack_id(NAME)


def test_repository_stays_behind() -> None:
    """A repository that is still there although its stack is gone is no success."""
    aws = Region(
        ends=(Status.DELETE_COMPLETE,), verify=True, ecr={"describe_repositories": {"repositories": [_repository()]}}
    )
    report = aws.bring(deployed(), state="absent")
    assert told(report) == ("delete", True, "failed")
    assert "is still there" in report.reason


def test_deletion_fails() -> None:
    """A deletion that fails is told with its status."""
    aws = Region(ends=(Status.DELETE_FAILED,))
    report = aws.bring(deployed(), state="absent")
    assert told(report) == ("delete", True, "failed")
    assert report.as_result(0.0)["status"] == "DELETE_FAILED"


@pytest.mark.parametrize(
    "stack", [pytest.param(None, id="never there"), pytest.param(deployed(Status.DELETE_COMPLETE), id="deleted")]
)
def test_nothing_to_delete(stack: Stack | None) -> None:
    """Where there is no stack, that is what was wanted."""
    aws = Region()
    assert told(aws.bring(stack, state="absent")) == ("nothing", False, "unchanged")
    assert "delete_stack" not in aws.called


def test_somebody_deletes_it() -> None:
    """A deletion that is under way is followed to its end."""
    aws = Region(ends=(Status.DELETE_COMPLETE,))
    assert told(aws.bring(deployed(Status.DELETE_IN_PROGRESS), state="absent")) == ("nothing", False, "unchanged")
    assert aws.followed == [Target(stack_id(NAME))]


def test_holds_nothing() -> None:
    """A stack without a repository in it has no images that could stand against its end."""
    aws = Region(ends=(Status.DELETE_COMPLETE,), cloudformation={"list_stack_resources": resources()}, verify=True)
    assert told(aws.bring(deployed(Status.ROLLBACK_COMPLETE), state="absent")) == ("delete", True, "succeeded")
    assert aws.called == ["list_stack_resources", "delete_stack"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(IMAGE, "holds 1 image", id="images"),
        pytest.param(DENIED, "not known what the repository app holds", id="nobody may count them"),
    ],
)
def test_images_stand_against_it(answer: Any, words: str) -> None:
    """A repository that holds images, or may, is kept."""
    aws = Region(ecr={"describe_images": answer})
    report = aws.bring(deployed(), state="absent")
    assert told(report) == ("delete", False, "refused")
    assert words in report.reason
    assert "delete_stack" not in aws.called


def test_images_cannot_be_counted_now() -> None:
    """Where counting them failed for a reason that may pass, that is what is told, and not a refusal."""
    aws = Region(ecr={"describe_images": THROTTLED})
    report = aws.bring(deployed(), state="absent")
    assert told(report) == ("delete", False, "timed_out")


@pytest.mark.parametrize(
    ("stack", "template"),
    [
        pytest.param(deployed(), {"UsePreviousTemplate": True}, id="the deployed template takes it"),
        pytest.param(
            deployed(parameters={"IAMUserName": "alice"}),
            {"TemplateBody": TEMPLATE},
            id="the entry's template takes it",
        ),
    ],
)
def test_images_may_go(stack: Stack, template: dict[str, Any]) -> None:
    """With leave to, CloudFormation is first told to delete the images, and nothing else about the stack changes."""
    aws = Region(ends=(Status.UPDATE_COMPLETE, Status.DELETE_COMPLETE), ecr={"describe_images": IMAGE})
    report = aws.bring(replace(stack, tags={"team": "x", "aws:own": "y"}), state="absent", delete_images=True)
    assert told(report) == ("delete", True, "succeeded")
    request = aws.requests["update_stack"]
    assert {**request, **template} == request
    assert request["Tags"] == [{"Key": "team", "Value": "x"}]
    assert request["Parameters"] == [
        {"ParameterKey": "IAMUserName", "UsePreviousValue": True},
        {"ParameterKey": "EmptyOnDelete", "ParameterValue": "true"},
    ]


def test_images_may_go_and_cloudformation_knows() -> None:
    """A stack that deletes its images in any case needs no update."""
    aws = Region(ends=(Status.DELETE_COMPLETE,), ecr={"describe_images": IMAGE})
    assert told(aws.bring(deployed(**EMPTYING), state="absent", delete_images=True)) == ("delete", True, "succeeded")
    assert "update_stack" not in aws.called


def test_images_stay_where_the_update_fails() -> None:
    """Nothing is deleted where CloudFormation could not be told to delete the images."""
    aws = Region(ends=(Status.UPDATE_ROLLBACK_COMPLETE,), ecr={"describe_images": IMAGE})
    report = aws.bring(deployed(), state="absent", delete_images=True)
    assert told(report) == ("delete", True, "failed")
    assert "delete_stack" not in aws.called


def test_repository_is_retained() -> None:
    """A stack whose deletion failed goes without its repository, where that may stay."""
    aws = Region(ends=(Status.DELETE_COMPLETE,))
    report = aws.bring(deployed(Status.DELETE_FAILED), state="absent", retain=True)
    assert told(report) == ("delete", True, "succeeded")
    assert report.reason == f"{NAME} is gone; its repository stays."
    assert aws.requests["delete_stack"]["RetainResources"] == ["ECRRepository"]


@pytest.mark.parametrize(
    ("stack", "options", "outcome"),
    [
        pytest.param(deployed(), {}, "planned", id="to be deleted"),
        pytest.param(deployed(Status.DELETE_FAILED), {"retain": True}, "planned", id="to be retained"),
        pytest.param(deployed(Status.DELETE_IN_PROGRESS), {}, "planned", id="not known yet"),
        pytest.param(None, {}, "unchanged", id="gone"),
    ],
)
def test_check_mode_of_an_end(stack: Stack | None, options: dict[str, Any], outcome: str) -> None:
    """Check mode tells what would go, and deletes nothing."""
    aws = Region(check_mode=True, ecr={"describe_images": IMAGE})
    assert aws.bring(stack, state="absent", delete_images=True, **options).outcome == outcome
    assert set(aws.called) <= {"list_stack_resources", "describe_images"}
    assert aws.followed == []


# --- Failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "outcome"),
    [
        pytest.param(Refused("No."), "refused", id="refused"),
        pytest.param(Transient("Not now."), "timed_out", id="might have passed"),
        pytest.param(CargoholdError("Broken."), "failed", id="any other"),
        pytest.param(CargoholdError("Gone.", outcome="overtaken"), "overtaken", id="judged already"),
    ],
)
def test_failed(problem: CargoholdError, outcome: str) -> None:
    """A failure is told with the outcome that it stands for, its sentence, and what had been done by then."""
    report = failed(Report(NAME, changed=True), problem)
    assert told(report) == ("nothing", True, outcome)
    assert report.reason == problem.message
    assert not report.is_good


def test_not_begun() -> None:
    """A stack that was not begun is none that came to a good end."""
    report = not_begun(Report(NAME), "Too many failed.")
    assert told(report) == ("nothing", False, "not_started")
    assert not report.is_good


def test_without_a_template() -> None:
    """A stack cannot be made of nothing."""
    [entry] = read_entries(
        [{"stack_name": NAME, "iam_user": "alice", "state": "absent"}], {"state": "absent", "timeout": 900}
    )
    without = replace(entry, options={**entry.options, "state": "present"})
    around = Surroundings(
        clients=lambda _service: None,
        patient=lambda _service: None,
        caller=Caller(ACCOUNT, "arn:aws:iam::1:user/x", REGION),
        parameters={},
        repositories=None,
        fleet=None,
        check_mode=False,
        deep=False,
        verify=False,
        now=lambda: AT,
        warn=lambda _sentence: None,
    )
    with pytest.raises(Refused, match="There is no template to deploy"):
        next(steps(without, None, around, Report(NAME)))
