# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""Who is asking, and who shall be served: the only file that knows the APIs of STS and IAM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils._clients import told
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Absent, AwsError


@dataclass(frozen=True)
class Caller:
    """The credentials' own identity, as GetCallerIdentity tells it, and where they are used."""

    account: str
    arn: str
    region: str

    @property
    def partition(self) -> str:
        """The part of AWS that the account is in, such as C(aws), C(aws-cn) or C(aws-us-gov)."""
        return self.arn.split(":")[1]

    def user_arn(self, name: str, path: str = "/") -> str:
        """The ARN of a user of this account."""
        return f"arn:{self.partition}:iam::{self.account}:user{path}{name}"


@dataclass(frozen=True)
class User:
    """An IAM user, as GetUser tells it; the path begins and ends with a slash."""

    name: str
    path: str
    arn: str

    @property
    def parameter(self) -> str:
        """The user as the template's parameter IAMUserName takes it: the name after its path, C(team/alice)."""
        return f"{self.path}{self.name}".removeprefix("/")


def caller(sts: Any) -> Caller:
    """GetCallerIdentity, which every valid credential may ask."""
    with told("find out which AWS account this is"):
        answer = sts.get_caller_identity()
    return Caller(account=answer["Account"], arn=answer["Arn"], region=sts.meta.region_name)


def user(iam: Any, name: str) -> User | None:
    """GetUser; C(None) when the account has no user of that name."""
    try:
        with told(f"look up the IAM user {name}"):
            found = iam.get_user(UserName=name)["User"]
    except Absent:
        return None
    return User(name=found["UserName"], path=found["Path"], arn=found["Arn"])


def may_log_in(iam: Any, arn: str) -> bool | None:
    """SimulatePrincipalPolicy: whether a user's identity policies allow to log in to ECR; C(None) where that cannot be told."""
    try:
        with told(f"find out whether {arn} may log in to ECR"):
            answer = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=["ecr:GetAuthorizationToken"])
    except AwsError:
        return None
    decisions = [each["EvalDecision"] for each in answer["EvaluationResults"]]
    return all(decision == "allowed" for decision in decisions) if decisions else None


def users(iam: Any) -> list[User]:
    """ListUsers, every page of it."""
    with told("list the IAM users"):
        pages = iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 1000})
        found = [each for page in pages for each in page["Users"]]
    return [User(name=each["UserName"], path=each["Path"], arn=each["Arn"]) for each in found]
