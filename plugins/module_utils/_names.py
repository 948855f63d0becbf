# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""The rules for the names of stacks, repositories and IAM users.

Each function takes a name and returns C(None) when AWS would take it, or a sentence that says what is wrong with it
and what would do. Nothing here asks AWS: the rules are those of botocore's service models and of the CloudFormation
resource schema, the stricter one where they differ.
"""

from __future__ import annotations

import re

STACK_NAME_LIMIT = 128
REPOSITORY_NAME_LIMITS = (2, 256)
IAM_USER_NAME_LIMIT = 64
IAM_PATH_LIMIT = 512

# botocore, cloudformation 2010-05-15, CreateStackInput.StackName; the length is from the CloudFormation user guide.
_STACK_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]*")
_STACK_ID = re.compile(r"arn:[a-z0-9-]+:cloudformation:[a-z0-9-]+:[0-9]{12}:stack/[^/]+/[^/]+")
# The schema of AWS::ECR::Repository. It takes one separator at a time ("__" aside), while ECR's own API takes "--" too.
_REPOSITORY_NAME = re.compile(r"(?:[a-z0-9]+(?:(?:[._-]|__)[a-z0-9]+)*/)*[a-z0-9]+(?:(?:[._-]|__)[a-z0-9]+)*")
# botocore, iam 2010-05-08, userNameType and pathType.
_IAM_USER_NAME = re.compile(r"[\w+=,.@-]+", re.ASCII)
_IAM_PATH = re.compile(r"[!-~]+/")

# What a reader of a tutorial forgets to replace.
_PLACEHOLDER_USER = "YOUR_USER_NAME"


def is_stack_id(text: str) -> bool:
    """Whether C(text) is a stack's ID (an ARN) rather than its name."""
    return _STACK_ID.fullmatch(text) is not None


def stack_name_of(name_or_id: str) -> str:
    """A stack's name, of its name or ID."""
    return name_or_id.split("/")[1] if is_stack_id(name_or_id) else name_or_id


def stack_name_problem(name: str) -> str | None:
    """What keeps C(name) from being the name of a stack."""
    if not name:
        return "The stack name is empty: give the stack a name, such as payments-api."
    if len(name) > STACK_NAME_LIMIT:
        return (
            f"The stack name is {len(name)} characters long, and CloudFormation takes {STACK_NAME_LIMIT}: shorten it."
        )
    if not _STACK_NAME.fullmatch(name):
        return (
            f"The stack name {name!r} is not one that CloudFormation takes: "
            "it must begin with a letter and hold only letters, digits and hyphens."
        )
    return None


def repository_name_problem(name: str) -> str | None:
    """What keeps C(name) from being the name of a repository."""
    shortest, longest = REPOSITORY_NAME_LIMITS
    if not shortest <= len(name) <= longest:
        return (
            f"The repository name {name!r} is {_characters(len(name))} long, "
            f"and ECR takes {shortest} to {longest}: choose another."
        )
    if not _REPOSITORY_NAME.fullmatch(name):
        return (
            f"The repository name {name!r} is not one that ECR takes: it must consist of lower-case letters and digits, "
            f"with single hyphens, dots, underscores or slashes between them{_suggestion(name)}."
        )
    return None


def shared_name_problem(name: str) -> str | None:
    """What keeps C(name) from being the name of a stack and of the repository in it.

    Such a name passes as a stack's and fails as a repository's minutes later, as a rollback.
    """
    if "/" in name and not repository_name_problem(name):
        return (
            f"The stack name {name!r} has a slash, which CloudFormation does not take, "
            f"and the repository is named after the stack: use a name without one{_suggestion(name)}."
        )
    problem = stack_name_problem(name)
    if problem:
        return problem
    if repository_name_problem(name):
        return (
            f"The stack name {name!r} cannot name the repository as well: ECR takes {REPOSITORY_NAME_LIMITS[0]} or more "
            f"lower-case letters and digits, with single hyphens between them{_suggestion(name)}."
        )
    return None


def iam_user_problem(name: str) -> str | None:
    """What keeps C(name), a user name with or without its path, from being an IAM user's."""
    path, slash, user = name.lstrip("/").rpartition("/")
    if not name.strip():
        return (
            "No IAM user is named: say who may push and pull, as in ansible-playbook cargohold.ecr.deploy -e iam_user=alice "
            "(in a role, repository_iam_user)."
        )
    if name == _PLACEHOLDER_USER:
        return (
            f"The IAM user name is still the placeholder {_PLACEHOLDER_USER}: put the name of a real user in its place."
        )
    if len(user) > IAM_USER_NAME_LIMIT:
        return f"The IAM user name is {len(user)} characters long, and IAM takes {IAM_USER_NAME_LIMIT}: check it."
    if not _IAM_USER_NAME.fullmatch(user):
        return (
            f"The IAM user name {name!r} is not one that IAM takes: it may hold only letters, digits and +=,.@_-, "
            "after its path if it has one, as in team/alice."
        )
    if slash and (len(path) + 2 > IAM_PATH_LIMIT or not _IAM_PATH.fullmatch(path + "/")):
        return f"The path of the IAM user {name!r} is not one that IAM takes: at most {IAM_PATH_LIMIT} visible ASCII characters."
    return None


def split_iam_user(name: str) -> tuple[str | None, str]:
    """Split C(team/alice) into its path, C(/team/), and its name; the path is C(None) where none was given."""
    path, slash, user = name.lstrip("/").rpartition("/")
    return (f"/{path}/" if slash else None), user


def _characters(count: int) -> str:
    return "1 character" if count == 1 else f"{count} characters"


def _suggestion(name: str) -> str:
    """A name near C(name) that ECR and CloudFormation take, as the end of a sentence; empty where there is none."""
    candidate = re.sub(r"[^a-z0-9]+", "-", name.lower())[:STACK_NAME_LIMIT].strip("-")
    takes_it = len(candidate) >= REPOSITORY_NAME_LIMITS[0] and stack_name_problem(candidate) is None
    return f", such as {candidate!r}" if takes_it else ""
