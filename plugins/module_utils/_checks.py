# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""The checks of a plan that ask AWS: each refuses in a sentence, or tells what it found out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible.module_utils.common.text.formatters import bytes_to_human

from ansible_collections.cargohold.ecr.plugins.module_utils import _identity, _registry, _stacks
from ansible_collections.cargohold.ecr.plugins.module_utils._changes import Change, foreseen_replacement
from ansible_collections.cargohold.ecr.plugins.module_utils._clients import Clients
from ansible_collections.cargohold.ecr.plugins.module_utils._decisions import removed_resources
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import (
    AwsError,
    CredentialsRejected,
    Denied,
    Refused,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._identity import Caller
from ansible_collections.cargohold.ecr.plugins.module_utils._names import split_iam_user
from ansible_collections.cargohold.ecr.plugins.module_utils._records import REPOSITORY_TYPE, Resource, Stack
from ansible_collections.cargohold.ecr.plugins.module_utils._template import Template

Warn = Callable[[str], None]

# How amazon.aws.cloudformation takes a parameter that stays as it is.
_KEPT = {"use_previous_value": True}

# What files/login.yml declares.
LOGIN_RESOURCES = frozenset({"LoginUsersPolicy", "LoginRolesPolicy"})

# The parameter of files/ecr.yml that lets CloudFormation delete a repository that holds images.
EMPTYING_PARAMETER = "EmptyOnDelete"


@dataclass(frozen=True)
class Principal:
    """Who may push and pull.

    :param arn: the IAM user's ARN, path included.
    :param parameter: the user as the template's parameter IAMUserName takes it.
    :param found: whether IAM was asked, and knows the user.
    """

    arn: str
    parameter: str
    found: bool


@dataclass(frozen=True)
class Holding:
    """A repository that would be deleted; C(images) is C(None) where they could not be counted."""

    name: str
    images: _registry.Images | None

    @property
    def may_hold_images(self) -> bool:
        """Whether there are images, or may be."""
        return self.images is None or self.images.count > 0

    def as_result(self) -> dict[str, Any]:
        """The repository as part of a task's result."""
        return {"name": self.name, "images": self.images.as_result() if self.images else None}


def resolve_user(clients: Clients, caller: Caller, given: str, warn: Warn) -> Principal:
    """Find the user's true ARN, which holds the path; without leave to look, trust what was given.

    :raises Refused: when the account has no such user, or has the user under another path.
    """
    path, name = split_iam_user(given)
    try:
        user = _identity.user(clients("iam"), name)
    except Denied as problem:
        warn(f"{problem.message} So the IAM user {given} is taken on trust, with the path that was given.")
        return Principal(caller.user_arn(name, path or "/"), given.lstrip("/"), found=False)
    if user is None:
        raise Refused(
            f"The IAM user {name!r} does not exist in the account {caller.account}: "
            "check the name, or whether these are the right account's credentials."
        )
    if path is not None and path != user.path:
        raise Refused(
            f"The IAM user {user.name!r} of the account {caller.account} has the path {user.path}, not {path}: "
            f"write {user.parameter!r}, or just {user.name!r}."
        )
    return Principal(user.arn, user.parameter, found=True)


def refuse_account(caller: Caller, wanted: str | None) -> None:
    """The credentials must be those of the account that is meant.

    :raises Refused: when they are another's.
    """
    if wanted and wanted != caller.account:
        raise Refused(
            f"These are credentials of the account {caller.account}, and {wanted} is expected: nothing was done. "
            "Use the other account's, or correct expected_account."
        )


def login_parameters(caller: Caller, arns: Sequence[str]) -> dict[str, str]:
    """The parameters of files/login.yml, which takes the names of users and roles of the caller's account.

    :param arns: who may push or pull; those of other accounts are left to their own.
    :raises Refused: when nobody is left.
    """
    mine = [arn.split(":", 5)[5] for arn in arns if arn.split(":")[4:5] == [caller.account]]
    names = {
        kind: ",".join(dict.fromkeys(each.rsplit("/", 1)[1] for each in mine if each.startswith(f"{kind}/")))
        for kind in ("user", "role")
    }
    if not any(names.values()):
        raise Refused(
            f"grant_login is for users and roles of the account {caller.account}, and none of them may push or pull: "
            "name one, or leave it out."
        )
    return {"LoginUsers": names["user"], "LoginRoles": names["role"]}


def refuse_taken_repository(clients: Clients, caller: Caller, stack_name: str, name: str, warn: Warn) -> None:
    """A repository that the stack would create must not be there yet: AWS would find out later, and roll back.

    :param stack_name: the stack's name.
    :param name: the repository's.
    :raises Refused: when it is there, and is not the stack's own.
    """
    try:
        if _registry.describe(clients("ecr"), name) is None:
            return
        holder = _stacks.owner(clients("cloudformation"), name)
    except CredentialsRejected:
        raise
    except AwsError as problem:
        warn(f"{problem.message} So it is not known whether a repository {name} exists already.")
        return
    if holder == stack_name:
        return
    belongs = f"belongs to the stack {holder}" if holder else "belongs to no stack"
    raise Refused(
        f"The repository {name} exists already in {caller.account}/{caller.region} and {belongs}, "
        f"so the stack {stack_name} cannot create it: choose another name, or delete or import the repository."
    )


def refuse_removal(stack: Stack, held: Sequence[Resource], template: Template, *, allowed: bool) -> None:
    """A deployment must not take away what a stack holds: the stack is likely to be somebody else's.

    :param allowed: whether a repository may go.
    :raises Refused: when the template lacks something of the stack's.
    """
    removed = [
        resource
        for resource in removed_resources(held, list(template.resources))
        # What grants the login goes when it is not asked for any more.
        if resource.logical_id not in LOGIN_RESOURCES and not (allowed and resource.type == REPOSITORY_TYPE)
    ]
    if removed:
        named = ", ".join(f"{resource.logical_id} ({resource.type})" for resource in removed)
        raise Refused(
            f"Deploying this template to the stack {stack.name} would remove {named}: "
            "the stack is somebody else's, or was made from another template. Choose another stack name."
        )


def refuse_replacement(clients: Clients, stack: Stack, changes: Sequence[Change], *, allowed: bool, warn: Warn) -> None:
    """A deployment must not take a repository away: a new one of its name, or under another, has none of its images.

    :param allowed: whether it may.
    :raises Refused: when it would, naming what is at stake.
    """
    for change in changes:
        if not change.takes_repository_away or allowed:
            continue
        try:
            images: _registry.Images | None = _registry.images(clients("ecr"), change.physical_id)
        except AwsError as problem:
            warn(problem.message)
            images = None
        stake = (
            "how many images it holds is not known"
            if images is None
            else f"it holds {_counted(images, datetime.now(timezone.utc))}"
            if images.count
            else "it holds no images"
        )
        verb = "remove" if change.action == "Remove" else "replace"
        raise Refused(
            f"This deployment would {verb} the repository {change.physical_id}: {foreseen_replacement(change, stack)}. "
            f"{stake.capitalize()}, and none of them is taken along. "
            "Leave that as it was, or allow it (allow_replacement: true).",
            repositories=[Holding(change.physical_id, images).as_result()],
        )


def weigh_images(clients: Clients, names: Sequence[str], *, allowed: bool, warn: Warn) -> list[Holding]:
    """What the repositories hold that would be deleted; those that are not there any more are left out.

    :param allowed: whether their images may be deleted.
    :raises Refused: when they hold images, or that cannot be known, and it is not allowed.
    """
    holdings = []
    for name in names:
        try:
            images = _registry.images(clients("ecr"), name)
        except AwsError as problem:
            if problem.code == "RepositoryNotFoundException":
                continue
            if not allowed:
                raise Refused(
                    f"{problem.message} As it is not known what the repository {name} holds, it is not deleted: "
                    "allow that to be read, or say that its images may go (delete_images: true)."
                ) from problem
            warn(f"{problem.message} The repository {name} is deleted with whatever it holds.")
            holdings.append(Holding(name, None))
            continue
        holdings.append(Holding(name, images))
        if images.count and not allowed:
            raise Refused(
                f"The repository {name} holds {_counted(images, datetime.now(timezone.utc))}, so it is not deleted: "
                "delete them first, or say that they may go with it (delete_images: true).",
                repositories=[holding.as_result() for holding in holdings],
            )
    return holdings


def emptying_parameters(stack: Stack, held: Sequence[Resource], template: Template | None) -> dict[str, Any]:
    """The parameters of the update that lets CloudFormation delete the repository with its images.

    It has to be deployed before the delete. All parameters but one stay as they are.

    :raises Refused: when the stack cannot be told so.
    """
    instead = "delete the images yourself (aws ecr delete-repository --force), and then the stack"
    if not stack.status.can_be_updated:
        raise Refused(
            f"The stack {stack.name} is {stack.status.value}, so it cannot be told to delete its images: {instead}."
        )
    if EMPTYING_PARAMETER in stack.parameters:
        # The deployed template stays, whatever else it declares.
        return {**dict.fromkeys(stack.parameters, _KEPT), EMPTYING_PARAMETER: "true"}
    fits = (
        template is not None
        and EMPTYING_PARAMETER in template.parameters
        and not removed_resources(held, list(template.resources))
    )
    if template is None or not fits:
        raise Refused(
            f"The stack {stack.name} was not made from a template with the parameter {EMPTYING_PARAMETER}, "
            f"so it cannot be told to delete its images: {instead}."
        )
    kept = {name: _KEPT for name in template.parameters if name in stack.parameters}
    return {**kept, EMPTYING_PARAMETER: "true"}


def _counted(images: _registry.Images, now: datetime) -> str:
    count = "1 image" if images.count == 1 else f"{images.count} images"
    newest = f", the newest pushed {_ago(now - images.last_pushed)}" if images.last_pushed else ""
    return f"{count} of {bytes_to_human(images.size)} in all{newest}"


def _ago(span: timedelta) -> str:
    seconds = max(0, int(span.total_seconds()))
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            number = seconds // length
            return f"{number} {unit}{'' if number == 1 else 's'} ago"
    return "less than a minute ago"
