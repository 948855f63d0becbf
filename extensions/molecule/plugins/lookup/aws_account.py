# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup C(aws_account), with which scenarios ask the services themselves, past everything they test.

C(lookup('aws_account')) tells of the region in which a scenario works, C(query('aws_account', region, …)) of several;
each is a dictionary:

- C(stacks): the stacks that there are, by name. Each has its C(name), C(status), C(created), C(ended) (when its newest
  event was), C(parameters), C(outputs), C(template), and C(events) in the order in which they happened.
- C(deleted): the same for stacks that there were, oldest first; only those since there are users, with whom a scenario
  begins.
- C(repositories): by name, each with its C(name), C(policy), the tags of its C(images), and their C(bytes). Empty where ECR is not emulated.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from functools import partial
from typing import Any

import boto3
from ansible.plugins.lookup import LookupBase
from botocore.exceptions import ClientError


class LookupModule(LookupBase):
    """Reads accounts."""

    def run(
        self, terms: list[str], variables: Mapping[str, Any] | None = None, **_options: object
    ) -> list[dict[str, Any]]:
        """One dictionary for each region; C(terms) and C(variables) are Ansible's."""
        environment = self._templar.template((variables or {})["aws"])
        session = boto3.Session(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
        return [
            _account(partial(session.client, endpoint_url=environment["AWS_ENDPOINT_URL"], region_name=region))
            for region in terms or [environment["AWS_REGION"]]
        ]


def _account(client: Callable[[str], Any]) -> dict[str, Any]:
    cloudformation = client("cloudformation")
    summaries = [
        each for page in cloudformation.get_paginator("list_stacks").paginate() for each in page["StackSummaries"]
    ]
    stacks = sorted(
        (_stack(cloudformation, each["StackId"]) for each in summaries),
        key=lambda stack: stack["created"],
    )
    repositories = _repositories(client("ecr"))
    users = client("iam").list_users()["Users"]
    begun = min((_iso(user["CreateDate"]) for user in users), default="")
    return {
        "stacks": {stack["name"]: stack for stack in stacks if stack["status"] != "DELETE_COMPLETE"},
        "deleted": [stack for stack in stacks if stack["status"] == "DELETE_COMPLETE" and stack["created"] >= begun],
        "repositories": {repository["name"]: repository for repository in repositories},
    }


def _stack(cloudformation: Any, stack_id: str) -> dict[str, Any]:
    stack = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id)
    newest_first = [each for page in pages for each in page["StackEvents"]]
    return {
        "name": stack["StackName"],
        "status": stack["StackStatus"],
        "created": _iso(stack["CreationTime"]),
        "ended": _iso(newest_first[0]["Timestamp"]),
        "parameters": {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])},
        "outputs": {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])},
        "template": _template(cloudformation, stack_id),
        "events": [f"{each['LogicalResourceId']} {each['ResourceStatus']}" for each in reversed(newest_first)],
    }


def _iso(time: datetime) -> str:
    """A time in UTC, so that texts compare as times do."""
    return time.astimezone(timezone.utc).isoformat()


def _template(cloudformation: Any, stack_id: str) -> str:
    try:
        body = cloudformation.get_template(StackName=stack_id).get("TemplateBody", "")
    except ClientError:
        # A stack that never got beyond its change set has none.
        return ""
    return body if isinstance(body, str) else json.dumps(body)


def _repositories(ecr: Any) -> Iterator[dict[str, Any]]:
    try:
        found = [
            each for page in ecr.get_paginator("describe_repositories").paginate() for each in page["repositories"]
        ]
    except ClientError as problem:
        if problem.response["ResponseMetadata"]["HTTPStatusCode"] == 501:
            return
        raise
    for each in found:
        name = each["repositoryName"]
        images = ecr.describe_images(repositoryName=name)["imageDetails"]
        yield {
            "name": name,
            "policy": _policy(ecr, name),
            "images": [tag for image in images for tag in image.get("imageTags", [])],
            "bytes": sum(image["imageSizeInBytes"] for image in images),
        }


def _policy(ecr: Any, name: str) -> Any:
    try:
        return json.loads(ecr.get_repository_policy(repositoryName=name)["policyText"])
    except ecr.exceptions.RepositoryPolicyNotFoundException:
        return None
