# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What C(cargohold.ecr.stack_plan) does: look at everything that decides what a deployment or a teardown will do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils import _identity, _stacks
from ansible_collections.cargohold.ecr.plugins.module_utils._checks import (
    EMPTYING_PARAMETER,
    Holding,
    Principal,
    emptying_parameters,
    refuse_removal,
    refuse_taken_repository,
    resolve_user,
    weigh_images,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._clients import Clients
from ansible_collections.cargohold.ecr.plugins.module_utils._decisions import (
    Action,
    Consent,
    Decision,
    decide_absent,
    decide_present,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError, Denied, Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._following import Follower
from ansible_collections.cargohold.ecr.plugins.module_utils._identity import Caller
from ansible_collections.cargohold.ecr.plugins.module_utils._names import (
    iam_user_problem,
    shared_name_problem,
    stack_name_problem,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._records import REPOSITORY_TYPE, Resource, Stack
from ansible_collections.cargohold.ecr.plugins.module_utils._status import Status
from ansible_collections.cargohold.ecr.plugins.module_utils._task import Task
from ansible_collections.cargohold.ecr.plugins.module_utils._template import Template, read_template, says_the_same
from ansible_collections.cargohold.ecr.plugins.module_utils._watch import Target

# The parameter of files/ecr.yml that names who may push and pull.
USER_PARAMETER = "IAMUserName"

ARGUMENT_SPEC: dict[str, Any] = {
    "stack_name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "iam_user": {"type": "str"},
    # The controller reads it, so that it is no path to the module.
    "template": {"type": "str"},
    "template_body": {"type": "str"},
    "template_parameters": {"type": "dict", "default": {}},
    "delete_images": {"type": "bool", "default": False},
    "continue_rollback": {"type": "bool", "default": False},
    "delete_failed": {"type": "bool", "default": False},
    "retain": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 900},
    "progress": {"type": "bool", "default": True},
}


@dataclass
class Plan:
    """What is known so far, as the task's result tells it; a failure tells as much of it as there is."""

    caller: Caller | None = None
    stack: Stack | None = None
    last_event_id: str | None = None
    held: list[Resource] = field(default_factory=list)
    principal: Principal | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    holdings: list[Holding] = field(default_factory=list)
    retained: list[str] = field(default_factory=list)
    empties_first: bool = False

    @property
    def repositories(self) -> list[str]:
        """The names of the repositories that the stack holds, or may hold."""
        return [resource.physical_id for resource in self.held if resource.type == REPOSITORY_TYPE and resource.exists]

    def as_result(self) -> dict[str, Any]:
        """The return values, without the decision."""
        caller, principal = self.caller, self.principal
        return {
            "account": caller.account if caller else None,
            "region": caller.region if caller else None,
            "partition": caller.partition if caller else None,
            "caller_arn": caller.arn if caller else None,
            "stack": {**self.stack.as_result(), "last_event_id": self.last_event_id} if self.stack else {},
            "notification_arns": list(self.stack.notification_arns) if self.stack else [],
            "principal": principal.arn if principal else None,
            "principal_found": principal.found if principal else False,
            "template_parameters": self.parameters,
            "repositories": [holding.as_result() for holding in self.holdings],
            "retained": self.retained,
            "empties_first": self.empties_first,
        }


def run(task: Task) -> dict[str, Any]:
    """Find out what will be done.

    :raises Refused: when nothing may be done, before anything is changed.
    """
    plan = Plan()
    try:
        if task.params["state"] == "present":
            decision = _plan_present(task, plan, _checked_deployment(task))
        else:
            decision = _plan_absent(task, plan, _checked_teardown(task))
    except CargoholdError as problem:
        known = {name: value for name, value in plan.as_result().items() if value}
        problem.known = {**known, **problem.known}
        raise
    return {
        **plan.as_result(),
        "action": decision.action.value,
        "reason": decision.reason,
        "template_body": task.params["template_body"],
        "changed": task.check_mode and decision.changes_something,
    }


def _checked_deployment(task: Task) -> Template:
    """The template, after everything about a deployment that can be told without asking AWS was found good."""
    _refuse(shared_name_problem(task.params["stack_name"]))
    task.timeout()
    user = task.params["iam_user"]
    if user is not None:
        _refuse(iam_user_problem(user))
    template = _template(task)
    if template is None:
        raise Refused("There is no template to deploy: give template or template_body.")
    given = {*task.params["template_parameters"], *([USER_PARAMETER] if user is not None else [])}
    unknown = sorted(given - set(template.parameters))
    if unknown:
        raise Refused(
            f"The template declares no parameter {', '.join(unknown)}: "
            f"it has {', '.join(template.parameters) or 'none'}. Declare it, or leave it out."
        )
    return template


def _checked_teardown(task: Task) -> Template | None:
    """The template, which a teardown can do without unless images are to be deleted."""
    _refuse(stack_name_problem(task.params["stack_name"]))
    task.timeout()
    return _template(task)


def _template(task: Task) -> Template | None:
    body = task.params["template_body"]
    return read_template(body, task.params["template"] or "in template_body") if body else None


def _refuse(problem: str | None) -> None:
    if problem:
        raise Refused(problem)


def _plan_present(task: Task, plan: Plan, template: Template) -> Decision:
    clients = task.clients()
    caller = plan.caller = _identity.caller(clients("sts"))
    cloudformation = clients("cloudformation")
    consent = Consent(task.params["continue_rollback"], task.params["delete_failed"])
    plan.parameters = {name: _text(value) for name, value in task.params["template_parameters"].items()}
    if task.params["iam_user"] is not None:
        plan.principal = resolve_user(clients, caller, task.params["iam_user"], task.warn)
        plan.parameters[USER_PARAMETER] = plan.principal.parameter

    def decide(stack: Stack | None) -> Decision:
        unchanged = stack is not None and _is_unchanged(cloudformation, stack, template, plan.parameters)
        # What a stack holds only matters where it may be lost; that saves a call where there is nothing to do.
        matters = stack is not None and not unchanged and not stack.status.is_moving
        plan.held = _stacks.resources(cloudformation, stack.stack_id) if stack and matters else []
        return decide_present(stack, plan.held, unchanged=unchanged, consent=consent)

    decision = _decide(task, clients, plan, decide)
    if decision.action is Action.UPDATE and plan.stack:
        refuse_removal(plan.stack, plan.held, template)
    if decision.action is Action.RECREATE:
        allowed = task.params["delete_images"]
        plan.holdings = weigh_images(clients, plan.repositories, allowed=allowed, warn=task.warn)
    if decision.action in (Action.CREATE, Action.RECREATE) and not plan.repositories:
        refuse_taken_repository(clients, caller, task.params["stack_name"], task.warn)
    return decision


def _plan_absent(task: Task, plan: Plan, template: Template | None) -> Decision:
    clients = task.clients()
    plan.caller = _identity.caller(clients("sts"))
    cloudformation = clients("cloudformation")

    def decide(stack: Stack | None) -> Decision:
        plan.held = _stacks.resources(cloudformation, stack.stack_id) if stack else []
        return decide_absent(stack, plan.held)

    decision = _decide(task, clients, plan, decide)
    stack = plan.stack
    if decision.action is not Action.DELETE or stack is None:
        return decision
    if task.params["retain"] and stack.status is Status.DELETE_FAILED:
        plan.retained = [each.logical_id for each in plan.held if each.type == REPOSITORY_TYPE and each.exists]
        return decision
    plan.holdings = weigh_images(clients, plan.repositories, allowed=task.params["delete_images"], warn=task.warn)
    holds_images = any(holding.may_hold_images for holding in plan.holdings)
    if holds_images and stack.parameters.get(EMPTYING_PARAMETER) != "true":
        plan.parameters = emptying_parameters(stack, plan.held, template)
        plan.empties_first = True
    return decision


def _decide(task: Task, clients: Clients, plan: Plan, decide: Callable[[Stack | None], Decision]) -> Decision:
    """Decide; where an operation is under way, wait for its end and decide again, all within the time.

    :raises CargoholdError: when the operation does not end in time, or cannot be followed.
    """
    deadline = task.time.clock() + task.timeout()
    while True:
        stack = plan.stack = _stacks.describe(clients("cloudformation"), task.params["stack_name"])
        decision = decide(stack)
        if decision.action is not Action.WAIT or task.check_mode or stack is None:
            if decision.changes_something and stack is not None:
                plan.last_event_id = _last_event_id(clients, stack)
            return decision
        _await(task, stack, max(0.0, deadline - task.time.clock()))


def _last_event_id(clients: Clients, stack: Stack) -> str | None:
    """What the stack's newest event is, so that a new operation can be told from the one before by more than times."""
    try:
        events, _more = next(_stacks.event_pages(clients("cloudformation"), stack))
    except Denied:
        return None
    return events[0].event_id if events else None


def _await(task: Task, stack: Stack, timeout: float) -> None:
    """Follow whatever is going on with the stack to its end."""
    targets: Sequence[Target] = [Target(stack.stack_id)]
    # The loop does the retrying, so that it can tell of it and keep to the time.
    follower = Follower(task.clients(attempts=1)("cloudformation"), targets, time=task.time, reporter=task.reporter)
    follower.follow(timeout)
    watch = follower.watches[0]
    if watch.stack is None or watch.stack.status.is_moving:
        raise CargoholdError(f"An operation that was already under way is in the way: {watch.reason}")


def _is_unchanged(cloudformation: Any, stack: Stack, template: Template, parameters: dict[str, Any]) -> bool:
    """Whether CloudFormation would have nothing to do; where that cannot be told, it is left to CloudFormation."""
    if not stack.status.can_be_updated or not template.is_self_contained:
        return False
    if template.effective_parameters(parameters) != stack.parameters:
        return False
    return says_the_same(template, _stacks.template(cloudformation, stack.stack_id))


def _text(value: Any) -> str:
    """A parameter's value as CloudFormation spells it: booleans in lower case, lists with commas."""
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
