# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the unit tests of the plugins share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.cargohold.ecr.tests.unit.support.fake_time import FakeTime

# What Hypothesis found and tests have written is kept beside the other tools' caches; ansible-test leaves tools/dev's variables out.
CACHE = Path(__file__).resolve().parents[3] / ".cache"
CACHE.mkdir(exist_ok=True)
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(CACHE / "hypothesis"))
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(CACHE))


@pytest.fixture
def fake_time() -> FakeTime:
    """Time that passes only when somebody sleeps."""
    return FakeTime()
