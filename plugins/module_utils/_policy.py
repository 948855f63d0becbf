# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""Repository policies, read by meaning rather than by text."""

from __future__ import annotations

import json
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

# What a reader may do.
PULL_ACTIONS = PUSH_PULL_ACTIONS[:3]

# The Lambda developer guide, "Amazon ECR permissions": Lambda adds this statement by itself.
_STATEMENT_OF_LAMBDA = "LambdaECRImageRetrievalPolicy"

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


def policy_differences(asked: Mapping[str, Any], live: Mapping[str, Any]) -> list[str]:
    """Where two policies do not mean the same, the half of a sentence each.

    Compared is who is allowed or denied what, under which condition: in which order, in how many statements and in which
    spelling that is said does not matter. Lambda's own statement is left out.
    """
    wanted, there = _grants(asked), _grants(live)
    gone = deleted_principals(live)
    lines = _told(wanted - there, "is missing") + _told(
        {grant for grant in there - wanted if grant[1].removeprefix("AWS:") not in gone}, "was added"
    )
    lines += [
        f"{principal} stands for a user or role that was deleted, and one made again under the same name is another to AWS"
        for principal in gone
    ]
    return lines


# The effect, the principal, the action (or what is not one), and under which conditions and for which resources.
_Grant = tuple[str, str, str, str]


def _grants(policy: Mapping[str, Any]) -> set[_Grant]:
    return {
        (str(statement.get("Effect")), principal, action, _rest(statement))
        for statement in _as_list(policy.get("Statement"))
        if statement.get("Sid") != _STATEMENT_OF_LAMBDA
        for principal in _canonical_principals(statement)
        for action in _canonical_actions(statement)
    }


def _canonical_principals(statement: Mapping[str, Any]) -> list[str]:
    negated = "NotPrincipal" in statement
    element = statement.get("NotPrincipal" if negated else "Principal")
    if not isinstance(element, Mapping):
        element = {"AWS": element}
    names = [f"{kind}:{_account_of_root(str(name))}" for kind, listed in element.items() for name in _as_list(listed)]
    return [f"everybody but {' and '.join(sorted(names))}"] if negated else names


def _canonical_actions(statement: Mapping[str, Any]) -> list[str]:
    negated = "NotAction" in statement
    names = [str(action).lower() for action in _as_list(statement.get("NotAction" if negated else "Action"))]
    return [f"everything but {' and '.join(sorted(names))}"] if negated else names


def _rest(statement: Mapping[str, Any]) -> str:
    """The conditions and resources as a text that is the same where they mean the same."""
    conditions = {
        operator.lower(): {key.lower(): sorted(map(str, _as_list(values))) for key, values in keys.items()}
        for operator, keys in (statement.get("Condition") or {}).items()
    }
    resources = {key: sorted(_as_list(statement[key])) for key in ("Resource", "NotResource") if key in statement}
    return json.dumps([conditions, resources], sort_keys=True) if conditions or resources else ""


def _account_of_root(principal: str) -> str:
    """An account's principal is told by its number as well as by its root user's ARN."""
    return re.sub(r"arn:[a-z-]+:iam::(\d{12}):root", r"\1", principal)


def _told(grants: set[_Grant], what: str) -> list[str]:
    """The grants as halves of sentences, one for each principal."""
    actions: dict[tuple[str, str, str], list[str]] = {}
    for effect, principal, action, rest in sorted(grants):
        actions.setdefault((effect, principal, rest), []).append(action)
    return [
        f"{effect} {', '.join(listed)} to {principal.removeprefix('AWS:')}{' under a condition' if rest else ''} {what}"
        for (effect, principal, rest), listed in actions.items()
    ]


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
