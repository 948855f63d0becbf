# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MiniStack, the stand-in for AWS: started on a free port of this machine, ready, emptied and stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

HOST = "127.0.0.1"
ACCOUNT = "123456789012"
REGION = "eu-west-1"

# MiniStack takes a second to start and milliseconds to answer; a machine with much else to do may take many.
SECONDS_TO_START = 60.0
SECONDS_TO_ANSWER = 30.0
SECONDS_TO_STOP = 10.0
SECONDS_BETWEEN_LOOKS = 0.05

# Another process can take the port between its choice and the start.
ATTEMPTS = 3


class DidNotStart(Exception):
    """MiniStack ended, or did not answer in time; the message has the end of its log."""


@dataclass(frozen=True)
class MiniStack:
    """A running MiniStack.

    :param port: the port of 127.0.0.1 that it listens on.
    :param pid: its process.
    """

    port: int
    pid: int

    @property
    def endpoint(self) -> str:
        """The URL that takes the place of every service's own."""
        return f"http://{HOST}:{self.port}"

    def environment(self, account: str = ACCOUNT, region: str = REGION) -> dict[str, str]:
        """Variables with which any AWS client in a subprocess works here, and can reach nothing else.

        :param account: 12 digits. MiniStack takes an access key of 12 digits for the root user of that account.
        """
        return {
            "AWS_ACCESS_KEY_ID": account,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    # The stubs know a service's client only by its literal name.
    def client(self, service: str, account: str = ACCOUNT, region: str = REGION, **credentials: str) -> Any:
        """A boto3 client.

        :param service: boto3's name of the service, such as V(ecr).
        :param account: 12 digits; their root user is the caller.
        :param credentials: C(aws_access_key_id) and C(aws_secret_access_key) of an IAM user, to call as that user.
        """
        keys = credentials or {"aws_access_key_id": account, "aws_secret_access_key": "test"}
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint,
            region_name=region,
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=SECONDS_TO_ANSWER),
            **keys,
        )

    def reset(self) -> None:
        """Empty it: no account has anything any more.

        :raises OSError: it does not answer.
        :raises http.client.HTTPException: it answers that it cannot.
        """
        connection = HTTPConnection(HOST, self.port, timeout=SECONDS_TO_ANSWER)
        with closing(connection):
            connection.request("POST", "/_ministack/reset")
            answer = connection.getresponse()
            if answer.status != 200:
                raise HTTPException(f"MiniStack could not be reset: {answer.status} {answer.reason}")


@contextmanager
def running(auth: bool = False) -> Iterator[MiniStack]:
    """Start MiniStack, and end it when the block is left, however it is left.

    :param auth: check signatures and IAM's policies, as AWS does. Otherwise everybody may do everything.
    :raises DidNotStart: it ended at once, or did not answer within SECONDS_TO_START.
    """
    with tempfile.TemporaryDirectory(prefix="ministack-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        process, stand_in = _started(folder, auth)
        try:
            yield stand_in
        finally:
            stop(process)


def _started(folder: Path, auth: bool) -> tuple[subprocess.Popen[bytes], MiniStack]:
    """Start it, on another port where one turns out to be taken."""
    for attempt in range(1, ATTEMPTS + 1):
        process, stand_in = _start(folder, auth)
        try:
            _wait_until_ready(process, stand_in, folder / "log")
        except DidNotStart:
            if attempt == ATTEMPTS or process.poll() is None:
                stop(process)
                raise
        except BaseException:
            stop(process)
            raise
        else:
            break
    return process, stand_in


def _start(folder: Path, auth: bool) -> tuple[subprocess.Popen[bytes], MiniStack]:
    """Start a process that will listen on a free port and keep all its files in a folder."""
    port = free_port()
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "STATE_DIR": str(folder / "state"),
        "S3_DATA_DIR": str(folder / "s3"),
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": HOST,
        # Whom a request without a signature belongs to, as those to the registry are.
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "AUTH": str(auth).lower(),
        # These would listen on every address of the machine, on a port that only one MiniStack can have.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    with (folder / "log").open("wb") as log:
        # In a session of its own, Ctrl-C reaches only those who use it; they are to end first.
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return process, MiniStack(port=port, pid=process.pid)


def _wait_until_ready(process: subprocess.Popen[bytes], stand_in: MiniStack, log: Path) -> None:
    """Ask STS who the caller is, until it says so.

    Another MiniStack that took the port would say so too, but only ours writes to this log.
    """
    listening = f"Running on {stand_in.endpoint} "
    sts = stand_in.client("sts")
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DidNotStart(f"MiniStack ended with code {process.returncode}:\n{end_of(log)}")
        if listening in log.read_text(errors="replace"):
            with suppress(BotoCoreError, ClientError):
                sts.get_caller_identity()
                return
        time.sleep(SECONDS_BETWEEN_LOOKS)
    raise DidNotStart(f"MiniStack did not answer within {SECONDS_TO_START:.0f} s:\n{end_of(log)}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the process, by force where it does not end when asked."""
    process.terminate()
    try:
        process.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def end_of(log: Path, lines: int = 20) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
