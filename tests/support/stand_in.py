# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the stand-ins for AWS have in common: a process on a free port of 127.0.0.1, ready, looked over and stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
import psutil
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

HOST = "127.0.0.1"
ACCOUNT = "123456789012"
REGION = "eu-west-1"

# A stand-in takes seconds to start and milliseconds to answer; a machine with much else to do may take many.
SECONDS_TO_START = 60.0
SECONDS_TO_ANSWER = 30.0
SECONDS_TO_STOP = 10.0
SECONDS_BETWEEN_LOOKS = 0.05

# Another process can take the port between its choice and the start.
ATTEMPTS = 3


class DidNotStart(Exception):
    """The stand-in ended, did not answer in time, or listens where it should not; the message has the end of its log."""


@dataclass(frozen=True)
class StandIn:
    """A running stand-in.

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

        :param account: 12 digits. An access key of 12 digits is taken for the root user of that account.
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

    def client(self, service: str, account: str = ACCOUNT, region: str = REGION, **credentials: str) -> Any:
        """A boto3 client.

        :param service: boto3's name of the service, such as V(ecr).
        :param account: 12 digits; their root user is the caller.
        :param credentials: C(aws_access_key_id) and C(aws_secret_access_key) of an IAM user, to call as that user.
        """
        keys = credentials or {"aws_access_key_id": account, "aws_secret_access_key": "test"}
        return client(self.endpoint, service, region, **keys)


T = TypeVar("T", bound=StandIn)


@dataclass(frozen=True)
class Program:
    """How a stand-in is started.

    :param name: what people call it.
    :param command: what starts it.
    :param environment: its variables besides PATH, HOME and TMPDIR, from its port and the folder for all its files.
    """

    name: str
    command: Sequence[str]
    environment: Callable[[int, Path], Mapping[str, str]]


# The stubs know a service's client only by its literal name.
def client(endpoint: str, service: str, region: str = REGION, **keys: str) -> Any:
    """A boto3 client that asks once and does not wait long.

    :param keys: C(aws_access_key_id) and C(aws_secret_access_key).
    """
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoint,
        region_name=region,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=SECONDS_TO_ANSWER),
        **keys,
    )


def answers(endpoint: str) -> bool:
    """Whether STS says there who the caller is."""
    sts = client(endpoint, "sts", aws_access_key_id=ACCOUNT, aws_secret_access_key="test")
    with suppress(BotoCoreError, ClientError):
        return bool(sts.get_caller_identity()["Account"] == ACCOUNT)
    return False


@contextmanager
def running(program: Program, kind: type[T], files: Path | None = None) -> Iterator[T]:
    """Start a stand-in, and end it when the block is left, however it is left.

    :param kind: what to yield.
    :param files: where to make the folder for its files, which is removed with it; the system's, if it is not given.
    :raises DidNotStart: it ended at once, did not answer within SECONDS_TO_START, or listens on other addresses too.
    """
    with tempfile.TemporaryDirectory(prefix=f"{program.name.lower()}-", dir=files, ignore_cleanup_errors=True) as name:
        process, stand_in = _started(program, kind, Path(name))
        try:
            yield stand_in
        finally:
            _stop(process)


def listening(pid: int) -> set[tuple[str, int]]:
    """The addresses and ports on which a process and those that it started wait for connections."""
    process = psutil.Process(pid)
    return {
        (connection.laddr.ip, connection.laddr.port)
        for each in (process, *process.children(recursive=True))
        for connection in each.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def _started(program: Program, kind: type[T], folder: Path) -> tuple[subprocess.Popen[bytes], T]:
    """Start it, on another port where one turns out to be taken."""
    for attempt in range(1, ATTEMPTS + 1):
        port = free_port()
        process = _start(program, port, folder)
        stand_in = kind(port=port, pid=process.pid)
        try:
            _wait_until_ready(program, process, stand_in, folder / "log")
            _refuse_other_addresses(program, stand_in)
        except DidNotStart:
            if attempt == ATTEMPTS or process.poll() is None:
                _stop(process)
                raise
        except BaseException:
            _stop(process)
            raise
        else:
            break
    return process, stand_in


def _start(program: Program, port: int, folder: Path) -> subprocess.Popen[bytes]:
    """Start a process that will listen on the port and keep all its files in a folder."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        **program.environment(port, folder),
    }
    with (folder / "log").open("wb") as log:
        # In a session of its own, Ctrl-C reaches only those who use it; they are to end first.
        return subprocess.Popen(
            program.command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_until_ready(program: Program, process: subprocess.Popen[bytes], stand_in: StandIn, log: Path) -> None:
    """Ask STS who the caller is, until it says so.

    Another stand-in that took the port would say so too, but only ours writes to this log.
    """
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DidNotStart(f"{program.name} ended with code {process.returncode}:\n{_end_of(log)}")
        if f"://{HOST}:{stand_in.port} " in log.read_text(errors="replace") and answers(stand_in.endpoint):
            return
        time.sleep(SECONDS_BETWEEN_LOOKS)
    raise DidNotStart(f"{program.name} did not answer within {SECONDS_TO_START:.0f} s:\n{_end_of(log)}")


def _refuse_other_addresses(program: Program, stand_in: StandIn) -> None:
    """What has no passwords is for this machine only."""
    others = {f"{host}:{port}" for host, port in listening(stand_in.pid) if host != HOST}
    if others:
        raise DidNotStart(f"{program.name} listens on {', '.join(sorted(others))}, and not on {HOST} only.")


def _stop(process: subprocess.Popen[bytes]) -> None:
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


def _end_of(log: Path, lines: int = 20) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
