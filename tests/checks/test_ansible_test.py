# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ansible-test says of the collection, with the newest and with the oldest supported ansible-core."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from configparser import RawConfigParser
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

from ansible_collections.cargohold.ecr.tests.support.commands import run
from ansible_collections.cargohold.ecr.tests.support.environments import amazon, link_collections, provided
from ansible_collections.cargohold.ecr.tests.support.playbook import CHECKOUT, COMMANDS

# Its own virtual environments are made once, in a home folder that stays.
HOME = CHECKOUT / ".cache" / "ansible-test"

# ansible-test would download get-pip.py from a server of its own. This does the same with the pip that comes with Python.
GET_PIP = """\
import ensurepip
import pathlib
import sys

[wheel] = pathlib.Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl")
sys.path.insert(0, str(wheel))

from pip._internal.cli.main import main

packages = [each for each in sys.argv[1:] if each not in ("--no-setuptools", "--no-wheel")]
sys.exit(main(["install", *packages]))
"""

# Tools that do not ask which ansible-core there is: their newest versions have looked already, and they take the most time.
MATTERS_OF_STYLE = ("pep8", "pylint", "yamllint")

pytestmark = pytest.mark.check


@dataclass(frozen=True)
class AnsibleTest:
    """ansible-test of one virtual environment, and a copy of the collection that it looks at.

    :param commands: the virtual environment's commands.
    :param home: the home folder.
    :param collection: the copy, as ansible-test wants it: in folders of these names, and in a Git repository of its own.
    :param left_out: the names of sanity tests that need not run.
    """

    commands: Path
    home: Path
    collection: Path
    left_out: Sequence[str]

    @property
    def python(self) -> str:
        """The version of Python that it runs on."""
        return self.packages.parent.name.removeprefix("python")

    @property
    def packages(self) -> Path:
        """Where it is installed."""
        [packages] = self.commands.parent.glob("lib/python3.*/site-packages")
        return packages

    def __call__(self, command: str, *arguments: str) -> tuple[int, str]:
        """Run it; returns its exit code and everything that it prints."""
        done = run(
            [self.commands / "ansible-test", command, "--color", "no", "--python", self.python, *arguments],
            cwd=self.collection,
            env={
                "HOME": str(self.home),
                "LANG": "C.UTF-8",
                "PATH": f"{self.commands}{os.pathsep}{os.environ['PATH']}",
            },
        )
        return done.returncode, done.stdout


@pytest.fixture(params=["newest", "oldest"])
def ansible_test(request: pytest.FixtureRequest, tmp_path: Path) -> AnsibleTest:
    """ansible-test, with the newest and the oldest ansible-core, and a copy of the collection as the files are now."""
    is_oldest = request.param == "oldest"
    ansible_test = AnsibleTest(
        commands=provided("oldest") if is_oldest else COMMANDS,
        home=HOME / request.param,
        collection=_copy(tmp_path),
        left_out=MATTERS_OF_STYLE if is_oldest else (),
    )
    _furnish(ansible_test)
    return ansible_test


def _furnish(ansible_test: AnsibleTest) -> None:
    """Put into the home folder what ansible-test would download, and how pip is configured, which it does not pass on."""
    source = ansible_test.packages.joinpath("ansible_test/_internal/python_requirements.py").read_text()
    version = re.search(r"pip='([\d.]+)'", source)
    assert version, "ansible-test tells its version of pip no more as it did"
    name = f"get_pip_{version[1].replace('.', '_')}.py"
    _put(ansible_test.home / ".ansible" / "test" / "cache" / name, GET_PIP)
    pip = RawConfigParser()
    pip["global"] = {name[4:].lower(): value for name, value in os.environ.items() if name.startswith("PIP_")}
    # Bytecode is made of what is imported, which is little of it.
    pip["install"] = {"no-compile": "true"}
    text = StringIO()
    pip.write(text)
    _put(ansible_test.home / ".pip" / "pip.conf", text.getvalue())


def _put(file: Path, text: str) -> None:
    """Write a file that another test may be reading."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.{os.getpid()}")
    unfinished.write_text(text)
    unfinished.replace(file)


def _copy(folder: Path) -> Path:
    """Copy the collection's files as they are now, and link the collection that it needs."""
    listed = _git(CHECKOUT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    collection = folder / "ansible_collections" / "cargohold" / "ecr"
    for name in filter(None, listed.split("\0")):
        if CHECKOUT.joinpath(name).exists():
            collection.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, collection / name)
    _git(collection, "init", "--quiet")
    _git(collection, "add", "--all")
    link_collections(folder, {"amazon": amazon()})
    return collection


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


def test_sanity(ansible_test: AnsibleTest) -> None:
    """What ansible-test asks of a collection's files is so, each test's findings being the failure's message."""
    code, output = ansible_test("sanity", "--local", *(f"--skip-test={name}" for name in ansible_test.left_out))
    ran = re.findall(r'^Running sanity test "([\w-]+)"', output, re.MULTILINE)
    assert code == 0, output
    # It succeeds where it takes no file for the collection's.
    assert set(ran) >= {"ansible-doc", "compile", "ignores", "import", "runtime-metadata", "validate-modules"}, output
    assert not set(ran) & set(ansible_test.left_out)


def test_sanity_minds(ansible_test: AnsibleTest) -> None:
    """A file that is not as ansible-test wants it is found."""
    module = ansible_test.collection / "plugins" / "modules" / "stack_status.py"
    module.write_bytes(module.read_bytes().replace(b"\n", b"\r\n"))
    code, output = ansible_test("sanity", "--local", "--test=line-endings")
    assert code == 1
    assert "ERROR: plugins/modules/stack_status.py:" in output, output


def test_units(ansible_test: AnsibleTest) -> None:
    """The unit tests pass where ansible-test lets them import no more than Ansible does on a controller or a target."""
    code, output = ansible_test("units", "--local")
    assert code == 0, output
    contexts = re.findall(r"^Unit test (\w+) with", output, re.MULTILINE)
    passed = re.findall(r"^=+ (\d+) passed.* in [\d.]+s", output, re.MULTILINE)
    assert contexts == ["module_utils", "controller"], output
    assert [int(count) > 0 for count in passed] == [True, True], output
