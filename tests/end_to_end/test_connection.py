# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection that is not local: the modules run there, and do what the action plugins do here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.tests.support.account import (
    ACTIONS,
    STACK,
    Account,
    arn_of,
    assert_done,
)
from ansible_collections.cargohold.ecr.tests.support.images import push_by_registry
from ansible_collections.cargohold.ecr.tests.support.playbook import CHECKOUT, PlaybookRunner

# A connection to this machine, by a name that says nothing of it.
ELSEWHERE = '''
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = """
name: elsewhere
short_description: as far as anybody can tell, another machine
description: It is this one.
options: {}
"""


class Connection(Local):
    transport = "elsewhere"
'''

# The modules need a Python with boto3, and a look through AWS's client there is one through AWS's client here.
REMOTE = ("-e", "ansible_connection=elsewhere", "-e", "ansible_python_interpreter={{ ansible_playbook_python }}")

LOOKS = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: plan
      cargohold.ecr.stack_plan:
        stack_name: ecr-repository
        iam_user: bob
        template: "{{ template }}"
    - name: status
      cargohold.ecr.stack_status:
        stack_name: ecr-repository
    - name: info
      cargohold.ecr.repository_info:
        name: ecr-repository
        principal: arn:aws:iam::123456789012:user/alice
    - name: refusal
      cargohold.ecr.stack_plan:
        stack_name: ecr-repository
        state: absent
      # What a failure carries is compared, too.
      ignore_errors: true
"""

# What is not AWS's to say: how the options arrived, how the look went, and where a module told of the way it was run.
NOT_COMPARED = ("invocation", "elapsed", "calls", "_ansible_no_log", "_ansible_verbose_always", "exception", "action")


@pytest.fixture
def elsewhere(operator: PlaybookRunner, tmp_path: Path) -> PlaybookRunner:
    """An operator who has the connection plugin."""
    folder = tmp_path / "connection_plugins"
    folder.mkdir()
    (folder / "elsewhere.py").write_text(ELSEWHERE)
    return replace(operator, environment={**operator.environment, "ANSIBLE_CONNECTION_PLUGINS": str(folder)})


def comparable(result: Any) -> Any:
    """A result without what has to differ."""
    if isinstance(result, Mapping):
        return {name: comparable(value) for name, value in result.items() if name not in NOT_COMPARED}
    return [comparable(each) for each in result] if isinstance(result, list) else result


def test_same_results(account: Account, elsewhere: PlaybookRunner, tmp_path: Path) -> None:
    """Every module returns there what its action plugin returns here, its failures included."""
    account.create()
    push_by_registry(account.cloud, STACK)
    play = tmp_path / "play.yml"
    play.write_text(LOOKS)
    template = ("-e", f"template={CHECKOUT / 'files' / 'ecr.yml'}")
    here = elsewhere(play, *template, results=True)
    there = elsewhere(play, *template, *REMOTE, results=True)
    assert there.recap.get("changed") == 0, str(there)
    assert here.recap == there.recap
    for ours, theirs in zip(here.task_results, there.task_results, strict=True):
        assert comparable(theirs.result) == comparable(ours.result), ours.name


def test_deployment_without_lines(account: Account, elsewhere: PlaybookRunner) -> None:
    """A deployment works there too, and tells nothing until it is over."""
    run = elsewhere("playbooks/deploy.yml", *REMOTE, iam_user="alice")
    assert_done(run, changed=1)
    assert "CREATE_IN_PROGRESS" not in run.stdout + run.stderr
    assert account.granted() == {arn_of("alice"): ACTIONS}
