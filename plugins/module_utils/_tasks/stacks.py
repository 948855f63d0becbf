# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""What C(cargohold.ecr.stacks) does: bring many stacks to where they are wanted, in one task."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from functools import partial
from typing import Any, TypeVar

from ansible_collections.cargohold.ecr.plugins.module_utils import _identity, _registry, _stacks
from ansible_collections.cargohold.ecr.plugins.module_utils._checks import refuse_account, resolve_user
from ansible_collections.cargohold.ecr.plugins.module_utils._clients import Clients
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import (
    Absent,
    AwsError,
    CargoholdError,
    CredentialsRejected,
    Denied,
    Refused,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._fleet import (
    Entry,
    fleet_problem,
    is_of_fleet,
    predecessors,
    read_entries,
    refuse_mistakes,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._fleet_engine import Engine, Member, Pace, Threads, Verdicts
from ansible_collections.cargohold.ecr.plugins.module_utils._fleet_steps import (
    Report,
    Surroundings,
    failed,
    not_begun,
    steps,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._following import (
    LISTING_PAGES_AT_FIRST,
    Follower,
    Reads,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._identity import Caller
from ansible_collections.cargohold.ecr.plugins.module_utils._polling import poll
from ansible_collections.cargohold.ecr.plugins.module_utils._records import Stack
from ansible_collections.cargohold.ecr.plugins.module_utils._task import Task

T = TypeVar("T")

ARGUMENT_SPEC: dict[str, Any] = {
    # Their options are checked all together, which an argument spec does not.
    "stacks": {"type": "list", "elements": "raw", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    # The controller reads it, so that it is no path to the module.
    "template": {"type": "str"},
    "template_body": {"type": "str"},
    "login_template": {"type": "str"},
    "login_template_body": {"type": "str"},
    "expected_account": {"type": "str"},
    "fleet": {"type": "str"},
    "prune": {"type": "bool", "default": False},
    "delete_images": {"type": "bool", "default": False},
    "deep": {"type": "bool", "default": False},
    "verify": {"type": "bool", "default": True},
    "concurrency": {"type": "int", "default": 0},
    "max_failures": {"type": "int", "default": 0},
    "rate": {"type": "float"},
    "timeout": {"type": "int", "default": 900},
    "progress": {"type": "bool", "default": True},
}

# What the task says for all of its stacks.
DEFAULTS = ("state", "template", "template_body", "login_template", "login_template_body", "timeout")

# Users and repositories are asked for one by one up to so many, and listed where there are more.
ASKED_ONE_BY_ONE = 3


def run(task: Task) -> dict[str, Any]:
    """Bring every stack to where it is wanted; one result for each entry, in order.

    :raises Refused: when the list has mistakes, before anything is asked for.
    :raises CargoholdError: when a stack did not come to a good end; the result tells of all.
    """
    entries = _entries(task)
    fleet = _Fleet(task)
    around, present = fleet.survey(entries)
    pruned = fleet.pruned(entries, present)
    return fleet.run([*entries, *pruned], present, around, pruned={entry.name for entry in pruned})


def _entries(task: Task) -> list[Entry]:
    """The list, after everything that can be told without asking AWS was found good."""
    params = task.params
    task.timeout()
    for name, least in (("concurrency", 0), ("max_failures", 0)):
        if params[name] < least:
            raise Refused(f"{name} is {params[name]}, and must not be negative; 0 stands for no limit.")
    if params["rate"] is not None and params["rate"] <= 0:
        raise Refused(f"rate is {params['rate']}, and must be a positive number of requests a second, such as 5.")
    if params["prune"] and not params["fleet"]:
        raise Refused("prune removes what is tagged as the fleet's and is not in the list: name the fleet with fleet.")
    problem = fleet_problem(params["fleet"]) if params["fleet"] else None
    if problem:
        raise Refused(problem)
    if not params["stacks"] and not params["prune"]:
        raise Refused("No stack is in the list: give stacks at least one.")
    return read_entries(params["stacks"], {name: params[name] for name in DEFAULTS})


class _Fleet:
    """All stacks of a task."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._name: str | None = task.params["fleet"] or None
        # The loops retry, so that they can tell of it and keep to the time.
        self._clients = _locked(task.clients(attempts=1))
        self._reads = Reads(task.time)
        self._warned: Counter[str] = Counter()
        self._asked = 0

    def survey(self, entries: Sequence[Entry]) -> tuple[Surroundings, dict[str, Stack]]:
        """What there is, with as few calls as tell it."""
        task = self._task
        caller = self._ask(lambda: _identity.caller(self._clients("sts")))
        refuse_account(caller, task.params["expected_account"])
        present = self._stacks({entry.name for entry in entries})
        parameters = self._parameters(entries, caller)
        new = [entry.repository_name for entry in entries if entry.is_present and entry.name not in present]
        around = Surroundings(
            clients=self._clients,
            patient=_locked(task.clients()),
            caller=caller,
            parameters=parameters,
            repositories=self._repositories(new),
            fleet=self._name,
            check_mode=task.check_mode,
            deep=task.params["deep"],
            verify=task.params["verify"],
            now=lambda: datetime.now(timezone.utc),
            warn=self._warn,
        )
        return around, present

    def pruned(self, entries: Sequence[Entry], present: Mapping[str, Stack]) -> list[Entry]:
        """The stacks of the fleet that the list does not name, as entries of their own."""
        if not self._task.params["prune"]:
            return []
        named = {entry.name for entry in entries}
        params = self._task.params
        gone = [
            {"stack_name": name, "state": "absent", "delete_images": params["delete_images"]}
            for name in sorted(set(present) - named)
        ]
        return read_entries(gone, {name: params[name] for name in DEFAULTS})

    def run(
        self,
        entries: Sequence[Entry],
        present: Mapping[str, Stack],
        around: Surroundings,
        pruned: set[str],
    ) -> dict[str, Any]:
        """Work on all of them, and tell what became of each.

        :raises CargoholdError: with the same result, when one did not come to a good end.
        """
        task, params = self._task, self._task.params
        reports = {entry.name: Report(entry.name, present.get(entry.name)) for entry in entries}
        before = predecessors(entries)
        members = [
            Member(
                entry.name,
                steps(entry, present.get(entry.name), around, reports[entry.name]),
                before[entry.name],
                float(entry.options["timeout"]),
            )
            for entry in entries
        ]
        engine = Engine(
            members,
            Verdicts(
                lambda report: report.is_good,
                lambda name, problem: failed(reports[name], problem),
                lambda name, reason: not_begun(reports[name], reason),
            ),
            Follower(
                self._clients("cloudformation"),
                [],
                time=task.time,
                reporter=task.reporter,
                reads=self._reads,
                only_causes=True,
            ),
            task.time,
            task.reporter,
            Threads(),
            pace=Pace(params["rate"]),
            concurrency=params["concurrency"],
            max_failures=params["max_failures"],
        )
        engine.run()
        told = [reports[member.name].as_result(member.elapsed) for member in members]
        count = len(entries) - len(pruned)
        result = {
            "changed": any(report.changed for report in reports.values()),
            "stacks": told[:count],
            "pruned": told[count:],
            "count": count,
            "counts": dict(Counter(report.outcome for report in reports.values())),
            "calls": self._reads.calls + engine.asked + self._asked,
            "account": around.caller.account,
            "region": around.caller.region,
            "diff": [_diff(report) for report in reports.values() if report.changed],
        }
        bad = [report for report in reports.values() if not report.is_good]
        if bad:
            raise CargoholdError(_sentence(bad, len(entries)), **result)
        return result

    def _stacks(self, names: set[str]) -> dict[str, Stack]:
        """The stacks of the list, and of the fleet where it is pruned, by their names."""
        prune = self._task.params["prune"]
        if len(names) <= LISTING_PAGES_AT_FIRST and not prune:
            return self._stacks_one_by_one(names)
        is_ours = is_of_fleet(self._name or "")
        found: dict[str, Stack] = {}
        token: str | None = None
        while True:
            read = partial(
                _stacks.stack_page,
                self._clients("cloudformation"),
                lambda name, tags: name in names or (prune and is_ours(tags)),
                token,
            )
            try:
                page, token = self._patiently(partial(self._reads, read))
            except Denied:
                if prune:
                    raise
                # Policies often allow to read stacks by name only.
                return self._stacks_one_by_one(names)
            found |= {stack.name: stack for stack in page}
            if not token:
                return found

    def _stacks_one_by_one(self, names: set[str]) -> dict[str, Stack]:
        found = {
            name: self._patiently(
                partial(self._reads, partial(_stacks.describe, self._clients("cloudformation"), name))
            )
            for name in sorted(names)
        }
        return {name: stack for name, stack in found.items() if stack}

    def _users(self, entries: Sequence[Entry], caller: Caller) -> dict[str, tuple[str, str]]:
        """What the template takes for each IAM user, and the user's ARN.

        :raises Refused: with every user that does not exist.
        """
        given = dict.fromkeys(entry.iam_user for entry in entries if entry.is_present and entry.iam_user)
        clients: Clients = self._clients
        ask: Callable[[Callable[[], Any]], Any] = self._ask
        if len(given) > ASKED_ONE_BY_ONE:
            with suppress(Denied):
                listed = _Listed(self._ask(lambda: _identity.users(self._clients("iam"))))
                clients, ask = listed.as_client, self._patiently
        found: dict[str, tuple[str, str]] = {}
        mistakes: list[str] = []

        def look_up(user: str) -> None:
            try:
                principal = ask(partial(resolve_user, clients, caller, user, self._warn))
            except Refused as problem:
                mistakes.append(problem.message)
            else:
                found[user] = (principal.parameter, principal.arn)

        for user in given:
            look_up(user)
        refuse_mistakes(mistakes, len(entries))
        return found

    def _parameters(self, entries: Sequence[Entry], caller: Caller) -> dict[str, dict[str, str]]:
        """The template's parameters of each stack that is to be there.

        :raises Refused: with everything about them that AWS would not take.
        """
        users = self._users(entries, caller)
        found: dict[str, dict[str, str]] = {}
        mistakes: list[str] = []

        def put_together(entry: Entry) -> None:
            user, arn = users[entry.iam_user] if entry.iam_user else (None, None)
            try:
                found[entry.name] = entry.all_parameters(caller, user, arn)
            except Refused as problem:
                mistakes.append(f"{entry.name}: {problem.message}")
                return
            problems = entry.expectation_problems(caller, found[entry.name])
            mistakes.extend(f"{entry.name}: {problem}" for problem in problems)

        for entry in entries:
            if entry.is_present:
                put_together(entry)
        refuse_mistakes(mistakes, len(entries))
        return found

    def _repositories(self, new: Sequence[str]) -> frozenset[str] | None:
        """The repositories that are there although their stacks are not; C(None) where that cannot be known."""
        if not new:
            return frozenset()
        ecr = self._clients("ecr")
        try:
            if len(new) > ASKED_ONE_BY_ONE:
                return self._ask(lambda: _registry.names(ecr))
            return frozenset(name for name in new if self._ask(partial(_registry.describe, ecr, name)))
        except CredentialsRejected:
            raise
        except AwsError as problem:
            self._warn(f"{problem.message} So it is not known whether the new stacks' repositories exist already.")
            return None

    def _ask(self, read: Callable[[], T]) -> T:
        """Make a call that is not one of those that L(Reads) counts."""
        self._asked += 1
        return self._patiently(read)

    def _patiently(self, read: Callable[[], T]) -> T:
        """Make a call, again and again where it fails for a reason that may pass."""
        task = self._task
        ending = poll(
            read, lambda _seen: True, timeout=task.timeout(), time=task.time, on_trouble=task.reporter.trouble
        )
        if not ending.settled and ending.trouble:
            raise ending.trouble
        return ending.value  # type: ignore[return-value]

    def _warn(self, sentence: str) -> None:
        """Tell a person once what holds for many stacks."""
        self._warned[sentence] += 1
        if self._warned[sentence] == 1:
            self._task.warn(sentence)


class _Listed:
    """Answers for IAM of the users of a listing, so that they are told apart as if each were asked for."""

    def __init__(self, users: Sequence[_identity.User]) -> None:
        self._users = {user.name: user for user in users}

    def as_client(self, _service: str) -> _Listed:
        """The client of IAM, which is the only one that is asked for users."""
        return self

    def get_user(self, UserName: str) -> dict[str, Any]:  # noqa: N803 -- as boto3 has it
        """GetUser."""
        user = self._users.get(UserName)
        if user is None:
            raise Absent(f"There is no IAM user {UserName}.", code="NoSuchEntity")
        return {"User": {"UserName": user.name, "Path": user.path, "Arn": user.arn}}


def _locked(clients: Clients) -> Clients:
    """Clients that several threads may ask for at once."""
    lock = threading.Lock()

    def client(service: str) -> Any:
        with lock:
            return clients(service)

    return client


def _diff(report: Report) -> dict[str, Any]:
    """What changes about a stack, as C(--diff) shows it."""
    return {
        "before_header": report.name,
        "after_header": f"{report.name} ({report.action})",
        "before": report.before or "",
        "after": report.after or "",
    }


def _sentence(bad: Sequence[Report], count: int) -> str:
    """Which stacks did not come to a good end, and why."""
    told = " ".join(f"{report.name}: {report.reason}" for report in bad)
    return f"{len(bad)} of {count} stacks: {told}" if count > 1 else bad[0].reason
