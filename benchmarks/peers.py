# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pollers that live in a virtual environment of their own: the AWS CLI's and Sceptre's; prints samples as JSON."""

from __future__ import annotations

import io
import json
import logging
import sys
import tempfile
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

import boto3
from awscli.clidriver import create_clidriver
from sceptre.plan.actions import StackActions
from sceptre.stack import Stack

from ansible_collections.cargohold.ecr.benchmarks.simulation import (
    BEFORE_SEND,
    CREDENTIALS,
    NAME,
    REGION,
    CloudFormation,
    Poller,
    sample,
)


class AwsCli:
    """A command of the AWS CLI.

    :param arguments: what comes after C(aws).
    """

    def __init__(self, name: str, *arguments: str, asks: bool) -> None:
        self.name = name
        self.asks = asks
        self._arguments = [*arguments, "--region", REGION]
        self._driver = create_clidriver()

    def follow(self, service: CloudFormation) -> None:
        """Run the command to its end."""
        events = self._driver.session.get_component("event_emitter")
        events.register(BEFORE_SEND, service.send, unique_id="simulation")
        try:
            with redirect_stdout(io.StringIO()):
                code = self._driver.main(self._arguments)
        finally:
            events.unregister(BEFORE_SEND, unique_id="simulation")
        if code:
            raise RuntimeError(f"{self.name} ended with {code}")


class Sceptre:
    """The loop in which C(sceptre launch) waits."""

    name = "Sceptre"
    asks = False

    def __init__(self) -> None:
        stack = Stack(
            NAME, project_code="", region=REGION, template_handler_config={"path": "none"}, external_name=NAME
        )
        self._actions = StackActions(stack)
        self._session = boto3.Session(region_name=REGION, **CREDENTIALS)  # type: ignore[arg-type]
        self._actions.connection_manager._session_class = lambda **_options: self._session

    def follow(self, service: CloudFormation) -> None:
        """Wait until the stack is complete."""
        self._actions.connection_manager._clients.clear()
        # The stubs know nothing of handlers that answer.
        events: Any = self._session.events
        events.register(BEFORE_SEND, service.send, unique_id="simulation")
        try:
            self._actions._wait_for_completion()
        finally:
            events.unregister(BEFORE_SEND, unique_id="simulation")


def main() -> None:
    """Sample every poller; the argument is JSON with C(latency) and C(takes), the seconds that the stacks take."""
    logging.disable()
    asked = json.loads(sys.argv[1])
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as template:
        Path(template.name).write_text("Resources: {Topic: {Type: AWS::SNS::Topic}}\n")
        deploy = ("cloudformation", "deploy", "--template-file", template.name, "--stack-name", NAME)
        pollers: list[Poller] = [
            AwsCli("aws cloudformation deploy", *deploy, asks=True),
            AwsCli(
                "aws cloudformation wait",
                *("cloudformation", "wait", "stack-create-complete", "--stack-name"),
                NAME,
                asks=False,
            ),
            Sceptre(),
        ]
        found = {
            each.name: [asdict(sample(each, takes, asked["latency"])) for takes in asked["takes"]] for each in pollers
        }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
