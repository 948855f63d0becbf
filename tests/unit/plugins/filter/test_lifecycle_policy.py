# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter gives the policy that C(_lifecycle) makes, and tells Ansible what is wrong as filters tell it."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.cargohold.ecr.plugins.filter.lifecycle_policy import FilterModule, lifecycle_policy
from ansible_collections.cargohold.ecr.plugins.module_utils._lifecycle import lifecycle_document


def test_policy() -> None:
    """Rules become the policy that they say."""
    rules = [{"keep": 9, "tags": ["v*"]}]
    assert lifecycle_policy(rules) == lifecycle_document(rules)


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        pytest.param([{"keep": -1}], "keep: -1; it must be a number", id="a wrong rule"),
        pytest.param("keep", "takes a list of rules", id="no list"),
        pytest.param(["keep"], "takes a list of rules", id="no rules in it"),
    ],
)
def test_problems(rules: object, says: str) -> None:
    """What cannot be a policy is a filter's error, in a sentence."""
    with pytest.raises(AnsibleFilterError, match=says):
        lifecycle_policy(rules)  # type: ignore[arg-type]


def test_name() -> None:
    """The filter has the name of its file, by which Ansible finds its documentation."""
    assert FilterModule().filters() == {"lifecycle_policy": lifecycle_policy}
