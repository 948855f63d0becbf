# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MiniStack's life: where it listens, that it is empty, and that it is gone."""

from __future__ import annotations

import psutil
import pytest
from botocore.exceptions import ClientError

from ansible_collections.cargohold.ecr.tests.support import stand_in
from ansible_collections.cargohold.ecr.tests.support.ministack import MiniStack, running
from ansible_collections.cargohold.ecr.tests.support.stand_in import HOST, DidNotStart


def test_listens_here_only(cloud: MiniStack) -> None:
    """It listens on one port of 127.0.0.1, and nowhere else."""
    connections = psutil.Process(cloud.pid).net_connections("inet")
    listening = [connection.laddr for connection in connections if connection.status == psutil.CONN_LISTEN]
    assert listening == [(HOST, cloud.port)]


def test_gone_after_the_block() -> None:
    """When the block is left by an exception, the process has ended and nobody listens any more."""
    with pytest.raises(RuntimeError, match="left"), running() as stack:
        raise RuntimeError("left")
    assert not psutil.pid_exists(stack.pid)
    with pytest.raises(ConnectionRefusedError):
        stack.reset()


def test_no_start_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it cannot start, the error has what it said, and no process is left."""
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(DidNotStart, match="MiniStack ended with code 1"), running():
        pass


def test_taken_port_is_left_to_others(cloud: MiniStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that another process took is given up for another one."""
    chosen = stand_in.free_port
    ports = iter([cloud.port])
    monkeypatch.setattr(stand_in, "free_port", lambda: next(ports, None) or chosen())
    with running() as other:
        assert other.port != cloud.port
        other.client("iam").create_user(UserName="alice")
    assert cloud.client("iam").list_users()["Users"] == []


def test_accounts_and_regions(cloud: MiniStack) -> None:
    """The account and the region of a client are those that its requests reach."""
    caller = cloud.client("sts", account="210987654321").get_caller_identity()
    assert caller["Account"] == "210987654321"
    cloud.client("ecr", region="us-east-1").create_repository(repositoryName="app")
    assert cloud.client("ecr", region="eu-west-1").describe_repositories()["repositories"] == []


def test_reset_empties_it(cloud: MiniStack) -> None:
    """After a reset no account has anything."""
    cloud.client("ecr", account="210987654321").create_repository(repositoryName="app")
    cloud.reset()
    assert cloud.client("ecr", account="210987654321").describe_repositories()["repositories"] == []


def test_permissions_are_checked_on_demand(cloud_with_auth: MiniStack) -> None:
    """With auth, a user without a policy may do nothing, and the root user everything."""
    iam = cloud_with_auth.client("iam")
    iam.create_user(UserName="bob")
    key = iam.create_access_key(UserName="bob")["AccessKey"]
    ecr = cloud_with_auth.client(
        "ecr", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        ecr.describe_repositories()
