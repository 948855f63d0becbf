# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A template is read as CloudFormation reads it, and the shipped one keeps the tutorial's contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils import _template
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._policy import PUSH_PULL_ACTIONS
from ansible_collections.cargohold.ecr.plugins.module_utils._template import (
    Template,
    parse,
    read_template,
    says_the_same,
)

UNIT = Path(__file__).parents[2]
SHIPPED = UNIT.parents[1] / "files" / "ecr.yml"
TUTORIAL = UNIT.parent / "assets" / "tutorial-ecr.yml"

MINIMAL = "Resources:\n  A: {Type: 'AWS::ECR::Repository'}\n"


def template(parameters: str = "", more: str = "") -> Template:
    """A template with these parameters, as YAML's flow style has them."""
    return read_template(f"Parameters: {{{parameters}}}\n{more}{MINIMAL}", "ecr.yml")


def read(path: Path) -> Template:
    """The template in a file."""
    return read_template(path.read_text(encoding="utf-8"), path.name)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        pytest.param("!Ref A", {"Ref": "A"}, id="Ref"),
        pytest.param("!Condition A", {"Condition": "A"}, id="Condition"),
        pytest.param("!Sub 'a-${B}'", {"Fn::Sub": "a-${B}"}, id="Sub"),
        pytest.param("!GetAtt A.Arn", {"Fn::GetAtt": ["A", "Arn"]}, id="GetAtt of an attribute"),
        pytest.param("!GetAtt A.Outputs.B", {"Fn::GetAtt": ["A", "Outputs.B"]}, id="GetAtt of a nested attribute"),
        pytest.param("!GetAtt [A, Arn]", {"Fn::GetAtt": ["A", "Arn"]}, id="GetAtt of a list"),
        pytest.param(
            "!Join ['', [a, !Ref B]]", {"Fn::Join": ["", ["a", {"Ref": "B"}]]}, id="short forms in each other"
        ),
        pytest.param("!Transform {Name: 'AWS::Include'}", {"Fn::Transform": {"Name": "AWS::Include"}}, id="a mapping"),
        pytest.param('{"Ref": "A"}', {"Ref": "A"}, id="JSON"),
    ],
)
def test_short_forms(text: str, means: Any) -> None:
    """A short form means what it is short for."""
    assert parse(text) == means


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param("Resources: [", "ecr.yml is not YAML or JSON: .*line 1", id="not YAML"),
        pytest.param("Resources:\n\tA: 1", "ecr.yml is not YAML or JSON: .*line 2", id="a tab"),
        pytest.param("just text", "ecr.yml is not a CloudFormation template: it has no Resources", id="a text"),
        pytest.param("", "has no Resources", id="empty"),
        pytest.param("- hosts: localhost", "has no Resources", id="a playbook"),
        pytest.param("Parameters: {}", "has no Resources", id="no resources"),
        pytest.param("Resources: [A]", "has no Resources", id="resources as a list"),
        pytest.param("Parameters: [A]\n" + MINIMAL, "Parameters", id="parameters as a list"),
        pytest.param(
            MINIMAL + "#" * 51_200, "ecr.yml has 51,2.. bytes, and CloudFormation takes 51,200", id="too long"
        ),
        pytest.param("é" * 25_601, "has 51,202 bytes", id="too long in bytes, not in characters"),
    ],
)
def test_no_template(body: str, says: str) -> None:
    """What CloudFormation would not take as a template is refused, naming the file and what is wrong."""
    with pytest.raises(Refused, match=says):
        read_template(body, "ecr.yml")


def test_longest_template() -> None:
    """A template of just as many bytes as CloudFormation takes is read."""
    body = MINIMAL + "#" * (_template.BODY_LIMIT - len(MINIMAL))
    assert list(read_template(body, "ecr.yml").resources) == ["A"]


@pytest.mark.parametrize(
    ("live", "same"),
    [
        pytest.param(MINIMAL, True, id="the same text"),
        pytest.param("# new\nResources: {A: {Type: AWS::ECR::Repository}}", True, id="the same in other words"),
        pytest.param('{"Resources": {"A": {"Type": "AWS::ECR::Repository"}}}', True, id="the same as JSON"),
        pytest.param(
            {"Resources": {"A": {"Type": "AWS::ECR::Repository"}}}, True, id="the same as botocore reads JSON"
        ),
        pytest.param("Resources: {B: {Type: AWS::ECR::Repository}}", False, id="another"),
        pytest.param({"Resources": {}}, False, id="another, as botocore reads JSON"),
        pytest.param("Resources: [", False, id="no YAML"),
    ],
)
def test_says_the_same(live: Any, same: bool) -> None:
    """Templates are compared by meaning, however they are written."""
    assert says_the_same(read_template(MINIMAL, "ecr.yml"), live) is same


@pytest.mark.parametrize(
    ("declared", "given", "effective"),
    [
        pytest.param("", {}, {}, id="none"),
        pytest.param("A: {Type: String}", {}, {"A": None}, id="neither given nor with a default"),
        pytest.param("A: {Type: String, Default: x}", {}, {"A": "x"}, id="default"),
        pytest.param("A: {Type: String, Default: x}", {"A": ""}, {"A": ""}, id="given as empty"),
        pytest.param("A: {Type: String, Default: true}", {}, {"A": "true"}, id="default as a boolean"),
        pytest.param("A: {Type: Number, Default: 7}", {}, {"A": "7"}, id="default as a number"),
        pytest.param("A: {Type: CommaDelimitedList, Default: [x, 7]}", {}, {"A": "x,7"}, id="default as a list"),
    ],
)
def test_effective_parameters(declared: str, given: dict[str, str], effective: dict[str, str | None]) -> None:
    """A parameter will be what is given, else its default as the text that CloudFormation makes of it."""
    assert template(declared).effective_parameters(given) == effective


@pytest.mark.parametrize(
    ("read_from", "is_self_contained"),
    [
        pytest.param(template(), True, id="plain"),
        pytest.param(template(more="Transform: AWS::LanguageExtensions\n"), False, id="transformed"),
        pytest.param(
            template(more="Mappings: {'Fn::Transform': {Name: 'AWS::Include'}}\n"), False, id="partly transformed"
        ),
        pytest.param(template("A: {Type: String, Default: '{{resolve:ssm:a}}'}"), False, id="a dynamic reference"),
        pytest.param(template("A: {Type: 'AWS::SSM::Parameter::Value<String>'}"), False, id="a parameter of SSM"),
        pytest.param(
            read_template(
                "Resources: {A: {Type: 'AWS::CloudFormation::Stack', Properties: {TemplateURL: x}}}", "ecr.yml"
            ),
            False,
            id="a nested stack, whose template is elsewhere",
        ),
    ],
)
def test_is_self_contained(read_from: Template, is_self_contained: bool) -> None:
    """The same text can mean something new only where it refers to what is kept elsewhere."""
    assert read_from.is_self_contained is is_self_contained


def test_without_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON is read also where PyYAML is not installed."""
    monkeypatch.setattr(_template, "HAS_YAML", False)
    assert list(read_template('{"Resources": {"A": {}}}', "ecr.json").resources) == ["A"]


def flattened(value: Any) -> Any:
    """C(value) with what says the same about ARNs of users written in one way."""
    if isinstance(value, dict) and set(value) == {"Fn::Join"}:
        separator, parts = value["Fn::Join"]
        return separator.join(f"${{{part['Ref']}}}" if isinstance(part, dict) else part for part in parts)
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        return value["Fn::Sub"].replace("${AWS::Partition}", "aws")
    if isinstance(value, dict):
        return {key: flattened(each) for key, each in value.items()}
    return value


def by_default(path: Path, name: str) -> Any:
    """A property of the repository, as it is with the parameters' defaults and an IAM user."""
    value = read(path).resources["ECRRepository"]["Properties"][name]
    if path == SHIPPED:
        condition, there, other = value["Fn::If"]
        value = {"HasPolicy": there, "HasName": other}[condition]
    return value


def of_the_user() -> dict[str, Any]:
    """The shipped statement for the IAM user."""
    condition, statement, _nothing = by_default(SHIPPED, "RepositoryPolicyText")["Statement"][0]["Fn::If"]
    assert condition == "HasUser"
    return dict(statement)


def test_contract_statement() -> None:
    """The shipped statement is the tutorial's to the letter, in the partition that the tutorial knows."""
    [tutorial] = by_default(TUTORIAL, "RepositoryPolicyText")["Statement"]
    assert flattened(of_the_user()) == flattened(tutorial)


def test_contract_actions() -> None:
    """What is verified afterwards is what the shipped statement grants."""
    assert (of_the_user()["Sid"], of_the_user()["Action"]) == ("AllowPushPull", list(PUSH_PULL_ACTIONS))


def test_contract_repository() -> None:
    """The repository has the tutorial's logical ID, type and name, so that an update does not replace it."""
    assert read(SHIPPED).resources["ECRRepository"]["Type"] == "AWS::ECR::Repository"
    assert by_default(SHIPPED, "RepositoryName") == by_default(TUTORIAL, "RepositoryName") == {"Ref": "AWS::StackName"}


def test_contract_output() -> None:
    """The tutorial's output is there, and holds the same."""
    shipped, tutorial = (read(path).document["Outputs"]["ECRRepository"]["Value"] for path in (SHIPPED, TUTORIAL))
    assert shipped == tutorial


def test_contract_parameters() -> None:
    """Nothing has to be given, the user has no default that can never work, and by default all is as the tutorial has it."""
    parameters = read(SHIPPED).effective_parameters({})
    assert {name: value for name, value in parameters.items() if value} == {
        "ImageTagMutability": "MUTABLE",
        "ScanOnPush": "false",
        "LambdaPull": "false",
        "EmptyOnDelete": "false",
    }
