# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Molecule's scenarios, each on each stand-in for AWS."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from ansible_collections.cargohold.ecr.tests.support import environments
from ansible_collections.cargohold.ecr.tests.support.background import CLOUDS, Note
from ansible_collections.cargohold.ecr.tests.support.commands import output_of
from ansible_collections.cargohold.ecr.tests.support.playbook import CHECKOUT, COMMANDS, clean_environment

FOLDER = CHECKOUT / "extensions" / "molecule"
SCENARIOS = sorted(file.parent.name for file in FOLDER.glob("*/molecule.yml"))

# By scenario and stand-in, why it is left out.
CANNOT: dict[str, dict[str, str]] = yaml.safe_load((FOLDER / "inventory.yml").read_text())["all"]["vars"]["cannot"]

# A scenario that takes longer hangs.
SECONDS_AT_MOST = 300.0


@dataclass(frozen=True)
class Molecule:
    """Molecule, as a developer runs it at the top of the checkout.

    :param cloud: the stand-in's name.
    :param folder: for everything that the runs leave: the HOME, and what Molecule remembers.
    """

    cloud: str
    folder: Path

    def __call__(self, *arguments: str) -> None:
        """Run it, and claim that all went well; if not, its output is the failure's message."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        endpoint = f"{self.cloud.upper()}_ENDPOINT"
        variables = {
            "MOLECULE_CLOUD": self.cloud,
            "MOLECULE_EPHEMERAL_DIRECTORY": str(self.folder / "molecule"),
            "NO_COLOR": "1",
            # Ctrl-C kills this process without giving it time to tidy up, where there are several of pytest.
            "STAND_IN_OWNER": str(os.getpid()),
            **{name: os.environ[name] for name in (endpoint,) if name in os.environ},
        }
        environment = clean_environment(home, variables)
        output_of([COMMANDS / "molecule", *arguments], env=environment, timeout=SECONDS_AT_MOST)

    @property
    def note(self) -> Note | None:
        """What the scenario default noted of the stand-in; C(None) where there is none."""
        return Note.read(self.folder / "molecule" / "clouds" / f"{self.cloud}.json")


@pytest.fixture(scope="session")
def molecule_on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Molecule]]:
    """Molecule by the stand-in's name, with the stand-in running; one of each for all tests of a worker."""
    made: dict[str, Molecule] = {}
    with ExitStack() as stack:

        def molecule_on(cloud: str) -> Molecule:
            if cloud not in made:
                made[cloud] = stack.enter_context(_created(cloud, tmp_path_factory.mktemp(cloud)))
            return made[cloud]

        yield molecule_on


@contextmanager
def _created(cloud: str, folder: Path) -> Iterator[Molecule]:
    """Let the scenario default start a stand-in; and at the end stop it, leaving no process behind."""
    if cloud == "localstack" and "LOCALSTACK_ENDPOINT" not in os.environ:
        # With this process's settings of the package index, which Molecule does not get.
        environments.provided("localstack")
    molecule = Molecule(cloud, folder)
    molecule("create")
    note = molecule.note
    assert note is not None
    try:
        yield molecule
    finally:
        molecule("destroy")
    assert molecule.note is None
    assert not [process for process in (note.keeper, note.stand_in) if process and process.find()]


def _cases() -> Iterator[object]:
    for cloud in sorted(CLOUDS):
        for scenario in SCENARIOS:
            reason = CANNOT.get(scenario, {}).get(cloud)
            yield pytest.param(scenario, cloud, marks=[pytest.mark.skip(reason=reason)] if reason else [])


@pytest.mark.parametrize(("scenario", "cloud"), list(_cases()))
def test_scenario(scenario: str, cloud: str, molecule_on: Callable[[str], Molecule]) -> None:
    """The scenario's role does what it shall, again does nothing, and the services say so."""
    # The stand-in is for the next scenario, too.
    molecule_on(cloud)("test", "--destroy=never", "--scenario-name", scenario)
