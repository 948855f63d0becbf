# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo: a repository deployed, used and torn down on MiniStack, by the playbooks that do it on AWS.

Every step is a command that a person could type, and what it should bring about is checked. The first thing that is not
as told ends the demo with exit code 1.
"""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from ansible_collections.cargohold.ecr.tests.support.images import push_by_registry
from ansible_collections.cargohold.ecr.tests.support.ministack import MiniStack, running
from ansible_collections.cargohold.ecr.tests.support.playbook import CHECKOUT, clean_environment, recap_of
from ansible_collections.cargohold.ecr.tests.support.stand_in import ACCOUNT, REGION

USER = "alice"
NAME = "payments-api"
TAG = "v1"

NOT_FOUND = ("ValidationError", "RepositoryNotFoundException")

# What Ansible's log has before each line of output.
LOG_PREFIX = re.compile(r"^.*\| ", re.MULTILINE)

LINE = "─" * 79


class NotAsTold(Exception):
    """Something is other than the demo says; the message says what."""


@dataclass(frozen=True)
class Outcome:
    """How a playbook ended.

    :param code: its exit code.
    :param recap: its counters.
    """

    code: int
    recap: Mapping[str, int]


@dataclass(frozen=True)
class Demo:
    """What the steps have in common.

    :param cloud: the stand-in for AWS.
    :param home: a folder for what the commands leave in a HOME.
    """

    cloud: MiniStack
    home: Path

    def playbook(self, name: str, *arguments: str) -> Outcome:
        """Run a playbook as it is typed in a checkout, with the terminal to itself."""
        command = ["ansible-playbook", f"playbooks/{name}.yml", *arguments]
        _say(f"$ {shlex.join(command)}")
        log = self.home / "ansible.log"
        log.unlink(missing_ok=True)
        environment = clean_environment(self.home, {**self.cloud.environment(), "ANSIBLE_LOG_PATH": str(log)})
        code = _run(command, environment)
        return Outcome(code, recap_of(LOG_PREFIX.sub("", log.read_text()) if log.exists() else ""))

    def stack_status(self) -> str | None:
        """CloudFormation's word for how the stack is; None where there is no stack."""
        answer = _unless_not_found(self.cloud.client("cloudformation").describe_stacks, StackName=NAME)
        return str(answer["Stacks"][0]["StackStatus"]) if answer else None

    def images(self) -> list[dict[str, Any]] | None:
        """The images in the repository; None where there is no repository."""
        answer = _unless_not_found(self.cloud.client("ecr").describe_images, repositoryName=NAME)
        return list(answer["imageDetails"]) if answer else None


def deploy(demo: Demo) -> None:
    """Deploy a repository that alice may push to, and watch CloudFormation at work."""
    outcome = demo.playbook("deploy", "-e", f"iam_user={USER}", "-e", f"stack_name={NAME}")
    _expect(outcome.code == 0, f"deploying succeeds, and the exit code is {outcome.code}")
    _expect(outcome.recap.get("changed", 0) > 0, "deploying changes something, and the recap has no change")
    _expect(demo.stack_status() == "CREATE_COMPLETE", f"the stack is complete, and it is {demo.stack_status()}")
    _expect(demo.images() == [], "there is an empty repository, and ECR has none")


def deploy_again(demo: Demo) -> None:
    """Deploy it again: nothing changes, and the recap says so."""
    outcome = demo.playbook("deploy", "-e", f"iam_user={USER}", "-e", f"stack_name={NAME}")
    _expect(outcome.code == 0, f"deploying again succeeds, and the exit code is {outcome.code}")
    _expect(outcome.recap.get("changed") == 0, f"nothing changes, and the recap is {dict(outcome.recap)}")


def status(demo: Demo) -> None:
    """Ask what there is now."""
    outcome = demo.playbook("status", "-e", f"stack_name={NAME}")
    _expect(outcome.code == 0, f"the stack is healthy, and the exit code is {outcome.code}")
    _expect(outcome.recap.get("changed") == 0, f"looking changes nothing, and the recap is {dict(outcome.recap)}")


def push(demo: Demo) -> None:
    """Push an image for real, and see it counted."""
    _say(
        f"Pushing {ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{NAME}:{TAG} as docker does, over the registry's HTTP API …"
    )
    digest = push_by_registry(demo.cloud, NAME, TAG)
    _say(f"{TAG}: digest: {digest}\n")
    images = demo.images() or []
    found = [(image["imageDigest"], image["imageTags"]) for image in images]
    _expect(found == [(digest, [TAG])], f"ECR has the image, and it has {found}")
    status(demo)


def teardown_refused(demo: Demo) -> None:
    """Tear it down: refused, because the image would be lost."""
    outcome = demo.playbook("teardown", "-e", f"stack_name={NAME}")
    _expect(outcome.code == 2, f"tearing down is refused by a task, and the exit code is {outcome.code}")
    _expect(outcome.recap.get("failed") == 1, f"one task fails, and the recap is {dict(outcome.recap)}")
    _expect(outcome.recap.get("changed") == 0, f"nothing changes, and the recap is {dict(outcome.recap)}")
    _expect(demo.stack_status() == "CREATE_COMPLETE", f"the stack is as before, and it is {demo.stack_status()}")
    _expect(len(demo.images() or []) == 1, "the image is still there, and it is not")


def teardown(demo: Demo) -> None:
    """Tear it down with permission to delete its images."""
    outcome = demo.playbook("teardown", "-e", f"stack_name={NAME}", "-e", "delete_images=true")
    _expect(outcome.code == 0, f"tearing down succeeds, and the exit code is {outcome.code}")
    _expect(outcome.recap.get("changed", 0) > 0, "tearing down changes something, and the recap has no change")


def confirm(demo: Demo) -> None:
    """Ask CloudFormation and ECR, past all playbooks, whether it is gone."""
    _expect(demo.stack_status() is None, f"the stack is gone, and it is {demo.stack_status()}")
    _say(f"CloudFormation knows no stack {NAME}.")
    _expect(demo.images() is None, "the repository is gone, and ECR has it")
    _say(f"ECR knows no repository {NAME}.")


STEPS: tuple[Callable[[Demo], None], ...] = (
    deploy,
    deploy_again,
    status,
    push,
    teardown_refused,
    teardown,
    confirm,
)


def main() -> int:
    """Show all steps; the exit code says whether everything was as told."""
    # What ends this demo also ends the stand-in.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    begin = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="demo-", ignore_cleanup_errors=True) as home, running() as cloud:
            _say(
                f"AWS is played by MiniStack, on {cloud.endpoint}. It has an IAM user called {USER}, and nothing else."
            )
            cloud.client("iam").create_user(UserName=USER)
            demo = Demo(cloud, Path(home))
            for number, step in enumerate(STEPS, start=1):
                _say(f"\n{LINE}\n{number}/{len(STEPS)}  {step.__doc__}\n{LINE}")
                step(demo)
    except NotAsTold as error:
        print(f"\nThe demo is not as told: {error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    _say(f"\nEverything was as told, in {time.monotonic() - begin:.0f} s. On AWS, all it takes is credentials.")
    return 0


def _run(command: list[str], environment: Mapping[str, str]) -> int:
    """Run a command to its end, which on Ctrl-C it finds itself; its exit code."""
    with subprocess.Popen(command, env=environment, cwd=CHECKOUT, stdin=subprocess.DEVNULL) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()
            raise
        except SystemExit:
            process.terminate()
            raise


def _unless_not_found(call: Callable[..., Any], **parameters: object) -> Any:
    """The answer of an API call; None where what it asks for does not exist."""
    try:
        return call(**parameters)
    except ClientError as error:
        if error.response["Error"]["Code"] in NOT_FOUND:
            return None
        raise


def _expect(as_told: bool, claim: str) -> None:
    """Go on only if it is as told.

    :param claim: what was told, and what is.
    """
    if not as_told:
        raise NotAsTold(claim)


def _say(text: str) -> None:
    """Write to the terminal before the next command does."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
