# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the playbooks take, against an empty playbook, the AWS CLI and the standard module, on the same stand-in.

Everything runs in turn, round by round, so that a busy moment of the machine meets all alike; the least of the rounds is what
it takes, the rest is the machine's doing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.cargohold.ecr.benchmarks import surroundings
from ansible_collections.cargohold.ecr.tests.support import faults, ministack
from ansible_collections.cargohold.ecr.tests.support.fault_plan import Hold
from ansible_collections.cargohold.ecr.tests.support.playbook import PlaybookRunner
from ansible_collections.cargohold.ecr.tests.support.stand_in import StandIn

TEMPLATE = surroundings.CHECKOUT / "files" / "ecr.yml"
USER = "alice"

EMPTY = "an empty playbook"
BARE = "boto3 alone, from its client on"
DEPLOY, REDEPLOY, STATUS, TEARDOWN = "deploy.yml", "deploy.yml again", "status.yml", "teardown.yml"
CLI_DEPLOY = "aws cloudformation deploy, describe-stacks"

SLOW_SECONDS = 8.0

# The aims: a redeployment in so many empty playbooks, and a first deployment in so many seconds more than an empty playbook
# and the stack itself.
REDEPLOY_AIM = 2.0
DEPLOY_AIM = 1.5

STANDARD_PLAY = """\
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - amazon.aws.cloudformation:
        stack_name: standard
        state: "{{ state }}"
        template_body: "{{ lookup('file', template) }}"
        template_parameters: {IAMUserName: alice}
"""
EMPTY_PLAY = """\
- hosts: localhost
  connection: local
  gather_facts: false
  tasks: []
"""

# Runs something to its end, once.
Step = Callable[[], None]


@dataclass
class Row:
    """One thing that is timed.

    :param ours: whether it is this collection.
    :param against: the name of what does the same by the AWS CLI; empty where nothing does.
    :param slow: whether the stack takes SLOW_SECONDS.
    :param seconds: on the wall, one figure for each round.
    """

    name: str
    step: Step
    ours: bool = False
    against: str = ""
    slow: bool = False
    seconds: list[float] = field(default_factory=list)

    @property
    def least(self) -> float:
        """What it takes."""
        return min(self.seconds)

    def run(self) -> None:
        """Run it and remember how long it took."""
        began = time.perf_counter()
        self.step()
        self.seconds.append(time.perf_counter() - began)


@dataclass(frozen=True)
class Bench:
    """Everything that can be timed, on one stand-in.

    :param folder: for playbooks and Ansible's files.
    """

    stand_in: StandIn
    folder: Path

    def rows(self) -> list[Row]:
        """What is timed where stacks take no time, in the order in which each builds on the one before."""
        return [
            Row(EMPTY, self._playbook(self._written("empty.yml", EMPTY_PLAY))),
            Row(BARE, self._bare),
            Row(DEPLOY, self._playbook("playbooks/deploy.yml", iam_user=USER), ours=True, against=CLI_DEPLOY),
            Row(
                REDEPLOY,
                self._playbook("playbooks/deploy.yml", iam_user=USER),
                ours=True,
                against=f"{CLI_DEPLOY}, again",
            ),
            Row(
                STATUS, self._playbook("playbooks/status.yml"), ours=True, against="aws cloudformation describe-stacks"
            ),
            Row(
                TEARDOWN,
                self._playbook("playbooks/teardown.yml"),
                ours=True,
                against="aws cloudformation delete-stack, describe-stacks",
            ),
            Row("amazon.aws.cloudformation", self._standard("present"), against=CLI_DEPLOY),
            Row("amazon.aws.cloudformation, again", self._standard("present"), against=f"{CLI_DEPLOY}, again"),
            Row(
                "amazon.aws.cloudformation, absent",
                self._standard("absent"),
                against="aws cloudformation delete-stack, describe-stacks",
            ),
            Row(CLI_DEPLOY, self._cli_deploy),
            Row(f"{CLI_DEPLOY}, again", self._cli_deploy),
            Row("aws cloudformation describe-stacks", lambda: self._aws("describe-stacks", "--stack-name", "by-hand")),
            Row("aws cloudformation delete-stack, describe-stacks", self._cli_delete),
        ]

    def slow_rows(self) -> list[Row]:
        """What is timed where a stack takes SLOW_SECONDS."""
        suffix = f", {SLOW_SECONDS:.0f} s"
        return [
            Row(
                f"{DEPLOY}{suffix}",
                self._playbook("playbooks/deploy.yml", iam_user=USER),
                ours=True,
                against=f"{CLI_DEPLOY}{suffix}",
                slow=True,
            ),
            Row(
                f"amazon.aws.cloudformation{suffix}",
                self._standard("present"),
                against=f"{CLI_DEPLOY}{suffix}",
                slow=True,
            ),
            Row(f"{CLI_DEPLOY}{suffix}", self._cli_deploy, slow=True),
        ]

    def _written(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.write_text(text)
        return file

    def _playbook(self, playbook: str | Path, **extra_vars: Any) -> Step:
        # The home folder of a local connection is the one of the system's user database, whatever HOME says.
        folders = {
            "ANSIBLE_ASYNC_DIR": str(self.folder / "async"),
            "ANSIBLE_REMOTE_TEMP": str(self.folder / "tmp"),
        }
        runner = PlaybookRunner(self.folder / "home", {**self.stand_in.environment(), **folders})

        def run() -> None:
            done = runner(playbook, **extra_vars)
            if done.rc != 0:
                raise RuntimeError(str(done))

        return run

    def _standard(self, state: str) -> Step:
        return self._playbook(self._written("standard.yml", STANDARD_PLAY), state=state, template=str(TEMPLATE))

    def _bare(self) -> None:
        """A stack made and removed: the stand-in's own part."""
        cloudformation = self.stand_in.client("cloudformation")
        parameters = [{"ParameterKey": "IAMUserName", "ParameterValue": USER}]
        cloudformation.create_stack(StackName="bare", TemplateBody=TEMPLATE.read_text(), Parameters=parameters)
        while cloudformation.describe_stacks(StackName="bare")["Stacks"][0]["StackStatus"] != "CREATE_COMPLETE":
            time.sleep(0.01)
        cloudformation.delete_stack(StackName="bare")

    def _cli_deploy(self) -> None:
        """The tutorial's two commands, with our template."""
        named = ("--stack-name", "by-hand")
        self._aws(
            "deploy",
            "--template-file",
            str(TEMPLATE),
            *named,
            "--parameter-overrides",
            f"IAMUserName={USER}",
            "--no-fail-on-empty-changeset",
        )
        self._aws("describe-stacks", *named)

    def _cli_delete(self) -> None:
        """The tutorial's end: after it the stack must not be found."""
        self._aws("delete-stack", "--stack-name", "by-hand")
        self._aws("describe-stacks", "--stack-name", "by-hand", codes=(255, 254))

    def _aws(self, *arguments: str, codes: Sequence[int] = (0,)) -> None:
        command = [str(surroundings.PEERS / "aws"), "cloudformation", *arguments]
        environment = surroundings.of_peers(**self.stand_in.environment())
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode not in codes:
            raise RuntimeError(f"aws {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def measure(rounds: int, slow_rounds: int) -> list[Row]:
    """Time everything, round by round."""
    with ministack.running() as stand_in, tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        (folder / "home").mkdir()
        rows = Bench(stand_in, folder).rows()
        for number in range(rounds):
            _say(f"round {number + 1} of {rounds}")
            _start_anew(stand_in)
            for row in rows:
                row.run()
        if not slow_rounds:
            return rows
        with faults.running(stand_in) as slow:
            slow_rows = Bench(slow, folder).slow_rows()
            for number in range(slow_rounds):
                _say(f"slow round {number + 1} of {slow_rounds}")
                _start_anew(stand_in)
                slow.forget()
                slow.plan(Hold("CREATE", seconds=SLOW_SECONDS))
                for row in slow_rows:
                    row.run()
        return [*rows, *slow_rows]


def _start_anew(stand_in: ministack.MiniStack) -> None:
    stand_in.reset()
    stand_in.client("iam").create_user(UserName=USER)


def table(rows: Sequence[Row]) -> str:
    """The figures for a reader, as Markdown."""
    least = {row.name: row.least for row in rows}
    lines = [
        "| what | least | median | in empty playbooks | more than an empty playbook | of the AWS CLI's time |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        of_cli = f"{row.least / least[row.against]:.2f}" if row.against in least else ""
        lines.append(
            f"| {row.name} | {row.least:.2f} s | {statistics.median(row.seconds):.2f} s "
            f"| {row.least / least[EMPTY]:.2f} | {row.least - least[EMPTY]:+.2f} s | {of_cli} |"
        )
    return "\n".join(lines)


def aims(rows: Sequence[Row]) -> dict[str, bool]:
    """What was aimed at, as a sentence with the figure, and whether it is reached."""
    least: Mapping[str, float] = {row.name: row.least for row in rows}
    ratio = least[REDEPLOY] / least[EMPTY]
    found = {f"redeploy at most {REDEPLOY_AIM:g} empty playbooks: {ratio:.2f}": ratio <= REDEPLOY_AIM}
    for suffix, own in (("", least[BARE]), (f", {SLOW_SECONDS:.0f} s", SLOW_SECONDS)):
        if DEPLOY + suffix in least:
            more = least[DEPLOY + suffix] - least[EMPTY] - own
            sentence = f"{DEPLOY}{suffix}: at most {DEPLOY_AIM:g} s more than an empty playbook and the stack's {own:.2f} s: {more:.2f} s"
            found[sentence] = more <= DEPLOY_AIM
    return found


def main() -> int:
    """Measure, tell, write and draw; the exit code is 1 where an aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slow-rounds", type=int, default=2, help=f"rounds with stacks that take {SLOW_SECONDS:.0f} s")
    parser.add_argument("--output", type=Path, default=surroundings.RESULTS, help="folder for playbooks.json")
    parser.add_argument("--plot", type=Path, default=surroundings.IMAGES / "playbooks.svg", help="where to draw")
    chosen = parser.parse_args()
    rows = measure(chosen.rounds, chosen.slow_rounds)
    reached = aims(rows)
    print(table(rows), end="\n\n")
    print(*(f"{'reached' if kept else 'MISSED '}  {aim}" for aim, kept in reached.items()), sep="\n")
    chosen.output.mkdir(parents=True, exist_ok=True)
    file = chosen.output / "playbooks.json"
    empty = next(row.least for row in rows if row.name == EMPTY)
    figures = {
        "rows": [
            {
                "name": row.name,
                "ours": row.ours,
                "slow": row.slow,
                "seconds": row.seconds,
                "to_empty": row.least / empty,
            }
            for row in rows
        ],
        "aims": reached,
    }
    file.write_text(json.dumps(figures, indent=1) + "\n")
    surroundings.draw("playbooks", file, chosen.plot)
    return 0 if all(reached.values()) else 1


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
