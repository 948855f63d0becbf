# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in that outlives the command that started it, as Molecule needs one between create and destroy.

C(start) leaves a keeper behind, a process that has the stand-in running until it is told to end, and a note of it in a
folder. Where somebody has a stand-in already, named by C(LOCALSTACK_ENDPOINT) or C(MINISTACK_ENDPOINT), that one is noted
instead, and is neither started nor stopped. With C(STAND_IN_OWNER), the stand-in ends with that process at the latest.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

import psutil
from botocore.exceptions import ClientError

from ansible_collections.cargohold.ecr.tests.support import localstack, ministack
from ansible_collections.cargohold.ecr.tests.support.stand_in import (
    ACCOUNT,
    SECONDS_BETWEEN_LOOKS,
    SECONDS_TO_STOP,
    DidNotStart,
    StandIn,
    answers,
    client,
    listening,
)

CLOUDS: dict[str, Callable[[], AbstractContextManager[StandIn]]] = {
    "localstack": localstack.running,
    "ministack": ministack.running,
}

# A test that was killed leaves a stand-in for so long.
SECONDS_BETWEEN_LOOKS_AT_OWNER = 1.0

# The keeper ends after its stand-in.
SECONDS_FOR_KEEPER = 2 * SECONDS_TO_STOP


@dataclass(frozen=True)
class Process:
    """A process of this machine; process IDs are used again, and the moment of its start tells it apart."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Process:
        """The process that has this ID now."""
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """The process, if it still runs."""
        with suppress(psutil.NoSuchProcess):
            found = psutil.Process(self.pid)
            if found.create_time() == self.started and found.status() != psutil.STATUS_ZOMBIE:
                return found
        return None


@dataclass(frozen=True)
class Note:
    """What is written down of a stand-in.

    :param name: a key of C(CLOUDS).
    :param emulates_ecr: whether its ECR answers; what cannot be asked for cannot be verified.
    :param keeper: the process that keeps it running; C(None) where it is somebody's own.
    """

    name: str
    endpoint: str
    emulates_ecr: bool
    keeper: Process | None = None
    stand_in: Process | None = None

    @classmethod
    def read(cls, file: Path) -> Note | None:
        """The note in a file; C(None) where there is none."""
        try:
            known = json.loads(file.read_text())
        except FileNotFoundError:
            return None
        for process in ("keeper", "stand_in"):
            known[process] = Process(**known[process]) if known[process] else None
        return cls(**known)

    def write(self, file: Path) -> None:
        """Write it at one stroke: who reads it reads all of it."""
        unfinished = file.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps(asdict(self), indent=2))
        unfinished.replace(file)


def start(name: str, folder: Path) -> bool:
    """Have a stand-in that answers, and a note of it.

    :returns: whether that took anything.
    :raises DidNotStart: the stand-in did not start, the one that was named does not answer, or a profile is in the way.
    """
    for variable in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        if os.environ.get(variable):
            raise DidNotStart(
                f"{variable} is set, and stands in the way of other credentials: env -u {variable} molecule …"
            )
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    known, own = Note.read(file), os.environ.get(f"{name.upper()}_ENDPOINT")
    if known and (not own or own == known.endpoint) and answers(known.endpoint):
        return False
    stop(file)
    if own:
        if not answers(own):
            raise DidNotStart(f"Nobody answers at {own}: start {name} there, or unset {name.upper()}_ENDPOINT.")
        Note(name, own, _emulates_ecr(own)).write(file)
        return True
    log = folder / f"{name}.log"
    keeper = run([__spec__.name, "keep", str(folder), name], log)
    while not file.exists():
        if keeper.poll() is not None:
            raise DidNotStart(log.read_text().strip())
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return True


def run(command: Sequence[str], log: Path = Path(os.devnull)) -> subprocess.Popen[bytes]:
    """Run a module of Python that goes on when its caller has ended.

    :param command: the module's name and arguments.
    :param log: for what it says.
    """
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def keep(name: str, folder: Path) -> NoReturn:
    """Have a stand-in running until this process is told to end."""
    # To leave the block in order; what it starts takes the signal as it always does.
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit())
    with CLOUDS[name]() as stand_in:
        note = Note(
            name,
            stand_in.endpoint,
            _emulates_ecr(stand_in.endpoint),
            keeper=Process.of(os.getpid()),
            stand_in=Process.of(stand_in.pid),
        )
        note.write(folder / f"{name}.json")
        owner = os.environ.get("STAND_IN_OWNER")
        while not owner or psutil.pid_exists(int(owner)):
            time.sleep(SECONDS_BETWEEN_LOOKS_AT_OWNER)
    sys.exit()


def stop(file: Path) -> bool:
    """End a stand-in that C(start) started, and tear up the note.

    :returns: whether there was one.
    """
    known = Note.read(file)
    if known is None:
        return False
    # The keeper first, which ends its stand-in in order; a stand-in is alone only where the keeper was killed.
    for process in (known.keeper, known.stand_in):
        running = process.find() if process else None
        if running:
            running.terminate()
            _gone, left = psutil.wait_procs([running], SECONDS_FOR_KEEPER)
            for each in left:
                each.kill()
    file.unlink()
    return True


def stop_all(folder: Path) -> bool:
    """End every stand-in that is noted in the folder."""
    stopped = [stop(file) for file in folder.glob("*.json")]
    return any(stopped)


def addresses(folder: Path) -> set[tuple[str, int]]:
    """Where the stand-ins that are noted in the folder wait for connections; somebody's own are not looked at."""
    notes = filter(None, (Note.read(file) for file in folder.glob("*.json")))
    return {address for note in notes if note.stand_in for address in listening(note.stand_in.pid)}


def _emulates_ecr(endpoint: str) -> bool:
    ecr = client(endpoint, "ecr", aws_access_key_id=ACCOUNT, aws_secret_access_key="test")
    try:
        ecr.describe_repositories()
    except ClientError as problem:
        # Not Implemented, which LocalStack says of what is not in its licence.
        if problem.response["ResponseMetadata"]["HTTPStatusCode"] == 501:
            return False
        raise
    return True


def main() -> None:
    """Do what the first argument says."""
    parser = argparse.ArgumentParser(description="A stand-in for AWS that outlives the command that started it.")
    parser.add_argument("command", choices=["start", "keep", "stop", "addresses"])
    parser.add_argument("folder", type=Path, help="where the note is, or will be")
    parser.add_argument("name", nargs="?", choices=sorted(CLOUDS), help="to start")
    chosen = parser.parse_args()
    try:
        if chosen.command == "start":
            print("started" if start(chosen.name, chosen.folder) else "running already")
        elif chosen.command == "keep":
            keep(chosen.name, chosen.folder)
        elif chosen.command == "stop":
            print("stopped" if stop_all(chosen.folder) else "none to stop")
        else:
            print(json.dumps(sorted(addresses(chosen.folder))))
    except DidNotStart as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main()
