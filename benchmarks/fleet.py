# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a fleet takes, beside Sceptre, the AWS CLI run twenty at once, and a loop of the standard module.

All stacks take 8 seconds, by the proxy of the fault tests, on the same stand-in and one contender after another.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil

from ansible_collections.cargohold.ecr.benchmarks import surroundings
from ansible_collections.cargohold.ecr.tests.support import faults, ministack
from ansible_collections.cargohold.ecr.tests.support.fault_plan import Caller, Hold
from ansible_collections.cargohold.ecr.tests.support.faults import FaultyCloud
from ansible_collections.cargohold.ecr.tests.support.playbook import PlaybookRunner
from ansible_collections.cargohold.ecr.tests.support.stand_in import REGION

TEMPLATE = surroundings.CHECKOUT / "files" / "ecr.yml"
OURS, SCEPTRE, CLI, STANDARD = "cargohold.ecr", "Sceptre", "the AWS CLI, 20 at once", "a loop of the standard module"
AT_ONCE = 20
SLOW_SECONDS = 8.0
SECONDS_AT_MOST = 3600.0
MEBIBYTE = 2**20

CREATE, NOTHING, UPDATE, DELETE = "create", "nothing to do", "update one", "delete"

# Seconds for a creation of so many, mebibytes for all of them, and how much longer nothing to do may take for 200 than for 1.
CREATE_AIMS = {20: 10.5, 100: 12.0, 500: 25.0}
MEMORY_AIM = 250
NOTHING_AIM = 1.5
NOTHING_OF = 200

STANDARD_PLAY = """\
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - amazon.aws.cloudformation:
        stack_name: "{{ item.stack_name }}"
        state: "{{ state }}"
        template_body: "{{ lookup('file', template) if state == 'present' else omit }}"
        template_parameters: {IAMUserName: "{{ item.iam_user }}"}
      loop: "{{ repositories }}"
"""

# The name of each stack, and the user who may push and pull.
Wanted = Mapping[str, str]


class Contender(Protocol):
    """Brings stacks to where they are wanted."""

    name: str

    def deploy(self, wanted: Wanted, first: str) -> None:
        """Create or update the stacks; C(first) is the only one that may differ from what there is."""

    def delete(self, wanted: Wanted) -> None:
        """Remove the stacks."""


@dataclass
class Playbook:
    """A playbook that takes the list C(repositories)."""

    name: str
    playbook: str
    cloud: FaultyCloud
    folder: Path
    absent: Mapping[str, str] = field(default_factory=dict)

    def deploy(self, wanted: Wanted, first: str) -> None:  # noqa: ARG002 -- it takes the whole list in any case
        """Run it."""
        self._run(wanted, state="present", template=str(TEMPLATE))

    def delete(self, wanted: Wanted) -> None:
        """Run it for nothing to be there."""
        self._run(wanted, state="absent", repositories_state="absent", template=str(TEMPLATE))

    def _run(self, wanted: Wanted, **extra_vars: str) -> None:
        file = self.folder / "repositories.json"
        listed = [{"stack_name": name, "iam_user": user} for name, user in wanted.items()]
        file.write_text(json.dumps({"repositories": listed}))
        # The home folder of a local connection is the one of the system's user database, whatever HOME says.
        variables = {**self.cloud.environment(), "ANSIBLE_REMOTE_TEMP": str(self.folder / "tmp")}
        run = PlaybookRunner(self.folder / "home", variables)
        done = run(self.playbook, "-e", f"@{file}", timeout=SECONDS_AT_MOST, **extra_vars)
        if done.rc != 0:
            raise RuntimeError(str(done))


@dataclass
class AwsCli:
    """One process for each stack, so many at once."""

    cloud: FaultyCloud
    name: str = CLI

    def deploy(self, wanted: Wanted, first: str) -> None:  # noqa: ARG002 -- it knows nothing of the others
        """C(aws cloudformation deploy) for each."""
        self._each(self._deploy, list(wanted.items()))

    def delete(self, wanted: Wanted) -> None:
        """C(delete-stack), and the waiter."""
        self._each(self._delete, list(wanted.items()))

    @staticmethod
    def _each(do: Any, items: Sequence[tuple[str, str]]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda item: do(*item), items))

    def _deploy(self, name: str, user: str) -> None:
        parameters = ("--parameter-overrides", f"IAMUserName={user}", "--no-fail-on-empty-changeset")
        self._aws("deploy", "--template-file", str(TEMPLATE), "--stack-name", name, *parameters)

    def _delete(self, name: str, _user: str) -> None:
        self._aws("delete-stack", "--stack-name", name)
        self._aws("wait", "stack-delete-complete", "--stack-name", name)

    def _aws(self, *arguments: str) -> None:
        _run_peer(self.cloud, [str(surroundings.PEERS / "aws"), "cloudformation", *arguments], Path.cwd())


@dataclass
class Sceptre:
    """A Sceptre project with one group."""

    cloud: FaultyCloud
    folder: Path
    name: str = SCEPTRE

    def deploy(self, wanted: Wanted, first: str) -> None:  # noqa: ARG002 -- it takes the whole group in any case
        """C(sceptre launch) of the group."""
        group = self.folder / "config" / "fleet"
        group.mkdir(parents=True, exist_ok=True)
        (self.folder / "templates").mkdir(exist_ok=True)
        (self.folder / "templates" / "ecr.yaml").write_text(TEMPLATE.read_text())
        (self.folder / "config" / "config.yaml").write_text(f"project_code: x\nregion: {REGION}\n")
        for name, user in wanted.items():
            stack = {"template": {"path": "ecr.yaml"}, "stack_name": name, "parameters": {"IAMUserName": user}}
            (group / f"{name}.yaml").write_text(json.dumps(stack))
        self._sceptre("launch")

    def delete(self, wanted: Wanted) -> None:  # noqa: ARG002 -- it takes the whole group in any case
        """C(sceptre delete) of the group."""
        self._sceptre("delete")

    def _sceptre(self, command: str) -> None:
        _run_peer(self.cloud, [str(surroundings.PEERS / "sceptre"), command, "-y", "fleet"], self.folder)


def _run_peer(cloud: FaultyCloud, command: Sequence[str], folder: Path) -> None:
    environment = surroundings.of_peers(**cloud.environment())
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr}")


@dataclass
class Figures:
    """What something took.

    :param seconds: on the wall.
    :param cpu: seconds of CPU, of all its processes.
    :param memory: mebibytes at most, of all its processes at once.
    :param calls: to AWS.
    """

    contender: str
    count: int
    step: str
    seconds: float = 0.0
    cpu: float = 0.0
    memory: float = 0.0
    calls: int = 0


class Memory:
    """Watches how much the processes that this one has started take, but for those that were there before."""

    def __init__(self) -> None:
        self.most = 0.0
        self._over = threading.Event()
        self._before = {child.pid for child in psutil.Process().children(recursive=True)}
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch during the block."""
        self._watcher.start()
        try:
            yield
        finally:
            self._over.set()
            self._watcher.join()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            taken = 0
            for child in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    # Worker processes share most of their memory with the one that they were forked from.
                    info = child.memory_full_info()
                    taken += 0 if child.pid in self._before else getattr(info, "pss", info.rss)
            self.most = max(self.most, taken / MEBIBYTE)


def measure(contender: Contender, cloud: FaultyCloud, count: int, steps: Sequence[str]) -> Iterator[Figures]:
    """Let a contender do the steps, each on what the one before left."""
    names = [f"app-{number:03}" for number in range(count)]
    wanted = dict.fromkeys(names, "alice")
    for step in steps:
        if step == UPDATE:
            wanted = {**wanted, names[0]: "bob"}
        figures = Figures(contender.name, count, step)
        calls, cpu, began = _calls(cloud), _cpu(), time.perf_counter()
        memory = Memory()
        with memory.watching():
            if step == DELETE:
                contender.delete(wanted)
            else:
                contender.deploy(wanted, names[0])
        figures.seconds = time.perf_counter() - began
        figures.cpu, figures.memory = _cpu() - cpu, memory.most
        figures.calls = _calls(cloud) - calls
        print(line(figures), file=sys.stderr, flush=True)
        yield figures


def _calls(cloud: FaultyCloud) -> int:
    return sum(len(cloud.calls(by=caller)) for caller in Caller)


def _cpu() -> float:
    """Seconds of CPU of the processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def line(figures: Figures) -> str:
    """The figures as a line of a Markdown table."""
    return (
        f"| {figures.count} | {figures.step} | {figures.contender} | {figures.seconds:.1f} s | {figures.cpu:.1f} s "
        f"| {figures.memory:.0f} MiB | {figures.calls} |"
    )


def aims(rows: Sequence[Figures]) -> dict[str, bool]:
    """What was aimed at, as a sentence with the figure, and whether it is reached."""
    ours = {(row.count, row.step): row for row in rows if row.contender == OURS}
    found = {}
    for count, aim in CREATE_AIMS.items():
        if (count, CREATE) in ours:
            took = ours[count, CREATE].seconds
            found[f"{count} created in at most {aim:g} s: {took:.1f} s"] = took <= aim
    if (1, NOTHING) in ours and (NOTHING_OF, NOTHING) in ours:
        ratio = ours[NOTHING_OF, NOTHING].seconds / ours[1, NOTHING].seconds
        found[f"nothing to do for {NOTHING_OF} at most {NOTHING_AIM:g} of that for 1: {ratio:.2f}"] = (
            ratio <= NOTHING_AIM
        )
    if ours:
        most = max(row.memory for row in ours.values())
        found[f"at most {MEMORY_AIM} MiB: {most:.0f}"] = most <= MEMORY_AIM
    return found


def main() -> int:
    """Measure, tell, write and draw; the exit code is 1 where an aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 20, 100, 500], help="how many stacks")
    parser.add_argument("--sceptre-up-to", type=int, default=100)
    parser.add_argument("--cli-up-to", type=int, default=100)
    parser.add_argument("--standard-up-to", type=int, default=20)
    parser.add_argument("--output", type=Path, default=surroundings.RESULTS, help="folder for fleet.json")
    parser.add_argument("--plot", type=Path, default=surroundings.IMAGES / "fleet.svg", help="where to draw")
    chosen = parser.parse_args()
    limits = {SCEPTRE: chosen.sceptre_up_to, CLI: chosen.cli_up_to, STANDARD: chosen.standard_up_to}
    rows: list[Figures] = []
    with ministack.running() as stand_in, faults.running(stand_in) as cloud:
        for count in [*chosen.counts, NOTHING_OF]:
            with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
                for contender in _contenders(cloud, Path(name)):
                    only_nothing = count == NOTHING_OF and count not in chosen.counts
                    if count > limits.get(contender.name, count) or (only_nothing and contender.name != OURS):
                        continue
                    stand_in.reset()
                    cloud.forget()
                    for user in ("alice", "bob"):
                        stand_in.client("iam").create_user(UserName=user)
                    cloud.plan(*(Hold(kind, seconds=SLOW_SECONDS) for kind in ("CREATE", "UPDATE", "DELETE")))
                    steps = (CREATE, NOTHING) if only_nothing else (CREATE, NOTHING, UPDATE, DELETE)
                    rows += measure(contender, cloud, count, steps)
    reached = aims(rows)
    print("| stacks | what | by | on the wall | CPU | memory | calls |\n|---|---|---|---|---|---|---|")
    print(*map(line, sorted(rows, key=lambda row: (row.count, row.step))), sep="\n", end="\n\n")
    print(*(f"{'reached' if kept else 'MISSED '}  {aim}" for aim, kept in reached.items()), sep="\n")
    chosen.output.mkdir(parents=True, exist_ok=True)
    file = chosen.output / "fleet.json"
    file.write_text(json.dumps({"rows": [asdict(row) for row in rows], "aims": reached}, indent=1) + "\n")
    surroundings.draw("fleet", file, chosen.plot)
    return 0 if all(reached.values()) else 1


def _contenders(cloud: FaultyCloud, folder: Path) -> list[Contender]:
    (folder / "home").mkdir()
    (folder / "sceptre").mkdir()
    standard = folder / "standard.yml"
    standard.write_text(STANDARD_PLAY)
    return [
        Playbook(OURS, "playbooks/fleet.yml", cloud, folder),
        Sceptre(cloud, folder / "sceptre"),
        AwsCli(cloud),
        Playbook(STANDARD, str(standard), cloud, folder),
    ]


if __name__ == "__main__":
    sys.exit(main())
