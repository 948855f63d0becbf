# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whoever types what the documentation shows gets what it says.

Each page is walked through from top to bottom, in an empty folder and an account with a few users.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from ansible_collections.cargohold.ecr.tests.support.account import Account
from ansible_collections.cargohold.ecr.tests.support.commands import run
from ansible_collections.cargohold.ecr.tests.support.examples import (
    Command,
    Example,
    File,
    Plays,
    examples_of,
    write_files_of,
)
from ansible_collections.cargohold.ecr.tests.support.images import push_by_registry
from ansible_collections.cargohold.ecr.tests.support.live import wait_for_tidiness
from ansible_collections.cargohold.ecr.tests.support.ministack import MiniStack
from ansible_collections.cargohold.ecr.tests.support.playbook import (
    CHECKOUT,
    SECONDS_AT_MOST,
    PlaybookRunner,
    clean_environment,
)
from ansible_collections.cargohold.ecr.tests.support.scene import BLUNDERS, assert_presentable

PAGES = [
    CHECKOUT / "README.md",
    CHECKOUT / "CONTRIBUTING.md",
    *sorted(CHECKOUT.glob("docs/*.md")),
    *sorted(CHECKOUT.glob("roles/*/README.md")),
]

PLUGINS = [*sorted(CHECKOUT.glob("plugins/modules/*.py")), *sorted(CHECKOUT.glob("plugins/filter/*.py"))]

# What the pages' users, roles and accounts are called.
USERS = ("alice", "bob", "orders", "deployer")
ROLE = "orders-ci"

# Commands that are seen to work in another way than by typing them here.
ELSEWHERE = {
    r"make (test|check)( ARGS=.*)?": "this very run, and .ci/run",
    r"make demo": "tests/end_to_end/test_demo.py",
    r"make docs": "tests/docs/test_site.py",
    r"\. \.venv/bin/activate|make env": "tests/unit/tools/test_dev.py",
    r"pip install .*": "the locks, which hold the same packages",
    r"\.venv/bin/ansible-playbook playbooks/.*": "tests/end_to_end/test_deploy.py",
    r"ansible-galaxy collection (install( --upgrade)?|list) cargohold\.ecr": "tests/end_to_end/test_artifact.py",
    r"sed .*|printf .*|git .*|tools/dev run antsibull-changelog release|make check && make test": "what a release takes",
    r"(\w+=\S+ )?molecule .*": "tests/molecule/test_scenarios.py",
    r"(docker (run|stop)|aws ecr get-login-password) .*": "no container engine is at hand",
    r"ansible-(builder|navigator) .*": "tests/checks/test_publishing.py, as far as it goes without a container engine",
    r"tools/dev benchmark .*": "run by hand: they take half an hour",
    r"export AWS_\w+=.*|(\w+=\S+ )+python -m ministack": "tests/support/ministack.py, for all of these pages",
}

# Its files are no playbooks to type: they are what AWX gets, and run by a test of their own.
FILES_ELSEWHERE = {"docs/execution-environments.md": "tests/end_to_end/test_execution_environment.py"}

# What a page leaves where the reader stands.
LEFT = {
    "docs/fleets.md": {"fleet.json"},
    "docs/in-a-larger-run.md": {"payments-api.env"},
    "roles/repositories/README.md": {"fleet.json"},
}

# MiniStack's repositories have no exclusion filters, and do not get the tags of a stack; so nothing is read back there.
NOT_READ_BACK = ("roles/repository/README.md",)

# Without a failed rollback or deletion, which no stand-in has, these say that they are not needed.
NEEDS_A_BROKEN_STACK = ("stack_recover",)

PUSH = re.compile(r"docker push \d+\.dkr\.ecr\.[\w-]+\.amazonaws\.com/(?P<repository>[\w/-]+):(?P<tag>[\w.-]+)")


@dataclass(frozen=True)
class Reader:
    """Somebody who types all that a page shows, in a folder of his own."""

    account: Account
    runner: PlaybookRunner

    @property
    def folder(self) -> Path:
        """Where the reader stands."""
        return self.runner.cwd

    def type(self, command: Command) -> None:
        """Type a command, and claim that it prints what the page shows."""
        push = PUSH.fullmatch(command.text)
        if push:
            push_by_registry(self.account.cloud, push["repository"], push["tag"])
            return
        if any(re.fullmatch(pattern, command.text) for pattern in ELSEWHERE):
            return
        assert command.text.startswith("ansible-"), f"{command.where}: nothing runs {command.text!r}"
        environment = clean_environment(self.runner.home, self.runner.environment)
        done = run(shlex.split(command.text), env=environment, cwd=self.folder, timeout=SECONDS_AT_MOST)
        told = f"{command.where}\n$ {command.text}\n{done.stdout}\nexit code {done.returncode}"
        assert (done.returncode != 0) == command.fails, told
        assert not [each for each in BLUNDERS if each in done.stdout], told
        assert not command.missing_from(done.stdout), f"{command.missing_from(done.stdout)} not in {told}"

    def play(self, plays: Plays, *arguments: str) -> None:
        """Run plays or tasks."""
        self.folder.joinpath("example.yml").write_text(json.dumps(plays.playbook))
        done = self.runner("example.yml", *arguments)
        assert done.rc == 0, f"{plays.where}\n{done}"
        assert_presentable(done)

    def follow(self, examples: list[Example], *arguments: str) -> None:
        """Type and run what a page shows.

        :param arguments: further ones of ansible-playbook, for plays.
        """
        for example in examples:
            match example:
                case Command():
                    self.type(example)
                case Plays():
                    self.play(example, *arguments)


@pytest.fixture
def reader(cloud: MiniStack, playbook: PlaybookRunner, tmp_path: Path) -> Iterator[Reader]:
    """A reader with an empty HOME, the templates at hand, and an account that knows who the pages speak of."""
    account = Account(cloud)
    for name in USERS:
        account.user(name)
    trust = {"Version": "2012-10-17", "Statement": []}
    account.client("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(trust))
    folder = tmp_path / "reader"
    folder.mkdir()
    folder.joinpath("files").symlink_to(CHECKOUT / "files")
    folder.joinpath("ecr.yml").symlink_to(CHECKOUT / "files" / "ecr.yml")
    yield Reader(account, replace(playbook, cwd=folder, environment=cloud.environment()))
    wait_for_tidiness(playbook.home)


def _fleet(reader: Reader) -> None:
    """The list of repositories that the README speaks of."""
    write_files_of(CHECKOUT / "docs" / "fleets.md", reader.folder, CHECKOUT)


def _shop(reader: Reader) -> None:
    """The file that a role's README looks up, as the reader's own."""
    reader.folder.joinpath("shop.yml").write_text(
        json.dumps({"repositories": [{"stack_name": "shop", "iam_user": "alice"}]})
    )


# What a page takes for granted.
GIVEN: dict[str, Callable[[Reader], None]] = {"README.md": _fleet, "roles/repositories/README.md": _shop}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_page(reader: Reader, page: Path) -> None:
    """All that a page shows works, in its order."""
    examples = examples_of(page, CHECKOUT)
    name = str(page.relative_to(CHECKOUT))
    if name not in FILES_ELSEWHERE:
        typed = " ".join(example.text for example in examples if isinstance(example, Command | File))
        unused = [each.where for each in examples if isinstance(each, File) and typed.count(each.name) < 2]
        assert unused == [], "no command uses the file"
    if name in GIVEN:
        GIVEN[name](reader)
    write_files_of(page, reader.folder, CHECKOUT)
    reader.follow(examples, *(["-e", "repository_verify=false"] if name in NOT_READ_BACK else []))
    assert {each.name for each in reader.folder.iterdir()} >= LEFT.get(name, set())


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.stem)
def test_plugin(reader: Reader, plugin: Path) -> None:
    """So do a plugin's examples, one after the other, where there are stacks of these names."""
    for name in ("payments-api", "orders-api"):
        reader.account.create(name=name)
    module = import_module(f"ansible_collections.cargohold.ecr.plugins.{plugin.parent.name}.{plugin.stem}")
    tasks = yaml.safe_load(module.EXAMPLES)
    variables = {"repositories": [{"stack_name": "payments-api", "iam_user": "alice"}]}
    if plugin.stem in NEEDS_A_BROKEN_STACK:
        for task in tasks:
            task |= {"register": "refused", "failed_when": "not refused.msg is search('is CREATE_COMPLETE')"}
    reader.play(Plays(plugin.stem, json.dumps(tasks)), "-e", json.dumps(variables))


def test_nothing_is_said_to_be_shown_elsewhere_that_is_not_shown() -> None:
    """Each exception is there for a command, and the test that it names exists."""
    commands = [each.text for page in PAGES for each in examples_of(page, CHECKOUT) if isinstance(each, Command)]
    assert [each for each in ELSEWHERE if not any(re.fullmatch(each, command) for command in commands)] == []
    for where in (*ELSEWHERE.values(), *FILES_ELSEWHERE.values()):
        assert not where.startswith("tests/") or CHECKOUT.joinpath(where.partition(",")[0]).exists(), where
