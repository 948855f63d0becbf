# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""A list of stacks as it is wanted: read, checked as a whole, and compared with what a listing tells. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cargohold.ecr.plugins.module_utils._checks import login_parameters
from ansible_collections.cargohold.ecr.plugins.module_utils._content import (
    CONTENT_SPEC,
    MOST_TAGS,
    Content,
    expectation_problems,
    expected,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._identity import Caller
from ansible_collections.cargohold.ecr.plugins.module_utils._names import (
    iam_user_problem,
    shared_name_problem,
    stack_name_problem,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._records import Stack, iso
from ansible_collections.cargohold.ecr.plugins.module_utils._template import Template, read_template

# The parameter of files/ecr.yml that names who may push and pull.
USER_PARAMETER = "IAMUserName"

# The parameters of files/login.yml, whose values the account is needed for.
LOGIN_PARAMETERS = {"LoginUsers": "", "LoginRoles": ""}

# What the fleet notes in the tags of a stack: whose it is, and which template it was given.
FLEET_TAG = "cargohold:fleet"
TEMPLATE_TAG = "cargohold:template"
OWN_TAGS = frozenset({FLEET_TAG, TEMPLATE_TAG})

# A stack's own time of an update that was asked for when the mark was made is not much later than the mark; clocks that
# differ by more than five minutes are refused by AWS, and a request that is throttled is repeated.
MARK_TOLERANCE = timedelta(minutes=10)

_FLEET_NAME = re.compile(r"[a-zA-Z0-9 _.:/=+@-]{1,256}")

# What may be said of each stack of a list. The names are those of C(stack_plan).
ENTRY_SPEC: dict[str, Any] = {
    "stack_name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"]},
    "iam_user": {"type": "str"},
    # The controller reads it, so that it is no path to the module.
    "template": {"type": "str"},
    "template_body": {"type": "str"},
    "template_parameters": {"type": "dict", "default": {}},
    **CONTENT_SPEC,
    "notification_arns": {"type": "list", "elements": "str"},
    "role_arn": {"type": "str"},
    "termination_protection": {"type": "bool"},
    "stack_policy": {"type": "dict"},
    "depends_on": {"type": "list", "elements": "str", "default": []},
    "allow_replacement": {"type": "bool", "default": False},
    "repair_drift": {"type": "bool", "default": False},
    "delete_images": {"type": "bool", "default": False},
    "continue_rollback": {"type": "bool", "default": False},
    "delete_failed": {"type": "bool", "default": False},
    "retain": {"type": "bool", "default": False},
    "timeout": {"type": "int"},
}

# What holds for a list as a whole, because the stacks of one list are in one account and region.
_OF_THE_LIST = frozenset(
    {
        "access_key",
        "endpoint_url",
        "expected_account",
        "profile",
        "progress",
        "region",
        "secret_key",
        "session_token",
        "verify",
    }
)


@dataclass(frozen=True)
class Entry:
    """One stack as it is wanted.

    :param options: as C(ENTRY_SPEC) has them.
    :param template: C(None) only for a stack that is to be gone.
    """

    name: str
    options: Mapping[str, Any]
    template: Template | None

    @property
    def is_present(self) -> bool:
        """Whether the stack shall be there."""
        return bool(self.options["state"] == "present")

    @property
    def iam_user(self) -> str | None:
        """The IAM user, as it was given."""
        return self.options["iam_user"] or None

    @property
    def repository_name(self) -> str:
        """The repository's name."""
        return str(self.options["repository_name"] or self.name)

    @property
    def content(self) -> Content:
        """What the repository shall be; one that is named as its stack needs no name of its own."""
        own_name = None if self.repository_name == self.name else self.repository_name
        return Content.from_options({**self.options, "repository_name": own_name})

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What CloudFormation has to be allowed."""
        return ("CAPABILITY_IAM",) if self.options["grant_login"] else ()

    @property
    def depends_on(self) -> tuple[str, ...]:
        """The names of the stacks of the list that come before this one where they are made."""
        return tuple(self.options["depends_on"])

    def parameters(self, user: str | None) -> dict[str, str]:
        """The template's parameters as CloudFormation takes them, but for those of the login.

        :param user: the IAM user after its path; C(None) where none was given.
        """
        own = {name: text(value) for name, value in self.options["template_parameters"].items()}
        return {**self.content.parameters(), **own, **({USER_PARAMETER: user} if user else {})}

    def all_parameters(self, caller: Caller, user: str | None, arn: str | None) -> dict[str, str]:
        """The template's parameters, with those of the login where it is to be granted.

        :param arn: the IAM user's ARN.
        :raises Refused: when nobody is there to grant it to.
        """
        parameters, content = self.parameters(user), self.content
        if not content.grant_login:
            return parameters
        principals = [*([arn] if arn else []), *content.writers, *content.readers]
        return {**parameters, **login_parameters(caller, principals)}

    def expectation_problems(self, caller: Caller, parameters: Mapping[str, str]) -> list[str]:
        """What ECR would not take, once it is put together."""
        if self.template is None:
            return []
        effective = self.template.effective_parameters(parameters)
        expectation = expected(
            effective,
            stack_name=self.name,
            account=caller.account,
            partition=caller.partition,
            region=caller.region,
        )
        return expectation_problems(expectation)


# The options of an entry that says nothing of them.
_NOTHING = {name: option.get("default") for name, option in ENTRY_SPEC.items()}


def read_entries(raw: Sequence[Any], defaults: Mapping[str, Any]) -> list[Entry]:
    """The list as it was given, understood.

    :param defaults: what holds where an entry does not say otherwise: C(state), C(template), C(template_body), C(timeout);
        and C(login_template) and C(login_template_body).
    :raises Refused: with every mistake of the list.
    """
    entries: list[Entry] = []
    mistakes: list[str] = []
    read = _Templates()
    for number, given in enumerate(raw, 1):
        entry, problems = _entry(given, defaults, read)
        called = f"Entry {number}" + (f" ({entry.name})" if entry else "")
        mistakes += [f"{called}: {problem}" for problem in problems]
        if entry:
            entries.append(entry)
    mistakes += _mistakes_of_all(entries)
    refuse_mistakes(mistakes, len(raw))
    return entries


def refuse_mistakes(mistakes: Sequence[str], count: int) -> None:
    """Tell all mistakes at once.

    :raises Refused: when there is one.
    """
    if mistakes:
        counted = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise Refused(
            f"There {'is' if len(mistakes) == 1 else 'are'} {counted} in the list of {count:,} "
            f"{'stack' if count == 1 else 'stacks'}, so nothing was begun. {' '.join(mistakes)}",
            mistakes=list(mistakes),
        )


def fleet_problem(name: str) -> str | None:
    """What keeps C(name) from being a fleet's: it becomes the value of a tag."""
    if _FLEET_NAME.fullmatch(name) and name.strip() == name:
        return None
    return (
        f"The fleet's name {name!r} cannot be a tag's value: use letters, digits and _.:/=+@-, 256 characters at most."
    )


class _Templates:
    """Reads each text once, however many stacks share it."""

    def __init__(self) -> None:
        self._read: dict[str, Template | Refused] = {}
        self._merged: dict[str, Template] = {}

    def __call__(self, body: str, origin: str) -> Template:
        if body not in self._read:
            try:
                self._read[body] = read_template(body, origin)
            except Refused as problem:
                self._read[body] = problem
        found = self._read[body]
        if isinstance(found, Refused):
            raise found
        return found

    def with_login(self, template: Template, defaults: Mapping[str, Any]) -> Template:
        """The template with the one that grants the login."""
        body = defaults.get("login_template_body")
        if not body:
            raise Refused(
                "grant_login needs the template that grants it: give the task login_template, the path of files/login.yml."
            )
        if template.body not in self._merged:
            self._merged[template.body] = template.merged(
                self(body, defaults.get("login_template") or "for logging in")
            )
        return self._merged[template.body]


def _entry(given: Any, defaults: Mapping[str, Any], read: _Templates) -> tuple[Entry | None, list[str]]:
    """An entry as far as it is one, and what is wrong with it."""
    if not isinstance(given, Mapping):
        return None, [f"It is {given!r}, and must be a dictionary with stack_name and what else holds for the stack."]
    misplaced = sorted(_OF_THE_LIST & set(given))
    problems = [f"{name} holds for all stacks of a list: give it to the task." for name in misplaced]
    unknown = sorted(set(map(str, given)) - set(ENTRY_SPEC) - _OF_THE_LIST)
    problems += [f"There is no option {name}: it takes {', '.join(ENTRY_SPEC)}." for name in unknown]
    checked = ArgumentSpecValidator(ENTRY_SPEC).validate(
        {name: value for name, value in given.items() if name in ENTRY_SPEC}
    )
    problems += [f"{_capitalised(message.rstrip('.'))}." for message in checked.error_messages]
    if checked.error_messages:
        name = given.get("stack_name")
        # With what is right of it the other rules can be checked, too.
        return (Entry(str(name), {**_NOTHING, "state": "absent"}, None) if name else None), problems
    options = {
        name: defaults[name] if value is None and name in defaults else value
        for name, value in checked.validated_parameters.items()
    }
    if given.get("template_body") is None and given.get("template") is None:
        options["template"], options["template_body"] = defaults.get("template"), defaults.get("template_body")
    name = str(options["stack_name"])
    template: Template | None = None
    if options["template_body"]:
        try:
            template = read(options["template_body"], options["template"] or "in template_body")
            if options["grant_login"]:
                template = read.with_login(template, defaults)
        except Refused as problem:
            problems.append(problem.message)
    entry = Entry(name, options, template)
    return entry, problems + list(_problems_of(entry))


def _problems_of(entry: Entry) -> Iterator[str]:
    """What is wrong with an entry whose options are of the right types."""
    timeout = entry.options["timeout"]
    if timeout <= 0:
        yield f"timeout is {timeout}, and must be a positive number of seconds, such as 900."
    is_shared = entry.is_present and entry.repository_name == entry.name
    problem = shared_name_problem(entry.name) if is_shared else stack_name_problem(entry.name)
    if problem:
        yield problem
    if not entry.is_present:
        return
    if entry.iam_user or not entry.content.allows_somebody:
        problem = iam_user_problem(entry.iam_user or "")
        if problem:
            yield problem
    yield from entry.content.problems()
    tags = entry.options["tags"] or {}
    reserved = sorted(OWN_TAGS & set(map(str, tags)))
    if reserved:
        yield f"The tags {', '.join(reserved)} are the fleet's own: leave them out."
    if len(tags) in range(MOST_TAGS - len(OWN_TAGS) + 1, MOST_TAGS + 1):
        yield f"There are {len(tags)} tags, and with the fleet's own AWS takes {MOST_TAGS}: leave some out."
    if not entry.options["template_body"]:
        yield "There is no template to deploy: give template or template_body."
    if entry.template is None:
        return
    given = {**entry.parameters(entry.iam_user), **(LOGIN_PARAMETERS if entry.content.grant_login else {})}
    unknown = sorted(set(given) - set(entry.template.parameters))
    if unknown:
        yield (
            f"The template declares no parameter {', '.join(unknown)}: "
            f"it has {', '.join(entry.template.parameters) or 'none'}."
        )
    effective = entry.template.effective_parameters(given)
    missing = [name for name, value in effective.items() if value is None and name != USER_PARAMETER]
    if missing:
        yield f"The template's {', '.join(missing)} must be given with template_parameters: there is no default."


def _mistakes_of_all(entries: Sequence[Entry]) -> list[str]:
    """What is wrong with the list as a whole."""
    mistakes = []
    numbers = Counter(entry.name for entry in entries)
    mistakes += [f"{count} entries are called {name}." for name, count in numbers.items() if count > 1]
    mistakes += [
        f"{count} entries have the repository {name}."
        for name, count in Counter(entry.repository_name for entry in entries if entry.is_present).items()
        if count > 1 and numbers[name] < count
    ]
    by_name = {entry.name: entry for entry in entries}
    for entry in entries:
        for name in entry.depends_on:
            if name not in by_name:
                mistakes.append(f"The stack {entry.name} depends on {name}, which is not in the list.")
            elif entry.is_present and not by_name[name].is_present:
                mistakes.append(f"The stack {entry.name} depends on {name}, which is to be absent.")
    circle = find_circle({entry.name: entry.depends_on for entry in entries})
    if circle:
        mistakes.append(f"The stack {' depends on '.join(circle)}, so nothing of that can be begun.")
    return mistakes


def predecessors(entries: Sequence[Entry]) -> dict[str, tuple[str, ...]]:
    """By each stack's name those that must have come to a good end before it is begun.

    What depends on another is made after it, and removed before it.
    """
    before: dict[str, list[str]] = {entry.name: [] for entry in entries}
    by_name = {entry.name: entry for entry in entries}
    for entry in entries:
        for name in entry.depends_on:
            if entry.is_present:
                before[entry.name].append(name)
            elif not by_name[name].is_present:
                before[name].append(entry.name)
    return {name: tuple(dict.fromkeys(names)) for name, names in before.items()}


def find_circle(depends_on: Mapping[str, Sequence[str]]) -> list[str]:
    """Names that depend on each other in a circle, the first again as the last; empty where there is no circle."""
    done: set[str] = set()
    for start in depends_on:
        path: list[str] = []
        # Depth first, without recursion: a chain may be a thousand long.
        waiting: list[Iterator[str]] = [iter([start])]
        while waiting:
            name = next(waiting[-1], None)
            if name is None:
                waiting.pop()
                if path:
                    done.add(path.pop())
            elif name in path:
                return [*path[path.index(name) :], name]
            elif name not in done and name in depends_on:
                path.append(name)
                waiting.append(iter(depends_on[name]))
    return []


@dataclass(frozen=True)
class Mark:
    """What the fleet notes of a deployment in a tag, because no listing tells of a stack's template.

    :param template: the template's digest.
    :param at: when the deployment was asked for.
    """

    template: str
    at: datetime

    def __str__(self) -> str:
        return f"{self.template} {iso(self.at)}"

    @classmethod
    def of(cls, template: Template, at: datetime) -> Mark:
        """The mark for a deployment of the template."""
        return cls(template.digest, at)

    @classmethod
    def parse(cls, text: str) -> Mark | None:
        """The mark that a tag holds; C(None) where it is none of ours."""
        template, _space, at = text.partition(" ")
        try:
            return cls(template, datetime.strptime(at, "%Y-%m-%dT%H:%M:%S.%f%z"))
        except ValueError:
            return None


class Likeness(Enum):
    """Whether a stack is as it is wanted, as far as a listing tells."""

    SAME = "same"
    DIFFERENT = "different"
    # Its template has to be read.
    UNKNOWN = "unknown"


def likeness(
    stack: Stack, entry: Entry, template: Template, parameters: Mapping[str, str], tags: Mapping[str, str]
) -> Likeness:
    """Compare a stack, as a listing tells it, with what is wanted.

    The tags' mark counts only where nobody has touched the stack since and the operation came to a good end: others may
    update a stack and leave its tags alone.

    :param tags: as L(wanted_tags) gives them.
    """
    if not stack.status.can_be_updated or not template.is_self_contained:
        return Likeness.DIFFERENT
    if template.effective_parameters(parameters) != stack.parameters or tags != plain_tags(stack):
        return Likeness.DIFFERENT
    topics, role = entry.options["notification_arns"], entry.options["role_arn"]
    if (topics is not None and set(topics) != set(stack.notification_arns)) or (role and role != stack.role_arn):
        return Likeness.DIFFERENT
    mark = Mark.parse(stack.tags.get(TEMPLATE_TAG, ""))
    touched = stack.updated or stack.created
    if mark is None or not stack.status.is_healthy or touched is None or touched - mark.at > MARK_TOLERANCE:
        return Likeness.UNKNOWN
    return Likeness.SAME if mark.template == template.digest else Likeness.DIFFERENT


def wanted_tags(entry: Entry, stack: Stack | None, fleet: str | None) -> dict[str, str]:
    """The tags that the stack shall have, but for the mark; those that it has stay where the entry says nothing of tags."""
    given = entry.options["tags"]
    present = plain_tags(stack) if stack else {}
    kept = present if given is None else {str(key): text(value) for key, value in given.items()}
    kept.pop(FLEET_TAG, None)
    whose = fleet or (stack.tags.get(FLEET_TAG) if stack else None)
    return {**kept, FLEET_TAG: whose} if whose else kept


def plain_tags(stack: Stack) -> dict[str, str]:
    """A stack's tags without those of AWS and without the mark."""
    return {key: value for key, value in stack.tags.items() if key != TEMPLATE_TAG and not key.startswith("aws:")}


def text(value: Any) -> str:
    """A parameter's value as CloudFormation spells it: booleans in lower case, lists with commas."""
    if isinstance(value, list):
        return ",".join(map(text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_of_fleet(fleet: str) -> Callable[[Mapping[str, str]], bool]:
    """Whether tags say that a stack is the fleet's."""
    return lambda tags: tags.get(FLEET_TAG) == fleet


def _capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
