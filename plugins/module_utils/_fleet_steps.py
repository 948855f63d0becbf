# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What is done about one stack of a list, step by step: plan, act, follow, verify, each as for one stack by itself."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

from ansible_collections.cargohold.ecr.plugins.module_utils import _registry, _stacks
from ansible_collections.cargohold.ecr.plugins.module_utils._checks import (
    EMPTYING_PARAMETER,
    Holding,
    emptying_parameters,
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
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import CargoholdError, Denied, Refused, Transient
from ansible_collections.cargohold.ecr.plugins.module_utils._fleet import (
    TEMPLATE_TAG,
    Entry,
    Likeness,
    Mark,
    likeness,
    plain_tags,
    wanted_tags,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._fleet_engine import Ask, Follow, Steps
from ansible_collections.cargohold.ecr.plugins.module_utils._identity import Caller
from ansible_collections.cargohold.ecr.plugins.module_utils._policy import missing_actions
from ansible_collections.cargohold.ecr.plugins.module_utils._records import REPOSITORY_TYPE, Resource, Stack
from ansible_collections.cargohold.ecr.plugins.module_utils._status import Operation, Status
from ansible_collections.cargohold.ecr.plugins.module_utils._template import Template, says_the_same
from ansible_collections.cargohold.ecr.plugins.module_utils._watch import Before, Outcome, Target, Watch

# Seconds between two looks at a change set that is being made.
CHANGE_SET_INTERVAL = 0.5

# Beside those of following: what is told of a stack that was not begun, and of one whose repository is not as its
# template says although the stack is.
NOT_STARTED = "not_started"
PLANNED = "planned"
DRIFTED = "drifted"
GOOD = Outcome.GOOD | {PLANNED}

Reading = Generator[Ask, Any, Any]


@dataclass(frozen=True)
class Surroundings:
    """What the stacks of a list have in common.

    :param clients: boto3 clients that do not retry by themselves: the loop does.
    :param users: what the parameter C(IAMUserName) and the ARN are of each IAM user, by how it was given.
    :param repositories: the names of the repositories that there are; C(None) where that is not known.
    :param now: the wall clock, for the marks.
    :param warn: tells a person something that ends nothing.
    """

    clients: Clients
    caller: Caller
    users: Mapping[str, tuple[str, str]]
    repositories: frozenset[str] | None
    fleet: str | None
    check_mode: bool
    deep: bool
    verify: bool
    now: Callable[[], datetime]
    warn: Callable[[str], None]
    token: Callable[[], str] = lambda: str(uuid4())


@dataclass
class Report:
    """What became of one stack; filled on the way, so that a failure tells what had been done by then."""

    name: str
    stack: Stack | None = None
    action: str = Action.NOTHING.value
    changed: bool = False
    outcome: str = ""
    reason: str = ""
    failures: list[dict[str, Any]] = field(default_factory=list)
    differences: list[dict[str, Any]] = field(default_factory=list)
    repositories: list[dict[str, Any]] = field(default_factory=list)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Whether the stack is as it is wanted, or would be made so."""
        return self.outcome in GOOD

    def as_result(self, elapsed: float) -> dict[str, Any]:
        """The stack as part of the task's result."""
        stack = self.stack
        return {
            "name": self.name,
            "action": self.action,
            "changed": self.changed,
            "status": stack.status.value if stack else None,
            "outcome": self.outcome,
            "reason": self.reason,
            "stack_id": stack.stack_id if stack else None,
            "outputs": dict(stack.outputs) if stack else {},
            "parameters": dict(stack.parameters) if stack else {},
            "tags": dict(stack.tags) if stack else {},
            "console_url": stack.console_url if stack else None,
            "failures": self.failures,
            "differences": self.differences,
            "repositories": self.repositories,
            "elapsed": round(elapsed, 3),
        }


def steps(entry: Entry, stack: Stack | None, around: Surroundings, report: Report) -> Steps[Report]:
    """What is done so that the stack is as the entry wants it.

    :param stack: the stack as a listing told it; C(None) where there is none.
    """
    one = _One(entry, around, report)
    return one.present(stack) if entry.is_present else one.absent(stack)


class _One:
    """The steps of one stack."""

    def __init__(self, entry: Entry, around: Surroundings, report: Report) -> None:
        self._entry = entry
        self._around = around
        self._report = report
        self._cloudformation = around.clients("cloudformation")
        user = around.users.get(entry.iam_user) if entry.iam_user is not None else None
        self._parameters = entry.parameters(user[0] if user else entry.iam_user) if entry.is_present else {}
        self._principal = user[1] if user else None

    def present(self, stack: Stack | None) -> Steps[Report]:
        """Create or update the stack, or leave it as it is."""
        entry, report = self._entry, self._report
        template = entry.template
        if template is None:
            raise Refused("There is no template to deploy: give template or template_body.")
        while True:
            report.stack = stack
            unchanged = yield from self._is_unchanged(stack, template)
            held = [] if unchanged or _tells_enough(stack) else (yield from self._held(stack))
            decision = decide_present(stack, held, unchanged=unchanged, consent=self._consent)
            self._plan(decision, stack)
            if decision.action is Action.CREATE and stack is None:
                yield from self._refuse_taken()
            if decision.action is Action.RECREATE:
                yield from self._weigh(held)
            if self._around.check_mode:
                return self._planned(decision)
            if decision.action is Action.NOTHING:
                return (yield from self._unchanged(decision))
            if decision.action is Action.CREATE:
                watch = yield from self._create(template)
                return (yield from self._made(watch))
            if stack is None:
                raise Refused(decision.reason)
            if decision.action is Action.UPDATE:
                return (yield from self._update(stack, template))
            if decision.action is Action.WAIT:
                stack = yield from self._await(stack)
            elif decision.action is Action.RECREATE:
                yield from self._delete(stack)
                stack = None
            else:
                stack = yield from self._continue_rollback(stack)

    def absent(self, stack: Stack | None) -> Steps[Report]:
        """Remove the stack, unless its images stand against it."""
        report, options = self._report, self._entry.options
        while True:
            report.stack = stack
            held = [] if stack is None or stack.status.is_moving else (yield from self._held(stack))
            decision = decide_absent(stack, held)
            self._plan(decision, stack)
            if decision.action is Action.WAIT and stack and not self._around.check_mode:
                stack = yield from self._await(stack)
                continue
            break
        if decision.action is not Action.DELETE or stack is None:
            return self._planned(decision) if self._around.check_mode else self._left(decision)
        keeps = [each.logical_id for each in held if each.type == REPOSITORY_TYPE and each.exists]
        if options["retain"] and stack.status is Status.DELETE_FAILED:
            if self._around.check_mode:
                return self._planned(decision)
            yield Ask(partial(_stacks.delete_retaining, self._cloudformation, stack, keeps), writes=True)
            report = self._ended((yield from self._followed(stack, Operation.DELETE)))
            report.reason = report.reason or f"{self._entry.name} is gone; its repository stays."
            return report
        holdings = yield from self._weigh(held)
        empties = any(holding.may_hold_images for holding in holdings)
        if empties and stack.parameters.get(EMPTYING_PARAMETER) != "true":
            parameters = emptying_parameters(stack, held, self._entry.template)
            if not self._around.check_mode:
                stack = yield from self._let_images_go(stack, parameters)
        if self._around.check_mode:
            return self._planned(decision)
        yield from self._delete(stack)
        if self._around.verify:
            yield from self._make_sure_gone([holding.name for holding in holdings])
        report.outcome, report.reason = Outcome.SUCCEEDED, f"{self._entry.name} is gone."
        return report

    def _plan(self, decision: Decision, stack: Stack | None) -> None:
        """Take note of what will be done; what was begun before stays what the whole is called."""
        report = self._report
        report.reason = decision.reason
        if report.changed or decision.action is Action.WAIT:
            return
        report.action = decision.action.value
        report.before = _as_told(stack.parameters, plain_tags(stack)) if stack and not stack.status.is_gone else {}
        if self._entry.is_present and self._entry.template:
            effective = self._entry.template.effective_parameters(self._parameters)
            parameters = {name: value for name, value in effective.items() if value is not None}
            report.after = _as_told(parameters, wanted_tags(self._entry, stack, self._around.fleet))

    def _planned(self, decision: Decision) -> Report:
        report = self._report
        report.outcome = PLANNED if decision.changes_something or decision.action is Action.WAIT else Outcome.UNCHANGED
        report.changed = decision.changes_something
        return report

    def _left(self, decision: Decision) -> Report:
        self._report.outcome = Outcome.SUCCEEDED if self._report.changed else Outcome.UNCHANGED
        self._report.reason = decision.reason
        return self._report

    @property
    def _consent(self) -> Consent:
        return Consent(self._entry.options["continue_rollback"], self._entry.options["delete_failed"])

    def _is_unchanged(self, stack: Stack | None, template: Template) -> Reading:
        """Whether CloudFormation would have nothing to do."""
        if stack is None:
            return False
        tags = wanted_tags(self._entry, stack, self._around.fleet)
        like = likeness(stack, template, self._parameters, tags, self._around.now())
        if like is Likeness.DIFFERENT:
            return False
        if like is Likeness.UNKNOWN or self._around.deep:
            live = yield Ask(partial(_stacks.template, self._cloudformation, stack.stack_id))
            return says_the_same(template, live)
        return True

    def _held(self, stack: Stack | None) -> Reading:
        if stack is None:
            return []
        return (yield Ask(partial(_stacks.resources, self._cloudformation, stack.stack_id)))

    def _refuse_taken(self) -> Reading:
        """A repository that the stack would create must not be there yet: AWS would find out later, and roll back."""
        name, caller = self._entry.name, self._around.caller
        if name not in (self._around.repositories or ()):
            return
        holder = yield Ask(partial(_stacks.owner, self._cloudformation, name))
        if holder != name:
            belongs = f"belongs to the stack {holder}" if holder else "belongs to no stack"
            raise Refused(
                f"The repository {name} exists already in {caller.account}/{caller.region} and {belongs}, "
                f"so the stack {name} cannot create it: choose another stack name, or delete or import the repository."
            )

    def _weigh(self, held: Sequence[Resource]) -> Generator[Ask, Any, list[Holding]]:
        names = [each.physical_id for each in held if each.type == REPOSITORY_TYPE and each.exists]
        if not names:
            return []
        allowed = self._entry.options["delete_images"]
        holdings: list[Holding] = yield Ask(partial(_weighed, self._around, names, allowed))
        self._report.repositories = [holding.as_result() for holding in holdings]
        return holdings

    def _deployment(self, target: str, template: Template, stack: Stack | None) -> _stacks.Deployment:
        """What is asked for. The mark is made now, as late as can be."""
        tags = wanted_tags(self._entry, stack, self._around.fleet)
        return _stacks.Deployment(
            stack=target,
            template_body=template.body,
            parameters=self._parameters,
            tags={**tags, TEMPLATE_TAG: str(Mark.of(template, self._around.now()))},
            token=self._around.token(),
        )

    def _create(self, template: Template) -> Steps[Watch]:
        deployment = self._deployment(self._entry.name, template, None)
        stack_id = yield Ask(partial(_stacks.create, self._cloudformation, deployment), writes=True)
        self._report.changed = True
        watch: Watch = yield Follow(Target(stack_id, Operation.CREATE, None, self._parameters))
        return watch

    def _update(self, stack: Stack, template: Template) -> Steps[Report]:
        """Execute the very change set that was looked at, so that nothing happens that was not seen."""
        cloudformation, report = self._cloudformation, self._report
        deployment = self._deployment(stack.stack_id, template, stack)
        change_set_id = yield Ask(partial(_stacks.create_change_set, cloudformation, deployment), writes=True)
        changes: _stacks.ChangeSet = yield Ask(partial(_stacks.change_set, cloudformation, stack, change_set_id))
        while changes.is_moving:
            look = partial(_stacks.change_set, cloudformation, stack, change_set_id)
            changes = yield Ask(look, after=CHANGE_SET_INTERVAL)
        try:
            if changes.is_ready:
                refuse_loss(stack, changes)
        except Refused:
            yield from self._give_up(stack, change_set_id)
            raise
        if not changes.is_ready:
            yield from self._give_up(stack, change_set_id)
            if not changes.is_empty:
                raise CargoholdError(f"CloudFormation cannot update {stack.name}: {changes.reason.rstrip('.')}.")
            report.action, report.outcome = Action.NOTHING.value, Outcome.UNCHANGED
            report.reason = f"{stack.name} is {stack.status.value}, and CloudFormation finds nothing to change."
            return report
        execute = partial(_stacks.execute_change_set, cloudformation, stack, change_set_id, deployment.token)
        yield Ask(execute, writes=True)
        return (yield from self._made((yield from self._followed(stack, Operation.UPDATE))))

    def _give_up(self, stack: Stack, change_set_id: str) -> Reading:
        yield Ask(partial(_stacks.delete_change_set, self._cloudformation, stack, change_set_id), writes=True)

    def _followed(self, stack: Stack, operation: Operation) -> Steps[Watch]:
        """Follow an operation that was just asked for on a stack that there was."""
        self._report.changed = True
        parameters = self._parameters if operation is Operation.UPDATE else {}
        before = Before.from_result(stack.as_result())
        watch: Watch = yield Follow(Target(stack.stack_id, operation, before, parameters))
        return watch

    def _await(self, stack: Stack) -> Steps[Stack | None]:
        """Follow whatever is going on with the stack to its end.

        :raises CargoholdError: when that end is not seen.
        """
        watch: Watch = yield Follow(Target(stack.stack_id))
        if watch.stack is None or watch.stack.status.is_moving:
            raise CargoholdError(
                f"An operation that was already under way is in the way: {watch.reason}", outcome=watch.outcome
            )
        return None if watch.stack.status.is_gone else watch.stack

    def _continue_rollback(self, stack: Stack) -> Steps[Stack | None]:
        yield Ask(partial(_stacks.continue_rollback, self._cloudformation, stack), writes=True)
        watch = yield from self._followed(stack, Operation.ROLLBACK)
        self._require(watch)
        return watch.stack

    def _delete(self, stack: Stack) -> Steps[None]:
        yield Ask(partial(_stacks.delete, self._cloudformation, stack, self._around.token()), writes=True)
        self._require((yield from self._followed(stack, Operation.DELETE)))

    def _let_images_go(self, stack: Stack, parameters: Mapping[str, Any]) -> Steps[Stack]:
        """Deploy what lets CloudFormation delete the images with the repository."""
        template = self._entry.template
        if template is None:
            raise Refused("There is no template to deploy: give template or template_body.")
        values = {name: None if isinstance(value, dict) else str(value) for name, value in parameters.items()}
        deployment = replace(self._deployment(stack.stack_id, template, stack), parameters=values)
        yield Ask(partial(_stacks.update, self._cloudformation, deployment), writes=True)
        watch = yield from self._followed(stack, Operation.UPDATE)
        self._require(watch)
        return watch.stack or stack

    def _require(self, watch: Watch) -> None:
        """Go on only from a good end."""
        self._ended(watch)
        if watch.outcome not in Outcome.GOOD:
            raise CargoholdError(watch.reason, outcome=watch.outcome)

    def _ended(self, watch: Watch) -> Report:
        """Take in what an operation came to."""
        report = self._report
        report.stack = watch.stack or report.stack
        report.outcome, report.reason = watch.outcome or Outcome.UNREADABLE, watch.reason
        report.failures = [failure.as_result() for failure in watch.failures]
        return report

    def _made(self, watch: Watch) -> Steps[Report]:
        """Take in the end of a creation or an update, and read back what is there now."""
        report = self._ended(watch)
        if report.outcome == Outcome.SUCCEEDED and self._around.verify:
            yield from self._verify()
        return report

    def _unchanged(self, decision: Decision) -> Steps[Report]:
        report = self._left(decision)
        if self._around.deep:
            yield from self._verify()
        return report

    def _verify(self) -> Reading:
        """Compare the repository, as ECR tells it, with what the stack was to make of it."""
        report = self._report
        if report.stack is None or self._principal is None:
            return
        name = report.stack.outputs.get("ECRRepository", report.stack.name)
        differences = yield Ask(partial(_differences, self._around, name, self._principal))
        if differences:
            report.differences = differences
            report.outcome = DRIFTED
            report.reason = " ".join(each["message"] for each in differences)

    def _make_sure_gone(self, names: Sequence[str]) -> Reading:
        for name in names:
            left = yield Ask(partial(_registry.describe, self._around.clients("ecr"), name))
            if left:
                raise CargoholdError(
                    f"The stack {self._entry.name} is gone, but the repository {name} is still there: the stack's "
                    "template keeps it, or somebody made it again. Look at it, and delete it if it is not needed."
                )


def failed(report: Report, problem: CargoholdError) -> Report:
    """What is told of a stack whose steps ended in an exception."""
    unknown = Outcome.TIMED_OUT if isinstance(problem, Transient) else Outcome.FAILED
    refused = Outcome.REFUSED if isinstance(problem, Refused) else unknown
    report.outcome = str(problem.known.get("outcome") or refused)
    report.reason = problem.message
    report.repositories = problem.known.get("repositories", report.repositories)
    return report


def not_begun(report: Report, reason: str) -> Report:
    """What is told of a stack that was not begun."""
    report.outcome, report.reason = NOT_STARTED, reason
    return report


def refuse_loss(stack: Stack, changes: _stacks.ChangeSet) -> None:
    """An update must take nothing away that holds something.

    :raises Refused: when it would remove or replace a resource.
    """
    lost = [
        f"{'remove' if each['Action'] == 'Remove' else 'replace'} {each['LogicalResourceId']} ({each['ResourceType']})"
        for each in changes.changes
        if each["Action"] == "Remove" or each.get("Replacement") == "True"
    ]
    if lost:
        raise Refused(
            f"Deploying this template to the stack {stack.name} would {' and '.join(lost)}, so nothing was done: "
            "the stack is somebody else's, or was made from another template. Choose another stack name."
        )


def _tells_enough(stack: Stack | None) -> bool:
    """Whether what the stack holds plays no part: an update is judged by its change set."""
    return stack is None or stack.status.is_moving or stack.status.can_be_updated or stack.status.is_dead


def _as_told(parameters: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    return {"parameters": dict(parameters), "tags": dict(tags)}


def _weighed(around: Surroundings, names: Sequence[str], allowed: bool) -> list[Holding]:
    """What the repositories hold, where a failure that may pass is no reason to refuse."""
    try:
        return weigh_images(around.clients, names, allowed=allowed, warn=around.warn)
    except Refused as problem:
        if isinstance(problem.__cause__, Transient):
            raise problem.__cause__ from None
        raise


def _differences(around: Surroundings, name: str, principal: str) -> list[dict[str, Any]]:
    """In what the repository's policy falls short."""
    try:
        policy = _registry.policy(around.clients("ecr"), name)
    except Denied as problem:
        around.warn(f"{problem.message} So it was not verified.")
        return []
    missing = missing_actions(policy or {}, principal)
    if not missing:
        return []
    message = f"The policy of {name} does not grant {', '.join(missing)} to {principal}."
    return [{"what": "policy", "asked": principal, "live": policy, "message": message}]
