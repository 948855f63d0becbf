# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What a deployment would change, resource by resource, and as a diff; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils._evaluation import Evaluation
from ansible_collections.cargohold.ecr.plugins.module_utils._records import REPOSITORY_TYPE, Resource, Stack
from ansible_collections.cargohold.ecr.plugins.module_utils._template import Template

HIDDEN = "****"

# The schema of AWS::ECR::Repository, createOnlyProperties: a change of these makes a new repository.
_REPLACING_PROPERTIES = frozenset({"RepositoryName", "EncryptionConfiguration"})


@dataclass(frozen=True)
class PropertyChange:
    """What becomes of one property; the values are C(None) where CloudFormation does not tell them.

    :param attribute: C(Properties), or which other attribute of the resource changes: C(Tags), C(DeletionPolicy) …
    """

    name: str
    before: str | None = None
    after: str | None = None
    requires_recreation: str = "Never"
    attribute: str = "Properties"

    @property
    def line(self) -> str:
        """The change in a few words."""
        if self.before is None and self.after is None:
            return self.name
        return f"{self.name} {_shortened(self.before)} → {_shortened(self.after)}"


@dataclass(frozen=True)
class Change:
    """What becomes of one resource, as DescribeChangeSet tells it.

    :param action: C(Add), C(Modify), C(Remove) …
    :param replacement: whether a new resource takes its place: C(True), C(False) or C(Conditional).
    :param condition: the template's condition on which the resource depends, where nobody evaluated it.
    """

    logical_id: str
    type: str
    action: str
    physical_id: str = ""
    replacement: str = "False"
    properties: tuple[PropertyChange, ...] = ()
    condition: str = ""

    @property
    def takes_repository_away(self) -> bool:
        """Whether a repository would go, or may have to; CloudFormation tells a replacement as soon as it is possible."""
        if self.type != REPOSITORY_TYPE:
            return False
        return self.action == "Remove" or (self.action == "Modify" and self.replacement != "False")

    @property
    def line(self) -> str:
        """The change in a line for a person."""
        resource = f"{self.logical_id} ({self.type})"
        if self.action != "Modify":
            return f"{self.action} {resource}" + (f", if {self.condition} holds" if self.condition else "")
        how = {"False": "Modify {} in place", "True": "Replace {}"}.get(self.replacement, "Modify or replace {}")
        return f"{how.format(resource)}: {', '.join(each.line for each in self.properties) or 'tags or attributes'}"

    def as_result(self) -> dict[str, Any]:
        """The change as part of a task's result."""
        return {
            "logical_id": self.logical_id,
            "physical_id": self.physical_id,
            "type": self.type,
            "action": self.action,
            "replacement": self.replacement,
            "properties": [
                {
                    "name": each.name,
                    "before": each.before,
                    "after": each.after,
                    "requires_recreation": each.requires_recreation,
                }
                for each in self.properties
            ],
        }


def weighed(changes: Sequence[Change], before: Evaluation, after: Evaluation) -> list[Change]:
    """The changes without those properties that come to what they were, which a change set counts as soon as they refer to a new parameter.

    :param before: the deployed template with its parameters.
    :param after: the template and parameters that are to be deployed.
    """

    def comes_to_the_same(change: Change, each: PropertyChange) -> bool:
        if each.before is not None and each.after is not None:
            return each.before == each.after
        if each.attribute != "Properties":
            return False
        was, will_be = (side.property_of(change.logical_id, each.name) for side in (before, after))
        return bool(was == will_be)

    def weigh(change: Change) -> Change:
        if change.action != "Modify" or not change.properties:
            return change
        left = tuple(each for each in change.properties if not comes_to_the_same(change, each))
        replacing = any(each.requires_recreation != "Never" for each in left)
        return replace(change, properties=left, replacement=change.replacement if replacing else "False")

    return [weigh(change) for change in changes]


def changes_of(answer: Sequence[Mapping[str, Any]]) -> list[Change]:
    """The changes in the form in which DescribeChangeSet gives them."""
    return [_change(each["ResourceChange"]) for each in answer if "ResourceChange" in each]


def additions(template: Template) -> list[Change]:
    """What a new stack gets: all that its template declares."""
    return [
        Change(logical_id, str(declared.get("Type", "")), "Add", condition=str(declared.get("Condition", "")))
        for logical_id, declared in template.resources.items()
    ]


def removals(held: Sequence[Resource]) -> list[Change]:
    """What goes with a stack that gives way."""
    return [Change(each.logical_id, each.type, "Remove", each.physical_id) for each in held if each.exists]


def foreseen_replacement(change: Change, stack: Stack) -> str:
    """Why a repository would go, as the end of a sentence."""
    replacing = [each.line for each in change.properties if each.name in _REPLACING_PROPERTIES]
    if change.action == "Remove":
        return f"the template that is to be deployed to {stack.name} does not have it any more"
    return f"its {' and '.join(replacing)} cannot change in place" if replacing else "of what is to be changed about it"


def diff_of(
    stack: Stack | None,
    live_template: str,
    template: Template,
    parameters: Mapping[str, str | None],
    tags: Mapping[str, str] | None,
) -> list[dict[str, str]]:
    """The parameters, the tags and the template before and after, as Ansible shows diffs; what does not differ is left out.

    :param live_template: the deployed template's text; empty for a new stack.
    :param parameters: the effective ones of the deployment. The values of those with NoEcho are not shown.
    :param tags: C(None) where they stay as they are.
    """
    before = dict(stack.parameters) if stack else {}
    hidden = {name for name, declared in template.parameters.items() if str(declared.get("NoEcho")).lower() == "true"}
    tags_before = dict(stack.tags) if stack else {}
    parts = (
        ("parameters", _lines(before, hidden), _lines(parameters, hidden)),
        ("tags", _lines(tags_before), _lines(tags_before if tags is None else tags)),
        ("template", live_template, template.body),
    )
    return [
        {"before_header": what, "after_header": what, "before": old, "after": new}
        for what, old, new in parts
        if old != new
    ]


def _change(answer: Mapping[str, Any]) -> Change:
    properties: dict[str, PropertyChange] = {}
    for detail in answer.get("Details") or []:
        target = detail.get("Target") or {}
        # Anything but a property is told by its attribute: Tags, Metadata, DeletionPolicy …
        name = target.get("Name") or target.get("Attribute") or ""
        if name:
            properties[name] = PropertyChange(
                name,
                target.get("BeforeValue"),
                target.get("AfterValue"),
                target.get("RequiresRecreation") or "Never",
                target.get("Attribute") or "Properties",
            )
    properties = properties or _told_by_contexts(answer)
    return Change(
        logical_id=answer["LogicalResourceId"],
        type=answer["ResourceType"],
        action=answer["Action"],
        physical_id=answer.get("PhysicalResourceId") or "",
        replacement=answer.get("Replacement") or "False",
        properties=tuple(properties.values()),
    )


def _told_by_contexts(answer: Mapping[str, Any]) -> dict[str, PropertyChange]:
    """The properties that differ between the resource as it was and as it will be, where no details tell of them."""
    before, after = (
        json.loads(answer.get(side) or "{}").get("Properties") or {} for side in ("BeforeContext", "AfterContext")
    )
    return {
        name: PropertyChange(
            name,
            _as_text(before.get(name)),
            _as_text(after.get(name)),
            "Always" if name in _REPLACING_PROPERTIES else "Never",
        )
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    }


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, sort_keys=True)


def _lines(values: Mapping[str, str | None], hidden: set[str] | frozenset[str] = frozenset()) -> str:
    return "".join(f"{name}: {HIDDEN if name in hidden else value}\n" for name, value in sorted(values.items()))


def _shortened(value: str | None) -> str:
    text = "nothing" if value in (None, "") else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
