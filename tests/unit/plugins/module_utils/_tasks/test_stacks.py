# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A list of stacks is surveyed with few calls, and refused before anything is asked for where it has mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError, Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._fleet import FLEET_TAG, TEMPLATE_TAG, Mark
from ansible_collections.cargohold.ecr.plugins.module_utils._tasks.stacks import ARGUMENT_SPEC, run
from ansible_collections.cargohold.ecr.plugins.module_utils._template import read_template
from ansible_collections.cargohold.ecr.tests.unit.support.fake_client import (
    ACCOUNT,
    DENIED,
    THROTTLED,
    FakeClient,
    no_stack,
    stack,
)
from ansible_collections.cargohold.ecr.tests.unit.support.fake_task import FakeTask

TEMPLATE = """
Parameters:
  IAMUserName: {Type: String}
Resources:
  ECRRepository: {Type: AWS::ECR::Repository}
"""
MARK = str(Mark.of(read_template(TEMPLATE, "here"), datetime(2026, 11, 23, 21, 41, tzinfo=timezone.utc)))
PAGE = 100


def deployed(name: str, user: str = "alice", **tags: str) -> dict[str, Any]:
    """A stack as the fleet has deployed it."""
    told = {TEMPLATE_TAG: MARK, **tags}
    return stack(
        "CREATE_COMPLETE",
        name,
        Parameters=[{"ParameterKey": "IAMUserName", "ParameterValue": user}],
        Tags=[{"Key": key, "Value": value} for key, value in told.items()],
    )


def region(present: Sequence[Mapping[str, Any]], *, may_list: bool = True, failures: int = 0) -> FakeClient:
    """A CloudFormation with these stacks, told in pages.

    :param failures: so many of the first listings are throttled.
    """
    by_name = {each["StackName"]: each for each in present}
    left = [THROTTLED] * failures

    def describe(StackName: str = "", NextToken: str = "0") -> Any:
        if StackName:
            return {"Stacks": [by_name[StackName]]} if StackName in by_name else no_stack(StackName)
        if not may_list:
            return DENIED
        if left:
            return left.pop()
        start = int(NextToken)
        end = start + PAGE
        return {"Stacks": present[start:end], **({"NextToken": str(end)} if end < len(present) else {})}

    return FakeClient(describe_stacks=describe)


def iam(*users: str) -> FakeClient:
    """An IAM with these users."""
    told = {name: {"UserName": name, "Path": "/", "Arn": f"arn:aws:iam::{ACCOUNT}:user/{name}"} for name in users}
    return FakeClient(
        get_user=lambda UserName: {"User": told[UserName]},
        list_users=lambda **_request: {"Users": list(told.values())},
    )


def task(
    cloudformation: FakeClient, names: Sequence[str], *, users: Sequence[str] = ("alice",), **params: Any
) -> FakeTask:
    """A task for stacks of these names."""
    caller = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/deployer"}
    services = {
        "sts": FakeClient(get_caller_identity=caller),
        "iam": iam(*users),
        "cloudformation": cloudformation,
        "ecr": FakeClient(describe_repositories=lambda **_request: {"repositories": []}),
    }
    listed = [{"stack_name": name, "iam_user": users[number % len(users)]} for number, name in enumerate(names)]
    return FakeTask(ARGUMENT_SPEC, services, **{"stacks": listed, "template_body": TEMPLATE, **params})


def test_a_region_of_two_thousand() -> None:
    """Two hundred unchanged stacks among two thousand take a page for each hundred, and two calls."""
    everyone = [deployed(f"app-{number}") for number in range(2_000)]
    wanted = [f"app-{number}" for number in range(0, 2_000, 10)]
    asked = task(region(everyone), wanted)
    result = run(asked)
    assert result["changed"] is False
    assert [each["name"] for each in result["stacks"]] == wanted
    assert result["counts"] == {"unchanged": 200}
    assert sorted(asked.called) == ["describe_stacks"] * 20 + ["get_caller_identity", "get_user"]
    assert result["calls"] == 22


def test_a_listing_goes_on_where_it_was_throttled() -> None:
    """A page that was throttled is asked for again, and not the whole listing."""
    everyone = [deployed(f"app-{number}") for number in range(300)]
    asked = task(region(everyone, failures=2), [f"app-{number}" for number in range(300)])
    assert run(asked)["counts"] == {"unchanged": 300}
    assert asked.called.count("describe_stacks") == 5


def test_without_leave_to_list() -> None:
    """Who may read stacks by name only is asked for each."""
    names = [f"app-{number}" for number in range(6)]
    asked = task(region([deployed(name) for name in names], may_list=False), names)
    assert run(asked)["counts"] == {"unchanged": 6}
    assert asked.called.count("describe_stacks") == 7


def test_many_users_are_listed() -> None:
    """One listing tells of all users."""
    names = [f"app-{number}" for number in range(10)]
    users = [f"user-{number}" for number in range(10)]
    everyone = [deployed(name, user) for name, user in zip(names, users, strict=True)]
    asked = task(region(everyone), names, users=users)
    assert run(asked)["counts"] == {"unchanged": 10}
    assert [name for name in asked.called if "user" in name] == ["list_users"]


def test_what_would_be_pruned() -> None:
    """Only stacks of the fleet that the list does not name are to go, and check mode lets them stay."""
    present = [deployed("app", **{FLEET_TAG: "shop"}), deployed("old", **{FLEET_TAG: "shop"}), deployed("theirs")]
    asked = task(region(present), ["app"], fleet="shop", prune=True)
    asked.check_mode = True
    asked.services["cloudformation"].__dict__["_scripts"]["list_stack_resources"] = [{"StackResourceSummaries": []}]
    result = run(asked)
    assert [(each["name"], each["action"], each["outcome"]) for each in result["pruned"]] == [
        ("old", "delete", "planned")
    ]
    assert [each["outcome"] for each in result["stacks"]] == ["unchanged"]


REFUSED: Mapping[str, tuple[dict[str, Any], str]] = {
    "no stacks": ({"stacks": []}, "No stack is in the list"),
    "prune without a fleet": ({"prune": True}, "name the fleet with fleet"),
    "a fleet's name": ({"fleet": "*"}, "The fleet's name '*' cannot be a tag's value"),
    "rate": ({"rate": 0.0}, "rate is 0.0, and must be a positive number"),
    "concurrency": ({"concurrency": -1}, "concurrency is -1, and must not be negative"),
    "timeout": ({"timeout": 0}, "timeout is 0"),
    "a mistake": (
        {"stacks": [{"stack_name": "App", "iam_user": "alice"}]},
        "There is a mistake in the list of 1 stack, so",
    ),
}


@pytest.mark.parametrize(("params", "sentence"), REFUSED.values(), ids=REFUSED)
def test_refused(params: dict[str, Any], sentence: str) -> None:
    """Bad input is told in a sentence, and AWS is asked for nothing."""
    asked = task(region([]), ["app"], **params)
    with pytest.raises(Refused, match=sentence.replace("*", r"\*")):
        run(asked)
    assert asked.called == []


def test_another_account() -> None:
    """Credentials of another account than the expected one are found out before anything is read."""
    asked = task(region([]), ["app"], expected_account="210987654321")
    with pytest.raises(CargoholdError, match="210987654321 is expected"):
        run(asked)
    assert asked.called == ["get_caller_identity"]
