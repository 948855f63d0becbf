# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What a template's properties come to with given parameters, as far as that can be told without AWS; pure.

A change set tells a replacement as soon as a property refers to a parameter that changed, or is new, even where the
property comes to the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils._template import Template, as_text

# What only AWS can tell. It is equal to nothing, not even to itself.
UNKNOWN = float("nan")

_NOTHING = object()


class _Unknown(Exception):
    """A part of the value is not known."""


@dataclass(frozen=True)
class Evaluation:
    """A template with its parameters' values.

    :param parameters: the effective ones; the pseudo parameters (C(AWS::StackName) …) may be among them.
    """

    template: Template
    parameters: Mapping[str, str | None]

    def property_of(self, logical_id: str, name: str) -> Any:
        """What a resource's property comes to: C(None) where it is left out, C(UNKNOWN) where only AWS can tell."""
        properties = (self.template.resources.get(logical_id) or {}).get("Properties") or {}
        try:
            value = self._value(properties.get(name, _NOTHING))
        except _Unknown:
            return UNKNOWN
        return None if value is _NOTHING else value

    def _value(self, node: Any) -> Any:
        if isinstance(node, list):
            return [value for value in map(self._value, node) if value is not _NOTHING]
        if not isinstance(node, Mapping):
            return node
        if len(node) == 1:
            [(function, argument)] = node.items()
            if function == "Ref":
                return self._parameter(argument)
            if function == "Fn::If":
                condition, then, otherwise = argument
                return self._value(then if self._holds({"Condition": condition}) else otherwise)
            if function == "Fn::Sub" and isinstance(argument, str):
                return re.sub(r"\$\{([^!}]+)\}", lambda found: str(self._parameter(found[1])), argument)
            if function == "Fn::Select":
                index, listed = argument
                return self._listed(listed)[int(index)]
            if function.startswith("Fn::"):
                raise _Unknown
        values = {name: self._value(each) for name, each in node.items()}
        return {name: value for name, value in values.items() if value is not _NOTHING}

    def _parameter(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        if self.parameters.get(name) is None:
            raise _Unknown
        return self.parameters[name]

    def _listed(self, node: Any) -> list[Any]:
        value = self._value(node)
        return value.split(",") if isinstance(value, str) else list(value)

    def _holds(self, condition: Any) -> bool:
        [(function, argument)] = condition.items()
        if function == "Condition":
            declared = self.template.document.get("Conditions") or {}
            if argument not in declared:
                raise _Unknown
            return self._holds(declared[argument])
        if function == "Fn::Equals":
            left, right = map(self._value, argument)
            return as_text(left) == as_text(right)
        if function == "Fn::Not":
            return not self._holds(argument[0])
        if function in ("Fn::And", "Fn::Or"):
            held = [self._holds(each) for each in argument]
            return all(held) if function == "Fn::And" else any(held)
        raise _Unknown
