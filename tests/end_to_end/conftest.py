# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the tests that run the playbooks as a person does: what AWS has at first, and who runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.cargohold.ecr.tests.support.account import Account
from ansible_collections.cargohold.ecr.tests.support.live import processes_of, wait_for_tidiness
from ansible_collections.cargohold.ecr.tests.support.ministack import MiniStack
from ansible_collections.cargohold.ecr.tests.support.playbook import PlaybookRunner


@pytest.fixture
def account(cloud: MiniStack) -> Account:
    """An account with the users alice and team/bob, and nothing else."""
    return _with_users(Account(cloud))


@pytest.fixture
def strict_account(cloud_with_auth: MiniStack) -> Account:
    """The same account where AWS checks who may do what."""
    return _with_users(Account(cloud_with_auth))


@pytest.fixture
def operator(account: Account, playbook: PlaybookRunner) -> Iterator[PlaybookRunner]:
    """Runs playbooks with the credentials of the account's root user; nothing may be left behind."""
    with _tidy(playbook):
        yield replace(playbook, environment=account.cloud.environment())


@pytest.fixture
def stranger(playbook: PlaybookRunner) -> Iterator[PlaybookRunner]:
    """Runs playbooks with no credentials at all; nothing may be left behind."""
    with _tidy(playbook):
        yield playbook


@pytest.fixture
def play(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a playbook."""

    def write(text: str) -> Path:
        file = tmp_path / "play.yml"
        file.write_text(text)
        return file

    return write


def _with_users(account: Account) -> Account:
    account.user("alice")
    account.user("bob", path="/team/")
    return account


@contextmanager
def _tidy(runner: PlaybookRunner) -> Iterator[None]:
    """Claim that the playbooks of the block leave neither processes nor files of background jobs."""
    try:
        yield
        wait_for_tidiness(runner.home)
    except BaseException:
        for process in processes_of(runner.home):
            process.kill()
        raise
