# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person can get wrong: each ends in a sentence that says what, where and what to do, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ansible_collections.cargohold.ecr.tests.support.account import Account, assert_says, sentence_of
from ansible_collections.cargohold.ecr.tests.support.playbook import PlaybookRunner
from ansible_collections.cargohold.ecr.tests.support.stand_in import ACCOUNT

DEPLOY = "playbooks/deploy.yml"
TEARDOWN = "playbooks/teardown.yml"
STATUS = "playbooks/status.yml"

# Nobody listens on a port that is only for testing such things.
NOBODY = "http://127.0.0.1:1"

# An operator waits this long for an answer, and no longer.
SECONDS_OF_PATIENCE = 15.0

WITH_TEMPLATE = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: cargohold.ecr.repository
      vars:
        repository_iam_user: alice
        repository_template: "{{ template }}"
"""


@dataclass(frozen=True)
class Case:
    """A mistake.

    :param words: what of the sentence matters: what is wrong, where, and what to do.
    :param without: variables of the environment that this person has not set.
    :param environment: those that this person has set otherwise.
    """

    words: tuple[str, ...]
    playbook: str = DEPLOY
    extra_vars: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


ALICE = {"iam_user": "alice"}
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")


def named(name: str, *words: str, playbook: str = DEPLOY) -> Case:
    """A stack of this name."""
    return Case(("stack name", *words), playbook, {**ALICE, "stack_name": name})


def for_user(name: str, *words: str) -> Case:
    """A repository for this user."""
    return Case(("IAM user", *words), extra_vars={"iam_user": name})


CASES = {
    "name-upper-case": named("My-Repo", "'My-Repo'", "lower-case", "such as 'my-repo'"),
    "name-one-letter": named("a", "'a'", "2 or more lower-case letters"),
    "name-two-hyphens": named("a--b", "'a--b'", "single hyphens", "such as 'a-b'"),
    "name-last-hyphen": named("repo-", "'repo-'", "hyphens between them", "such as 'repo'"),
    "name-slash": named("team/app", "'team/app'", "slash", "'team-app'"),
    "name-too-long": named("a" * 129, "129 characters", "128", "shorten"),
    "name-empty": named("", "is empty", "such as payments-api"),
    "name-for-teardown": named("team/app", "'team/app'", "letters, digits and hyphens", playbook=TEARDOWN),
    "user-missing": Case(("who may push and pull", "-e iam_user=alice")),
    "user-space": for_user("al ice", "'al ice'", "letters, digits and +=,.@_-"),
    "user-empty": for_user("", "who may push and pull", "-e iam_user=alice"),
    "user-too-long": for_user("a" * 65, "65 characters", "64", "check it"),
    "user-placeholder": for_user("YOUR_USER_NAME", "placeholder YOUR_USER_NAME", "a real user"),
    "user-unknown": for_user("alcie", "'alcie'", f"does not exist in the account {ACCOUNT}", "check the name"),
    "user-other-path": for_user("sales/bob", "'bob'", "has the path /team/, not /sales/", "write 'team/bob'"),
    "no-credentials": Case(("no usable AWS credentials", "AWS_ACCESS_KEY_ID"), extra_vars=ALICE, without=KEYS),
    "half-of-the-credentials": Case(("no usable AWS credentials", "AWS_SECRET_ACCESS_KEY"), STATUS, without=KEYS[1:]),
    "no-region": Case(
        ("No AWS region is known", "-e region=eu-west-1", "AWS_REGION"), extra_vars=ALICE, without=REGIONS
    ),
    "profile-unknown": Case(
        ("profile 'payments' does not exist", "no profile is configured"),
        extra_vars={**ALICE, "profile": "payments"},
        without=KEYS,
    ),
    "profile-unknown-in-environment": Case(
        ("profile 'payments' does not exist", "no profile is configured"),
        STATUS,
        without=KEYS,
        environment={"AWS_PROFILE": "payments"},
    ),
    "timeout-zero": Case(("timeout is 0", "positive number of seconds", "900"), extra_vars={**ALICE, "timeout": "0"}),
    "timeout-negative": Case(("timeout is -1", "positive number of seconds", "900"), TEARDOWN, {"timeout": "-1"}),
    "timeout-no-number": Case(("timeout", "'soon'", "int"), extra_vars={**ALICE, "timeout": "soon"}),
}


def options(extra_vars: Mapping[str, str]) -> list[str]:
    """The variables as a person types them; a runner's argument may not be called like one of its own."""
    return [
        part
        for name, value in extra_vars.items()
        for part in ("-e", f"{name}={value}" if " " not in value else f"{name}='{value}'")
    ]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_told_in_a_sentence(account: Account, operator: PlaybookRunner, case: Case) -> None:
    """The sentence names what is wrong and what to do, and AWS is asked for no change."""
    kept = {name: value for name, value in operator.environment.items() if name not in case.without}
    person = replace(operator, environment={**kept, **case.environment})
    with account.untouched():
        run = person(case.playbook, *options(case.extra_vars))
    assert_says(sentence_of(run), *case.words)


@pytest.mark.parametrize("name", ["deploy", "status"])
def test_nobody_listens(operator: PlaybookRunner, name: str) -> None:
    """An endpoint that does not answer is named before the person loses patience."""
    run = operator(
        f"playbooks/{name}.yml",
        *("-e", "iam_user=alice", "-e", f"endpoint_url={NOBODY}"),
        timeout=SECONDS_OF_PATIENCE,
    )
    assert_says(sentence_of(run), "nothing answers", NOBODY, "Check the network, the region and the endpoint URL")


def test_profile_of_another_name(account: Account, operator: PlaybookRunner, tmp_path: Path) -> None:
    """A profile that does not exist is told with those that do."""
    config = tmp_path / "config"
    config.write_text("[profile sales]\nregion = eu-west-1\n\n[profile shop]\nregion = eu-west-1\n")
    environment = {name: value for name, value in operator.environment.items() if name not in KEYS}
    person = replace(operator, environment={**environment, "AWS_CONFIG_FILE": str(config)})
    with account.untouched():
        run = person(DEPLOY, *options({**ALICE, "profile": "payments"}))
    assert_says(sentence_of(run), "profile 'payments' does not exist", "use one of sales, shop")


def too_long(folder: Path) -> Path:
    """A template that is right and one byte too long."""
    text = "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n#"
    return written(folder, text + "x" * (51_201 - len(text)))


def written(folder: Path, text: str) -> Path:
    """A template of this text."""
    file = folder / "template.yml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(
            lambda folder: folder / "ecr.yml",
            ("ecr.yml cannot be read", "No such file", "Check the path"),
            id="missing",
        ),
        pytest.param(lambda folder: folder, ("cannot be read", "directory", "Check the path"), id="folder"),
        pytest.param(
            lambda folder: written(folder, "Resources: [\n"),
            ("template.yml is not YAML or JSON", "line 2"),
            id="not-yaml",
        ),
        pytest.param(
            lambda folder: written(folder, "just a text"),
            ("template.yml is not a CloudFormation template", "no Resources"),
            id="not-a-template",
        ),
        pytest.param(too_long, ("template.yml has 51,201 bytes", "51,200", "shorten it"), id="too-long"),
        pytest.param(
            lambda folder: written(folder, "Resources: {}\n"),
            ("no parameter IAMUserName", "Declare it"),
            id="without-the-user",
        ),
    ],
)
def test_template(
    account: Account,
    operator: PlaybookRunner,
    play: Callable[[str], Path],
    tmp_path: Path,
    make: Callable[[Path], Path],
    words: tuple[str, ...],
) -> None:
    """A template that CloudFormation cannot take is named with what is wrong with it."""
    template = make(tmp_path)
    with account.untouched():
        run = operator(play(WITH_TEMPLATE), "-e", f"template={template}")
    assert_says(sentence_of(run), "The template ", *words)


def wrong_secret(account: Account) -> dict[str, str]:
    """A key that exists, with the secret of another."""
    return {**account.credentials("alice", "*"), "aws_secret_access_key": "x" * 40}


def unknown_key(_account: Account) -> dict[str, str]:
    """A key that does not exist, or no longer does."""
    return {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "x" * 40}


def unknown_session(account: Account) -> dict[str, str]:
    """A session that AWS does not know, or no longer does."""
    return {**unknown_key(account), "aws_access_key_id": "ASIAIOSFODNN7EXAMPLE", "aws_session_token": "expired"}


@pytest.mark.parametrize(
    ("credentials", "name"),
    [
        pytest.param(wrong_secret, "deploy", id="wrong-secret"),
        pytest.param(unknown_key, "status", id="unknown-key"),
        pytest.param(unknown_session, "teardown", id="unknown-session"),
    ],
)
def test_credentials_are_not_taken(
    strict_account: Account, stranger: PlaybookRunner, credentials: Callable[[Account], dict[str, str]], name: str
) -> None:
    """Credentials that AWS does not take are told as such, with AWS's own words."""
    key = {variable.upper(): value for variable, value in credentials(strict_account).items()}
    person = replace(stranger, environment={**strict_account.cloud.environment(), **key})
    with strict_account.untouched():
        run = person(f"playbooks/{name}.yml", "-e", "iam_user=alice")
    assert_says(sentence_of(run), "AWS does not take the credentials", "Renew or correct them")
