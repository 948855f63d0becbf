# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""A CloudFormation template, read as far as planning needs it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

try:
    import yaml
except ImportError:
    HAS_YAML = False
else:
    HAS_YAML = True

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Refused

# The CloudFormation user guide, "Understand CloudFormation quotas": a template body in a request, in bytes.
BODY_LIMIT = 51_200


# Dynamic references, snippets that a macro fills in, and templates of nested stacks.
_KEPT_ELSEWHERE = ("{{resolve:", "Fn::Transform", "!Transform", "AWS::CloudFormation::Stack")


@dataclass(frozen=True)
class Template:
    """A template.

    :param body: its text, as CloudFormation gets it.
    :param document: what the text says, with the short forms of the functions (C(!Ref)) written out (C({"Ref": …})).
    """

    body: str
    document: Mapping[str, Any]

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """The declared parameters."""
        declared: Mapping[str, Mapping[str, Any]] = self.document.get("Parameters") or {}
        return declared

    @property
    def resources(self) -> Mapping[str, Mapping[str, Any]]:
        """The declared resources by their logical IDs."""
        declared: Mapping[str, Mapping[str, Any]] = self.document["Resources"]
        return declared

    @cached_property
    def is_self_contained(self) -> bool:
        """Whether the text and the parameters are all that decides what is deployed.

        Where a template is transformed, or refers to what is kept elsewhere, the same text can mean something new.
        """
        kinds = [str(declared.get("Type", "")) for declared in self.parameters.values()]
        return (
            "Transform" not in self.document
            and not any(elsewhere in self.body for elsewhere in _KEPT_ELSEWHERE)
            and not any(kind.startswith("AWS::SSM::") for kind in kinds)
        )

    @cached_property
    def digest(self) -> str:
        """A text that is the same for templates that say the same, however they are written."""
        said = json.dumps(self.document, sort_keys=True, default=str)
        return hashlib.sha256(said.encode()).hexdigest()[:32]

    def merged(self, other: Template) -> Template:
        """The template with all that another one declares besides, as JSON.

        :raises Refused: when both declare something of the same name.
        """
        sections = ("Parameters", "Conditions", "Resources", "Outputs")
        document = dict(self.document)
        for section in sections:
            mine, theirs = document.get(section) or {}, other.document.get(section) or {}
            twice = sorted(set(mine) & set(theirs))
            if twice:
                raise Refused(
                    f"The template declares {', '.join(twice)}, which the one for logging in declares, too: rename it."
                )
            if theirs:
                document[section] = {**mine, **theirs}
        return Template(json.dumps(document, indent=2), document)

    def effective_parameters(self, given: Mapping[str, str]) -> dict[str, str | None]:
        """What each declared parameter will be: as given, or its default; C(None) where it has neither."""
        return {
            name: given[name] if name in given else (as_text(declared["Default"]) if "Default" in declared else None)
            for name, declared in self.parameters.items()
        }


def read_template(body: str, origin: str) -> Template:
    """The template with the text C(body).

    :param origin: where the text comes from, for the sentence that says what is wrong with it.
    :raises Refused: when CloudFormation would not take it as a template.
    """
    size = len(body.encode())
    if size > BODY_LIMIT:
        raise Refused(
            f"The template {origin} has {size:,} bytes, and CloudFormation takes {BODY_LIMIT:,} in a request: shorten it."
        )
    try:
        document = parse(body)
    except ValueError as problem:
        raise Refused(f"The template {origin} is not YAML or JSON: {problem}.") from None
    if not isinstance(document, Mapping) or not isinstance(document.get("Resources"), Mapping):
        raise Refused(f"The template {origin} is not a CloudFormation template: it has no Resources.")
    declared = document.get("Parameters") or {}
    if not isinstance(declared, Mapping) or not all(isinstance(each, Mapping) for each in declared.values()):
        raise Refused(f"The template {origin} is not a CloudFormation template: its Parameters are no mapping.")
    return Template(body, document)


def says_the_same(template: Template, live: str | Mapping[str, Any]) -> bool:
    """Whether C(live), as GetTemplate gives it, says the same as C(template)."""
    if live == template.body:
        return True
    try:
        return bool((parse(live) if isinstance(live, str) else live) == template.document)
    except ValueError:
        return False


def parse(text: str) -> Any:
    """What a template's text says.

    :raises ValueError: when it is neither YAML nor JSON; one line says where.
    """
    if not HAS_YAML:
        # JSON is all that can be read then; a managed node with boto3 but without PyYAML is rare.
        return json.loads(text)
    try:
        return yaml.load(text, Loader=_loader())  # noqa: S506 -- a subclass of SafeLoader
    except yaml.YAMLError as problem:
        raise ValueError(" ".join(str(problem).split()).rstrip(".")) from None


def _loader() -> Any:
    class Loader(yaml.SafeLoader):
        """YAML with CloudFormation's short forms."""

    Loader.add_multi_constructor("!", _function)
    return Loader


def _function(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
    """C(!Sub text) as C({"Fn::Sub": text}), as the user guide, "Intrinsic function reference", has it."""
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


def as_text(value: Any) -> str:
    """A default, or what is compared with a parameter, as CloudFormation takes it: every parameter is a text to it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
