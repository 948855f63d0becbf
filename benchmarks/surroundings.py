# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the benchmarks find things: the peers' virtual environment, and folders for results and plots."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent

# Made of benchmarks/requirements.txt, with the checkout linked as the collection; its commands.
PEERS = CHECKOUT / ".venv-benchmarks" / "bin"

RESULTS = CHECKOUT / ".cache" / "benchmarks"
IMAGES = CHECKOUT / "docs" / "images"


def of_peers(**more: str) -> dict[str, str]:
    """The variables for the peers: nothing of the user's AWS, and bytecode is kept."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR", "HOME") if name in os.environ}
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return {
        **kept,
        **nothing,
        "AWS_EC2_METADATA_DISABLED": "true",
        "MPLCONFIGDIR": str(CHECKOUT / ".cache" / "matplotlib"),
        **more,
    }


def draw(plot: str, figures: Path, image: Path) -> None:
    """Draw the figures of a benchmark, in the virtual environment that has what draws."""
    command = [str(PEERS / "python"), str(Path(__file__).with_name("plots.py")), plot, str(figures), str(image)]
    subprocess.run(command, env=of_peers(), check=True)
