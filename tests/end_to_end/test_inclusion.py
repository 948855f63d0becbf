# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role and the playbooks in somebody's larger run: they work there, and leave the rest of it as it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.tests.support.account import (
    ACTIONS,
    STACK,
    Account,
    arn_of,
    assert_done,
    assert_says,
)
from ansible_collections.cargohold.ecr.tests.support.playbook import PlaybookRunner
from ansible_collections.cargohold.ecr.tests.support.stand_in import ACCOUNT, REGION

Play = Callable[[str], Path]

TWO_ROLES = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: cargohold.ecr.repository
      vars: {repository_stack_name: payments-api, repository_iam_user: alice}
    - ansible.builtin.set_fact:
        first: "{{ repository_result }}"
    - ansible.builtin.include_role:
        name: cargohold.ecr.repository
      vars: {repository_stack_name: orders-api, repository_iam_user: bob}
    - ansible.builtin.debug:
        msg: "FIRST {{ first.name }} {{ first.uri }} THEN {{ repository_result.name }} {{ repository_result.uri }}"
"""


def registry_of(name: str) -> str:
    """Where a repository's images are pushed to."""
    return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{name}"


def test_two_repositories_in_a_play(account: Account, operator: PlaybookRunner, play: Play) -> None:
    """The role can be included again for another repository, and each time leaves the right result."""
    run = operator(play(TWO_ROLES))
    assert_done(run, changed=2)
    assert account.granted("payments-api") == {arn_of("alice"): ACTIONS}
    assert account.granted("orders-api") == {arn_of("team/bob"): ACTIONS}
    assert_says(
        " ".join(run.stdout.split()),
        f"FIRST payments-api {registry_of('payments-api')} THEN orders-api {registry_of('orders-api')}",
    )


WITH_A_NEIGHBOUR = """
- hosts: localhost
  gather_facts: false
  vars: &theirs
    state: absent
    region: mars-north-1
    profile: theirs
    endpoint_url: http://127.0.0.1:1
    stack_name: theirs
    iam_user: nobody
    template: theirs.yml
    timeout: 0
    name: theirs
    progress: false
  tasks:
    - ansible.builtin.set_fact:
        before: "{{ query('ansible.builtin.varnames', '.+') }}"
    - ansible.builtin.include_role:
        name: cargohold.ecr.repository
      vars:
        repository_iam_user: alice
    - ansible.builtin.assert:
        that: lookup('ansible.builtin.vars', theirs.key) == theirs.value
      loop: "{{ expected | dict2items }}"
      loop_control: {loop_var: theirs}
      vars: {expected: *theirs}
    - ansible.builtin.set_fact:
        after: "{{ query('ansible.builtin.varnames', '.+') }}"
    - ansible.builtin.copy:
        content: "{{ after | difference(before) | to_json }}"
        dest: "{{ lookup('ansible.builtin.env', 'HOME') }}/new.json"
        mode: "0600"
"""


def test_next_to_other_variables(account: Account, operator: PlaybookRunner, play: Play) -> None:
    """Variables of the play with plain names neither disturb the role nor are changed by it, and one fact is new.

    Whatever else is new has a name that says that it is internal.
    """
    run = operator(play(WITH_A_NEIGHBOUR))
    assert_done(run, changed=2)
    assert account.granted() == {arn_of("alice"): ACTIONS}
    new = set(json.loads((operator.home / "new.json").read_text())) - {"before"}
    assert {name for name in new if not name.startswith("__repository_")} == {"repository_result"}


LARGER_PLAYBOOK = """
- name: Theirs
  hosts: localhost
  gather_facts: false
  vars: {region: mars-north-1, timeout: 0}
  tasks:
    - ansible.builtin.debug:
        msg: before

- ansible.builtin.import_playbook: cargohold.ecr.deploy
  vars:
    iam_user: alice
    stack_name: payments-api

- name: Theirs again
  hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "AFTER {{ repository_result.name }} {{ iam_user is defined }} {{ repository_stack_name is defined }}"

- ansible.builtin.import_playbook: cargohold.ecr.teardown
  vars:
    stack_name: payments-api
"""


def test_playbooks_in_a_larger_one(account: Account, operator: PlaybookRunner, play: Play) -> None:
    """The playbooks can be imported; what they were told stays theirs, and the result is there for the plays after."""
    run = operator(play(LARGER_PLAYBOOK))
    assert_done(run, changed=2)
    assert_says(run.stdout, "AFTER payments-api False False")
    assert account.repositories == []


WITH_MODULE_DEFAULTS = """
- hosts: localhost
  gather_facts: false
  module_defaults:
    group/cargohold.ecr.all:
      region: eu-west-1
      endpoint_url: "{{ endpoint }}"
      access_key: "123456789012"
      secret_key: test
  tasks:
    - ansible.builtin.include_role:
        name: cargohold.ecr.repository
      vars:
        repository_iam_user: alice
"""

WITH_ENVIRONMENT = """
- hosts: localhost
  gather_facts: false
  environment:
    AWS_REGION: eu-west-1
    AWS_ENDPOINT_URL: "{{ endpoint }}"
    AWS_ACCESS_KEY_ID: "123456789012"
    AWS_SECRET_ACCESS_KEY: test
  roles:
    - role: cargohold.ecr.repository
      vars:
        repository_iam_user: alice
"""


@pytest.mark.parametrize("text", [WITH_MODULE_DEFAULTS, WITH_ENVIRONMENT], ids=["module_defaults", "environment"])
def test_connection_by_the_play(account: Account, stranger: PlaybookRunner, play: Play, text: str) -> None:
    """What a play says of the connection holds for every task of the role, though the operator's environment says nothing."""
    run = stranger(play(text), "-e", f"endpoint={account.cloud.endpoint}")
    assert_done(run, changed=1)
    assert account.granted() == {arn_of("alice"): ACTIONS}


WITH_TAGS = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.import_role:
        name: cargohold.ecr.repository
      vars: {repository_stack_name: imported, repository_iam_user: alice}
      tags: imported
    - ansible.builtin.include_role:
        name: cargohold.ecr.repository
        apply:
          tags: included
      vars: {repository_stack_name: included, repository_iam_user: alice}
      tags: included
"""


@pytest.mark.parametrize("tag", ["imported", "included"])
def test_tags(account: Account, operator: PlaybookRunner, play: Play, tag: str) -> None:
    """A tag of the play runs the whole role, or none of it."""
    run = operator(play(WITH_TAGS), "--tags", tag)
    assert_done(run, changed=1)
    assert account.repositories == [tag]


ELSEWHERE = """
- hosts: builder
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: cargohold.ecr.repository
        apply: APPLY
      vars:
        repository_iam_user: alice
    - ansible.builtin.debug:
        msg: "RESULT {{ repository_result.name }}"
"""

# A host of that name has the system's Python, in which there need not be a boto3.
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}


@pytest.mark.parametrize(
    ("apply", "variables"),
    [
        pytest.param({}, LOCAL, id="local-connection"),
        pytest.param({"delegate_to": "localhost"}, {"ansible_host": "192.0.2.1"}, id="delegated"),
    ],
)
def test_host_that_is_not_localhost(
    account: Account, operator: PlaybookRunner, play: Play, apply: Mapping[str, Any], variables: Mapping[str, str]
) -> None:
    """A repository can be a matter of any host, as long as the tasks run here; that host has the result."""
    text = ELSEWHERE.replace("APPLY", json.dumps(apply))
    run = operator(play(text), "-i", "builder,", "-e", json.dumps(variables))
    assert_done(run, changed=1, host="builder")
    assert_says(run.stdout, f"RESULT {STACK}")
    assert account.granted() == {arn_of("alice"): ACTIONS}
