# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is printed where: the callback has stdout to itself, and progress can be turned off."""

from __future__ import annotations

import json

from ansible_collections.cargohold.ecr.tests.support.account import STACK, Account, assert_done, assert_says
from ansible_collections.cargohold.ecr.tests.support.playbook import PlaybookRunner

DEPLOY = "playbooks/deploy.yml"

# A line of progress, of which there are some in any deployment.
PROGRESS = f"{STACK}  CREATE_COMPLETE"


def test_stdout_is_the_callbacks(account: Account, operator: PlaybookRunner) -> None:
    """With the json callback stdout is one JSON document, while progress is on stderr."""
    run = operator(DEPLOY, results=True, iam_user="alice")
    document = json.loads(run.stdout)
    assert_says(run.stderr, "AWS::ECR::Repository  CREATE_COMPLETE", PROGRESS)
    assert document["stats"]["localhost"]["changed"] == 1
    assert account.status() == "CREATE_COMPLETE"


def test_result_is_whole(account: Account, operator: PlaybookRunner) -> None:
    """The fact that the role leaves has all that it promises."""
    account.create()
    run = operator(DEPLOY, results=True, iam_user="alice")
    assert run.recap["changed"] == 0
    [facts] = [task.result["ansible_facts"] for task in run.task_results if "ansible_facts" in task.result]
    stack = account.stack()
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    console_url = facts["repository_result"].pop("console_url")
    assert facts["repository_result"] == {
        "name": STACK,
        "uri": outputs["RepositoryUri"],
        "arn": outputs["RepositoryArn"],
        "stack_id": stack["StackId"],
        "status": "CREATE_COMPLETE",
        "changed": False,
        "policy_verified": True,
    }
    assert console_url.endswith(stack["StackId"])


def test_silence_on_demand(account: Account, operator: PlaybookRunner) -> None:
    """Without progress there is nothing on stderr, and as much done."""
    run = operator(DEPLOY, iam_user="alice", repository_progress=False)
    assert_done(run, changed=1)
    assert run.stderr == ""
    assert account.status() == "CREATE_COMPLETE"
