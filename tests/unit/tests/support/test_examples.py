# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is taken for an example, and when a page's output counts as printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.cargohold.ecr.tests.support.examples import (
    Command,
    Example,
    File,
    NotAnExample,
    Plays,
    examples_of,
    write_files_of,
)

PAGES: dict[str, tuple[str, list[Example]]] = {
    "commands-and-output": (
        "```console\n$ ansible-playbook a.yml   # a remark\n…\nok: [localhost]\n$ make test\n```\n",
        [Command("page.md:1", "ansible-playbook a.yml", ["ok: [localhost]"]), Command("page.md:1", "make test", [])],
    ),
    "command-in-two-lines": (
        "```console\n$ ansible-playbook a.yml \\\n    -e x=1\n```\n",
        [Command("page.md:1", "ansible-playbook a.yml -e x=1", [])],
    ),
    "command-in-a-sentence": (
        "Type `ansible-playbook a.yml`, not `-e x=1`.\n",
        [Command("page.md:1", "ansible-playbook a.yml")],
    ),
    "command-in-a-table": (
        "| a | b |\n|---|---|\n| `make demo` | shows it |\n",
        [Command("page.md:3", "make demo")],
    ),
    "file": ("```yaml\n# a.yml\nx: 1\n```\n", [File("page.md:1", "a.yml", "# a.yml\nx: 1\n")]),
    "tasks": (
        "Text.\n\n```yaml\n- ansible.builtin.ping:\n```\n",
        [Plays("page.md:3", "- ansible.builtin.ping:\n")],
    ),
    "diagram": ("```mermaid\nflowchart\n```\n", []),
}

OUTPUT = ["   9.4s  payments-api  CREATE_COMPLETE", "images    1 of …", "changed: [localhost]"]


def _page(folder: Path, text: str) -> list[Example]:
    page = folder / "page.md"
    page.write_text(text)
    return examples_of(page, folder)


@pytest.mark.parametrize(("text", "examples"), PAGES.values(), ids=PAGES.keys())
def test_found(tmp_path: Path, text: str, examples: list[Example]) -> None:
    """Each kind of block is what its language and its first line say."""
    assert _page(tmp_path, text) == examples


@pytest.mark.parametrize(
    "text",
    ["```\nmake test\n```\n", "```console\nmake test\n```\n", "```yaml\nx: 1\n```\n"],
    ids=["no-language", "no-prompt", "neither-list-nor-file"],
)
def test_nothing_is_passed_over(tmp_path: Path, text: str) -> None:
    """A block of which it is not known what a reader does with it is an error that says where."""
    with pytest.raises(NotAnExample, match=r"page\.md:1"):
        _page(tmp_path, text)


def test_files_are_written(tmp_path: Path) -> None:
    """Each file is where its name says."""
    page = tmp_path / "page.md"
    page.write_text("```yaml\n# a.yml\nx: 1\n```\n\n```yaml\n# b/c.yml\ny: 2\n```\n")
    write_files_of(page, tmp_path / "project", tmp_path)
    assert (tmp_path / "project" / "a.yml").read_text() == "---\n# a.yml\nx: 1\n"
    assert (tmp_path / "project" / "b" / "c.yml").exists()


def test_tasks_become_a_play() -> None:
    """Tasks get a play around them; plays are left as they are."""
    [play] = Plays("page.md:1", "- ansible.builtin.ping:\n").playbook
    assert play["tasks"] == [{"ansible.builtin.ping": None}]
    [play] = Plays("page.md:1", "- hosts: all\n").playbook
    assert play == {"hosts": "all"}


def test_output_is_compared_by_what_stays() -> None:
    """Times pass, other lines may come between, and an ellipsis stands for anything."""
    printed = "  0.0s  payments-api   CREATE_COMPLETE\nok\nimages 1 of 504 Bytes\nchanged: [localhost]\n"
    assert Command("", "", OUTPUT).missing_from(printed) == []


@pytest.mark.parametrize("missing", OUTPUT)
def test_output_that_is_not_there(missing: str) -> None:
    """Each line counts."""
    printed = "\n".join(line.replace("…", "504 Bytes") for line in OUTPUT if line != missing)
    assert Command("", "", OUTPUT).missing_from(printed) == [missing]


def test_output_in_another_order() -> None:
    """Nor may they come in another order."""
    assert Command("", "", ["first", "second"]).missing_from("second\nfirst\n") == ["second"]


@pytest.mark.parametrize(("output", "fails"), [([], False), (["ok"], False), (["[ERROR]: Task failed: …"], True)])
def test_shown_to_fail(output: list[str], fails: bool) -> None:
    """Whether a command shall fail is seen from what the page shows."""
    assert Command("", "", output).fails is fails
