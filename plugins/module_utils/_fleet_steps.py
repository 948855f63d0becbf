# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What is done about one stack of a list, step by step: plan, act, follow, verify, each as for one stack by itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

from ansible_collections.cargohold.ecr.plugins.module_utils import _registry, _stacks
from ansible_collections.cargohold.ecr.plugins.module_utils._changes import Change, changes_of, weighed
from ansible_collections.cargohold.ecr.plugins.module_utils._checks import (
    EMPTYING_PARAMETER,
    Holding,
    emptying_parameters,
    refuse_removal,
    refuse_replacement,
    refuse_taken_repository,
    weigh_images,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._clients import Clients
from ansible_collections.cargohold.ecr.plugins.module_utils._content import expected
from ansible_collections.cargohold.ecr.plugins.module_utils._decisions import (
    Action,
    Consent,
    Decision,
    decide_absent,
    decide_present,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import (
    AwsError,
    CargoholdError,
    Denied,
    Refused,
    Transient,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._evaluation import Evaluation
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
from ansible_collections.cargohold.ecr.plugins.module_utils._preview import NO_CHANGES
from ansible_collections.cargohold.ecr.plugins.module_utils._records import REPOSITORY_TYPE, Resource, Stack
from ansible_collections.cargohold.ecr.plugins.module_utils._status import Operation, Status
from ansible_collections.cargohold.ecr.plugins.module_utils._template import (
    Template,
    read_template,
    says_the_same,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._verification import beyond_repair, drift, repair
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
    :param patient: clients that retry, for what takes several calls and would have to begin anew with each that fails.
    :param parameters: the template's parameters of each stack that is to be there, by its name.
    :param repositories: the names of the repositories that there are; C(None) where that is not known.
    :param now: the wall clock, for the marks.
    :param warn: tells a person something that ends nothing.
    """

    clients: Clients
    patient: Clients
    caller: Caller
    parameters: Mapping[str, Mapping[str, str]]
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
        self._parameters = around.parameters.get(entry.name, {})

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
        like = likeness(stack, self._entry, template, self._parameters, tags)
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
        entry, around = self._entry, self._around
        if entry.repository_name in (around.repositories or ()):
            yield Ask(
                partial(
                    refuse_taken_repository,
                    around.patient,
                    around.caller,
                    entry.name,
                    entry.repository_name,
                    around.warn,
                )
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
            notification_arns=self._entry.options["notification_arns"],
            role_arn=self._entry.options["role_arn"],
            capabilities=self._entry.capabilities,
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
        name = f"cargohold-{deployment.token}"
        yield Ask(partial(_prepare, cloudformation, stack, name, deployment), writes=True)
        look = partial(_stacks.change_set, cloudformation, stack, name)
        change_set: _stacks.ChangeSet = yield Ask(look)
        while not change_set.has_settled:
            change_set = yield Ask(look, after=CHANGE_SET_INTERVAL)
        try:
            if change_set.is_good:
                yield from self._refuse_loss(stack, template, changes_of(change_set.changes))
        except Refused:
            yield from self._give_up(stack, name)
            raise
        if not change_set.is_good:
            yield from self._give_up(stack, name)
            if not any(words in change_set.reason for words in NO_CHANGES):
                raise CargoholdError(f"CloudFormation cannot update {stack.name} like this: {change_set.reason}")
            report.action, report.outcome = Action.NOTHING.value, Outcome.UNCHANGED
            report.reason = f"{stack.name} is {stack.status.value}, and CloudFormation finds nothing to change."
            return report
        yield Ask(
            partial(_stacks.execute_change_set, cloudformation, stack, name, deployment.token),
            writes=True,
        )
        return (yield from self._made((yield from self._followed(stack, Operation.UPDATE))))

    def _refuse_loss(self, stack: Stack, template: Template, changes: list[Change]) -> Reading:
        """An update must take nothing away that holds something, unless that is allowed.

        :raises Refused: when it would.
        """
        allowed, around = self._entry.options["allow_replacement"], self._around
        removed = [
            Resource(each.logical_id, each.physical_id or each.logical_id, each.type, "UPDATE_COMPLETE")
            for each in changes
            if each.action == "Remove"
        ]
        refuse_removal(stack, removed, template, allowed=allowed)
        if any(each.takes_repository_away for each in changes):
            live = yield Ask(partial(_stacks.template, self._cloudformation, stack.stack_id))
            text = live if isinstance(live, str) else json.dumps(live)
            deployed = read_template(text, f"of the stack {stack.name}")
            of_aws = {"AWS::StackName": stack.name}
            changes = weighed(
                changes,
                Evaluation(deployed, {**deployed.effective_parameters({}), **stack.parameters, **of_aws}),
                Evaluation(template, {**template.effective_parameters(self._parameters), **of_aws}),
            )
            yield Ask(partial(refuse_replacement, around.patient, stack, changes, allowed=allowed, warn=around.warn))

    def _give_up(self, stack: Stack, name: str) -> Reading:
        yield Ask(partial(_stacks.delete_change_set, self._cloudformation, stack, name), writes=True)

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
        values = {name: None if isinstance(value, Mapping) else str(value) for name, value in parameters.items()}
        deployed_takes_it = EMPTYING_PARAMETER in stack.parameters
        template = None if deployed_takes_it else self._entry.template
        deployment = _stacks.Deployment(
            stack=stack.stack_id,
            template_body=template.body if template else None,
            parameters=values,
            tags={key: value for key, value in stack.tags.items() if not key.startswith("aws:")},
            token=self._around.token(),
            capabilities=stack.capabilities,
        )
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
        if report.outcome == Outcome.SUCCEEDED:
            yield from self._protect(set_policy=True)
            if self._around.verify:
                yield from self._verify()
        return report

    def _unchanged(self, decision: Decision) -> Steps[Report]:
        report = self._left(decision)
        yield from self._protect(set_policy=self._around.deep)
        if self._around.deep:
            yield from self._verify()
        return report

    def _protect(self, *, set_policy: bool) -> Reading:
        """Have the stack protected as it is wanted.

        :param set_policy: whether to look at the stack policy, too, which no listing tells.
        """
        report, stack = self._report, self._report.stack
        protected, policy = self._entry.options["termination_protection"], self._entry.options["stack_policy"]
        if stack is None:
            return
        if protected is not None and protected != stack.termination_protection:
            yield Ask(partial(_stacks.set_termination_protection, self._cloudformation, stack, protected), writes=True)
            report.changed = True
        if policy and set_policy:
            live = yield Ask(partial(_stacks.stack_policy, self._cloudformation, stack))
            if live != policy:
                yield Ask(partial(_stacks.set_stack_policy, self._cloudformation, stack, policy), writes=True)
                report.changed = True
        if report.changed and report.outcome == Outcome.UNCHANGED:
            report.outcome, report.reason = Outcome.SUCCEEDED, f"{stack.name} is protected as it shall be now."

    def _verify(self) -> Reading:
        """Compare the repository, as ECR tells it, with what the stack was to make of it."""
        report, around = self._report, self._around
        if report.stack is None:
            return
        expectation = expected(
            report.stack.parameters,
            stack_name=report.stack.name,
            account=around.caller.account,
            partition=around.caller.partition,
            region=around.caller.region,
            tags=report.stack.tags if self._entry.options["tags"] is not None else None,
        )
        differences = yield Ask(partial(_differences, around, expectation))
        repairs = differences and self._entry.options["repair_drift"]
        lasting = beyond_repair(differences) if repairs else ""
        if repairs and not lasting:
            yield Ask(partial(repair, around.patient("ecr"), expectation, differences), writes=True)
            report.changed, report.outcome = True, Outcome.SUCCEEDED
            report.reason = f"{expectation['name']} was put right: {' '.join(each['message'] for each in differences)}"
            differences = yield Ask(partial(_differences, around, expectation))
        if differences:
            report.differences = differences
            report.outcome = DRIFTED
            report.reason = lasting or " ".join(each["message"] for each in differences)

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


def _tells_enough(stack: Stack | None) -> bool:
    """Whether what the stack holds plays no part: an update is judged by its change set."""
    return stack is None or stack.status.is_moving or stack.status.can_be_updated or stack.status.is_dead


def _as_told(parameters: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    return {"parameters": dict(parameters), "tags": dict(tags)}


def _weighed(around: Surroundings, names: Sequence[str], allowed: bool) -> list[Holding]:
    """What the repositories hold, where a failure that may pass is no reason to refuse."""
    try:
        return weigh_images(around.patient, names, allowed=allowed, warn=around.warn)
    except Refused as problem:
        cause = problem.__cause__
        if isinstance(cause, Transient):
            # pylint takes every cause for None.
            raise cause from None  # pylint: disable=raising-non-exception
        raise


def _prepare(cloudformation: Any, stack: Stack, name: str, deployment: _stacks.Deployment) -> None:
    """Make a change set, once: nobody else makes one of its name."""
    request = {**deployment.as_request(), "ClientToken": deployment.token}
    try:
        _stacks.create_change_set(cloudformation, stack, name, request)
    except AwsError as problem:
        if problem.code != "AlreadyExistsException":
            raise


def _differences(around: Surroundings, expectation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where the repository is not what is expected."""
    try:
        return drift(around.patient("ecr"), expectation)
    except Denied as problem:
        around.warn(f"{problem.message} So it was not verified.")
        return []
