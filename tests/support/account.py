# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An AWS account as it is, whatever a playbook says of it; and what a playbook has to say at its end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any

from botocore.exceptions import ClientError

from ansible_collections.cargohold.ecr.tests.support.live import wait_until
from ansible_collections.cargohold.ecr.tests.support.ministack import MiniStack
from ansible_collections.cargohold.ecr.tests.support.playbook import Run, recap_of
from ansible_collections.cargohold.ecr.tests.support.scene import BLUNDERS, said
from ansible_collections.cargohold.ecr.tests.support.stand_in import ACCOUNT, HOST, SECONDS_TO_ANSWER
from ansible_collections.cargohold.ecr.tests.support.templates import TEMPLATE

# What the playbooks call it where nobody gives it a name.
STACK = "ecr-repository"

# What pushing and pulling takes.
ACTIONS = frozenset(
    {
        "ecr:GetDownloadUrlForLayer",
        "ecr:BatchGetImage",
        "ecr:BatchCheckLayerAvailability",
        "ecr:PutImage",
        "ecr:InitiateLayerUpload",
        "ecr:UploadLayerPart",
        "ecr:CompleteLayerUpload",
    }
)

READING = ("Describe", "Get", "List", "BatchGet", "BatchCheck", "Validate", "Simulate")

# What an update would change is looked up with a change set that comes and goes.
PREVIEWING = ["CreateChangeSet", "DeleteChangeSet"]

# MiniStack's CloudTrail tells of no more at once, and has no second page.
MOST_EVENTS = 50

# The services whose calls are looked at.
EVENT_SOURCES = ("cloudformation.amazonaws.com", "ecr.amazonaws.com", "iam.amazonaws.com")


@dataclass(frozen=True)
class Account:
    """An account of MiniStack, seen by its root user and past all playbooks."""

    cloud: MiniStack

    def client(self, service: str) -> Any:
        """A boto3 client of the root user."""
        return self.cloud.client(service)

    def user(self, name: str, path: str = "/") -> str:
        """Create an IAM user; its ARN."""
        return str(self.client("iam").create_user(UserName=name, Path=path)["User"]["Arn"])

    def credentials(self, user: str, *allowed: str) -> dict[str, str]:
        """Make a user's access key, as a client takes it.

        :param allowed: what the user may do from now on, such as V(cloudformation:*).
        """
        iam = self.client("iam")
        if allowed:
            statement = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            iam.put_user_policy(UserName=user, PolicyName="allowed", PolicyDocument=policy)
        key = iam.create_access_key(UserName=user)["AccessKey"]
        return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}

    def create(
        self,
        template: str = TEMPLATE,
        *,
        name: str = STACK,
        user: str | None = "alice",
        wait: bool = True,
        **options: Any,
    ) -> str:
        """Create a stack; its ID.

        :param user: the parameter IAMUserName; C(None) for a template that has none.
        :param wait: until its creation ended, however it ended.
        :param options: further ones of CreateStack.
        """
        stack_id = self.client("cloudformation").create_stack(
            StackName=name, TemplateBody=template, Parameters=parameters(user), **options
        )["StackId"]
        if wait:
            self.settle(stack_id)
        return str(stack_id)

    def create_shell(self) -> str:
        """Leave what a change set leaves that was to create the stack and was not executed; the stack's ID."""
        return str(
            self.client("cloudformation").create_change_set(
                StackName=STACK,
                ChangeSetName="never-executed",
                ChangeSetType="CREATE",
                TemplateBody=TEMPLATE,
                Parameters=parameters("alice"),
            )["StackId"]
        )

    def update(self, template: str = TEMPLATE, *, user: str = "alice", wait: bool = True) -> None:
        """Update the stack, as somebody else would."""
        self.client("cloudformation").update_stack(StackName=STACK, TemplateBody=template, Parameters=parameters(user))
        if wait:
            self.settle()

    def delete(self) -> None:
        """Try to delete the stack, and have that ended."""
        stack_id = self.stack()["StackId"]
        self.client("cloudformation").delete_stack(StackName=stack_id)
        self.settle(stack_id)

    def settle(self, name_or_id: str = STACK) -> None:
        """Wait until nothing is being done with a stack any more."""
        wait_until(
            lambda: not str(self.status(name_or_id)).endswith("_IN_PROGRESS"), lambda: f"{name_or_id} comes to an end"
        )

    def end_slow(self, status: str) -> None:
        """End what was slow, with V(SUCCESS) or V(FAILURE)."""
        self.client("cloudformation").signal_resource(
            StackName=STACK, LogicalResourceId="Slow", UniqueId="1", Status=status
        )

    def stack(self, name_or_id: str = STACK) -> dict[str, Any]:
        """A stack. A deleted one is there by its ID only; empty where there is none."""
        try:
            stack: dict[str, Any] = self.client("cloudformation").describe_stacks(StackName=name_or_id)["Stacks"][0]
        except ClientError as problem:
            if "does not exist" in str(problem):
                return {}
            raise
        return stack

    def status(self, name_or_id: str = STACK) -> str | None:
        """A stack's status; C(None) where there is no stack."""
        status: str | None = self.stack(name_or_id).get("StackStatus")
        return status

    @property
    def repositories(self) -> list[str]:
        """The names of all repositories."""
        found = self.client("ecr").describe_repositories()["repositories"]
        return [each["repositoryName"] for each in found]

    def tags(self, repository: str = STACK) -> list[str]:
        """The tags of the images in a repository."""
        images = self.client("ecr").describe_images(repositoryName=repository)["imageDetails"]
        return [tag for image in images for tag in image["imageTags"]]

    def granted(self, repository: str = STACK) -> dict[str, frozenset[str]]:
        """Who may do what by a repository's policy: the ARN of each principal, and the actions."""
        policy = json.loads(self.client("ecr").get_repository_policy(repositoryName=repository)["policyText"])
        return {each["Principal"]["AWS"]: frozenset(each["Action"]) for each in policy["Statement"]}

    @contextmanager
    def recorded(self) -> Iterator[list[dict[str, Any]]]:
        """Write down what CloudFormation, ECR and IAM are asked for in the block; filled at its end, oldest first.

        Each call is its parameters, and its name as C(Action).
        """
        self._record()
        # Another test may have let calls be recorded before, so that there are any number of them.
        before = {event["EventId"] for source in EVENT_SOURCES for event in self._events(source)}
        calls: list[dict[str, Any]] = []
        yield calls
        new: list[dict[str, Any]] = []
        for source in EVENT_SOURCES:
            found = [event for event in self._events(source) if event["EventId"] not in before]
            assert len(found) < MOST_EVENTS, "more calls than CloudTrail tells of"
            new += found
        calls += map(_call, sorted(new, key=lambda event: event["EventTime"]))

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """Claim that nothing in the block asks CloudFormation, ECR or IAM for a change, not even in vain; a preview may be made."""
        with self.recorded() as calls:
            yield
        asked = [call["Action"] for call in calls if not call["Action"].startswith(READING)]
        assert asked in ([], PREVIEWING), f"AWS was asked for {', '.join(asked)}"

    def _record(self) -> None:
        """Have MiniStack write down every call from now on, as CloudTrail does."""
        connection = HTTPConnection(HOST, self.cloud.port, timeout=SECONDS_TO_ANSWER)
        with closing(connection):
            said = json.dumps({"cloudtrail._recording_enabled": "true"})
            connection.request("POST", "/_ministack/config", said, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            if answer.status != 200:
                raise HTTPException(f"MiniStack cannot record calls: {answer.status} {answer.reason}")

    def _events(self, source: str) -> list[dict[str, Any]]:
        """The newest calls of a service since they are recorded, as CloudTrail tells them."""
        attributes = [{"AttributeKey": "EventSource", "AttributeValue": source}]
        found: list[dict[str, Any]] = self.client("cloudtrail").lookup_events(LookupAttributes=attributes)["Events"]
        return found


def _call(event: Mapping[str, Any]) -> dict[str, Any]:
    """What was called: services that speak the query protocol have the action among the parameters."""
    parameters = json.loads(event["CloudTrailEvent"])["requestParameters"] or {}
    return {"Action": event["EventName"], **parameters}


def parameters(user: str | None) -> list[dict[str, str]]:
    """The template's parameters, as the API takes them."""
    return [] if user is None else [{"ParameterKey": "IAMUserName", "ParameterValue": user}]


def arn_of(user: str) -> str:
    """The ARN of a user, after its path if it has one: V(team/bob)."""
    return f"arn:aws:iam::{ACCOUNT}:user/{user}"


def assert_done(run: Run, *, changed: int, host: str = "localhost") -> None:
    """Claim that the playbook came to a good end, and that its recap counts so many changes."""
    _assert_presentable(run)
    recap = _recap(run, host)
    assert (run.rc, recap.get("failed"), recap.get("changed")) == (0, 0, changed), str(run)


def sentence_of(run: Run, *, changed: int = 0, host: str = "localhost") -> str:
    """What a playbook said that failed in one task: one sentence or a few.

    Claims that it did, and that its recap counts so many changes.
    """
    _assert_presentable(run)
    recap = _recap(run, host)
    assert (run.rc, recap.get("failed"), recap.get("changed")) == (2, 1, changed), str(run)
    sentences = re.findall(r"\[ERROR\]: Task failed: (?:Action failed: |Module failed: )?(.*?) Origin: ", said(run))
    assert len(sentences) == 1, str(run)
    return str(sentences[0])


def assert_says(text: str, *words: str) -> None:
    """Claim that all of these are in a text."""
    missing = [word for word in words if word not in text]
    assert not missing, f"{missing} not in: {text}"


def _recap(run: Run, host: str) -> dict[str, int]:
    return run.recap if host == "localhost" else recap_of(run.stdout, host)


def _assert_presentable(run: Run) -> None:
    """Claim that nothing happened that was not thought of."""
    assert not [each for each in BLUNDERS if each in run.stdout + run.stderr], str(run)
