# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a property comes to is told where that takes no more than the template and its parameters, and else not guessed."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._evaluation import UNKNOWN, Evaluation
from ansible_collections.cargohold.ecr.plugins.module_utils._template import Template

PARAMETERS = {"Name": "app", "Scan": "true", "Tags": "a,b", "Unset": None, "AWS::StackName": "payments-api"}
CONDITIONS = {
    "Scans": {"Fn::Equals": [{"Ref": "Scan"}, True]},
    "IsB": {"Fn::Equals": [{"Ref": "Name"}, "b"]},
    "Not": {"Fn::Not": [{"Condition": "IsB"}]},
    "Both": {"Fn::And": [{"Condition": "Scans"}, {"Condition": "IsB"}]},
    "Either": {"Fn::Or": [{"Condition": "Scans"}, {"Condition": "IsB"}]},
    "Unheard": {"Fn::Contains": [["a"], "a"]},
    "OfTheUnset": {"Fn::Equals": [{"Ref": "Unset"}, "x"]},
}


def choose(condition: str) -> dict[str, Any]:
    """C(yes) where the condition holds, else C(no)."""
    return {"Fn::If": [condition, "yes", "no"]}


KNOWN = [
    pytest.param("plain", "plain", id="a value"),
    pytest.param({"Ref": "Name"}, "app", id="a parameter"),
    pytest.param({"Ref": "AWS::StackName"}, "payments-api", id="a pseudo parameter"),
    pytest.param({"Ref": "AWS::NoValue"}, None, id="left out"),
    pytest.param({"Fn::Sub": "x-${Name}/${!Literal}"}, "x-app/${!Literal}", id="a text with a parameter in it"),
    pytest.param({"Fn::Select": ["1", {"Ref": "Tags"}]}, "b", id="of a list with commas"),
    pytest.param({"Fn::Select": [0, ["x", "y"]]}, "x", id="of a list"),
    pytest.param(["x", {"Ref": "AWS::NoValue"}, {"Ref": "Name"}], ["x", "app"], id="a list without what is left out"),
    pytest.param({"A": {"Ref": "Name"}, "B": {"Ref": "AWS::NoValue"}}, {"A": "app"}, id="a mapping, likewise"),
    pytest.param({"Only": {"Ref": "Name"}}, {"Only": "app"}, id="a mapping of one"),
    pytest.param(choose("Scans"), "yes", id="a boolean as its text"),
    pytest.param(choose("IsB"), "no", id="not equal"),
    pytest.param(choose("Not"), "yes", id="not"),
    pytest.param(choose("Both"), "no", id="and"),
    pytest.param(choose("Either"), "yes", id="or"),
    pytest.param({"Fn::If": ["IsB", {"Ref": "Unset"}, "no"]}, "no", id="what is not chosen need not be known"),
]


UNKNOWABLE = [
    pytest.param({"Ref": "Unset"}, id="a parameter without a value"),
    pytest.param({"Ref": "Bucket"}, id="another resource"),
    pytest.param({"Fn::GetAtt": ["Bucket", "Arn"]}, id="an attribute"),
    pytest.param({"Fn::Sub": "${Bucket.Arn}"}, id="a text with an attribute in it"),
    pytest.param({"Fn::Sub": ["${x}", {"x": "y"}]}, id="a text with values of its own"),
    pytest.param(["x", {"Fn::ImportValue": "y"}], id="a part of a list"),
    pytest.param(choose("Missing"), id="a condition that is not declared"),
    pytest.param(choose("Unheard"), id="a condition by another function"),
    pytest.param(choose("OfTheUnset"), id="a condition on what is not known"),
]


def property_of(value: Any) -> Any:
    """What a property with this value in the template comes to."""
    resources = {"R": {"Type": "AWS::ECR::Repository", "Properties": {"P": value}}}
    template = Template("", {"Resources": resources, "Conditions": CONDITIONS})
    return Evaluation(template, PARAMETERS).property_of("R", "P")


@pytest.mark.parametrize(("value", "comes_to"), KNOWN)
def test_known(value: Any, comes_to: Any) -> None:
    """The value is what CloudFormation would make of it."""
    assert property_of(value) == comes_to


@pytest.mark.parametrize("value", UNKNOWABLE)
def test_unknown(value: Any) -> None:
    """What only AWS can tell is equal to nothing, so that two of them are never taken for the same."""
    assert property_of(value) is UNKNOWN
    assert property_of(value) != property_of(value)


@pytest.mark.parametrize(
    "resources",
    [
        pytest.param({}, id="no such resource"),
        pytest.param({"R": {"Type": "AWS::ECR::Repository"}}, id="no properties"),
        pytest.param({"R": {"Properties": {"Other": 1}}}, id="no such property"),
    ],
)
def test_left_out(resources: dict[str, Any]) -> None:
    """A property that the template does not have comes to nothing."""
    assert Evaluation(Template("", {"Resources": resources}), {}).property_of("R", "P") is None
