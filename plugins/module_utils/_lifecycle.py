# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""Lifecycle policies of ECR, made from rules that a person reads at a glance; pure.

The rules of the format are those of the ECR user guide, "Lifecycle policy parameters".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Refused

# Of images that are to stay for good, so many are kept: ECR has no rule that only protects.
COUNT_FOR_GOOD = 999_999

MOST_RULES = 50
LONGEST_PATTERN = 128
MOST_STARS = 4

_FORMS = "keep, expire_after, expire_untagged_after or protect"
_KEYS: Mapping[str, frozenset[str]] = {
    "protect": frozenset({"protect"}),
    "keep": frozenset({"keep", "tags"}),
    "expire_after": frozenset({"expire_after", "tags"}),
    "expire_untagged_after": frozenset({"expire_untagged_after"}),
}


def lifecycle_document(rules: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The lifecycle policy that says what the rules say.

    ECR lets the first rule that an image matches decide. So what protects comes first, then what speaks of tags in the
    order in which it was given, then untagged images, and what speaks of all images last.

    :param rules: each with one of C(protect) (patterns of tags whose images stay), C(keep) (so many of the newest),
        C(expire_after) (days since the push) and C(expire_untagged_after) (days); C(keep) and C(expire_after) may have
        C(tags), patterns to which they are limited.
    :raises Refused: with every problem, when the rules cannot be a policy.
    """
    problems = lifecycle_problems(rules)
    if problems:
        raise Refused(" ".join(problems))
    protecting, tagged, untagged, general = (
        [_rule(rule, pattern) for rule in rules if _rank(rule) == rank for pattern in _patterns(rule)]
        for rank in range(4)
    )
    ordered = [*protecting, *tagged, *untagged, *general]
    return {"rules": [{"rulePriority": priority, **rule} for priority, rule in enumerate(ordered, start=1)]}


def lifecycle_problems(rules: Sequence[Mapping[str, Any]]) -> list[str]:
    """Everything that keeps the rules from being a policy, a sentence each."""
    problems = [problem for number, rule in enumerate(rules, start=1) for problem in _rule_problems(number, rule)]
    if problems:
        return problems
    ranks = [_rank(rule) for rule in rules]
    if ranks.count(2) > 1:
        problems.append("Two lifecycle rules speak of untagged images, and ECR takes one: leave one out.")
    if ranks.count(3) > 1:
        problems.append(
            "Two lifecycle rules speak of all images, and ECR takes one: leave one out, or limit it by tags."
        )
    count = sum(len(_patterns(rule)) for rule in rules)
    if count > MOST_RULES:
        problems.append(
            f"The lifecycle rules make {count} rules of ECR, one for each pattern, and it takes {MOST_RULES}: shorten them."
        )
    return problems


def _rule_problems(number: int, rule: Mapping[str, Any]) -> list[str]:
    forms = [form for form in _KEYS if form in rule]
    if len(forms) != 1:
        return [f"Lifecycle rule {number} says {' and '.join(forms) or 'nothing'}: give it one of {_FORMS}."]
    [form] = forms
    problems = [
        f"Lifecycle rule {number} has {key!r}, which does not go with {form}: leave it out."
        for key in sorted(set(rule) - _KEYS[form])
    ]
    if form != "protect":
        number_given = rule[form]
        if isinstance(number_given, bool) or not str(number_given).isdecimal() or int(number_given) < 1:
            problems.append(f"Lifecycle rule {number} has {form}: {number_given!r}; it must be a number from 1.")
    listed = rule.get("protect" if form == "protect" else "tags")
    if listed is not None and not (isinstance(listed, (list, tuple)) and listed):
        problems.append(f"Lifecycle rule {number} must list at least one pattern of tags, such as [release-*].")
        return problems
    problems += [
        f"Lifecycle rule {number} has the pattern {pattern!r}, and ECR takes 1 to {LONGEST_PATTERN} characters "
        f"with at most {MOST_STARS} stars: change it."
        for pattern in listed or ()
        if not 1 <= len(str(pattern)) <= LONGEST_PATTERN or str(pattern).count("*") > MOST_STARS
    ]
    return problems


def _rank(rule: Mapping[str, Any]) -> int:
    """Where a rule stands: 0 protects, 1 speaks of tags, 2 of untagged images, 3 of all."""
    if "protect" in rule:
        return 0
    if "expire_untagged_after" in rule:
        return 2
    return 1 if "tags" in rule else 3


def _patterns(rule: Mapping[str, Any]) -> list[str | None]:
    """What a rule is limited to, a rule of ECR each: one that lists several takes images that match all of them."""
    listed = rule.get("protect") or rule.get("tags")
    return [str(pattern) for pattern in listed] if listed else [None]


def _rule(rule: Mapping[str, Any], pattern: str | None) -> dict[str, Any]:
    if "expire_untagged_after" in rule:
        days = int(rule["expire_untagged_after"])
        return _expiring(f"Expire untagged images after {days} days", {"tagStatus": "untagged", **_days(days)})
    which = {"tagStatus": "tagged", "tagPatternList": [pattern]} if pattern else {"tagStatus": "any"}
    named = f" tagged {pattern}" if pattern else ""
    if "expire_after" in rule:
        days = int(rule["expire_after"])
        return _expiring(f"Expire images{named} after {days} days", {**which, **_days(days)})
    count = COUNT_FOR_GOOD if "protect" in rule else int(rule["keep"])
    kept = f"Keep images{named}" if "protect" in rule else f"Keep the newest {count} images{named}"
    return _expiring(kept, {**which, "countType": "imageCountMoreThan", "countNumber": count})


def _days(number: int) -> dict[str, Any]:
    return {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": number}


def _expiring(description: str, selection: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "selection": dict(selection), "action": {"type": "expire"}}
