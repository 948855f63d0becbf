# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is asking, and who shall be served."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ansible_collections.cargohold.ecr.plugins.module_utils import _identity
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CredentialsRejected, Denied
from ansible_collections.cargohold.ecr.plugins.module_utils._identity import Caller, User


def stubber(service: Any) -> Stubber:
    """A client that answers what it is told to."""
    return Stubber(boto3.client(service, region_name="cn-north-1", aws_access_key_id="x", aws_secret_access_key="x"))


@pytest.fixture
def iam() -> Iterator[Stubber]:
    """A client of IAM that answers what it is told to."""
    with stubber("iam") as stub:
        yield stub
        stub.assert_no_pending_responses()


def found(path: str) -> dict[str, Any]:
    """What GetUser answers."""
    user = {
        "Path": path,
        "UserName": "alice",
        "UserId": "AIDAQ3EGS5M4EXAMPLEID",
        "Arn": f"arn:aws-cn:iam::123456789012:user{path}alice",
        "CreateDate": datetime(2026, 11, 23, tzinfo=timezone.utc),
    }
    return {"User": user}


def test_caller() -> None:
    """The account, the partition and the region are those of the credentials and the client."""
    with stubber("sts") as sts:
        sts.add_response("get_caller_identity", {"Account": "123456789012", "Arn": "arn:aws-cn:iam::123456789012:root"})
        caller = _identity.caller(sts.client)
    assert (caller.account, caller.partition, caller.region) == ("123456789012", "aws-cn", "cn-north-1")


def test_caller_with_bad_credentials() -> None:
    """Credentials that AWS does not take are told at the first question."""
    with stubber("sts") as sts:
        sts.add_client_error("get_caller_identity", "InvalidClientTokenId", http_status_code=403)
        with pytest.raises(CredentialsRejected, match="which AWS account"):
            _identity.caller(sts.client)


@pytest.mark.parametrize(
    ("path", "arn"),
    [("/", "arn:aws-us-gov:iam::1:user/alice"), ("/team/", "arn:aws-us-gov:iam::1:user/team/alice")],
)
def test_user_arn(path: str, arn: str) -> None:
    """A user's ARN has the caller's partition and account, and the user's path."""
    assert Caller("1", "arn:aws-us-gov:iam::1:user/x", "us-gov-west-1").user_arn("alice", path) == arn


@pytest.mark.parametrize(("path", "parameter"), [("/", "alice"), ("/team/", "team/alice"), ("/a/b/", "a/b/alice")])
def test_user(iam: Stubber, path: str, parameter: str) -> None:
    """A user is found with the true path and ARN, and is what the template's parameter takes."""
    iam.add_response("get_user", found(path), {"UserName": "alice"})
    user = _identity.user(iam.client, "alice")
    assert user == User("alice", path, f"arn:aws-cn:iam::123456789012:user{path}alice")
    assert user.parameter == parameter


def test_no_user(iam: Stubber) -> None:
    """A user that does not exist is nothing."""
    iam.add_client_error("get_user", "NoSuchEntity", http_status_code=404)
    assert _identity.user(iam.client, "alcie") is None


def test_user_denied(iam: Stubber) -> None:
    """A user who may not be looked up is not taken for one who does not exist."""
    iam.add_client_error("get_user", "AccessDenied", http_status_code=403)
    with pytest.raises(Denied, match="look up the IAM user alice"):
        _identity.user(iam.client, "alice")
