# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that pages of the documentation show, so that what is shown is what is tested."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.cargohold.ecr.tests.support.playbook import CHECKOUT

EXECUTION_ENVIRONMENTS = CHECKOUT / "docs" / "execution-environments.md"

# The first line of a block is a comment that names the file.
BLOCK = re.compile(r"^```yaml\n# (?P<name>\S+\.yml)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def write_files_of(page: Path, folder: Path) -> Path:
    """Write each YAML file that a page shows, below a folder that is made; the folder."""
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        file = folder / block["name"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"---\n{block['text']}", encoding="utf-8")
    return folder
