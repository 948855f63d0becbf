# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The artifact: what is in it, and that it is enough for a person who has nothing else of ours."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.cargohold.ecr.tests.support.account import (
    ACTIONS,
    Account,
    arn_of,
    assert_done,
    assert_says,
)
from ansible_collections.cargohold.ecr.tests.support.commands import output_of
from ansible_collections.cargohold.ecr.tests.support.playbook import (
    CHECKOUT,
    COMMANDS,
    PlaybookRunner,
    clean_environment,
)

# Of the top of the checkout, what users run, read or are owed; and what a build writes.
SHIPPED = {
    "CHANGELOG.md",
    "CHANGELOG.rst",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "SECURITY.md",
    "changelogs",
    "docs",
    "execution-environment.yml",
    "files",
    "meta",
    "playbooks",
    "plugins",
    "roles",
}


def galaxy(*arguments: str | Path, home: Path) -> None:
    """Run ansible-galaxy collection, in a HOME that knows no server."""
    environment = clean_environment(home, {"ANSIBLE_GALAXY_SERVER": "http://127.0.0.1:1"})
    output_of([COMMANDS / "ansible-galaxy", "collection", *arguments], env=environment, cwd=home)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built collection."""
    folder = tmp_path_factory.mktemp("artifact")
    galaxy("build", CHECKOUT, "--output-path", folder, home=folder)
    [file] = folder.glob("cargohold-ecr-*.tar.gz")
    return file


def test_holds_what_users_run(artifact: Path) -> None:
    """Nothing is in it that only serves development."""
    with tarfile.open(artifact) as archive:
        names = [name for name in archive.getnames() if name != "."]
    assert {Path(name).parts[0] for name in names} <= SHIPPED
    assert not [name for name in names if name.endswith((".pyc", ".gitkeep")) or "/." in name]


@pytest.fixture
def installed(artifact: Path, tmp_path: Path, stranger: PlaybookRunner, account: Account) -> Iterator[PlaybookRunner]:
    """A person with an empty HOME and an empty folder, who has installed the collection and has credentials."""
    # The checkout is linked into the virtual environment, and so counts as installed already.
    galaxy("install", "--force", artifact, home=stranger.home)
    folder = tmp_path / "empty"
    folder.mkdir()
    yield replace(stranger, cwd=folder, environment=account.cloud.environment())
    assert list(folder.iterdir()) == []


def test_deploys(account: Account, installed: PlaybookRunner) -> None:
    """By the collection's name alone a repository is deployed, from the copy that was installed."""
    run = installed("cargohold.ecr.deploy", iam_user="alice")
    assert_done(run, changed=1)
    assert_says(run.stdout, str(installed.home / ".ansible" / "collections"))
    assert account.granted() == {arn_of("alice"): ACTIONS}


def test_tells_and_tears_down(account: Account, installed: PlaybookRunner) -> None:
    """So do the other two playbooks, one after the other in a single command."""
    account.create()
    run = installed("cargohold.ecr.status", "cargohold.ecr.teardown")
    assert_done(run, changed=1)
    assert account.repositories == []
