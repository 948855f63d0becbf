# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the docs site with antsibull-docs and Sphinx: the pages of docs/, and one for each plugin and role.

Runs in .venv-publishing, and needs nothing but the checkout.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
COMMANDS = Path(sys.prefix, "bin")

# What links lead to, in the same places as in the checkout, so that they work here as on GitHub.
PAGES = (
    "README.md",
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "SECURITY.md",
    "docs",
    "execution-environment.yml",
    "extensions",
    "files",
    "playbooks",
    "roles",
)


def main() -> int:
    """Build, and say where it is; the exit code is that of the step that failed."""
    parser = argparse.ArgumentParser(prog="tools/dev docs", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--to", type=Path, default=CHECKOUT / ".cache" / "docs", help="a folder of its own (%(default)s)"
    )
    folder = parser.parse_args().to.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    source = _gather(folder)
    # antsibull-docs writes to no folder that others may write to.
    source.chmod(0o755)
    environment = {
        **os.environ,
        # It writes a log into the home folder.
        "HOME": str(folder),
        # antsibull-docs asks the ansible that it finds.
        "PATH": f"{COMMANDS}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "ANSIBLE_COLLECTIONS_PATH": str(_collections(folder)),
    }
    rendering = ["collection", "--use-current", "--fail-on-error", "--dest-dir", str(source), "cargohold.ecr"]
    building = ["-q", "-b", "html", "-c", str(source / "docs" / "site"), str(source), str(folder / "html")]
    for tool, arguments in (("antsibull-docs", rendering), ("sphinx-build", building)):
        done = subprocess.run([COMMANDS / tool, *arguments], env=environment, check=False)
        if done.returncode != 0:
            return done.returncode
    print(folder / "html" / "index.html")
    return 0


def _gather(folder: Path) -> Path:
    """Copy the pages; the first one goes to the top."""
    source = folder / "source"
    source.mkdir(parents=True)
    for name in PAGES:
        if (CHECKOUT / name).is_dir():
            shutil.copytree(CHECKOUT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(CHECKOUT / name, source / name)
    shutil.copy(CHECKOUT / "docs" / "site" / "index.md", source / "index.md")
    return source


def _collections(folder: Path) -> Path:
    """A folder in which the checkout is the collection that it is."""
    link = folder / "ansible_collections" / "cargohold" / "ecr"
    link.parent.mkdir(parents=True)
    link.symlink_to(CHECKOUT)
    return folder


if __name__ == "__main__":
    sys.exit(main())
