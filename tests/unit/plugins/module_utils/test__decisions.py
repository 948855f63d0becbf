# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done about a stack in every status, when it shall be there and when it shall be gone."""

from __future__ import annotations

import re

import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._decisions import (
    Action,
    Consent,
    Decision,
    decide_absent,
    decide_present,
    removed_resources,
)
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import Refused
from ansible_collections.cargohold.ecr.plugins.module_utils._records import REPOSITORY_TYPE, Resource, Stack
from ansible_collections.cargohold.ecr.plugins.module_utils._status import Status

REPOSITORY = Resource("ECRRepository", "payments-api", REPOSITORY_TYPE, "CREATE_COMPLETE")
BUCKET = Resource("Bucket", "payments-bucket", "AWS::S3::Bucket", "CREATE_COMPLETE")
GONE = Resource("ECRRepository", "payments-api", REPOSITORY_TYPE, "DELETE_COMPLETE")

MOVING = {status for status in Status if status.value.endswith("IN_PROGRESS")} - {Status.REVIEW_IN_PROGRESS}

# By status: what is done so that the stack is there and changed, and so that it is there as it is; a sentence's part
# where that is refused.
PRESENT: dict[Status, tuple[Action | str, Action | str]] = {
    **dict.fromkeys(MOVING, (Action.WAIT, Action.WAIT)),
    **dict.fromkeys(
        (
            Status.CREATE_COMPLETE,
            Status.UPDATE_COMPLETE,
            Status.UPDATE_ROLLBACK_COMPLETE,
            Status.IMPORT_COMPLETE,
            Status.IMPORT_ROLLBACK_COMPLETE,
        ),
        (Action.UPDATE, Action.NOTHING),
    ),
    Status.UPDATE_FAILED: (Action.UPDATE, Action.UPDATE),
    Status.DELETE_COMPLETE: (Action.CREATE, Action.CREATE),
    Status.ROLLBACK_COMPLETE: (Action.RECREATE, Action.RECREATE),
    Status.REVIEW_IN_PROGRESS: (Action.RECREATE, Action.RECREATE),
    Status.CREATE_FAILED: ("creation failed.*delete_failed", "creation failed.*delete_failed"),
    Status.ROLLBACK_FAILED: ("could not be rolled back.*delete_failed", "could not be rolled back.*delete_failed"),
    Status.DELETE_FAILED: ("delete it again.*tear it down", "delete it again.*tear it down"),
    Status.UPDATE_ROLLBACK_FAILED: ("could not be rolled back.*continue_rollback", "rolled back.*continue_rollback"),
    Status.IMPORT_ROLLBACK_FAILED: ("import.*console", "import.*console"),
}


def stack(status: Status, **more: bool) -> Stack:
    """A stack in a status."""
    return Stack("payments-api", "arn:aws:cloudformation:eu-west-1:123456789012:stack/payments-api/1", status, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("unchanged", [pytest.param(False, id="changed"), pytest.param(True, id="unchanged")])
@pytest.mark.parametrize("status", Status)
def test_present(status: Status, unchanged: bool) -> None:
    """What is done so that the stack is there is what the table says, for each status."""
    expected = PRESENT[status][unchanged]
    if isinstance(expected, Action):
        assert decide_present(stack(status), [], unchanged=unchanged).action is expected
    else:
        with pytest.raises(Refused, match=f"payments-api is {status.value}: .*{expected}"):
            decide_present(stack(status), [], unchanged=unchanged)


@pytest.mark.parametrize(
    ("status", "resources", "consent", "expected"),
    [
        pytest.param(
            Status.CREATE_FAILED, [REPOSITORY], Consent(delete_failed=True), Action.RECREATE, id="delete what failed"
        ),
        pytest.param(
            Status.ROLLBACK_FAILED,
            [],
            Consent(delete_failed=True),
            Action.RECREATE,
            id="delete what failed to roll back",
        ),
        pytest.param(
            Status.UPDATE_ROLLBACK_FAILED, [], Consent(continue_rollback=True), Action.CONTINUE_ROLLBACK, id="continue"
        ),
        pytest.param(Status.UPDATE_ROLLBACK_FAILED, [], Consent(delete_failed=True), None, id="not continued unasked"),
        pytest.param(Status.CREATE_FAILED, [], Consent(continue_rollback=True), None, id="not deleted unasked"),
        pytest.param(Status.DELETE_FAILED, [], Consent(True, True), None, id="half deleted, whatever is allowed"),
        pytest.param(Status.REVIEW_IN_PROGRESS, [REPOSITORY], Consent(True, True), None, id="about to import"),
        pytest.param(Status.REVIEW_IN_PROGRESS, [GONE], Consent(), Action.RECREATE, id="a shell of something gone"),
        pytest.param(
            Status.CREATE_COMPLETE, [], Consent(True, True), Action.NOTHING, id="consent changes nothing that is well"
        ),
    ],
)
def test_consent(status: Status, resources: list[Resource], consent: Consent, expected: Action | None) -> None:
    """A stack in a bad way is mended in the way that was allowed, and in no other."""
    if expected:
        assert decide_present(stack(status), resources, unchanged=True, consent=consent).action is expected
    else:
        with pytest.raises(Refused):
            decide_present(stack(status), resources, unchanged=True, consent=consent)


def test_present_without_stack() -> None:
    """Where there is no stack, one is created."""
    assert decide_present(None, [], unchanged=False).action is Action.CREATE


@pytest.mark.parametrize("status", [Status.CREATE_FAILED, Status.REVIEW_IN_PROGRESS])
def test_refusal_shows_what_is_held(status: Status) -> None:
    """A refusal shows what the stack holds, and not what it no longer holds."""
    with pytest.raises(Refused, match=re.escape("It holds Bucket (AWS::S3::Bucket). ")):
        decide_present(stack(status), [BUCKET, GONE], unchanged=False)


@pytest.mark.parametrize("status", Status)
def test_absent(status: Status) -> None:
    """What is done so that the stack is gone: what moves is waited for, what is gone left alone, all else deleted."""
    expected = (
        Action.WAIT if status in MOVING else Action.NOTHING if status is Status.DELETE_COMPLETE else Action.DELETE
    )
    assert decide_absent(stack(status), [REPOSITORY]).action is expected


@pytest.mark.parametrize(
    ("found", "resources", "expected"),
    [
        pytest.param(None, [], Action.NOTHING, id="no stack"),
        pytest.param(stack(Status.ROLLBACK_COMPLETE), [GONE], Action.DELETE, id="holds nothing"),
        pytest.param(
            stack(Status.CREATE_COMPLETE), [REPOSITORY, BUCKET], Action.DELETE, id="a repository among others"
        ),
        pytest.param(
            stack(Status.CREATE_COMPLETE), [BUCKET], "no repository's.*It holds Bucket.*name", id="somebody else's"
        ),
        pytest.param(
            stack(Status.CREATE_COMPLETE), [BUCKET, GONE], "no repository's", id="of a repository that is gone"
        ),
        pytest.param(
            stack(Status.CREATE_COMPLETE, termination_protection=True),
            [REPOSITORY],
            "termination protection.*--no-enable-termination-protection --stack-name payments-api",
            id="protected",
        ),
    ],
)
def test_absent_by_what_it_is(found: Stack | None, resources: list[Resource], expected: Action | str) -> None:
    """Only a repository's stack is deleted, and only one that is not protected."""
    if isinstance(expected, Action):
        assert decide_absent(found, resources).action is expected
    else:
        with pytest.raises(Refused, match=expected):
            decide_absent(found, resources)


@pytest.mark.parametrize("action", Action)
def test_changes_something(action: Action) -> None:
    """Every action changes AWS, but for doing nothing and waiting."""
    assert Decision(action, "").changes_something is (action not in {Action.NOTHING, Action.WAIT})


def test_removed_resources() -> None:
    """What a template no longer declares would be removed, if it is there."""
    assert removed_resources([REPOSITORY, BUCKET, GONE], ["ECRRepository"]) == [BUCKET]
