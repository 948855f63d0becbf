# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""Repository policies, read by meaning rather than by text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

# The statement AllowPushPull of files/ecr.yml, which is the tutorial's.
PUSH_PULL_ACTIONS = (
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
    "ecr:BatchCheckLayerAvailability",
    "ecr:PutImage",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
)

# The IAM user guide, "IAM identifiers": a deleted principal's ARN turns into its unique ID, for good.
_UNIQUE_ID = re.compile(r"(?:AIDA|AROA)[A-Z0-9]{12,}")


def missing_actions(
    policy: Mapping[str, Any], principal: str, actions: Iterable[str] = PUSH_PULL_ACTIONS
) -> tuple[str, ...]:
    """The actions that C(policy) does not grant to C(principal), in the order in which they were asked for.

    A grant counts only where it holds always: a statement with a condition grants nothing here, and a denial takes away
    even where another statement allows. A grant to the account is no grant to its users, as it needs an identity policy
    besides.

    :param policy: a policy document, as GetRepositoryPolicy tells it.
    :param principal: the ARN of a user or role.
    """
    statements = _as_list(policy.get("Statement"))
    allowing = [each for each in statements if each.get("Effect") == "Allow" and not each.get("Condition")]
    denying = [each for each in statements if each.get("Effect") == "Deny" and not each.get("Condition")]

    # A denial of the account is one of all its users.
    account = principal.split(":")[4] if principal.startswith("arn:") else principal
    denied_as = {principal, account, re.sub(r":iam::(\d+):.*", r":iam::\1:root", principal)}

    def speaks(statement: Mapping[str, Any], action: str, names: set[str]) -> bool:
        return _covers_principal(statement, names) and _covers_action(statement, action)

    return tuple(
        action
        for action in actions
        if not any(speaks(each, action, {principal}) for each in allowing)
        or any(speaks(each, action, denied_as) for each in denying)
    )


def granted_principals(policy: Mapping[str, Any]) -> tuple[str, ...]:
    """The principals that C(policy) names and grants all that pushing and pulling takes."""
    named = (
        principal
        for statement in _as_list(policy.get("Statement"))
        for principal in _principals(statement.get("Principal"))
    )
    return tuple(
        principal
        for principal in dict.fromkeys(named)
        if not _UNIQUE_ID.fullmatch(principal) and not missing_actions(policy, principal)
    )


def deleted_principals(policy: Mapping[str, Any]) -> tuple[str, ...]:
    """The unique IDs in C(policy) that stand for users and roles that were deleted since it was set."""
    found = [
        principal
        for statement in _as_list(policy.get("Statement"))
        for principal in _principals(statement.get("Principal"))
        if _UNIQUE_ID.fullmatch(principal)
    ]
    return tuple(dict.fromkeys(found))


def _covers_principal(statement: Mapping[str, Any], names: set[str]) -> bool:
    if "NotPrincipal" in statement:
        return names.isdisjoint(_principals(statement["NotPrincipal"]))
    return not {*names, "*"}.isdisjoint(_principals(statement.get("Principal")))


def _covers_action(statement: Mapping[str, Any], action: str) -> bool:
    # Actions are matched without regard to case (IAM user guide, "IAM JSON policy elements: Action").
    def matches(patterns: Any) -> bool:
        return any(fnmatchcase(action.lower(), str(pattern).lower()) for pattern in _as_list(patterns))

    if "NotAction" in statement:
        return not matches(statement["NotAction"])
    return matches(statement.get("Action"))


def _principals(element: Any) -> list[str]:
    """The AWS principals of a Principal element, which may be a star, a string, a list or a mapping of either."""
    if isinstance(element, Mapping):
        return [str(each) for each in _as_list(element.get("AWS"))]
    return [str(each) for each in _as_list(element)]


def _as_list(element: Any) -> list[Any]:
    if element is None:
        return []
    return list(element) if isinstance(element, (list, tuple)) else [element]
