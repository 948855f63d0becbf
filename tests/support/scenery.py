# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Molecule's scenarios find in their accounts, and leave there: people, images, and in the end nothing.

For all else they use the modules that everybody uses; these cannot do it on the stand-ins, or not in a second.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.cargohold.ecr.tests.support import background
from ansible_collections.cargohold.ecr.tests.support.background import Note
from ansible_collections.cargohold.ecr.tests.support.stand_in import REGION, SECONDS_BETWEEN_LOOKS, answers, client
from ansible_collections.cargohold.ecr.tests.support.templates import SLOW, TEMPLATE

PARAMETERS = [{"ParameterKey": "IAMUserName", "ParameterValue": "alice"}]

# IAM users, and their paths.
PEOPLE = {"alice": "/", "bob": "/", "carol": "/team/"}

# Where the scenarios make something.
REGIONS = (REGION, "eu-central-1")

# For what is begun by somebody else, so that whoever comes meanwhile finds it in progress.
SECONDS_TO_END = 3.0

# A stack that takes longer to go hangs.
SECONDS_TO_EMPTY = 30.0


@dataclass(frozen=True)
class Scenery:
    """An account of a stand-in.

    :param account: 12 digits; no other scenario uses it.
    """

    cloud: Note
    account: str

    def client(self, service: str, region: str = REGION) -> Any:
        """A boto3 client of the account's root user."""
        return client(
            self.cloud.endpoint, service, region, aws_access_key_id=self.account, aws_secret_access_key="test"
        )

    def people_come(self) -> None:
        """Let there be the people."""
        iam = self.client("iam")
        for person, path in PEOPLE.items():
            iam.create_user(UserName=person, Path=path)

    def empty(self) -> bool:
        """Delete the people, and everything that scenarios make; which is nobody else's.

        :returns: whether there was anything.
        """
        found = [self._people_go(), *(self._empty(region) for region in REGIONS)]
        return any(found)

    def push(self, repository: str) -> None:
        """Push an image."""
        # Imported where it is needed, as it takes longer than most of the commands.
        from ansible_collections.cargohold.ecr.tests.support import images

        images.push_by_api(self.client("ecr"), repository)

    def begin(self, stack: str) -> None:
        """Begin to create a stack from C(SLOW), as somebody else would."""
        self._cloudformation.create_stack(StackName=stack, TemplateBody=SLOW, Parameters=PARAMETERS)

    def end(self, stack: str) -> None:
        """Let C(Slow) of the stack come to its end."""
        self._cloudformation.signal_resource(
            StackName=stack, LogicalResourceId="Slow", UniqueId="somebody", Status="SUCCESS"
        )

    def abandon(self, stack: str) -> None:
        """Leave what a change set leaves that was to create a stack and was not executed."""
        self._cloudformation.create_change_set(
            StackName=stack,
            ChangeSetName="abandoned",
            ChangeSetType="CREATE",
            TemplateBody=TEMPLATE,
            Parameters=PARAMETERS,
        )

    @property
    def _cloudformation(self) -> Any:
        return self.client("cloudformation")

    def _people_go(self) -> bool:
        iam = self.client("iam")
        found = [user["UserName"] for user in iam.list_users()["Users"]]
        for person in found:
            iam.delete_user(UserName=person)
        return bool(found)

    def _empty(self, region: str) -> bool:
        cloudformation = self.client("cloudformation", region)
        found = list(_stacks(cloudformation))
        # Images first, which would keep a stack.
        repositories = self._delete_repositories(region)
        deadline = time.monotonic() + SECONDS_TO_EMPTY
        for stack in found:
            cloudformation.delete_stack(StackName=stack)
        while left := list(_stacks(cloudformation)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{', '.join(left)} cannot be deleted.")
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return bool(found) or repositories

    def _delete_repositories(self, region: str) -> bool:
        if not self.cloud.emulates_ecr:
            return False
        ecr = self.client("ecr", region)
        found = ecr.describe_repositories()["repositories"]
        for each in found:
            ecr.delete_repository(repositoryName=each["repositoryName"], force=True)
        return bool(found)


def _stacks(cloudformation: Any) -> Iterator[str]:
    """The IDs of the stacks that are not deleted."""
    for page in cloudformation.get_paginator("list_stacks").paginate():
        for stack in page["StackSummaries"]:
            if stack["StackStatus"] != "DELETE_COMPLETE":
                yield stack["StackId"]


def main() -> None:
    """Do what the first argument says."""
    parser = argparse.ArgumentParser(description="What Molecule's scenarios find in their accounts, and leave there.")
    parser.add_argument("command", choices=["prepare", "push", "abandon", "begin", "end", "empty"])
    parser.add_argument("folder", type=Path, help="where the note of the stand-in is")
    parser.add_argument("name", help="the stand-in's")
    parser.add_argument("account", help="12 digits")
    parser.add_argument("stack", nargs="?", help="to do it with")
    chosen = parser.parse_args()
    if chosen.command == "prepare":
        # The stand-in of an earlier run may have ended since.
        background.start(chosen.name, chosen.folder)
    note = Note.read(chosen.folder / f"{chosen.name}.json")
    if note is None or not answers(note.endpoint):
        print("nobody is there")
        return
    scenery = Scenery(note, chosen.account)
    match chosen.command:
        case "prepare":
            scenery.empty()
            scenery.people_come()
            (chosen.folder / "slow.yml").write_text(SLOW)
        case "empty":
            print("emptied" if scenery.empty() else "empty already")
        case "push":
            scenery.push(chosen.stack)
        case "abandon":
            scenery.abandon(chosen.stack)
        case "begin":
            scenery.begin(chosen.stack)
            background.run([__spec__.name, "end", *sys.argv[2:]])
        case "end":
            time.sleep(SECONDS_TO_END)
            scenery.end(chosen.stack)


if __name__ == "__main__":
    main()
