# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stack is protected where it is not as it shall be, and only there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._tasks.stack_protection import ARGUMENT_SPEC, run
from ansible_collections.cargohold.ecr.tests.unit.support.fake_client import NAME, FakeClient, no_stack, stack, stacks
from ansible_collections.cargohold.ecr.tests.unit.support.fake_task import FakeTask

POLICY = {"Statement": [{"Effect": "Deny", "Action": "Update:Delete", "Principal": "*", "Resource": "*"}]}
WRITES = ["update_termination_protection", "set_stack_policy"]


def task(
    *, live: Any = None, policy: dict[str, Any] | None = None, check_mode: bool = False, **params: Any
) -> FakeTask:
    """A task for a stack without protection, unless told otherwise."""
    client = FakeClient(
        describe_stacks=live or stacks(stack("CREATE_COMPLETE")),
        get_stack_policy={"StackPolicyBody": json.dumps(policy)} if policy else {},
        update_termination_protection={},
        set_stack_policy={},
    )
    return FakeTask(ARGUMENT_SPEC, {"cloudformation": client}, check_mode=check_mode, **{"stack_name": NAME, **params})


@pytest.mark.parametrize(
    ("before", "params", "settings"),
    [
        pytest.param({}, {}, [], id="nothing asked"),
        pytest.param({}, {"termination_protection": True}, ["termination_protection"], id="protection"),
        pytest.param({}, {"termination_protection": False}, [], id="no protection, as it is"),
        pytest.param({"policy": POLICY}, {"stack_policy": POLICY}, [], id="the same policy"),
        pytest.param({}, {"stack_policy": POLICY, "termination_protection": True}, [*ARGUMENT_SPEC][1:], id="both"),
    ],
)
def test_set_where_it_differs(before: dict[str, Any], params: dict[str, Any], settings: list[str]) -> None:
    """What was given and is otherwise is set; check mode tells the same and sets nothing."""
    asked = task(**before, **params)
    assert run(asked) == {"changed": bool(settings), "settings": settings}
    by_setting = dict(zip([*ARGUMENT_SPEC][1:], WRITES, strict=True))
    assert [name for name in asked.called if name in WRITES] == [by_setting[each] for each in settings]
    foretold = task(check_mode=True, **before, **params)
    assert run(foretold)["settings"] == settings
    assert not set(foretold.called) & set(WRITES)


@pytest.mark.parametrize(
    ("params", "says"),
    [
        pytest.param({"stack_name": "a_b"}, "'a_b' is not one that CloudFormation takes", id="name"),
        pytest.param({"stack_policy": {"x": "y" * 16_400}}, "CloudFormation takes 16,384", id="long policy"),
        pytest.param({"live": no_stack()}, "no stack payments-api to protect", id="no stack"),
    ],
)
def test_refused(params: dict[str, Any], says: str) -> None:
    """What cannot be protected is refused in a sentence."""
    with pytest.raises(Refused, match=says):
        run(task(**params))
