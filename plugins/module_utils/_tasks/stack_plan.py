# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What C(cargohold.ecr.stack_plan) does: look at everything that decides what a deployment or a teardown will do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.cargohold.ecr.plugins.module_utils import _identity, _stacks
from ansible_collections.cargohold.ecr.plugins.module_utils._changes import (
    Change,
    additions,
    diff_of,
    removals,
    weighed,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._checks import (
    EMPTYING_PARAMETER,
    Holding,
    Principal,
    emptying_parameters,
    login_parameters,
    refuse_account,
    refuse_removal,
    refuse_replacement,
    refuse_taken_repository,
    resolve_user,
    weigh_images,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._clients import Clients
from ansible_collections.cargohold.ecr.plugins.module_utils._content import (
    CONTENT_SPEC,
    Content,
    expectation_problems,
    expected,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._decisions import (
    Action,
    Consent,
    Decision,
    decide_absent,
    decide_present,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError, Denied, Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._evaluation import Evaluation
from ansible_collections.cargohold.ecr.plugins.module_utils._following import Follower
from ansible_collections.cargohold.ecr.plugins.module_utils._identity import Caller
from ansible_collections.cargohold.ecr.plugins.module_utils._names import (
    iam_user_problem,
    shared_name_problem,
    stack_name_problem,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._preview import preview
from ansible_collections.cargohold.ecr.plugins.module_utils._records import REPOSITORY_TYPE, Resource, Stack
from ansible_collections.cargohold.ecr.plugins.module_utils._status import Status
from ansible_collections.cargohold.ecr.plugins.module_utils._task import Task
from ansible_collections.cargohold.ecr.plugins.module_utils._template import Template, read_template, says_the_same
from ansible_collections.cargohold.ecr.plugins.module_utils._verification import drift
from ansible_collections.cargohold.ecr.plugins.module_utils._watch import Target

# The parameter of files/ecr.yml that names who may push and pull.
USER_PARAMETER = "IAMUserName"

ARGUMENT_SPEC: dict[str, Any] = {
    "stack_name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "expected_account": {"type": "str"},
    "iam_user": {"type": "str"},
    **CONTENT_SPEC,
    # The controller reads these files, so that they are no paths to the module.
    "template": {"type": "str"},
    "template_body": {"type": "str"},
    "login_template": {"type": "str"},
    "login_template_body": {"type": "str"},
    "template_parameters": {"type": "dict", "default": {}},
    "notification_arns": {"type": "list", "elements": "str"},
    "role_arn": {"type": "str"},
    "allow_replacement": {"type": "bool", "default": False},
    "delete_images": {"type": "bool", "default": False},
    "continue_rollback": {"type": "bool", "default": False},
    "delete_failed": {"type": "bool", "default": False},
    "retain": {"type": "bool", "default": False},
    "detect_drift": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 900},
    "progress": {"type": "bool", "default": True},
}


# They would hide the reason of a failure under pages of text.
_ONLY_ON_SUCCESS = frozenset({"template_body", "diff", "expected"})


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
    template_body: str | None = None
    live_template: str = ""
    capabilities: list[str] = field(default_factory=list)
    notification_arns: list[str] = field(default_factory=list)
    expected: dict[str, Any] = field(default_factory=dict)
    drift: list[dict[str, Any]] | None = None
    changes: list[Change] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)
    may_log_in: bool | None = None

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
            "notification_arns": self.notification_arns,
            "principal": principal.arn if principal else None,
            "principal_found": principal.found if principal else False,
            "template_parameters": self.parameters,
            "repositories": [holding.as_result() for holding in self.holdings],
            "retained": self.retained,
            "empties_first": self.empties_first,
            "template_body": self.template_body,
            "capabilities": self.capabilities,
            "expected": self.expected,
            "drift": self.drift,
            "changes": [change.as_result() for change in self.changes],
            "summary": [change.line for change in self.changes],
            "diff": self.diff,
            "may_log_in": self.may_log_in,
        }


def run(task: Task) -> dict[str, Any]:
    """Find out what will be done.

    :raises Refused: when nothing may be done, before anything is changed.
    """
    plan = Plan(template_body=task.params["template_body"])
    try:
        if task.params["state"] == "present":
            decision = _plan_present(task, plan, _checked_deployment(task))
        else:
            decision = _plan_absent(task, plan, _checked_teardown(task))
    except CargoholdError as problem:
        known = {name: value for name, value in plan.as_result().items() if value and name not in _ONLY_ON_SUCCESS}
        problem.known = {**known, **problem.known}
        raise
    return {
        **plan.as_result(),
        "action": decision.action.value,
        "reason": decision.reason,
        "tags": task.params["tags"],
        "role_arn": task.params["role_arn"],
        "changed": task.check_mode and decision.changes_something,
    }


def _checked_deployment(task: Task) -> Template:
    """The template, after everything about a deployment that can be told without asking AWS was found good."""
    params = task.params
    task.timeout()
    content = _content(task)
    stack_name, user = params["stack_name"], params["iam_user"]
    problems = [
        shared_name_problem(stack_name) if _repository_name(task) == stack_name else stack_name_problem(stack_name)
    ]
    if user or not content.allows_somebody:
        problems.append(iam_user_problem(user or ""))
    problems += content.problems()
    _refuse(" ".join(filter(None, problems)))
    template = _template(task)
    if template is None:
        raise Refused("There is no template to deploy: give template or template_body.")
    if content.grant_login:
        if not params["login_template_body"]:
            raise Refused(
                "grant_login needs the template that grants it: give login_template, the path of files/login.yml."
            )
        template = template.merged(
            read_template(params["login_template_body"], params["login_template"] or "for logging in")
        )
    given = {*params["template_parameters"], *content.parameters(), *([USER_PARAMETER] if user else [])}
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


def _repository_name(task: Task) -> str:
    name: str = task.params["repository_name"] or task.params["stack_name"]
    return name


def _content(task: Task) -> Content:
    """The content that is asked for; a repository that is named as its stack needs no name of its own."""
    name = _repository_name(task)
    return Content.from_options({**task.params, "repository_name": None if name == task.params["stack_name"] else name})


def _template(task: Task) -> Template | None:
    body = task.params["template_body"]
    return read_template(body, task.params["template"] or "in template_body") if body else None


def _refuse(problem: str | None) -> None:
    if problem:
        raise Refused(problem)


def _caller(task: Task, clients: Clients) -> Caller:
    caller = _identity.caller(clients("sts"))
    refuse_account(caller, task.params["expected_account"])
    return caller


def _plan_present(task: Task, plan: Plan, template: Template) -> Decision:
    params = task.params
    clients = task.clients()
    caller = plan.caller = _caller(task, clients)
    cloudformation = clients("cloudformation")
    plan.template_body = template.body
    _set_parameters(task, plan, caller, clients)
    _expect(task, plan, template, caller)
    consent = Consent(params["continue_rollback"], params["delete_failed"])

    def decide(stack: Stack | None) -> Decision:
        unchanged = stack is not None and _is_unchanged(cloudformation, stack, template, plan.parameters, params)
        # What a stack holds only matters where it may be lost; that saves a call where there is nothing to do.
        matters = stack is not None and not unchanged and not stack.status.is_moving
        plan.held = _stacks.resources(cloudformation, stack.stack_id) if stack and matters else []
        return decide_present(stack, plan.held, unchanged=unchanged, consent=consent)

    decision = _decide(task, clients, plan, decide)
    stack = plan.stack
    _keep_topics(task, plan)
    if decision.action is Action.UPDATE and stack:
        refuse_removal(stack, plan.held, template, allowed=params["allow_replacement"])
        plan.live_template = _text_of(_stacks.template(cloudformation, stack.stack_id))
        plan.changes = _preview(task, plan, stack, template)
        refuse_replacement(clients, stack, plan.changes, allowed=params["allow_replacement"], warn=task.warn)
    if decision.action is Action.RECREATE:
        plan.holdings = weigh_images(clients, plan.repositories, allowed=params["delete_images"], warn=task.warn)
    if decision.action in (Action.CREATE, Action.RECREATE):
        plan.changes = [*removals(plan.held), *additions(template)]
        if not plan.repositories:
            refuse_taken_repository(clients, caller, params["stack_name"], _repository_name(task), task.warn)
    if decision.action in (Action.NOTHING, Action.UPDATE) and stack and params["detect_drift"]:
        plan.drift = _drift(task, clients, caller, stack)
    if decision.changes_something:
        plan.diff = diff_of(
            stack, plan.live_template, template, template.effective_parameters(plan.parameters), params["tags"]
        )
        if plan.principal and plan.principal.found and not params["grant_login"]:
            plan.may_log_in = _identity.may_log_in(clients("iam"), plan.principal.arn)
    return decision


def _set_parameters(task: Task, plan: Plan, caller: Caller, clients: Clients) -> None:
    """The parameters to deploy with; the user's path has to be looked up for them."""
    params = task.params
    content = _content(task)
    own = {name: _text(value) for name, value in params["template_parameters"].items()}
    plan.parameters = {**content.parameters(), **own}
    principals = [*content.writers, *content.readers]
    if params["iam_user"]:
        plan.principal = resolve_user(clients, caller, params["iam_user"], task.warn)
        plan.parameters[USER_PARAMETER] = plan.principal.parameter
        principals.insert(0, plan.principal.arn)
    if content.grant_login:
        plan.parameters.update(login_parameters(caller, principals))
        plan.capabilities = ["CAPABILITY_IAM"]


def _expect(task: Task, plan: Plan, template: Template, caller: Caller) -> None:
    """What ECR has to tell after the deployment.

    :raises Refused: when ECR would not take it.
    """
    plan.expected = expected(
        template.effective_parameters(plan.parameters),
        stack_name=task.params["stack_name"],
        account=caller.account,
        partition=caller.partition,
        region=caller.region,
        tags=_tags(task.params),
    )
    _refuse(" ".join(expectation_problems(plan.expected)))


def _keep_topics(task: Task, plan: Plan) -> None:
    """Without a word about them the topics stay; amazon.aws.cloudformation would take them away."""
    wanted = task.params["notification_arns"]
    present = list(plan.stack.notification_arns) if plan.stack else []
    plan.notification_arns = present if wanted is None else wanted


def _preview(task: Task, plan: Plan, stack: Stack, template: Template) -> list[Change]:
    """What CloudFormation says an update would change.

    :raises Refused: when it may not be asked, and so nobody knows whether a repository would be lost.
    """
    params = task.params
    request: dict[str, Any] = {
        "TemplateBody": template.body,
        "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in plan.parameters.items()],
        "Capabilities": plan.capabilities,
        "NotificationARNs": plan.notification_arns,
    }
    if params["role_arn"]:
        request["RoleARN"] = params["role_arn"]
    tags = _tags(task.params)
    if tags is not None:
        request["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    cloudformation = task.clients(attempts=1)("cloudformation")
    try:
        found = preview(cloudformation, stack, request, timeout=task.timeout(), time=task.time, warn=task.warn)
    except Denied as problem:
        if params["allow_replacement"]:
            task.warn(f"{problem.message} So it is not known what this update changes.")
            return []
        raise Refused(
            f"{problem.message} So it is not known whether this update would replace the repository: "
            "allow cloudformation:CreateChangeSet, DescribeChangeSet and DeleteChangeSet, or say that it may (allow_replacement: true)."
        ) from problem
    deployed = read_template(plan.live_template, f"of the stack {stack.name}")
    of_aws = {"AWS::StackName": stack.name}
    return weighed(
        found,
        Evaluation(deployed, {**deployed.effective_parameters({}), **stack.parameters, **of_aws}),
        Evaluation(template, {**template.effective_parameters(plan.parameters), **of_aws}),
    )


def _drift(task: Task, clients: Clients, caller: Caller, stack: Stack) -> list[dict[str, Any]] | None:
    """Where the repository is not what was deployed; C(None) where that may not be read."""
    deployed = expected(
        stack.parameters,
        stack_name=stack.name,
        account=caller.account,
        partition=caller.partition,
        region=caller.region,
        tags=stack.tags if task.params["tags"] is not None else None,
    )
    try:
        return drift(clients("ecr"), deployed)
    except Denied as problem:
        task.warn(f"{problem.message} So it is not known whether somebody changed the repository.")
        return None


def _plan_absent(task: Task, plan: Plan, template: Template | None) -> Decision:
    clients = task.clients()
    plan.caller = _caller(task, clients)
    cloudformation = clients("cloudformation")

    def decide(stack: Stack | None) -> Decision:
        plan.held = _stacks.resources(cloudformation, stack.stack_id) if stack else []
        return decide_absent(stack, plan.held)

    decision = _decide(task, clients, plan, decide)
    stack = plan.stack
    if decision.action is not Action.DELETE or stack is None:
        return decision
    _keep_topics(task, plan)
    plan.changes = removals(plan.held)
    plan.capabilities = list(stack.capabilities)
    if task.params["retain"] and stack.status is Status.DELETE_FAILED:
        plan.retained = [each.logical_id for each in plan.held if each.type == REPOSITORY_TYPE and each.exists]
        return decision
    plan.holdings = weigh_images(clients, plan.repositories, allowed=task.params["delete_images"], warn=task.warn)
    holds_images = any(holding.may_hold_images for holding in plan.holdings)
    if holds_images and stack.parameters.get(EMPTYING_PARAMETER) != "true":
        plan.parameters = emptying_parameters(stack, plan.held, template)
        plan.empties_first = True
        if EMPTYING_PARAMETER in stack.parameters:
            plan.template_body = _text_of(_stacks.template(cloudformation, stack.stack_id))
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


def _is_unchanged(
    cloudformation: Any, stack: Stack, template: Template, parameters: dict[str, Any], params: Mapping[str, Any]
) -> bool:
    """Whether CloudFormation would have nothing to do; where that cannot be told, it is left to CloudFormation."""
    if not stack.status.can_be_updated or not template.is_self_contained:
        return False
    if template.effective_parameters(parameters) != stack.parameters:
        return False
    if params["tags"] is not None and _tags(params) != stack.tags:
        return False
    topics, role = params["notification_arns"], params["role_arn"]
    if (topics is not None and set(topics) != set(stack.notification_arns)) or (role and role != stack.role_arn):
        return False
    return says_the_same(template, _stacks.template(cloudformation, stack.stack_id))


def _tags(params: Mapping[str, Any]) -> dict[str, str] | None:
    tags = params["tags"]
    return None if tags is None else {key: _text(value) for key, value in tags.items()}


def _text_of(template: str | Mapping[str, Any]) -> str:
    """A deployed template as text; botocore reads those that are JSON."""
    return template if isinstance(template, str) else json.dumps(template, indent=2)


def _text(value: Any) -> str:
    """A parameter's value as CloudFormation spells it: booleans in lower case, lists with commas."""
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
