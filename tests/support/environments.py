# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual environments beside the tests' own, made by tools/dev when they are first needed."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.cargohold.ecr.tests.support.playbook import CHECKOUT, COMMANDS


class NotInstalled(Exception):
    """A virtual environment could not be made; what the installer said."""


def provided(name: str) -> Path:
    """The folder of a virtual environment's commands, after it was made if it was missing.

    :param name: as tools/dev knows it: such as C(localstack).
    :raises NotInstalled: it could not be made.
    """
    done = subprocess.run(
        [CHECKOUT / "tools" / "dev", "env", name], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise NotInstalled(done.stderr)
    return Path(done.stdout.strip()) / "bin"


def amazon() -> Path:
    """The namespace amazon of the tests' own environment, which has amazon.aws."""
    [found] = COMMANDS.parent.glob("lib/python3.*/site-packages/ansible_collections/amazon")
    return found


def link_collections(folder: Path, places: Mapping[str, Path]) -> None:
    """Make a folder in which Ansible finds collections that are elsewhere.

    :param places: where each is, by its path below C(ansible_collections).
    """
    for name, place in places.items():
        link = folder / "ansible_collections" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(place)
