# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the README's picture, docs/images/demo.svg, from a real run: C(tools/dev run python tools/picture.py).

The stand-in is as slow as AWS is with one repository, so that the live lines show what they show there.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from ansible_collections.cargohold.ecr.tests.support import faults, images, ministack
from ansible_collections.cargohold.ecr.tests.support.fault_plan import Hold

CHECKOUT = Path(__file__).resolve().parent.parent
PICTURE = CHECKOUT / "docs" / "images" / "demo.svg"
STACK = "payments-api"
COLUMNS = 128

# How long AWS takes with a repository, about.
SECONDS = 8.0

COMMANDS = (
    f"ansible-playbook cargohold.ecr.deploy -e iam_user=alice -e stack_name={STACK}",
    f"ansible-playbook cargohold.ecr.teardown -e stack_name={STACK}",
)

# Tasks that only lead to others, and what Ansible adds to the sentence of an error: where it is, and the whole result.
DULL = re.compile(r"TASK \[.*(?:Validating|Preflight|Present or absent|present \| Deploy|Keep the result)|skipping:")
ORIGIN = re.compile(r"\n[^\n]*Origin: .*", re.DOTALL)


def run(command: str, environment: dict[str, str]) -> str:
    """What a person sees in the terminal, colours included, without what says nothing about it."""
    done = subprocess.run(
        command.split(),
        env={**os.environ, **environment, "ANSIBLE_FORCE_COLOR": "1", "COLUMNS": "100"},
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    blocks = re.split(r"\n(?=\n)", done.stdout)
    return "\n".join(ORIGIN.sub("", block).strip("\n") for block in blocks if not DULL.search(block))


def main() -> None:
    """Deploy, push an image, try to tear down, and draw what was to be seen."""
    console = Console(record=True, width=COLUMNS, force_terminal=True, file=io.StringIO())
    with ministack.running() as cloud, faults.running(cloud) as slow:
        cloud.client("iam").create_user(UserName="alice")
        slow.plan(Hold("CREATE", seconds=SECONDS))
        for command in COMMANDS:
            console.print(Text(f"$ {command}", style="bold"))
            console.print(Text.from_ansi(run(command, slow.environment())))
            if command is COMMANDS[0]:
                images.push_by_registry(cloud, STACK, "1.0")
    # Without the fonts that the page would fetch from elsewhere.
    code_format = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    console.save_svg(str(PICTURE), title="cargohold.ecr", code_format=code_format)


if __name__ == "__main__":
    main()
