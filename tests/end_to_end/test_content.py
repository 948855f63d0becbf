# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What owners want of a repository, each option deployed by the playbook and read from ECR; and what is done about drift."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.cargohold.ecr.tests.support.account import (
    ACTIONS,
    STACK,
    Account,
    arn_of,
    assert_done,
    assert_says,
    sentence_of,
)
from ansible_collections.cargohold.ecr.tests.support.images import push_by_registry
from ansible_collections.cargohold.ecr.tests.support.playbook import PlaybookRunner
from ansible_collections.cargohold.ecr.tests.support.stand_in import ACCOUNT, REGION

DEPLOY = "playbooks/deploy.yml"
PULLING = frozenset(
    {"ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage", "ecr:BatchCheckLayerAvailability"},
)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ci/pusher"
OTHER_ACCOUNT = "210987654321"
BOTH_PROTECTED = {"Statement": [{"Effect": "Allow", "Action": "Update:Modify", "Principal": "*", "Resource": "*"}]}


def repository(account: Account, name: str = STACK) -> dict[str, Any]:
    """The repository, as DescribeRepositories tells it."""
    [found] = account.client("ecr").describe_repositories(repositoryNames=[name])["repositories"]
    return dict(found)


def statements(account: Account) -> dict[str, dict[str, Any]]:
    """The statements of the live policy, by their Sids."""
    policy = json.loads(account.client("ecr").get_repository_policy(repositoryName=STACK)["policyText"])
    return {each["Sid"]: each for each in policy["Statement"]}


def granted(account: Account, sid: str) -> tuple[list[str], frozenset[str]]:
    """The principals of a statement of the live policy, and what they may do."""
    statement = statements(account)[sid]
    return statement["Principal"]["AWS"], frozenset(statement["Action"])


def rules(account: Account) -> list[str]:
    """The descriptions of the rules of the live lifecycle policy, in order."""
    text = account.client("ecr").get_lifecycle_policy(repositoryName=STACK)["lifecyclePolicyText"]
    return [each["description"] for each in json.loads(text)["rules"]]


RAW = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "as ECR has it",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9},
            "action": {"type": "expire"},
        }
    ]
}
FRIENDLY = [{"keep": 100}, {"expire_untagged_after": 14}, {"protect": ["release-*"]}]

OPTIONS = {
    "another-name": ({"repository_name": "team/app"}, lambda account: account.repositories, ["team/app"]),
    "writers": (
        {"repository_writers": [ROLE]},
        lambda account: granted(account, "AllowPushPullWriters"),
        ([ROLE], ACTIONS),
    ),
    "writers-without-a-user": (
        {"repository_writers": [ROLE, OTHER_ACCOUNT], "iam_user": ""},
        lambda account: statements(account)["AllowPushPullWriters"]["Principal"],
        {"AWS": [ROLE, OTHER_ACCOUNT]},
    ),
    "readers": (
        {"repository_readers": [ROLE]},
        lambda account: granted(account, "AllowPullReaders"),
        ([ROLE], PULLING),
    ),
    "organization": (
        {"repository_organization_id": "o-a1b2c3d4e5"},
        lambda account: statements(account)["AllowPullOrganization"]["Condition"],
        {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
    ),
    "lambda": (
        {"repository_lambda_pull": True},
        lambda account: statements(account)["AllowPullLambda"]["Condition"],
        {"StringLike": {"aws:sourceArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:*"}},
    ),
    "immutable-tags": (
        {"repository_image_tag_mutability": "IMMUTABLE"},
        lambda account: repository(account)["imageTagMutability"],
        "IMMUTABLE",
    ),
    "scan-on-push": (
        {"repository_scan_on_push": True},
        lambda account: repository(account)["imageScanningConfiguration"],
        {"scanOnPush": True},
    ),
    "kms": (
        {"repository_encryption_type": "KMS", "repository_kms_key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"},
        lambda account: repository(account)["encryptionConfiguration"],
        {"encryptionType": "KMS", "kmsKey": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"},
    ),
    "kms-dsse": (
        {"repository_encryption_type": "KMS_DSSE"},
        lambda account: repository(account)["encryptionConfiguration"],
        {"encryptionType": "KMS_DSSE"},
    ),
    "lifecycle-as-ecr-has-it": ({"repository_lifecycle_policy": RAW}, rules, ["as ECR has it"]),
    "lifecycle-in-friendly-rules": (
        {"repository_lifecycle_rules": FRIENDLY},
        rules,
        ["Keep images tagged release-*", "Expire untagged images after 14 days", "Keep the newest 100 images"],
    ),
    # MiniStack's repositories have no such filters, so that only the stack can tell, and the role does not verify.
    "exclusion-filters": (
        {"repository_image_tag_mutability_exclusion_filters": ["latest", "dev-*"], "repository_verify": False},
        lambda account: repository(account)["imageTagMutability"],
        "MUTABLE_WITH_EXCLUSION",
    ),
    # Nor does it pass the tags of a stack on.
    "tags": (
        {"repository_tags": {"team": "payments"}, "repository_verify": False},
        lambda account: account.stack()["Tags"],
        [{"Key": "team", "Value": "payments"}],
    ),
    "termination-protection": (
        {"repository_termination_protection": True},
        lambda account: account.stack()["EnableTerminationProtection"],
        True,
    ),
    "stack-policy": (
        {"repository_stack_policy": BOTH_PROTECTED},
        lambda account: json.loads(
            account.client("cloudformation").get_stack_policy(StackName=STACK)["StackPolicyBody"]
        ),
        BOTH_PROTECTED,
    ),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_option(option: str, account: Account, operator: PlaybookRunner) -> None:
    """What was asked for is what AWS tells."""
    variables, look, there = OPTIONS[option]
    run = operator(DEPLOY, **{"iam_user": "alice", **variables})
    assert_done(run, changed=2 if option in ("termination-protection", "stack-policy") else 1)
    assert look(account) == there


def test_what_cloudformation_is_told(account: Account, operator: PlaybookRunner) -> None:
    """The topics and the service role are passed on; MiniStack's stacks do not tell of them."""
    topic, role = f"arn:aws:sns:{REGION}:{ACCOUNT}:stacks", f"arn:aws:iam::{ACCOUNT}:role/cloudformation"
    with account.recorded() as calls:
        run = operator(DEPLOY, iam_user="alice", repository_notification_arns=[topic], repository_role_arn=role)
    assert_done(run, changed=1)
    [creation] = [call for call in calls if call["Action"] == "CreateStack"]
    assert (creation["NotificationARNs.member.1"], creation["RoleARN"]) == (topic, role)


def test_everything_at_once_and_again(account: Account, operator: PlaybookRunner) -> None:
    """A second time with the same options there is nothing to do, and AWS is not asked for a change."""
    names = ("writers", "readers", "organization", "lambda", "immutable-tags", "lifecycle-in-friendly-rules")
    variables = {name: value for each in names for name, value in OPTIONS[each][0].items()}
    assert_done(operator(DEPLOY, iam_user="alice", **variables), changed=1)
    with account.untouched():
        assert_done(operator(DEPLOY, iam_user="alice", **variables), changed=0)


def test_login_is_granted(account: Account, operator: PlaybookRunner) -> None:
    """Alice may log in by a policy of the stack; not asked for any more, it goes."""
    iam = account.client("iam")
    assert_says(operator(DEPLOY, iam_user="alice").stdout, "alice may not log in yet", "repository_grant_login=true")
    run = operator(DEPLOY, iam_user="alice", repository_grant_login=True)
    assert_done(run, changed=1)
    [name] = iam.list_user_policies(UserName="alice")["PolicyNames"]
    document = iam.get_user_policy(UserName="alice", PolicyName=name)["PolicyDocument"]
    assert [each["Action"] for each in document["Statement"]] == ["ecr:GetAuthorizationToken"]
    assert "may not log in" not in run.stdout
    assert_done(operator(DEPLOY, iam_user="alice"), changed=1)
    assert iam.list_user_policies(UserName="alice")["PolicyNames"] == []


def test_teardown_with_login_and_images(account: Account, operator: PlaybookRunner) -> None:
    """A stack that grants the login is torn down with its images, too."""
    assert_done(operator(DEPLOY, iam_user="alice", repository_grant_login=True), changed=1)
    push_by_registry(account.cloud, STACK)
    run = operator("playbooks/teardown.yml", delete_images=True)
    assert_done(run, changed=2)
    assert (account.status(), account.repositories) == (None, [])


# --- Before anything is changed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        pytest.param(
            {"repository_name": "team/app"},
            ("would replace the repository", "RepositoryName", "holds 1 image", "allow_replacement"),
            id="another-name",
        ),
        pytest.param(
            {"repository_encryption_type": "KMS"},
            ("would replace the repository", "EncryptionConfiguration", "holds 1 image"),
            id="other-encryption",
        ),
        pytest.param({"repository_expected_account": OTHER_ACCOUNT}, (f"{OTHER_ACCOUNT} is expected",), id="account"),
        pytest.param({"repository_writers": ["bob"]}, ("'bob', which is no principal",), id="writer"),
        pytest.param({"repository_lifecycle_rules": [{"keep": 0}]}, ("rule 1 has keep: 0",), id="rule"),
    ],
)
def test_refused(account: Account, operator: PlaybookRunner, variables: dict[str, Any], words: tuple[str, ...]) -> None:
    """What would lose images, or what AWS would not take, is refused in a sentence, and nothing is changed."""
    account.create()
    push_by_registry(account.cloud, STACK)
    with account.untouched():
        run = operator(DEPLOY, iam_user="alice", **variables)
    assert_says(sentence_of(run), *words)
    assert account.client("cloudformation").list_change_sets(StackName=STACK)["Summaries"] == []


def test_replacement_that_is_allowed(account: Account, operator: PlaybookRunner) -> None:
    """Who allows it gets a new repository; the old one stays with its image, in nobody's stack."""
    account.create()
    push_by_registry(account.cloud, STACK)
    run = operator(DEPLOY, iam_user="alice", repository_name="team/app", repository_allow_replacement=True)
    assert_done(run, changed=1)
    assert sorted(account.repositories) == [STACK, "team/app"]
    assert account.tags() == ["latest"]


def test_diff(account: Account, operator: PlaybookRunner) -> None:
    """C(--check --diff) shows which resource changes how, and the parameters before and after."""
    account.create()
    with account.untouched():
        run = operator(DEPLOY, "--check", "--diff", iam_user="bob", repository_tags={"team": "payments"})
    assert_done(run, changed=1)
    assert_says(run.stdout, "Modify ECRRepository (AWS::ECR::Repository)")
    for line in ("-IAMUserName: alice", "+IAMUserName: team/bob", "+team: payments"):
        assert line in run.stdout


# --- Behind CloudFormation's back ------------------------------------------------------------------------------------------


def open_to_all(account: Account) -> None:
    """Somebody lets everybody pull."""
    statement = {"Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.client("ecr").set_repository_policy(repositoryName=STACK, policyText=policy)


def make_tags_immutable(account: Account) -> None:
    """Somebody forbids tags to be moved."""
    account.client("ecr").put_image_tag_mutability(repositoryName=STACK, imageTagMutability="IMMUTABLE")


def lose_the_user(account: Account) -> None:
    """Alice was deleted and made again: to AWS she is another, and the policy names the one who is gone."""
    text = json.dumps(statements(account)["AllowPushPull"]).replace(arn_of("alice"), "AIDAEXAMPLEEXAMPLE")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [json.loads(text)]})
    account.client("ecr").set_repository_policy(repositoryName=STACK, policyText=policy)


@pytest.mark.parametrize(
    ("somebody", "words"),
    [
        pytest.param(open_to_all, ("to * was added", "is missing"), id="policy"),
        pytest.param(make_tags_immutable, ("tag mutability", "IMMUTABLE"), id="mutability"),
        pytest.param(lose_the_user, ("AIDAEXAMPLEEXAMPLE", "was deleted"), id="deleted-user"),
    ],
)
def test_drift(account: Account, operator: PlaybookRunner, somebody: Any, words: tuple[str, ...]) -> None:
    """The status tells of it, a deployment fails because of it, and with C(repair_drift) puts it right; once."""
    account.create()
    as_asked = statements(account), repository(account)
    somebody(account)
    with account.untouched():
        assert_says(operator("playbooks/status.yml").stdout, *words, "repair_drift=true")
        assert_says(sentence_of(operator(DEPLOY, iam_user="alice")), *words)
    assert_done(operator(DEPLOY, iam_user="alice", repair_drift=True), changed=1)
    assert (statements(account), repository(account)) == as_asked
    with account.untouched():
        assert_done(operator(DEPLOY, iam_user="alice", repair_drift=True), changed=0)
