# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A list of stacks is understood as a whole, and compared with what a listing tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._fleet import (
    FLEET_TAG,
    MARK_TOLERANCE,
    TEMPLATE_TAG,
    Entry,
    Likeness,
    Mark,
    find_circle,
    fleet_problem,
    likeness,
    predecessors,
    read_entries,
    wanted_tags,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._records import Stack
from ansible_collections.cargohold.ecr.plugins.module_utils._status import Status
from ansible_collections.cargohold.ecr.tests.unit.support.small_template import TEMPLATE

# Says the same in other words.
REWRITTEN = """{"Resources": {"ECRRepository": {"Type": "AWS::ECR::Repository"}},
"Parameters": {"EmptyOnDelete": {"Default": "false", "Type": "String"}, "IAMUserName": {"Type": "String"}}}"""
DEFAULTS = {"state": "present", "template": "ecr.yml", "template_body": TEMPLATE, "timeout": 900}
AT = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
PARAMETERS = {"IAMUserName": "alice", "EmptyOnDelete": "false"}


def read(*entries: Mapping[str, Any], **defaults: Any) -> list[Entry]:
    """The list, understood."""
    return read_entries(entries, {**DEFAULTS, **defaults})


def entry(name: str = "app", **options: Any) -> dict[str, Any]:
    """An entry as a person writes it."""
    return {"stack_name": name, "iam_user": "alice", **options}


def one(**options: Any) -> Entry:
    """An entry, understood."""
    return read(entry(**options))[0]


def mistakes(*entries: Any, **defaults: Any) -> list[str]:
    """What is wrong with a list."""
    with pytest.raises(Refused) as refused:
        read_entries(entries, {**DEFAULTS, **defaults})
    found: list[str] = refused.value.known["mistakes"]
    assert all(each in refused.value.message for each in found)
    return found


MISTAKES: Mapping[str, tuple[Sequence[Any], str]] = {
    "no dictionary": (["app"], "Entry 1: It is 'app', and must be a dictionary"),
    "no name": ([{"iam_user": "alice"}], "Entry 1: Missing required arguments: stack_name."),
    "an option that is none": ([entry(ian_user="bob")], "Entry 1 (app): There is no option ian_user"),
    "an option of the task": ([entry(region="eu-west-1")], "Entry 1 (app): region holds for all stacks of a list"),
    "another type": ([entry(delete_images="perhaps")], "Entry 1 (app): Argument 'delete_images' is of type"),
    "another choice": ([entry(state="gone")], "Entry 1 (app): Value of state must be one of: present, absent"),
    "a name that is none": ([entry("Payments")], "Entry 1 (Payments): The stack name 'Payments' cannot name"),
    "no user": ([{"stack_name": "app"}], "Entry 1 (app): No IAM user is named"),
    "no time": ([entry(timeout=0)], "Entry 1 (app): timeout is 0, and must be a positive number of seconds"),
    "a tag of ours": ([entry(tags={FLEET_TAG: "x"})], "are the fleet's own: leave them out."),
    "too many tags": ([entry(tags={str(n): "" for n in range(49)})], "There are 49 tags, and with the fleet's own AWS"),
    "a parameter that is none": ([entry(template_parameters={"Size": 1})], "The template declares no parameter Size"),
    "content": ([entry(kms_key="x", encryption_type="AES256")], "Entry 1 (app): A kms_key is given"),
    "a template that is none": ([entry(template_body="a: [")], "The template ecr.yml is not YAML or JSON"),
    "a shared name": ([entry(), entry()], "2 entries are called app."),
    "a shared repository": (
        [entry("one", repository_name="x/y"), entry("two", repository_name="x/y")],
        "2 entries have",
    ),
    "depends on nothing": ([entry(depends_on=["db"])], "The stack app depends on db, which is not in the list."),
    "depends on what goes": (
        [entry(depends_on=["old"]), entry("old", state="absent")],
        "The stack app depends on old, which is to be absent.",
    ),
    "a circle": (
        [entry("one", depends_on=["two"]), entry("two", depends_on=["one"])],
        "The stack one depends on two depends on one, so nothing of that can be begun.",
    ),
    "no login template": ([entry(grant_login=True)], "grant_login needs the template that grants it"),
}


@pytest.mark.parametrize(("entries", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told(entries: Sequence[Any], sentence: str) -> None:
    """Each mistake is a sentence that says where it is."""
    defaults = {"template_body": None} if sentence.startswith("The template ecr.yml") else {}
    assert any(sentence in each for each in mistakes(*entries, **defaults)), mistakes(*entries)


def test_all_mistakes_are_told_at_once() -> None:
    """A list of a thousand with ten mistakes is answered with ten sentences."""
    good = [entry(f"app-{number}") for number in range(990)]
    bad = [entry(f"App-{number}") for number in range(9)]
    found = mistakes(*good[:500], *bad, *good[500:], entry("app-1"))
    assert len(found) == 10
    assert found[0].startswith("Entry 501 (App-0): The stack name 'App-0' cannot name the repository")
    assert found[-1] == "2 entries are called app-1."


def test_an_entry_has_what_the_task_says() -> None:
    """What an entry does not say is as the task has it, and what it says holds for it alone."""
    first, second = read(entry("one"), entry("two", state="absent", timeout=5, template_body=REWRITTEN))
    assert (first.is_present, first.options["timeout"]) == (True, 900)
    assert (second.is_present, second.options["timeout"]) == (False, 5)
    assert first.template is not None
    assert second.template is not None
    assert (first.template.body, second.template.body) == (TEMPLATE, REWRITTEN)


def test_parameters() -> None:
    """The parameters are as CloudFormation spells them, and the user is the one that was found."""
    assert one(empty_on_delete=True).parameters("team/alice") == {"IAMUserName": "team/alice", "EmptyOnDelete": "true"}


CIRCLES: Mapping[str, tuple[dict[str, list[str]], list[str]]] = {
    "nothing": ({}, []),
    "a chain": ({"a": ["b"], "b": ["c"], "c": []}, []),
    "a diamond": ({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}, []),
    "itself": ({"a": ["a"]}, ["a", "a"]),
    "behind a chain": ({"a": ["b"], "b": ["c"], "c": ["b"]}, ["b", "c", "b"]),
    "a thousand": ({str(n): [str(n + 1)] for n in range(1000)}, []),
}


@pytest.mark.parametrize(("depends_on", "circle"), CIRCLES.values(), ids=CIRCLES)
def test_circles(depends_on: dict[str, list[str]], circle: list[str]) -> None:
    """What depends on itself, through whatever others, is found."""
    assert find_circle(depends_on) == circle


def test_order() -> None:
    """What depends on another is made after it, and removed before it."""
    listed = [entry("app", depends_on=["db"]), entry("db")]
    assert predecessors(read(*listed)) == {"app": ("db",), "db": ()}
    assert predecessors(read(*listed, state="absent")) == {"app": (), "db": ("app",)}


def mark(template: str = TEMPLATE, at: datetime = AT) -> str:
    """The mark of a deployment."""
    found = one(template_body=template).template
    assert found is not None
    return str(Mark.of(found, at))


def deployed(**changes: Any) -> Stack:
    """The stack as it was deployed for an entry."""
    stack = Stack(
        name="app",
        stack_id="arn:aws:cloudformation:eu-west-1:123456789012:stack/app/1",
        status=Status.CREATE_COMPLETE,
        created=AT + timedelta(seconds=1),
        parameters=PARAMETERS,
        tags={TEMPLATE_TAG: mark(), "aws:own": "x"},
    )
    return replace(stack, **changes)


LIKENESSES: Mapping[str, tuple[dict[str, Any], dict[str, Any], Likeness]] = {
    "as it was made": ({}, {}, Likeness.SAME),
    "in other words": ({}, {"template_body": REWRITTEN}, Likeness.SAME),
    "another template": ({}, {"template_body": TEMPLATE + "Description: x\n"}, Likeness.DIFFERENT),
    "another parameter": ({"parameters": {**PARAMETERS, "EmptyOnDelete": "true"}}, {}, Likeness.DIFFERENT),
    "another tag": ({"tags": {TEMPLATE_TAG: mark(), "team": "x"}}, {"tags": {"team": "y"}}, Likeness.DIFFERENT),
    "a tag that nobody speaks of": ({"tags": {TEMPLATE_TAG: mark(), "team": "x"}}, {}, Likeness.SAME),
    "other topics": ({}, {"notification_arns": ["arn:aws:sns:eu-west-1:123456789012:x"]}, Likeness.DIFFERENT),
    "another service role": ({}, {"role_arn": "arn:aws:iam::123456789012:role/x"}, Likeness.DIFFERENT),
    "without a mark": ({"tags": {}}, {}, Likeness.UNKNOWN),
    "somebody else's mark": ({"tags": {TEMPLATE_TAG: "hello"}}, {}, Likeness.UNKNOWN),
    "updated later": ({"updated": AT + MARK_TOLERANCE + timedelta(seconds=1)}, {}, Likeness.UNKNOWN),
    "updated by us": ({"updated": AT + timedelta(seconds=30)}, {}, Likeness.SAME),
    "rolled back": ({"status": Status.UPDATE_ROLLBACK_COMPLETE}, {}, Likeness.UNKNOWN),
    "in a bad way": ({"status": Status.UPDATE_ROLLBACK_FAILED}, {}, Likeness.DIFFERENT),
}


@pytest.mark.parametrize(("changes", "options", "like"), LIKENESSES.values(), ids=LIKENESSES)
def test_likeness(changes: dict[str, Any], options: dict[str, Any], like: Likeness) -> None:
    """A listing tells whether a stack is as it is wanted, and what it cannot tell is not taken for granted."""
    wanted, stack = one(**options), deployed(**changes)
    assert wanted.template is not None
    assert (
        likeness(stack, wanted, wanted.template, wanted.parameters("alice"), wanted_tags(wanted, stack, None)) is like
    )


def test_tags() -> None:
    """Tags that nobody speaks of stay, those that are given take their place, and the fleet's is there in any case."""
    stack = deployed(tags={"team": "x", "aws:own": "y", TEMPLATE_TAG: mark()})
    assert wanted_tags(one(), stack, None) == {"team": "x"}
    assert wanted_tags(one(tags={"cost": 1}), stack, "shop") == {"cost": "1", FLEET_TAG: "shop"}
    assert wanted_tags(one(tags={}), replace(stack, tags={FLEET_TAG: "shop"}), None) == {FLEET_TAG: "shop"}


@pytest.mark.parametrize("name", ["shop", "team/shop 1"])
def test_a_fleets_name(name: str) -> None:
    """A name that can be a tag's value is taken."""
    assert fleet_problem(name) is None


@pytest.mark.parametrize("name", ["", " shop", "shop*", "x" * 257])
def test_no_fleets_name(name: str) -> None:
    """Another is refused in a sentence."""
    assert str(fleet_problem(name)).startswith("The fleet's name")
