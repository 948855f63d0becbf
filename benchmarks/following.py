# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How soon who follows a stack knows that it has settled, and with how many calls: ours and the peers' side by side.

Everybody's own code runs, on botocore's clients, against a CloudFormation on a simulated clock; so a run takes seconds, and
gives the same figures each time. Writes them as JSON and draws them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry, RetryingBotoClientWrapper
from ansible_collections.amazon.aws.plugins.modules import cloudformation as standard
from botocore.config import Config

from ansible_collections.cargohold.ecr.benchmarks import surroundings
from ansible_collections.cargohold.ecr.benchmarks.simulation import (
    BEFORE_SEND,
    CREDENTIALS,
    NAME,
    REGION,
    CloudFormation,
    Poller,
    Sample,
    sample,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._following import Follower, Reporter
from ansible_collections.cargohold.ecr.plugins.module_utils._job import Job, JobReport, JobState
from ansible_collections.cargohold.ecr.plugins.module_utils._polling import Time
from ansible_collections.cargohold.ecr.plugins.module_utils._status import Operation
from ansible_collections.cargohold.ecr.plugins.module_utils._watch import Before, Outcome, Target

# The promise of docs/architecture.md: seconds, share of T, and how many calls at most for a T.
LAG_AT_LEAST = 0.5
LAG_SHARE = 0.1
MOST_CALLS: Mapping[float, int] = {8.0: 20, 60.0: 40}

SHOWN = (1.0, 2.0, 5.0, 8.0, 20.0, 45.0, 60.0, 90.0, 120.0)

# A round trip to CloudFormation.
LATENCY = 0.05

# How long the background job takes from its start to its request; nothing is known of the stack until then.
JOB_SECONDS = 1.5

# Seconds by which the beginning is shifted against the looks.
PHASES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.49)


class Ours:
    """What the role does: our follower, from the start of the job that asks for the creation.

    :param ends: how the creation is to end.
    """

    name = "cargohold.ecr"
    asks = False

    def __init__(self, ends: str = Outcome.SUCCEEDED) -> None:
        self._ends = ends

    def follow(self, service: CloudFormation) -> None:
        """Follow the stack until there is a verdict."""
        follower = Follower(
            client(service),
            [Target(NAME, Operation.CREATE, Before())],
            time=Time(service.clock.read, service.clock.sleep, lambda: 0.5),
            reporter=Reporter(),
            job=_Running(),
        )
        follower.follow(3600)
        outcome = follower.watches[0].outcome
        if outcome != self._ends:
            raise RuntimeError(f"The outcome is {outcome}: {follower.watches[0].reason}")


class _Running(Job):
    """A job that runs on."""

    def __init__(self) -> None:
        super().__init__("1.1", os.devnull)

    def read(self) -> JobReport:
        """What it says while it runs."""
        return JobReport(JobState.RUNNING)


class Waiter:
    """botocore's waiter with its own settings."""

    name = "botocore's waiter"
    asks = False

    def follow(self, service: CloudFormation) -> None:
        """Wait until the stack is complete."""
        client(service).get_waiter("stack_create_complete").wait(StackName=NAME)


class Standard:
    """amazon.aws.cloudformation, from where it has asked for the creation."""

    name = "amazon.aws.cloudformation"
    asks = False

    def follow(self, service: CloudFormation) -> None:
        """Wait until the operation is over."""
        wrapped = RetryingBotoClientWrapper(client(service), AWSRetry.jittered_backoff())
        told = standard.stack_operation(None, wrapped, NAME, "CREATE", 200)
        if told.get("failed"):
            raise RuntimeError(f"The module says {told}")


def client(service: CloudFormation) -> Any:
    """The client, which from now on speaks to this service."""
    made = _client()
    made.meta.events.unregister(BEFORE_SEND, unique_id="simulation")
    made.meta.events.register(BEFORE_SEND, service.send, unique_id="simulation")
    return made


@cache
def _client() -> Any:
    """A client; it does not retry, as there is nothing to."""
    # The stubs know a service's client only by its literal name and options.
    return boto3.client(  # type: ignore[call-overload]
        "cloudformation", region_name=REGION, config=Config(retries={"total_max_attempts": 1}), **CREDENTIALS
    )


def measure(takes: Sequence[float], latency: float) -> dict[str, list[Sample]]:
    """Samples of everybody, by name; ours first."""
    here: list[Poller] = [Ours(), Standard(), Waiter()]
    found = {each.name: [sample(each, each_takes, latency) for each_takes in takes] for each in here}
    asked = json.dumps({"takes": takes, "latency": latency})
    done = subprocess.run(
        [surroundings.PEERS / "python", Path(__file__).with_name("peers.py"), asked],
        env=surroundings.of_peers(**{name.upper(): value for name, value in CREDENTIALS.items()}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return found | {name: [Sample(**each) for each in samples] for name, samples in json.loads(done.stdout).items()}


@dataclass(frozen=True)
class Promise:
    """Whether ours keeps a promise.

    :param worst: the figure that comes closest to breaking it.
    """

    what: str
    kept: bool
    worst: str

    def __str__(self) -> str:
        return f"{'kept  ' if self.kept else 'BROKEN'}  {self.what}: {self.worst}"


def promises(takes: Sequence[float]) -> list[Promise]:
    """Whether ours keeps them, in every way in which a stack can be met.

    The looks that the promise counts are those of the service: what an answer takes on its way is the network's.
    """
    found = []
    ways: tuple[tuple[str, Poller, float, bool], ...] = (
        ("created, followed from its beginning", Ours(), 0.0, False),
        (f"created, {JOB_SECONDS} s after the job was started", Ours(), JOB_SECONDS, False),
        (f"rolled back, {JOB_SECONDS} s after the job was started", Ours(Outcome.FAILED), JOB_SECONDS, True),
    )
    for way, poller, begins, fails in ways:
        samples = [sample(poller, each, LATENCY, begins=begins, fails=fails) for each in takes]
        found.append(_lag_promise(way, samples))
        for seconds, most in MOST_CALLS.items():
            # The looks can meet the beginning early or late.
            phases = [sample(poller, seconds, LATENCY, begins=begins + phase, fails=fails) for phase in PHASES]
            calls = max(each.calls for each in phases)
            found.append(
                Promise(f"{way}: at most {most} calls for {seconds:.0f} s", calls <= most, f"at worst {calls}")
            )
    return found


def _lag_promise(way: str, samples: Sequence[Sample]) -> Promise:
    worst = max(samples, key=lambda each: each.seen / allowed(each.takes))
    return Promise(
        f"{way}: seen within max({LAG_AT_LEAST} s, {LAG_SHARE:.0%} of T)",
        all(each.seen <= allowed(each.takes) + 0.001 for each in samples),
        f"at worst {worst.seen:.2f} s for {worst.takes:g} s, of {allowed(worst.takes):.2f} s allowed",
    )


def allowed(takes: float) -> float:
    """The seconds within which a stack that takes so long is to be seen settled."""
    return max(LAG_AT_LEAST, LAG_SHARE * takes)


def table(found: Mapping[str, Sequence[Sample]]) -> str:
    """The figures for a reader, as Markdown."""
    lines = [
        "| who follows | lag at worst | lag on average | " + " | ".join(f"{seconds:g} s" for seconds in SHOWN) + " |",
        "|---" * (3 + len(SHOWN)) + "|",
    ]
    for name, samples in found.items():
        lags = [each.told for each in samples]
        cells = []
        for seconds in SHOWN:
            # The worst of those nearby, lest a poller be praised for a T that its interval divides.
            distance = {each: abs(each.takes - seconds) for each in samples}
            reach = max(0.5, seconds * 0.1, min(distance.values()))
            near = [each for each in samples if distance[each] <= reach]
            cells.append(f"{max(each.told for each in near):.1f} s, {max(each.calls for each in near)}")
        lines.append(f"| {name} | {max(lags):.1f} s | {sum(lags) / len(lags):.1f} s | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> int:
    """Measure, tell, write and draw; the exit code is 1 where a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--step",
        type=float,
        default=0.37,
        help="seconds between two stacks of the sweep; not a part of anybody's interval",
    )
    parser.add_argument("--output", type=Path, default=surroundings.RESULTS, help="folder for following.json")
    parser.add_argument("--plot", type=Path, default=surroundings.IMAGES / "following.svg", help="where to draw")
    chosen = parser.parse_args()
    takes = [round(1 + chosen.step * number, 3) for number in range(int(119 / chosen.step) + 1)]
    found = measure(takes, LATENCY)
    kept = promises(takes)
    print(f"Lag from a stack's settling to the poller's saying so, and calls; a call takes {LATENCY * 1000:.0f} ms.")
    print("In the columns by T: the worst of the stacks that take within a tenth of T.\n")
    print(table(found), end="\n\n")
    print(*kept, sep="\n")
    chosen.output.mkdir(parents=True, exist_ok=True)
    file = chosen.output / "following.json"
    figures = {
        "latency": LATENCY,
        "samples": {name: [asdict(each) for each in samples] for name, samples in found.items()},
        "promises": [asdict(each) for each in kept],
    }
    file.write_text(json.dumps(figures, indent=1) + "\n")
    surroundings.draw("following", file, chosen.plot)
    return 0 if all(each.kept for each in kept) else 1


if __name__ == "__main__":
    sys.exit(main())
