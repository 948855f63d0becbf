# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet on a bad way to AWS: nothing is lost, nothing is done twice, and the report is true."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.tests.support.fault_plan import Fault, Hold, Kind
from ansible_collections.cargohold.ecr.tests.support.live import LivePlaybook, processes_of, started, wait_until
from ansible_collections.cargohold.ecr.tests.support.playbook import Run
from ansible_collections.cargohold.ecr.tests.support.scene import Scene, assert_presentable, said
from ansible_collections.cargohold.ecr.tests.support.templates import SLOW

FLEET = "playbooks/fleet.yml"
NAMES = [f"app-{number:02}" for number in range(12)]

# What a kill leaves unfinished can be a job of any kind; these calls begin operations.
BEGINNINGS = ("CreateStack", "UpdateStack", "ExecuteChangeSet", "DeleteStack")


@dataclass(frozen=True)
class Fleet:
    """Runs the playbook on lists, seen through the proxy."""

    scene: Scene
    folder: Path

    def run(self, entries: Sequence[Mapping[str, Any]], *arguments: str, **extra_vars: Any) -> Run:
        """Run it to its end, whatever that is."""
        run = self.scene.runner(FLEET, "-e", f"@{self._write(entries)}", *arguments, report=self._report, **extra_vars)
        assert_presentable(run)
        return run

    def start(self, entries: Sequence[Mapping[str, Any]]) -> AbstractContextManager[LivePlaybook]:
        """Start it."""
        return started(self.scene.runner, FLEET, "-e", f"@{self._write(entries)}", report=self._report)

    @property
    def outcomes(self) -> dict[str, str]:
        """What became of each stack, by the report."""
        report = json.loads(Path(self._report).read_text())
        return {each["name"]: each["outcome"] for each in report["stacks"]}

    def begun(self, name: str) -> list[str]:
        """The operations that were begun on a stack, oldest first, by the service's own events."""
        cloudformation = self.scene.cloud.client("cloudformation")
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        return [
            each["ResourceStatus"]
            for each in reversed(events)
            if each["PhysicalResourceId"] == each["StackId"] and each["ResourceStatus"].endswith("_IN_PROGRESS")
        ]

    @property
    def _report(self) -> str:
        return str(self.folder / "report.json")

    def _write(self, entries: Sequence[Mapping[str, Any]]) -> Path:
        file = self.folder / "repositories.yml"
        file.write_text(json.dumps({"repositories_defaults": {"iam_user": "alice"}, "repositories": entries}))
        return file


@pytest.fixture
def fleet(scene: Scene, tmp_path: Path) -> Fleet:
    """A fleet of the scene."""
    return Fleet(scene, tmp_path)


def entries(*names: str, **options: Any) -> list[dict[str, Any]]:
    """An entry for each name."""
    return [{"stack_name": name, **options} for name in names]


@pytest.mark.parametrize("kind", [Kind.THROTTLED, Kind.UNAVAILABLE, Kind.RESET])
def test_a_third_of_all_calls_fails(kind: Kind, fleet: Fleet) -> None:
    """Every stack is made, once, and every one is removed, once."""
    fleet.scene.faulty.plan(Fault(kind, every=3))
    run = fleet.run(entries(*NAMES))
    assert run.rc == 0, str(run)
    assert set(fleet.outcomes.values()) == {"succeeded"}
    assert {tuple(fleet.begun(name)) for name in NAMES} == {("CREATE_IN_PROGRESS",)}
    served = Counter(call.parameters["StackName"] for call in fleet.scene.faulty.calls("CreateStack") if not call.fault)
    assert served == dict.fromkeys(NAMES, 1)
    gone = fleet.run(entries(*NAMES, state="absent"))
    assert gone.rc == 0, str(gone)
    assert fleet.scene.repositories == []


@pytest.mark.parametrize("action", ["CreateStack", "CreateChangeSet", "ExecuteChangeSet", "DeleteStack"])
def test_answers_that_get_lost(action: str, fleet: Fleet) -> None:
    """A request whose answer did not come is made again, and does nothing more."""
    names = NAMES[:3]
    if action != "CreateStack":
        assert fleet.run(entries(*names)).rc == 0
    ids = {} if action == "CreateStack" else {name: fleet.scene.stack(name)["StackId"] for name in names}  # type: ignore[index]
    fleet.scene.faulty.plan(Fault(Kind.RESET, (action,), times=2, once_served=True))
    wanted = {"state": "absent"} if action == "DeleteStack" else {} if action == "CreateStack" else {"iam_user": "bob"}
    run = fleet.run(entries(*names, **wanted))
    assert run.rc == 0, str(run)
    assert run.recap["changed"] == 1, str(run)
    assert fleet.outcomes == dict.fromkeys(names, "succeeded")
    operation = {"CreateStack": [], "DeleteStack": ["DELETE_IN_PROGRESS"]}.get(action, ["UPDATE_IN_PROGRESS"])
    for name in names:
        begun = [status for status in fleet.begun(ids.get(name, name)) if "CLEANUP" not in status]
        assert begun == ["CREATE_IN_PROGRESS", *operation], name


def test_one_hangs_and_one_fails(fleet: Fleet) -> None:
    """The others come to their ends; who hangs is told to, and is followed by the next run."""
    slow = fleet.folder / "slow.yml"
    slow.write_text(SLOW)
    listed = [
        *entries(*NAMES[:3]),
        *entries("hangs", template=str(slow), timeout=4),
        *entries("fails", template_parameters={"EmptyOnDelete": "perhaps"}),
    ]
    run = fleet.run(listed)
    assert run.rc == 2, str(run)
    assert fleet.outcomes == {**dict.fromkeys(NAMES[:3], "succeeded"), "hangs": "timed_out", "fails": "failed"}
    assert "2 of 5 stacks: hangs: hangs is still CREATE_IN_PROGRESS after 4 s." in said(run)
    with fleet.start(listed[:4]) as live:
        live.wait_for("3/4 settled")
        fleet.scene.cloud.client("cloudformation").signal_resource(
            StackName="hangs", LogicalResourceId="Slow", UniqueId="1", Status="SUCCESS"
        )
        again = live.finish()
    assert again.rc == 0, str(again)
    assert again.recap["changed"] == 0, str(again)
    assert fleet.begun("hangs") == ["CREATE_IN_PROGRESS"]


def test_killed_and_run_again(fleet: Fleet) -> None:
    """The second run follows what the first began, begins the rest, and does nothing twice."""
    scene = fleet.scene
    scene.faulty.plan(Fault(Kind.HUNG, ("CreateStack",), after=5), Hold("CREATE"))
    with fleet.start(entries(*NAMES)) as live:
        wait_until(lambda: len(scene.faulty.calls("CreateStack")) > 5, lambda: "the first calls are made")
        for process in processes_of(scene.runner.home):
            process.kill()
        live.process.wait()
    # With their connections closed, what those asked for who hung is never asked for.
    wait_until(lambda: not processes_of(scene.runner.home), lambda: "all are gone")
    scene.faulty.let_go()
    scene.faulty.plan(Hold("CREATE", seconds=2))
    began = len(scene.repositories)
    assert 0 < began < len(NAMES)
    with fleet.start(entries(*NAMES)) as live:
        wait_until(lambda: len(scene.repositories) == len(NAMES), lambda: "the others are begun")
        scene.faulty.release()
        run = live.finish()
    assert_presentable(run)
    assert run.rc == 0, str(run)
    assert Counter(fleet.outcomes.values()) == {"unchanged": began, "succeeded": len(NAMES) - began}
    assert {tuple(fleet.begun(name)) for name in NAMES} == {("CREATE_IN_PROGRESS",)}


def test_interrupted(fleet: Fleet) -> None:
    """Ctrl-C ends it at once, and AWS goes on."""
    fleet.scene.faulty.plan(Hold("CREATE"))
    with fleet.start(entries(*NAMES)) as live:
        live.wait_for("CREATE_IN_PROGRESS")
        live.interrupt()
        run = live.finish()
    assert run.rc != 0, str(run)
    assert "Traceback" not in said(run)


def test_not_too_much_is_read(fleet: Fleet) -> None:
    """However many stacks are followed, not more than five looks are made a second."""
    fleet.scene.faulty.plan(Hold("CREATE", seconds=3), Hold("DELETE", seconds=3))
    assert fleet.run(entries(*NAMES)).rc == 0
    assert fleet.run(entries(*NAMES, state="absent")).rc == 0
    looks = [call.at for call in fleet.scene.faulty.calls("DescribeStacks", "DescribeStackEvents", "ListStacks")]
    most = max(sum(start <= at < start + 1.0 for at in looks) for start in looks)
    assert most <= 5
    assert len(looks) <= 60


def test_rate(fleet: Fleet) -> None:
    """No more requests for changes are made a second than the ceiling allows."""
    fleet.run(entries(*NAMES[:6]), "-e", "repositories_rate=4")
    times = [call.at for call in fleet.scene.faulty.calls(*BEGINNINGS)]
    assert len(times) == 6
    assert times[-1] - times[0] >= 5 / 4 - 0.1
