# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names are taken or refused as AWS would, with a sentence that says what is wrong and what would do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Optional

import botocore.session
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.cargohold.ecr.plugins.module_utils import _names

Problem = Callable[[str], Optional[str]]

STACK, REPOSITORY = _names.stack_name_problem, _names.repository_name_problem
SHARED, USER = _names.shared_name_problem, _names.iam_user_problem

STACK_PATTERN = "[a-zA-Z][-a-zA-Z0-9]*"
ECR_PATTERN = botocore.session.get_session().get_service_model("ecr").shape_for("RepositoryName").metadata["pattern"]
# The older resource schema's, as aws-facts has it: no "--".
SCHEMA_PATTERN = r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*"


@pytest.mark.parametrize(
    ("problem", "name"),
    [
        pytest.param(STACK, "My-Repo", id="stack with capitals"),
        pytest.param(STACK, "a", id="stack of one character"),
        pytest.param(STACK, "a--b-", id="stack with hyphens anywhere"),
        pytest.param(STACK, "a" * 128, id="longest stack"),
        pytest.param(REPOSITORY, "ab", id="shortest repository"),
        pytest.param(REPOSITORY, "a" * 256, id="longest repository"),
        pytest.param(REPOSITORY, "team/app.v1_x__y-z", id="repository with all separators"),
        pytest.param(REPOSITORY, "1password", id="repository with a digit first"),
        pytest.param(SHARED, "payments-api", id="shared"),
        pytest.param(SHARED, "a" * 128, id="longest shared"),
        pytest.param(USER, "a", id="shortest user"),
        pytest.param(USER, "a" * 64, id="longest user"),
        pytest.param(USER, "Alice_B+c=d,e.f@g-h", id="user with all that IAM allows"),
        pytest.param(USER, "team/alice", id="user with a path"),
        pytest.param(USER, "/team/backend/alice", id="user with a path and its first slash"),
        pytest.param(USER, f"{'p' * 510}/alice", id="user with the longest path"),
    ],
)
def test_good(problem: Problem, name: str) -> None:
    """A name that AWS takes is no problem."""
    assert problem(name) is None


@pytest.mark.parametrize(
    ("problem", "name", "says"),
    [
        pytest.param(SHARED, "My-Repo", "'My-Repo' cannot name the repository.*lower-case.*'my-repo'", id="capitals"),
        pytest.param(SHARED, "a", "'a' cannot name the repository.*2 or more", id="one character"),
        pytest.param(SHARED, "a--b", "'a--b' cannot name the repository.*single hyphens.*'a-b'", id="two hyphens"),
        pytest.param(SHARED, "repo-", "'repo-' cannot name the repository.*'repo'", id="hyphen last"),
        pytest.param(SHARED, "team/app", "slash, which CloudFormation does not take.*'team-app'", id="namespace"),
        pytest.param(
            SHARED, "Team/App", "'Team/App' is not one that CloudFormation takes", id="namespace with capitals"
        ),
        pytest.param(SHARED, "a" * 129, "129 characters long.*takes 128.*shorten", id="129 characters"),
        pytest.param(SHARED, "", "stack name is empty.*payments-api", id="empty"),
        pytest.param(STACK, "1app", "must begin with a letter", id="stack with a digit first"),
        pytest.param(STACK, "pay_ments", "only letters, digits and hyphens", id="stack with an underscore"),
        pytest.param(STACK, "payments\n", "only letters, digits and hyphens", id="stack with a line's end"),
        pytest.param(REPOSITORY, "a", "1 character long.*2 to 256", id="repository of one character"),
        pytest.param(REPOSITORY, "a" * 257, "257 characters long.*2 to 256", id="repository of 257 characters"),
        pytest.param(REPOSITORY, "", "0 characters long", id="empty repository"),
        pytest.param(REPOSITORY, "App", "lower-case letters.*'app'", id="repository with a capital"),
        pytest.param(REPOSITORY, "team//app", "between them", id="repository with two slashes"),
        pytest.param(REPOSITORY, "-app", "between them, such as 'app'", id="repository with a hyphen first"),
        pytest.param(USER, "al ice", "'al ice' is not one that IAM takes.*letters, digits", id="user with a space"),
        pytest.param(USER, "", "No IAM user is named.*iam_user=alice", id="empty user"),
        pytest.param(USER, "  ", "No IAM user is named", id="user of spaces"),
        pytest.param(USER, "a" * 65, "65 characters long.*64", id="user of 65 characters"),
        pytest.param(USER, "YOUR_USER_NAME", "still the placeholder.*real user", id="the tutorial's placeholder"),
        pytest.param(USER, "álice", "'álice' is not one", id="user with an accent"),
        pytest.param(USER, "team/", "'team/' is not one", id="a path without a user"),
        pytest.param(USER, "te am/alice", "path of the IAM user 'te am/alice'.*visible ASCII", id="path with a space"),
        pytest.param(USER, f"{'p' * 511}/alice", "path .*at most 512", id="path of 513 characters"),
    ],
)
def test_bad(problem: Problem, name: str, says: str) -> None:
    """A name that AWS would refuse gets a sentence that says what is wrong and what would do."""
    sentence = problem(name)
    assert sentence is not None
    assert re.search(says, sentence)


# Names of all kinds, good ones among them.
NAMES = st.lists(st.sampled_from([*"abz09A-._/", "--", "__", " ", "é", "a" * 120]), max_size=9).map("".join)


@given(NAMES)
@example("a-b")
def test_shared_names_satisfy_every_rule(name: str) -> None:
    """Whatever is taken as the name of both satisfies CloudFormation's rule, ECR's and the resource schema's."""
    rules = (STACK_PATTERN, ECR_PATTERN, SCHEMA_PATTERN)
    satisfied = 2 <= len(name) <= 128 and all(re.fullmatch(pattern, name) for pattern in rules)
    assert (SHARED(name) is None) is satisfied


@pytest.mark.parametrize("problem", [SHARED, REPOSITORY])
@given(name=NAMES)
@example(name="1team/app")
@example(name="team/my_app")
@example(name="a" * 100 + "/" + "b" * 100)
def test_suggestions_are_taken(problem: Problem, name: str) -> None:
    """Whoever does what a sentence suggests is not refused again."""
    for suggested in re.findall(r"(?:such as|use) '([^']*)'", problem(name) or ""):
        assert SHARED(suggested) is None


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        pytest.param("alice", (None, "alice"), id="no path"),
        pytest.param("team/alice", ("/team/", "alice"), id="path"),
        pytest.param("/team/backend/alice", ("/team/backend/", "alice"), id="path as IAM writes it"),
        pytest.param("/alice", (None, "alice"), id="a lone slash says nothing"),
    ],
)
def test_split_iam_user(name: str, parts: tuple[str | None, str]) -> None:
    """A user's path comes as IAM writes it, and is unknown where none was given."""
    assert _names.split_iam_user(name) == parts


@pytest.mark.parametrize(
    ("text", "is_id"),
    [
        pytest.param("arn:aws:cloudformation:eu-west-1:123456789012:stack/payments-api/1f2e", True, id="an ID"),
        pytest.param(
            "arn:aws-us-gov:cloudformation:us-gov-west-1:123456789012:stack/a/1", True, id="an ID of GovCloud"
        ),
        pytest.param("payments-api", False, id="a name"),
        pytest.param("arn:aws:cloudformation:eu-west-1:123456789012:stack/payments-api", False, id="cut short"),
        pytest.param("arn:aws:ecr:eu-west-1:123456789012:repository/a/b", False, id="something else's"),
    ],
)
def test_is_stack_id(text: str, is_id: bool) -> None:
    """A stack's ID is told from its name."""
    assert _names.is_stack_id(text) is is_id
