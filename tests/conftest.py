# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures for every test that needs AWS or ansible-playbook. None of them waits for time to pass."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ansible_collections.cargohold.ecr.tests.support.ministack import MiniStack
    from ansible_collections.cargohold.ecr.tests.support.playbook import PlaybookRunner

# The imports stand in the fixtures, because the unit tests also run where boto3 and MiniStack are not installed.


def pytest_configure() -> None:
    """Take a request to end as Ctrl-C is taken: then the fixtures stop what they have started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def ministack() -> Iterator[MiniStack]:
    """MiniStack, one for all tests of a worker; use C(cloud), which is empty at first."""
    from ansible_collections.cargohold.ecr.tests.support.ministack import running

    with running() as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def ministack_with_auth() -> Iterator[MiniStack]:
    """MiniStack that checks permissions, one for all tests of a worker; use C(cloud_with_auth)."""
    from ansible_collections.cargohold.ecr.tests.support.ministack import running

    with running(auth=True) as stand_in:
        yield stand_in


@pytest.fixture
def cloud(ministack: MiniStack) -> MiniStack:
    """An AWS with nothing in it, where everybody may do everything."""
    ministack.reset()
    return ministack


@pytest.fixture
def cloud_with_auth(ministack_with_auth: MiniStack) -> MiniStack:
    """An AWS with nothing in it, where only the root user may do everything."""
    ministack_with_auth.reset()
    return ministack_with_auth


@pytest.fixture
def playbook(tmp_path: Path) -> PlaybookRunner:
    """Runs playbooks of the checkout for a user with an empty HOME and no credentials."""
    from ansible_collections.cargohold.ecr.tests.support.playbook import PlaybookRunner

    home = tmp_path / "home"
    home.mkdir()
    return PlaybookRunner(home=home)
