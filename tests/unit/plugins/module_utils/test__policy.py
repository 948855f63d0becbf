# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A policy grants what IAM's rules make of it, whatever it looks like."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._policy import (
    PUSH_PULL_ACTIONS,
    deleted_principals,
    granted_principals,
    missing_actions,
)

ALICE = "arn:aws:iam::123456789012:user/team/alice"
BOB = "arn:aws:iam::123456789012:user/bob"
ROOT = "arn:aws:iam::123456789012:root"
GONE = "AIDAQ3EGS5M4EXAMPLEID"
ALL, NONE = (), PUSH_PULL_ACTIONS
PULL = ("ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage", "ecr:BatchCheckLayerAvailability")
PUSH = tuple(action for action in PUSH_PULL_ACTIONS if action not in PULL)
CONDITION = {"StringEquals": {"aws:SourceVpc": "vpc-1"}}


def allow(principal: Any = ALICE, action: Any = PUSH_PULL_ACTIONS, **more: Any) -> dict[str, Any]:
    """A statement that allows."""
    return {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, **more}


def deny(**more: Any) -> dict[str, Any]:
    """A statement that denies."""
    return {"Effect": "Deny", **more}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


@pytest.mark.parametrize(
    ("document", "missing"),
    [
        pytest.param(policy(allow()), ALL, id="the template's statement"),
        pytest.param(policy(allow([BOB, ALICE])), ALL, id="a list of principals"),
        pytest.param(policy(allow(BOB)), NONE, id="somebody else's"),
        pytest.param(policy(allow("*")), ALL, id="everybody of AWS"),
        pytest.param(policy({**allow(), "Principal": "*"}), ALL, id="a star for the principal"),
        pytest.param(policy({**allow(), "Principal": {"Service": ALICE}}), NONE, id="a service of that name"),
        pytest.param(policy(allow(ROOT)), NONE, id="the account needs an identity policy besides"),
        pytest.param(policy(allow("123456789012")), NONE, id="the account by its number"),
        pytest.param(policy(allow(GONE)), NONE, id="a deleted user"),
        pytest.param(policy(allow(ALICE.upper())), NONE, id="ARNs have a case"),
        pytest.param(policy(allow(action="ecr:*")), ALL, id="a wildcard"),
        pytest.param(policy(allow(action="*")), ALL, id="a lone star"),
        pytest.param(policy(allow(action=["ecr:Batch*", "ecr:*UrlFor?ayer"])), PUSH, id="wildcards for pulling"),
        pytest.param(
            policy(allow(action=[each.upper() for each in PUSH_PULL_ACTIONS])), ALL, id="actions have no case"
        ),
        pytest.param(
            policy(allow(action="ecr:PutImage")),
            tuple(each for each in NONE if each != "ecr:PutImage"),
            id="one action",
        ),
        pytest.param(policy(allow(action=PULL), allow(action=PUSH)), ALL, id="two statements together"),
        pytest.param({"Statement": allow()}, ALL, id="a statement without a list"),
        pytest.param(policy(allow(Condition=CONDITION)), NONE, id="a condition may not hold"),
        pytest.param(policy(allow(Condition={})), ALL, id="an empty condition holds"),
        pytest.param(
            policy(allow(), deny(Principal="*", Action="ecr:PutImage")), ("ecr:PutImage",), id="a denial counts more"
        ),
        pytest.param(policy(allow(), deny(Principal={"AWS": BOB}, Action="*")), ALL, id="a denial of somebody else"),
        pytest.param(
            policy(allow(), deny(Principal={"AWS": ROOT}, Action="*")), NONE, id="a denial of the whole account"
        ),
        pytest.param(
            policy(allow(), deny(Principal="*", Action="*", Condition=CONDITION)), ALL, id="a conditional denial"
        ),
        pytest.param(policy(allow(), deny(NotPrincipal={"AWS": ALICE}, Action="*")), ALL, id="a denial of all others"),
        pytest.param(
            policy(allow(), deny(NotPrincipal={"AWS": BOB}, Action="*")), NONE, id="a denial of all but somebody else"
        ),
        pytest.param(
            policy(allow(), deny(Principal="*", NotAction=list(PULL))), PUSH, id="a denial of all other actions"
        ),
        pytest.param(
            policy({"Effect": "Allow", "Principal": "*", "NotAction": "ecr:Put*"}),
            ("ecr:PutImage",),
            id="all other actions",
        ),
        pytest.param(policy(), NONE, id="no statement"),
        pytest.param({}, NONE, id="no policy"),
    ],
)
def test_missing_actions(document: dict[str, Any], missing: tuple[str, ...]) -> None:
    """What alice may not do, in the order in which it was asked for."""
    assert missing_actions(document, ALICE) == missing


@pytest.mark.parametrize(
    ("document", "granted"),
    [
        pytest.param(policy(allow([BOB, ALICE]), allow(BOB)), (BOB, ALICE), id="each once, in order"),
        pytest.param(policy(allow(), allow(BOB, PULL)), (ALICE,), id="pulling alone is not enough"),
        pytest.param(policy(allow(BOB, PULL), allow(BOB, PUSH)), (BOB,), id="two statements together"),
        pytest.param(policy(allow("*")), ("*",), id="everybody"),
        pytest.param(
            policy(allow([ALICE, BOB]), deny(Principal={"AWS": BOB}, Action="*")), (ALICE,), id="less the denied"
        ),
        pytest.param(policy(allow([GONE, ALICE])), (ALICE,), id="a deleted user may do nothing"),
        pytest.param({}, (), id="nobody"),
    ],
)
def test_granted_principals(document: dict[str, Any], granted: tuple[str, ...]) -> None:
    """Those who may push and pull by the policy."""
    assert granted_principals(document) == granted


@pytest.mark.parametrize(
    ("document", "deleted"),
    [
        pytest.param(policy(allow([ALICE, GONE]), allow(GONE, "ecr:*")), (GONE,), id="a user, once"),
        pytest.param(policy(allow("AROAQ3EGS5M4EXAMPLEID")), ("AROAQ3EGS5M4EXAMPLEID",), id="a role"),
        pytest.param(
            policy(allow([ALICE, "*", "arn:aws:iam::123456789012:user/AIDAQ3EGS5M4EXAMPLEID"])), (), id="none"
        ),
        pytest.param({}, (), id="no policy"),
    ],
)
def test_deleted_principals(document: dict[str, Any], deleted: tuple[str, ...]) -> None:
    """The unique IDs that stand for users and roles that are no more."""
    assert deleted_principals(document) == deleted
