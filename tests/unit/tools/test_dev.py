# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The virtual environment is made once, made again when it must be, and made by one at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.cargohold.ecr.tools import dev
from ansible_collections.cargohold.ecr.tools.dev import Environment, SetupError


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment of a checkout in a temporary folder, without packages."""
    monkeypatch.setattr(dev, "CHECKOUT", tmp_path)
    monkeypatch.setattr(dev, "CACHE", tmp_path / ".cache")
    monkeypatch.setattr(dev, "_uv", lambda: "uv")
    lock = tmp_path / "requirements.txt"
    lock.write_text("")
    return Environment(tmp_path / ".venv", lock, linked=True)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The locks that were installed so far, by an installer that does nothing."""
    locks: list[Path] = []
    monkeypatch.setattr(dev, "_install_step", lambda _command, lock: locks.append(lock))
    return locks


def lock_changes(environment: Environment) -> None:
    """Another package is wanted."""
    environment.lock.write_text("# something else\n")


def installation_was_interrupted(environment: Environment) -> None:
    """The stamp, which comes last, did not come."""
    environment.stamp.unlink()


def python_was_removed(environment: Environment) -> None:
    """The link to the Python that it was made with leads nowhere."""
    python = environment.commands / "python"
    python.unlink()
    python.symlink_to("/nowhere/python")


EVENTS: dict[str, Callable[[Environment], None]] = {
    event.__name__: event for event in (lock_changes, installation_was_interrupted, python_was_removed)
}


def test_made_once(environment: Environment, installed: list[Path]) -> None:
    """What is complete is left as it is."""
    dev.provide(environment)
    dev.provide(environment)
    assert installed == [environment.lock]


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS.keys())
def test_made_again(event: Callable[[Environment], None], environment: Environment, installed: list[Path]) -> None:
    """After such an event it is made from nothing, and is complete again."""
    dev.provide(environment)
    leftover = environment.folder / "leftover"
    leftover.touch()
    event(environment)
    dev.provide(environment)
    assert len(installed) == 2
    assert environment.complete
    assert not leftover.exists()


def test_failure_is_not_taken_for_success(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the installer fails, nothing is complete."""
    environment.lock.write_text("no-such-package-as-this==0\n")
    monkeypatch.setattr(dev, "_uv", lambda: "/bin/false")
    with pytest.raises(SetupError, match=r"requirements\.txt could not be installed"):
        dev.provide(environment)
    assert not environment.complete


def test_one_at_a_time(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two who come at once, one installs and the other waits and finds it done."""
    calls: list[Path] = []
    both_are_here = threading.Event()

    def install(_command: object, lock: Path) -> None:
        calls.append(lock)
        assert both_are_here.wait(30)

    def say(sentence: str) -> None:
        if "Waiting" in sentence:
            both_are_here.set()

    monkeypatch.setattr(dev, "_install_step", install)
    monkeypatch.setattr(dev, "_say", say)
    makers = [threading.Thread(target=dev.provide, args=(environment,)) for _time in range(2)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert len(calls) == 1


def test_linked(environment: Environment, installed: list[Path]) -> None:
    """The checkout is the collection, where Python looks for packages, and a link that leads elsewhere is mended."""
    assert installed == []
    dev.provide(environment)
    [link] = environment.folder.glob("lib/python3.*/site-packages/ansible_collections/cargohold/ecr")
    link.unlink()
    link.symlink_to("/nowhere")
    dev.provide(environment)
    assert link.resolve() == environment.lock.parent


def test_unknown_environment() -> None:
    """A name that does not exist is answered with those that do."""
    with pytest.raises(SetupError, match=r"no environment 'scaners'.*scanners"):
        dev.env(["scaners"])


def says(command: Path, script: str) -> None:
    """Put a shell script where a Python is looked for."""
    command.parent.mkdir(parents=True, exist_ok=True)
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)


def test_python_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a shim that does not run nor a link that leads nowhere is taken for a Python; the next one that runs is."""
    says(tmp_path / "bin" / "python3.10", "exit 127")
    says(tmp_path / "versions" / "3.11.9" / "bin" / "python", "printf '3.11.9\\n/opt\\n'")
    broken = tmp_path / "versions" / "3.10.1" / "bin" / "python"
    broken.parent.mkdir(parents=True)
    broken.symlink_to("/nowhere/python")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    environment = Environment(tmp_path / ".venv", tmp_path / "lock", linked=False, pythons=("3.10", "3.11"))
    assert environment.python == (str(tmp_path / "versions" / "3.11.9" / "bin" / "python"), "3.11.9", "/opt")


def test_no_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none of the versions is there, a sentence says which are looked for."""
    for name in ("PATH", "PYENV_ROOT", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(dev, "CACHE", tmp_path / ".cache")
    environment = Environment(tmp_path / ".venv", tmp_path / "lock", linked=False, pythons=("3.10", "3.11"))
    environment.lock.touch()
    environment.folder.mkdir()
    environment.stamp.touch()
    with pytest.raises(SetupError, match=r"^No Python 3\.10 or 3\.11 answers"):
        dev.provide(environment)


def test_kept_in_the_checkout() -> None:
    """Caches and homes are inside the checkout; bytecode is written though the caller turned it off."""
    variables = dev.surroundings({"PATH": "/usr/bin", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": "/x"})
    assert "PYTHONDONTWRITEBYTECODE" not in variables
    assert "PYTHONPATH" not in variables
    assert variables["PATH"].split(os.pathsep) == [str(dev.CHECKOUT / ".venv" / "bin"), "/usr/bin"]
    for name in ("ANSIBLE_HOME", "ANSIBLE_COLLECTIONS_PATH", "PIP_CACHE_DIR", "UV_CACHE_DIR", "XDG_CACHE_HOME"):
        assert Path(variables[name]).is_relative_to(dev.CHECKOUT)


def test_own_choice_of_a_package_cache_is_kept() -> None:
    """Who shares a cache of packages between checkouts goes on sharing it."""
    assert dev.surroundings({"UV_CACHE_DIR": "/shared"})["UV_CACHE_DIR"] == "/shared"
