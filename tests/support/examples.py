# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documentation shows a reader to type: commands, with what they print, and YAML, which is a file or is run.

In C(console) blocks, a line that begins with C($) is a command, and what follows is what it prints; C(…) stands for anything.
A C(yaml) block whose first line is a comment with a file's name is that file; any other is plays or tasks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt

PROMPT = "$ "
NAMED = re.compile(r"# (\S+\.ya?ml)\n")

# Code in a sentence is a command where it begins with one of these.
PROGRAMS = ("ansible-", "make ", "molecule ", "tools/dev ")

# How long something took, and when it happened, are never the same again.
PASSING = re.compile(r"\b\d+(\.\d+)?s\b")


@dataclass(frozen=True)
class Command:
    """Something to type.

    :param where: the page and its line.
    :param text: in one line.
    :param output: the lines that the page shows of what it prints.
    """

    where: str
    text: str
    output: Sequence[str] = ()

    @property
    def fails(self) -> bool:
        """Whether the page shows it fail."""
        return any(line.startswith(("[ERROR]", "fatal:")) for line in self.output)

    def missing_from(self, printed: str) -> list[str]:
        """The lines that the page shows and that were not printed, or not in this order."""
        rest = [_comparable(line) for line in printed.splitlines()]
        missing = []
        for shown in self.output:
            wanted = re.compile(".*".join(re.escape(_comparable(part)) for part in shown.split("…")))
            found = next((index for index, line in enumerate(rest) if wanted.search(line)), None)
            if found is None:
                missing.append(shown)
            else:
                del rest[: found + 1]
        return missing


@dataclass(frozen=True)
class File:
    """A file that the reader shall have, by its name."""

    where: str
    name: str
    text: str

    def write(self, folder: Path) -> None:
        """Write it, below the folder where the reader stands."""
        file = folder / self.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"---\n{self.text}")


@dataclass(frozen=True)
class Plays:
    """Plays, or tasks for a play of the reader's own."""

    where: str
    text: str

    @property
    def playbook(self) -> list[dict[str, Any]]:
        """Plays; tasks become those of one play on localhost."""
        content: list[dict[str, Any]] = yaml.safe_load(self.text)
        if any("hosts" in each or "ansible.builtin.import_playbook" in each for each in content):
            return content
        return [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": content}]


Example = Command | File | Plays


class NotAnExample(Exception):
    """A block that neither is a command nor can be run; the message says where."""


def examples_of(page: Path, root: Path) -> list[Example]:
    """All that a page of Markdown shows a reader to type, in order.

    :param root: the folder that places are told from.
    :raises NotAnExample: a block has no language, or holds something that is no list and no file.
    """
    found: list[Example] = []
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text()):
        where = f"{page.relative_to(root)}:{(token.map or [0])[0] + 1}"
        if token.type == "fence":
            found += _of_block(where, token.info.strip(), token.content)
        for child in token.children or []:
            if child.type == "code_inline" and child.content.startswith(PROGRAMS):
                found.append(Command(where, child.content))
    return found


def write_files_of(page: Path, folder: Path, root: Path) -> Path:
    """Write each file that a page shows, below a folder that is made where it is missing; the folder."""
    for example in examples_of(page, root):
        if isinstance(example, File):
            example.write(folder)
    return folder


def _of_block(where: str, language: str, text: str) -> Iterator[Example]:
    match language:
        case "console":
            yield from _commands(where, text)
        case "yaml":
            named = NAMED.match(text)
            if named:
                yield File(where, named[1], text)
            elif isinstance(yaml.safe_load(text), list):
                yield Plays(where, text)
            else:
                raise NotAnExample(
                    f"{where}: the block is neither a list of tasks or plays, nor begins with '# NAME.yml'."
                )
        case "":
            raise NotAnExample(f"{where}: the block says no language.")


def _commands(where: str, text: str) -> Iterator[Command]:
    lines = text.replace("\\\n", "").splitlines()
    if not lines[0].startswith(PROMPT):
        raise NotAnExample(f"{where}: the block does not begin with a command.")
    begins = [number for number, line in enumerate(lines) if line.startswith(PROMPT)]
    for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        command, _hash, _remark = lines[begin].removeprefix(PROMPT).partition("  #")
        yield Command(where, " ".join(command.split()), [line for line in lines[begin + 1 : end] if line.strip(" …")])


def _comparable(line: str) -> str:
    return PASSING.sub("0s", " ".join(line.split()))
