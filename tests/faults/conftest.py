# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the tests in which something goes wrong between a playbook and AWS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ansible_collections.cargohold.ecr.tests.support.faults import FaultyCloud, running
from ansible_collections.cargohold.ecr.tests.support.live import processes_of, wait_for_tidiness
from ansible_collections.cargohold.ecr.tests.support.ministack import MiniStack
from ansible_collections.cargohold.ecr.tests.support.playbook import PlaybookRunner
from ansible_collections.cargohold.ecr.tests.support.scene import Scene


@pytest.fixture(scope="session")
def proxy(ministack: MiniStack) -> Iterator[FaultyCloud]:
    """The proxy, one for all tests of a worker; use C(scene), where it has forgotten the others."""
    with running(ministack) as proxy:
        yield proxy


@pytest.fixture
def scene(cloud: MiniStack, proxy: FaultyCloud, playbook: PlaybookRunner) -> Iterator[Scene]:
    """An AWS with two users and nothing else, and playbooks that see it through the proxy and leave nothing behind."""
    proxy.forget()
    for user in ("alice", "bob"):
        cloud.client("iam").create_user(UserName=user)
    # The home folder of a connection is the one of the system's user database, whatever HOME says.
    folders = {
        "ANSIBLE_ASYNC_DIR": str(playbook.home / ".ansible_async"),
        "ANSIBLE_REMOTE_TEMP": str(playbook.home / ".ansible" / "tmp"),
    }
    runner = replace(playbook, environment={**proxy.environment(), **folders})
    try:
        yield Scene(cloud, proxy, runner)
        wait_for_tidiness(playbook.home)
    finally:
        proxy.forget()
        for process in processes_of(playbook.home):
            process.kill()
