# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in that outlives the command that started it is there once, is there again, and is gone in the end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ansible_collections.cargohold.ecr.tests.support import background
from ansible_collections.cargohold.ecr.tests.support.background import Note, Process
from ansible_collections.cargohold.ecr.tests.support.scenery import PARAMETERS, Scenery
from ansible_collections.cargohold.ecr.tests.support.stand_in import HOST
from ansible_collections.cargohold.ecr.tests.support.templates import TEMPLATE

ACCOUNT = "100000000042"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where MiniStack is noted; afterwards it is not running."""
    for variable in ("MINISTACK_ENDPOINT", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    yield tmp_path
    background.stop_all(tmp_path)


def start(folder: Path, **variables: str) -> str:
    """Run the command that starts MiniStack; what it says, or why it did not."""
    done = subprocess.run(
        [sys.executable, "-m", background.__name__, "start", folder, "ministack"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout if done.returncode == 0 else done.stderr).strip()


def note_in(folder: Path) -> Note:
    """The note of MiniStack, which is there."""
    note = Note.read(folder / "ministack.json")
    assert note is not None
    return note


def process_of(process: Process | None) -> psutil.Process:
    """A process of the note, which runs."""
    found = process.find() if process else None
    assert found is not None
    return found


def test_started_once_and_stopped(folder: Path) -> None:
    """A second start leaves it as it is; the stop ends both processes, and a second stop finds nothing to do."""
    assert start(folder) == "started"
    note = note_in(folder)
    assert start(folder) == "running already"
    assert note_in(folder) == note
    assert {host for host, _port in background.addresses(folder)} == {HOST}
    assert background.stop_all(folder)
    assert not [process for process in (note.keeper, note.stand_in) if process and process.find()]
    assert not background.stop_all(folder)


def test_started_again_after_its_death(folder: Path) -> None:
    """What was killed, as by a restart of the machine, is started anew, though there is a note of it."""
    start(folder)
    dead = note_in(folder)
    for process in (process_of(dead.keeper), process_of(dead.stand_in)):
        process.kill()
    assert start(folder) == "started"
    assert note_in(folder).stand_in != dead.stand_in


def test_own_stand_in_is_left_alone(folder: Path, tmp_path: Path) -> None:
    """Somebody's own, named by its endpoint, is used and not stopped."""
    start(folder)
    own = note_in(folder)
    other = tmp_path / "other"
    assert start(other, MINISTACK_ENDPOINT=own.endpoint) == "started"
    note = note_in(other)
    assert (note.endpoint, note.keeper, note.stand_in) == (own.endpoint, None, None)
    assert background.stop_all(other)
    assert process_of(own.stand_in).is_running()


SENTENCES = {
    "nobody-answers": (
        {"MINISTACK_ENDPOINT": f"http://{HOST}:1"},
        f"Nobody answers at http://{HOST}:1: start ministack there, or unset MINISTACK_ENDPOINT.",
    ),
    "profile": (
        {"AWS_PROFILE": "production"},
        "AWS_PROFILE is set, and stands in the way of other credentials: env -u AWS_PROFILE molecule …",
    ),
}


@pytest.mark.parametrize(("variables", "sentence"), SENTENCES.values(), ids=SENTENCES.keys())
def test_refused(variables: dict[str, str], sentence: str, folder: Path) -> None:
    """What cannot work is told in one sentence."""
    assert start(folder, **variables) == sentence


def test_account_is_emptied(folder: Path) -> None:
    """What an interrupted scenario left is gone, images and users too; where there is nothing, nothing is done."""
    start(folder)
    scenery = Scenery(note_in(folder), ACCOUNT)
    cloudformation = scenery.client("cloudformation")
    scenery.people_come()
    cloudformation.create_stack(StackName="payments-api", TemplateBody=TEMPLATE, Parameters=PARAMETERS)
    cloudformation.get_waiter("stack_create_complete").wait(StackName="payments-api", WaiterConfig={"Delay": 0})
    scenery.push("payments-api")
    assert scenery.empty()
    assert cloudformation.describe_stacks()["Stacks"] == []
    assert scenery.client("ecr").describe_repositories()["repositories"] == []
    assert scenery.client("iam").list_users()["Users"] == []
    assert not scenery.empty()
