# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-playbook as the tests run it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.cargohold.ecr.tests.support.playbook import PlaybookRunner

PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Say
      ansible.builtin.debug:
        var: said
      changed_when: true
    - name: Ask
      ansible.builtin.ping:
"""

SAID = {
    "word": "payments-api",
    "sentence": "a 'b' \"c\" \\ $d =e",
    "empty": "",
    "text of digits": "123456789012",
    "number": 1,
    "truth": True,
    "list": ["x y"],
}


@pytest.fixture
def play(tmp_path: Path) -> Path:
    """A playbook with a task that says what was said, and one that starts a module."""
    file = tmp_path / "play.yml"
    file.write_text(PLAY)
    return file


@pytest.mark.parametrize("said", SAID.values(), ids=SAID.keys())
def test_extra_vars_arrive_as_they_are(said: object, playbook: PlaybookRunner, play: Path) -> None:
    """A text stays that text, spaces, quotes and all, and what is no text keeps its type."""
    done = playbook(play, results=True, said=said)
    assert done.rc == 0, str(done)
    assert done.task_results[0].result["said"] == said
    assert done.recap["changed"] == 1


def test_failure_is_an_answer(playbook: PlaybookRunner) -> None:
    """A playbook that cannot be run is told by its exit code and on stderr, and nothing is raised."""
    done = playbook("no-such-playbook.yml")
    assert done.rc == 1
    assert "no-such-playbook.yml" in done.stderr
    assert done.recap == {}


def test_nothing_outside_home(playbook: PlaybookRunner, play: Path) -> None:
    """What Ansible leaves, it leaves in the given HOME."""
    done = playbook(play)
    assert done.rc == 0, str(done)
    assert done.recap["ok"] == 2
    assert [entry.name for entry in playbook.home.iterdir()] == [".ansible"]
