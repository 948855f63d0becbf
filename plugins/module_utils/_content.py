# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What a repository shall be: from options to the parameters of files/ecr.yml, and to what ECR has to tell; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils._lifecycle import lifecycle_document, lifecycle_problems
from ansible_collections.cargohold.ecr.plugins.module_utils._names import repository_name_problem
from ansible_collections.cargohold.ecr.plugins.module_utils._policy import (
    PULL_ACTIONS,
    PUSH_PULL_ACTIONS,
    policy_differences,
)

# The CloudFormation user guide, "Understand CloudFormation quotas": the characters of a parameter's value.
PARAMETER_LIMIT = 4_096
# botocore, ecr 2015-09-21: RepositoryPolicyText, LifecyclePolicyText and ImageTagMutabilityExclusionFilters.
POLICY_LIMIT = 10_240
FEWEST_CHARACTERS_OF_LIFECYCLE_POLICY = 100
MOST_EXCLUSION_FILTERS = 5
# AWS's general reference, "Tag naming limits and requirements".
MOST_TAGS = 50
LONGEST_TAG_KEY = 128
LONGEST_TAG_VALUE = 256

# A parameter cannot be a list of mappings, so that each has one of its own.
_FILTER_PARAMETERS = tuple(
    f"ImageTagMutabilityExclusionFilter{number}" for number in range(1, MOST_EXCLUSION_FILTERS + 1)
)

_EXCLUSION_FILTER = re.compile(r"[0-9a-zA-Z._*-]{1,128}")
_PRINCIPAL = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:(?:root|(?:user|role)/[\w+=,.@/-]+)|[0-9]{12}", re.ASCII)
_TAG = re.compile(r"[\w\s.:/=+@-]*")
_ORGANIZATION = re.compile(r"o-[a-z0-9]{10,32}")

CONTENT_SPEC: dict[str, Any] = {
    "repository_name": {"type": "str"},
    "writers": {"type": "list", "elements": "str", "default": []},
    "readers": {"type": "list", "elements": "str", "default": []},
    "organization_id": {"type": "str"},
    "lambda_pull": {"type": "bool", "default": False},
    "grant_login": {"type": "bool", "default": False},
    "image_tag_mutability": {"type": "str", "choices": ["MUTABLE", "IMMUTABLE"], "default": "MUTABLE"},
    "image_tag_mutability_exclusion_filters": {"type": "list", "elements": "str", "default": []},
    "scan_on_push": {"type": "bool", "default": False},
    "encryption_type": {"type": "str", "choices": ["AES256", "KMS", "KMS_DSSE"], "default": "AES256"},
    # The name of a key, and not the key itself.
    "kms_key": {"type": "str", "no_log": False},
    "lifecycle_policy": {"type": "dict"},
    "lifecycle_rules": {"type": "list", "elements": "dict", "default": []},
    "empty_on_delete": {"type": "bool", "default": False},
    "tags": {"type": "dict"},
}


@dataclass(frozen=True)
class Content:
    """What one repository shall be, but for the IAM user, who has to be looked up; as CONTENT_SPEC has it."""

    repository_name: str = ""
    writers: Sequence[str] = ()
    readers: Sequence[str] = ()
    organization_id: str = ""
    lambda_pull: bool = False
    grant_login: bool = False
    image_tag_mutability: str = "MUTABLE"
    image_tag_mutability_exclusion_filters: Sequence[str] = ()
    scan_on_push: bool = False
    encryption_type: str = "AES256"
    kms_key: str = ""
    lifecycle_policy: Mapping[str, Any] | None = None
    lifecycle_rules: Sequence[Mapping[str, Any]] = ()
    empty_on_delete: bool = False
    tags: Mapping[str, Any] | None = None

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Content:
        """The content of a task's options; what is not given is as the template has it."""
        return cls(**{name: options[name] for name in CONTENT_SPEC if options.get(name) not in (None, "")})

    @property
    def allows_somebody(self) -> bool:
        """Whether anybody may do anything, even without an IAM user."""
        return bool(self.writers or self.readers or self.organization_id or self.lambda_pull)

    def problems(self) -> list[str]:
        """Everything that AWS would not take, a sentence each."""
        return [
            *self._name_problems(),
            *_principal_problems("writers", self.writers),
            *_principal_problems("readers", self.readers),
            *self._organization_problems(),
            *self._mutability_problems(),
            *self._encryption_problems(),
            *self._lifecycle_problems(),
            *_tag_problems(self.tags or {}),
        ]

    def parameters(self) -> dict[str, str]:
        """The template's parameters, but for those that are as its defaults say; another template need not have them."""
        lifecycle = self._lifecycle_document()
        given = {
            "RepositoryName": self.repository_name,
            "Writers": ",".join(self.writers),
            "Readers": ",".join(self.readers),
            "OrganizationId": self.organization_id,
            "LambdaPull": "true" if self.lambda_pull else "",
            "ImageTagMutability": "" if self.image_tag_mutability == "MUTABLE" else self.image_tag_mutability,
            **dict(zip(_FILTER_PARAMETERS, self.image_tag_mutability_exclusion_filters, strict=False)),
            "ScanOnPush": "true" if self.scan_on_push else "",
            "EncryptionType": "" if self.encryption_type == "AES256" else self.encryption_type,
            "KmsKey": self.kms_key,
            "LifecyclePolicyText": _compact(lifecycle) if lifecycle else "",
            "EmptyOnDelete": "true" if self.empty_on_delete else "",
        }
        return {name: value for name, value in given.items() if value}

    def _lifecycle_document(self) -> Mapping[str, Any] | None:
        return lifecycle_document(self.lifecycle_rules) if self.lifecycle_rules else self.lifecycle_policy

    def _name_problems(self) -> list[str]:
        problem = repository_name_problem(self.repository_name) if self.repository_name else None
        return [problem] if problem else []

    def _organization_problems(self) -> list[str]:
        if not self.organization_id or _ORGANIZATION.fullmatch(self.organization_id):
            return []
        return [f"The organization_id {self.organization_id!r} is not an organization's: it looks like o-a1b2c3d4e5."]

    def _mutability_problems(self) -> list[str]:
        filters = self.image_tag_mutability_exclusion_filters
        problems = [
            f"The image_tag_mutability_exclusion_filters have {each!r}, and ECR takes 1 to 128 letters, digits, stars and ._- "
            "in each: change it."
            for each in filters
            if not _EXCLUSION_FILTER.fullmatch(each)
        ]
        if len(filters) > MOST_EXCLUSION_FILTERS:
            problems.append(
                f"There are {len(filters)} image_tag_mutability_exclusion_filters, "
                f"and ECR takes {MOST_EXCLUSION_FILTERS}: leave some out."
            )
        return problems

    def _encryption_problems(self) -> list[str]:
        if self.kms_key and self.encryption_type == "AES256":
            return [
                "A kms_key is given, and the encryption_type is AES256: make it KMS or KMS_DSSE, or leave out the key."
            ]
        return []

    def _lifecycle_problems(self) -> list[str]:
        if self.lifecycle_rules and self.lifecycle_policy:
            return ["There are lifecycle_rules and a lifecycle_policy: leave one of them out."]
        problems = lifecycle_problems(self.lifecycle_rules)
        if problems:
            return problems
        document = self._lifecycle_document()
        if not document:
            return []
        if not isinstance(document.get("rules"), (list, tuple)):
            return ["The lifecycle_policy has no list of rules: write it as ECR does, or use lifecycle_rules."]
        if not all(map(_is_rule, document["rules"])):
            return ["Each rule of the lifecycle_policy needs a rulePriority, a selection and an action, as ECR has it."]
        length = len(_compact(document))
        if length < FEWEST_CHARACTERS_OF_LIFECYCLE_POLICY:
            fewest = FEWEST_CHARACTERS_OF_LIFECYCLE_POLICY
            return [
                f"The lifecycle_policy has {length} characters, and ECR takes {fewest} or more: is something missing?"
            ]
        return _length_problem("lifecycle policy", length)


def expected(
    parameters: Mapping[str, str | None],
    *,
    stack_name: str,
    account: str,
    partition: str,
    region: str,
    tags: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What ECR has to tell of the repository of a stack with these parameters.

    What no parameter decides is left out: a stack of the tutorial's template has C(IAMUserName) only, and another
    template may say anything else.

    :param parameters: the stack's effective parameters, by the names that files/ecr.yml gives them.
    :param tags: the stack's tags; C(None) where they are not to be looked at.
    """
    value = {name: text or "" for name, text in parameters.items()}
    result: dict[str, Any] = {"name": value.get("RepositoryName") or stack_name}
    if "Writers" in value:
        result["policy"] = _policy(value, account, partition, region)
    if "LifecyclePolicyText" in value:
        text = value["LifecyclePolicyText"]
        result["lifecycle_policy"] = json.loads(text) if text else None
    if _FILTER_PARAMETERS[0] in value:
        # Without the first one the template has none.
        filters = [value[name] for name in _FILTER_PARAMETERS if value.get(name) and value[_FILTER_PARAMETERS[0]]]
        mutability = value.get("ImageTagMutability") or "MUTABLE"
        result["image_tag_mutability"] = f"{mutability}_WITH_EXCLUSION" if filters else mutability
        result["image_tag_mutability_exclusion_filters"] = filters
    if "ScanOnPush" in value:
        result["scan_on_push"] = value["ScanOnPush"] == "true"
    if "EncryptionType" in value:
        result["encryption"] = {"type": value["EncryptionType"] or "AES256", "kms_key": value.get("KmsKey") or None}
    if tags is not None:
        result["tags"] = dict(tags)
    return result


def expectation_problems(expectation: Mapping[str, Any]) -> list[str]:
    """What is too long for ECR or CloudFormation once it is put together, a sentence each."""
    length = len(_compact(expectation.get("policy") or {}))
    if length <= POLICY_LIMIT:
        return []
    too_long = f"The repository's policy would have {length:,} characters, and ECR takes {POLICY_LIMIT:,}"
    return [f"{too_long}: name fewer writers and readers, such as accounts instead of their roles."]


def differences(expectation: Mapping[str, Any], live: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where what ECR tells is not what is expected; each with C(what), C(asked), C(live) and a sentence, C(message).

    :param expectation: as M(expected) makes it.
    :param live: the same keys, as ECR tells them.
    """
    name = expectation["name"]
    found: list[dict[str, Any]] = []

    def differs(what: str, message: str) -> None:
        found.append({"what": what, "asked": expectation[what], "live": live.get(what), "message": message})

    if "policy" in expectation:
        unlike = policy_differences(expectation["policy"] or {}, live.get("policy") or {})
        if unlike:
            differs("policy", f"The policy of {name} is not what was asked for: {'; '.join(unlike)}.")
    if "lifecycle_policy" in expectation and not _same_rules(expectation["lifecycle_policy"], live["lifecycle_policy"]):
        differs("lifecycle_policy", f"The lifecycle policy of {name} is not the one that was asked for.")
    for what, label in (("image_tag_mutability", "tag mutability"), ("scan_on_push", "scanning on push")):
        if what in expectation and expectation[what] != live[what]:
            differs(what, f"The {label} of {name} is {live[what]}, and {expectation[what]} was asked for.")
    filters = "image_tag_mutability_exclusion_filters"
    if filters in expectation and set(expectation[filters]) != set(live[filters]):
        asked, there = (", ".join(sorted(each)) or "none" for each in (expectation[filters], live[filters]))
        differs(filters, f"The exclusion filters of {name} are {there}, and {asked} was asked for.")
    if "encryption" in expectation and not _same_encryption(expectation["encryption"], live["encryption"]):
        asked, there = (
            " with ".join(filter(None, (each["type"], each.get("kms_key"))))
            for each in (expectation["encryption"], live["encryption"])
        )
        differs("encryption", f"{name} is encrypted by {there}, and {asked} was asked for.")
    if "tags" in expectation:
        unlike = _tag_differences(expectation["tags"], live["tags"])
        if unlike:
            differs("tags", f"The tags of {name} are not what was asked for: {'; '.join(unlike)}.")
    return found


def _policy(value: Mapping[str, str], account: str, partition: str, region: str) -> dict[str, Any] | None:
    """The policy that files/ecr.yml makes of its parameters."""

    def statement(sid: str, principal: Any, actions: Sequence[str], condition: Any = None) -> dict[str, Any]:
        made = {"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": list(actions)}
        return {**made, "Condition": condition} if condition else made

    statements = []
    if user := value.get("IAMUserName"):
        arn = f"arn:{partition}:iam::{account}:user/{user}"
        statements.append(statement("AllowPushPull", {"AWS": arn}, PUSH_PULL_ACTIONS))
    if writers := _listed(value.get("Writers", "")):
        statements.append(statement("AllowPushPullWriters", {"AWS": writers}, PUSH_PULL_ACTIONS))
    if readers := _listed(value.get("Readers", "")):
        statements.append(statement("AllowPullReaders", {"AWS": readers}, PULL_ACTIONS))
    if organization := value.get("OrganizationId"):
        belongs = {"StringEquals": {"aws:PrincipalOrgID": organization}}
        statements.append(statement("AllowPullOrganization", "*", PULL_ACTIONS, belongs))
    if value.get("LambdaPull") == "true":
        of_functions = {"StringLike": {"aws:sourceArn": f"arn:{partition}:lambda:{region}:{account}:function:*"}}
        service = {"Service": "lambda.amazonaws.com"}
        actions = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
        statements.append(statement("AllowPullLambda", service, actions, of_functions))
    return {"Version": "2012-10-17", "Statement": statements} if statements else None


def _principal_problems(option: str, principals: Sequence[str]) -> list[str]:
    problems = [
        f"The {option} have {each!r}, which is no principal: give the ARN of an IAM user or role, or an account's 12 digits."
        for each in principals
        if not _PRINCIPAL.fullmatch(each)
    ]
    return problems or _length_problem(f"list of {option}", len(",".join(principals)))


def _length_problem(what: str, length: int) -> list[str]:
    if length <= PARAMETER_LIMIT:
        return []
    return [
        f"The {what} has {length:,} characters, and a CloudFormation parameter takes {PARAMETER_LIMIT:,}: shorten it."
    ]


def _tag_problems(tags: Mapping[str, Any]) -> list[str]:
    problems = (
        [f"There are {len(tags)} tags, and AWS takes {MOST_TAGS}: leave some out."] if len(tags) > MOST_TAGS else []
    )
    for key, value in tags.items():
        if not _TAG.fullmatch(f"{key}{value}"):
            problems.append(
                f"The tag {key!r} has characters that AWS does not take: letters, digits, spaces and _.:/=+-@ are."
            )
        if not 1 <= len(str(key)) <= LONGEST_TAG_KEY or str(key).lower().startswith("aws:"):
            problems.append(
                f"The tag {key!r} has a key that AWS does not take: 1 to {LONGEST_TAG_KEY} characters, not beginning with aws:."
            )
        if len(str(value)) > LONGEST_TAG_VALUE:
            problems.append(
                f"The tag {key!r} has a value of {len(str(value))} characters, and AWS takes {LONGEST_TAG_VALUE}: shorten it."
            )
    return problems


def _is_rule(rule: Any) -> bool:
    """Whether this has what each rule of a lifecycle policy has (the ECR user guide, "Lifecycle policy parameters")."""
    return (
        isinstance(rule, Mapping)
        and isinstance(rule.get("rulePriority"), int)
        and all(isinstance(rule.get(part), Mapping) for part in ("selection", "action"))
    )


def _tag_differences(asked: Mapping[str, str], live: Mapping[str, str]) -> list[str]:
    # AWS's own tags, such as aws:cloudformation:stack-name, are nobody's to ask for.
    there = {key: value for key, value in live.items() if not key.startswith("aws:")}
    return [
        *(f"{key} is missing" for key in asked if key not in there),
        *(
            f"{key} is {there[key]!r} instead of {asked[key]!r}"
            for key in asked
            if key in there and there[key] != asked[key]
        ),
        *(f"{key} was added" for key in there if key not in asked),
    ]


def _same_rules(asked: Mapping[str, Any] | None, live: Mapping[str, Any] | None) -> bool:
    """Whether two lifecycle policies say the same: the order of the rules and descriptions do not matter."""

    def meaning(document: Mapping[str, Any] | None) -> list[tuple[int, str]]:
        rules = (document or {}).get("rules") or []
        told = [
            (int(rule["rulePriority"]), _compact({key: rule.get(key) for key in ("selection", "action")}))
            for rule in rules
        ]
        return sorted(told)

    return meaning(asked) == meaning(live)


def _same_encryption(asked: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    key = asked.get("kms_key")
    if asked["type"] != live["type"]:
        return False
    # ECR tells a key's ARN, which an alias does not tell; without a key it is the one that AWS manages.
    if not key or ":alias/" in key or key.startswith("alias/"):
        return True
    there = live.get("kms_key") or ""
    return bool(there == key or there.endswith(f"/{key}"))


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _compact(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), sort_keys=True)
