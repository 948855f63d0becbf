# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every status that botocore knows, and what it says of every operation."""

from __future__ import annotations

import botocore.session
import pytest

from ansible_collections.cargohold.ecr.plugins.module_utils._status import (
    Operation,
    Status,
    UnknownStatus,
    Verdict,
    parse_status,
)

M, S, F, X = Verdict.MOVING, Verdict.SUCCEEDED, Verdict.FAILED, Verdict.FOREIGN

# By status: the verdict on a create, an update, a delete and the continued rollback of an update; then the predicates
# that hold, besides is_settled, which holds where is_moving does not.
TABLE: dict[str, tuple[Verdict, Verdict, Verdict, Verdict, set[str]]] = {
    "CREATE_IN_PROGRESS": (M, M, M, M, {"is_moving"}),
    "CREATE_FAILED": (F, X, X, X, {"is_failure"}),
    "CREATE_COMPLETE": (S, X, X, X, {"is_healthy", "can_be_updated"}),
    "ROLLBACK_IN_PROGRESS": (M, M, M, M, {"is_moving"}),
    "ROLLBACK_FAILED": (F, X, X, X, {"is_failure"}),
    "ROLLBACK_COMPLETE": (F, X, X, X, {"is_failure", "is_dead"}),
    "DELETE_IN_PROGRESS": (M, M, M, M, {"is_moving"}),
    "DELETE_FAILED": (F, F, F, F, {"is_failure"}),
    "DELETE_COMPLETE": (F, F, S, F, {"is_gone"}),
    "UPDATE_IN_PROGRESS": (M, M, M, M, {"is_moving"}),
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": (M, M, M, M, {"is_moving"}),
    "UPDATE_COMPLETE": (X, S, X, X, {"is_healthy", "can_be_updated"}),
    "UPDATE_FAILED": (X, F, X, X, {"is_failure"}),
    "UPDATE_ROLLBACK_IN_PROGRESS": (M, M, M, M, {"is_moving"}),
    "UPDATE_ROLLBACK_FAILED": (X, F, X, F, {"is_failure"}),
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": (M, M, M, M, {"is_moving"}),
    "UPDATE_ROLLBACK_COMPLETE": (X, F, X, S, {"is_failure", "can_be_updated"}),
    "REVIEW_IN_PROGRESS": (X, X, X, X, {"is_shell"}),
    "IMPORT_IN_PROGRESS": (M, M, M, M, {"is_moving"}),
    "IMPORT_COMPLETE": (X, X, X, X, {"is_healthy", "can_be_updated"}),
    "IMPORT_ROLLBACK_IN_PROGRESS": (M, M, M, M, {"is_moving"}),
    "IMPORT_ROLLBACK_FAILED": (X, X, X, X, {"is_failure"}),
    "IMPORT_ROLLBACK_COMPLETE": (X, X, X, X, {"is_failure", "can_be_updated"}),
}
PREDICATES = {"is_moving", "is_shell", "is_settled", "is_gone", "is_healthy", "is_failure", "can_be_updated", "is_dead"}


def test_statuses_are_botocores() -> None:
    """A status that a newer botocore knows is noticed here, before a user meets it."""
    model = botocore.session.get_session().get_service_model("cloudformation")
    assert set(TABLE) == {status.value for status in Status} == set(model.shape_for("StackStatus").metadata["enum"])


@pytest.mark.parametrize(
    ("status", "operation", "verdict"),
    [
        pytest.param(status, operation, verdict, id=f"{operation.value}-{status}")
        for status, verdicts in TABLE.items()
        for operation, verdict in zip(Operation, verdicts[:4], strict=True)
    ],
)
def test_verdict(status: str, operation: Operation, verdict: Verdict) -> None:
    """A status says of an operation what the table says."""
    assert parse_status(status).verdict(operation) is verdict


@pytest.mark.parametrize("status", TABLE)
def test_predicates(status: str) -> None:
    """Of a status hold the predicates in the table, and no others."""
    parsed = parse_status(status)
    holding = {name for name in PREDICATES if getattr(parsed, name)}
    expected = TABLE[status][4]
    assert holding == (expected if "is_moving" in expected else expected | {"is_settled"})


@pytest.mark.parametrize("text", ["", "create_complete", "CREATE_COMPLETED", "UPDATE_PAUSED"])
def test_unknown_status(text: str) -> None:
    """Nothing is concluded from a status that is not known, however it ends."""
    with pytest.raises(UnknownStatus, match=r"does not know.*console") as caught:
        parse_status(text)
    assert repr(text) in caught.value.message
