# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands that tests run to their end, and what they say."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from ansible_collections.cargohold.ecr.tests.support.playbook import CHECKOUT


def run(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path = CHECKOUT,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command that gets nothing to read; all that it says is in C(stdout), in the order in which it says it.

    :param env: its variables; those of the tests, unless others are given.
    :raises subprocess.TimeoutExpired: it did not end within so many seconds.
    """
    return subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


def output_of(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path = CHECKOUT,
    timeout: float | None = None,
) -> str:
    """What a command says that succeeds; of one that fails, it is the test's message."""
    done = run(command, env=env, cwd=cwd, timeout=timeout)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(map(str, command))}\n{done.stdout}", pytrace=False)
    return done.stdout
