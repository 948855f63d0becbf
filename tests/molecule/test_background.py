# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in that outlives the command that started it is there once, is there again, and is gone in the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ansible_collections.cargohold.ecr.tests.support import background
from ansible_collections.cargohold.ecr.tests.support.background import Note, Process
from ansible_collections.cargohold.ecr.tests.support.scenery import PARAMETERS, SLOW, Scenery
from ansible_collections.cargohold.ecr.tests.support.stand_in import HOST, DidNotStart

ACCOUNT = "100000000042"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where MiniStack is noted; afterwards it is not running."""
    for variable in ("MINISTACK_ENDPOINT", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    yield tmp_path
    background.stop_all(tmp_path)


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
    assert background.start("ministack", folder)
    note = note_in(folder)
    assert not background.start("ministack", folder)
    assert note_in(folder) == note
    assert {host for host, _port in background.addresses(folder)} == {HOST}
    processes = [process_of(note.keeper), process_of(note.stand_in)]
    assert background.stop_all(folder)
    assert not [process for process in processes if process.is_running()]
    assert not background.stop_all(folder)


def test_started_again_after_its_death(folder: Path) -> None:
    """What was killed, as by a restart of the machine, is started anew, though there is a note of it."""
    background.start("ministack", folder)
    dead = note_in(folder)
    for process in (process_of(dead.keeper), process_of(dead.stand_in)):
        process.kill()
        psutil.wait_procs([process], timeout=10)
    assert background.start("ministack", folder)
    assert note_in(folder).stand_in != dead.stand_in


def test_own_stand_in_is_left_alone(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody's own, named by its endpoint, is used and not stopped."""
    background.start("ministack", folder)
    own = note_in(folder)
    monkeypatch.setenv("MINISTACK_ENDPOINT", own.endpoint)
    other = tmp_path / "other"
    assert background.start("ministack", other)
    note = note_in(other)
    assert (note.endpoint, note.keeper, note.stand_in) == (own.endpoint, None, None)
    assert background.stop_all(other)
    assert process_of(own.stand_in).is_running()


def test_own_stand_in_has_to_answer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody answers, one sentence says so."""
    monkeypatch.setenv("MINISTACK_ENDPOINT", f"http://{HOST}:1")
    with pytest.raises(DidNotStart, match=rf"^Nobody answers at http://{HOST}:1: start ministack there, or unset"):
        background.start("ministack", folder)


def test_profile_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile would be taken before the stand-in's credentials."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    with pytest.raises(DidNotStart, match=r"^AWS_PROFILE is set"):
        background.start("ministack", folder)


def test_account_is_emptied_in_the_middle_of_something(folder: Path) -> None:
    """A scenario that was interrupted while a stack was being created leaves nothing behind."""
    background.start("ministack", folder)
    scenery = Scenery(note_in(folder), ACCOUNT)
    cloudformation = scenery.client("cloudformation")
    scenery.people_come()
    cloudformation.create_stack(StackName="payments-api", TemplateBody=SLOW, Parameters=PARAMETERS)
    assert scenery.empty()
    assert cloudformation.describe_stacks()["Stacks"] == []
    assert scenery.client("ecr").describe_repositories()["repositories"] == []
    assert scenery.client("iam").list_users()["Users"] == []
    assert not scenery.empty()
