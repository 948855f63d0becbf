# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What C(cargohold.ecr.stack_plan) does: look at everything that decides what a deployment or a teardown will do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ansible.module_utils.common.text.formatters import bytes_to_human

from ansible_collections.cargohold.ecr.plugins.module_utils import _identity, _registry, _stacks
from ansible_collections.cargohold.ecr.plugins.module_utils._clients import Clients
from ansible_collections.cargohold.ecr.plugins.module_utils._decisions import (
    Action,
    Decision,
    decide_absent,
    decide_present,
    removed_resources,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import (
    AwsError,
    CargoholdError,
    Denied,
    Refused,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._following import Follower, Target
from ansible_collections.cargohold.ecr.plugins.module_utils._identity import Caller
from ansible_collections.cargohold.ecr.plugins.module_utils._names import (
    iam_user_problem,
    shared_name_problem,
    split_iam_user,
    stack_name_problem,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._records import REPOSITORY_TYPE, Resource, Stack
from ansible_collections.cargohold.ecr.plugins.module_utils._task import Task
from ansible_collections.cargohold.ecr.plugins.module_utils._template import Template, read_template, says_the_same

# The parameters of files/ecr.yml that this module knows the meaning of.
USER_PARAMETER = "IAMUserName"
EMPTYING_PARAMETER = "EmptyOnDelete"

ARGUMENT_SPEC: dict[str, Any] = {
    "stack_name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "iam_user": {"type": "str"},
    # The controller reads it, so that it is no path to the module.
    "template": {"type": "str"},
    "template_body": {"type": "str"},
    "template_parameters": {"type": "dict", "default": {}},
    "delete_images": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 900},
    "progress": {"type": "bool", "default": True},
}


@dataclass
class Plan:
    """What is known so far, as the task's result tells it; a failure tells as much of it as there is."""

    decision: Decision | None = None
    caller: Caller | None = None
    stack: Stack | None = None
    principal: str | None = None
    principal_found: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)
    repositories: list[dict[str, Any]] = field(default_factory=list)
    empties_first: bool = False

    def as_result(self) -> dict[str, Any]:
        """The return values."""
        decision, caller, stack = self.decision, self.caller, self.stack
        return {
            "action": decision.action.value if decision else None,
            "reason": decision.reason if decision else None,
            "account": caller.account if caller else None,
            "region": caller.region if caller else None,
            "partition": caller.partition if caller else None,
            "caller_arn": caller.arn if caller else None,
            "stack": stack.as_result() if stack else {},
            "principal": self.principal,
            "principal_found": self.principal_found,
            "template_parameters": self.parameters,
            "notification_arns": list(stack.notification_arns) if stack else [],
            "repositories": self.repositories,
            "empties_first": self.empties_first,
        }


def run(task: Task) -> dict[str, Any]:
    """Find out what will be done.

    :raises Refused: when nothing may be done, before anything is changed.
    """
    plan = Plan()
    try:
        template = _checked_input(task)
        clients = task.clients()
        plan.caller = _identity.caller(clients("sts"))
        if task.params["state"] == "present":
            _plan_present(task, clients, plan, template)
        else:
            _plan_absent(task, clients, plan, template)
    except CargoholdError as problem:
        known = {name: value for name, value in plan.as_result().items() if value}
        problem.known = {**known, **problem.known}
        raise
    assert plan.decision is not None
    return {
        **plan.as_result(),
        "template_body": template.body if template else None,
        "changed": task.check_mode and plan.decision.changes_something,
    }


def _checked_input(task: Task) -> Template | None:
    """Everything that can be told without asking AWS; the template, where there is to be one."""
    name = task.params["stack_name"]
    task.timeout()
    present = task.params["state"] == "present"
    _refuse(shared_name_problem(name) if present else stack_name_problem(name))
    if present and task.params["iam_user"] is not None:
        _refuse(iam_user_problem(task.params["iam_user"]))
    body = task.params["template_body"]
    if not body:
        if present:
            raise Refused("There is no template to deploy: give template or template_body.")
        return None
    template = read_template(body, task.params.get("template") or "in template_body")
    if not present:
        return template
    given = set(task.params["template_parameters"]) | ({USER_PARAMETER} if task.params["iam_user"] is not None else set())
    unknown = sorted(given - set(template.parameters))
    if unknown:
        raise Refused(
            f"The template declares no parameter {', '.join(unknown)}: "
            f"it has {', '.join(template.parameters) or 'none'}. Declare it, or leave it out."
        )
    return template


def _refuse(problem: str | None) -> None:
    if problem:
        raise Refused(problem)


def _plan_present(task: Task, clients: Clients, plan: Plan, template: Template | None) -> None:
    assert template is not None and plan.caller is not None
    cloudformation = clients("cloudformation")
    plan.parameters = {name: _text(value) for name, value in task.params["template_parameters"].items()}
    if task.params["iam_user"] is not None:
        _resolve_user(task, clients, plan, task.params["iam_user"])

    def decide(stack: Stack | None) -> Decision:
        resources = _stacks.resources(cloudformation, stack.stack_id) if _needs_resources(stack) else []
        unchanged = stack is not None and stack.status.can_be_updated and _is_unchanged(cloudformation, stack, template, plan)
        decision = decide_present(stack, resources, unchanged=unchanged)
        if decision.action is Action.UPDATE and stack is not None:
            _refuse_removal(stack, _stacks.resources(cloudformation, stack.stack_id), template)
        return decision

    plan.decision = _decide(task, clients, plan, decide)
    if plan.decision.action in (Action.CREATE, Action.RECREATE):
        _refuse_taken_repository(task, clients, plan.caller)


def _plan_absent(task: Task, clients: Clients, plan: Plan, template: Template | None) -> None:
    cloudformation = clients("cloudformation")
    held: list[Resource] = []

    def decide(stack: Stack | None) -> Decision:
        held[:] = _stacks.resources(cloudformation, stack.stack_id) if stack else []
        return decide_absent(stack, held)

    plan.decision = _decide(task, clients, plan, decide)
    if plan.decision.action is Action.DELETE:
        repositories = [each.physical_id for each in held if each.type == REPOSITORY_TYPE and each.exists]
        _weigh_images(task, clients, plan, repositories)
        if _must_be_emptied(plan):
            _plan_emptying(plan, held, template)


def _decide(task: Task, clients: Clients, plan: Plan, decide: Any) -> Decision:
    """Decide; where an operation is under way, wait for its end and decide again, all within the time."""
    deadline = task.time.clock() + task.timeout()
    while True:
        plan.stack = _stacks.describe(clients("cloudformation"), task.params["stack_name"])
        decision: Decision = decide(plan.stack)
        if decision.action is not Action.WAIT or task.check_mode or plan.stack is None:
            return decision
        left = deadline - task.time.clock()
        follower = Follower(
            task.clients(attempts=1)("cloudformation"),
            [Target(plan.stack.stack_id)],
            time=task.time,
            reporter=task.reporter,
        )
        follower.follow(max(0.0, left))
        watch = follower.watches[0]
        if watch.stack is None or watch.stack.status.is_moving:
            raise CargoholdError(f"Somebody else's operation is in the way: {watch.reason}")


def _resolve_user(task: Task, clients: Clients, plan: Plan, given: str) -> None:
    """Find the user's true ARN, which holds its path; without leave to look, trust what was given."""
    assert plan.caller is not None
    path, name = split_iam_user(given)
    try:
        user = _identity.user(clients("iam"), name)
    except Denied as problem:
        task.warn(f"{problem.message} So the IAM user {given} is taken on trust, with the path that was given.")
        plan.principal = plan.caller.user_arn(name, path or "/")
        plan.parameters[USER_PARAMETER] = given.lstrip("/")
        return
    if user is None:
        raise Refused(
            f"The IAM user {name!r} does not exist in the account {plan.caller.account}: "
            "check the name, or whether these are the right account's credentials."
        )
    if path is not None and path != user.path:
        raise Refused(
            f"The IAM user {user.name!r} of the account {plan.caller.account} has the path {user.path}, not {path}: "
            f"write {user.parameter!r}, or just {user.name!r}."
        )
    plan.principal, plan.principal_found = user.arn, True
    plan.parameters[USER_PARAMETER] = user.parameter


def _needs_resources(stack: Stack | None) -> bool:
    return stack is not None and not stack.status.can_be_updated and not stack.status.is_moving


def _is_unchanged(cloudformation: Any, stack: Stack, template: Template, plan: Plan) -> bool:
    """Whether CloudFormation would have nothing to do; where that cannot be told, it is asked."""
    if not template.is_self_contained or template.effective_parameters(plan.parameters) != stack.parameters:
        return False
    return says_the_same(template, _stacks.template(cloudformation, stack.stack_id))


def _refuse_removal(stack: Stack, resources: Sequence[Resource], template: Template) -> None:
    removed = removed_resources(resources, list(template.resources))
    if removed:
        named = ", ".join(f"{each.logical_id} ({each.type})" for each in removed)
        raise Refused(
            f"Deploying this template to the stack {stack.name} would remove {named}: "
            "the stack is somebody else's, or the template is not the one it was made from. Choose another stack name."
        )


def _refuse_taken_repository(task: Task, clients: Clients, caller: Caller) -> None:
    """A repository that the stack would create must not be there yet: AWS would find out later, and roll back."""
    name = task.params["stack_name"]
    try:
        if _registry.describe(clients("ecr"), name) is None:
            return
        holder = _stacks.owner(clients("cloudformation"), name)
    except AwsError as problem:
        task.warn(f"{problem.message} So it is not known whether a repository {name} exists already.")
        return
    if holder == name:
        return
    belongs = f"belongs to the stack {holder}" if holder else "belongs to no stack"
    raise Refused(
        f"The repository {name} exists already in {caller.account}/{caller.region} and {belongs}, "
        f"so the stack {name} cannot create it: choose another stack name, or delete or import the repository."
    )


def _weigh_images(task: Task, clients: Clients, plan: Plan, names: Sequence[str]) -> None:
    """Refuse to delete repositories with images in them, or with who knows how many, unless that was asked for."""
    allowed = task.params["delete_images"]
    for name in names:
        try:
            images = _registry.images(clients("ecr"), name)
        except AwsError as problem:
            if problem.code == "RepositoryNotFoundException":
                continue
            plan.repositories.append({"name": name, "images": None})
            if not allowed:
                raise Refused(
                    f"{problem.message} As it is not known what the repository {name} holds, it is not deleted: "
                    "allow that to be read, or say that its images may go (delete_images: true)."
                ) from problem
            task.warn(f"{problem.message} The repository {name} is deleted with whatever it holds.")
            continue
        plan.repositories.append({"name": name, "images": images.as_result()})
        if images.count and not allowed:
            raise Refused(
                f"The repository {name} holds {_counted(images, datetime.now(timezone.utc))}, so it is not deleted: "
                "delete them first, or say that they may go with it (delete_images: true)."
            )


def _must_be_emptied(plan: Plan) -> bool:
    """Whether the stack must be told to empty its repositories, which has to be deployed before the delete."""
    assert plan.stack is not None
    holds_images = any(each["images"] is None or each["images"]["count"] for each in plan.repositories)
    return holds_images and plan.stack.parameters.get(EMPTYING_PARAMETER) != "true"


def _plan_emptying(plan: Plan, held: Sequence[Resource], template: Template | None) -> None:
    """Plan the update that lets CloudFormation delete a repository with its images; it has to come before the delete."""
    assert plan.stack is not None
    name = plan.stack.name
    instead = "delete the images yourself (aws ecr delete-repository --force), and then the stack"
    if not plan.stack.status.can_be_updated:
        raise Refused(
            f"The stack {name} is {plan.stack.status.value}, so it cannot be told to delete its repository with the images: {instead}."
        )
    if template is None or EMPTYING_PARAMETER not in template.parameters or removed_resources(held, list(template.resources)):
        raise Refused(
            f"The stack {name} was not made from a template that has the parameter {EMPTYING_PARAMETER}, "
            f"so it cannot be told to delete its repository with the images: {instead}."
        )
    plan.empties_first = True
    plan.parameters = {
        parameter: {"use_previous_value": True} for parameter in template.parameters if parameter in plan.stack.parameters
    } | {EMPTYING_PARAMETER: "true"}


def _counted(images: _registry.Images, now: datetime) -> str:
    count = "1 image" if images.count == 1 else f"{images.count} images"
    newest = f", the newest pushed {_ago(now - images.last_pushed)}" if images.last_pushed else ""
    return f"{count} of {bytes_to_human(images.size)} in all{newest}"


def _ago(span: Any) -> str:
    seconds = max(0, int(span.total_seconds()))
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            number = seconds // length
            return f"{number} {unit}{'' if number == 1 else 's'} ago"
    return "less than a minute ago"


def _text(value: Any) -> str:
    """A parameter's value as the cloudformation module passes it on, with YAML's booleans as CloudFormation spells them."""
    return str(value).lower() if isinstance(value, bool) else str(value)
