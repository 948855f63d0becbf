# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""The exceptions of this collection: few, and each carries what is known so far."""

from __future__ import annotations

from typing import Any


class CargoholdError(Exception):
    """Something that ends a task, told in one sentence.

    :param message: what is wrong, where, and what to do, for a person to read.
    :param known: what had been found out by then; it becomes part of the task's result.
    """

    def __init__(self, message: str, **known: Any) -> None:
        super().__init__(message)
        self.message = message
        self.known = known


class Refused(CargoholdError):
    """The input is wrong, or what it asks for is not safe. Nothing was changed."""


class AwsError(CargoholdError):
    """AWS answered with an error, or could not be asked.

    :param code: the service's error code, or the name of botocore's exception.
    """

    def __init__(self, message: str, *, code: str = "", **known: Any) -> None:
        super().__init__(message, **known)
        self.code = code


class Transient(AwsError):
    """The same request may succeed later: the network or the service failed.

    :param throttled: the service asked for fewer requests.
    """

    def __init__(self, message: str, *, code: str = "", throttled: bool = False, **known: Any) -> None:
        super().__init__(message, code=code, **known)
        self.throttled = throttled


class Denied(AwsError):
    """The credentials are good, but do not allow the request."""


class CredentialsRejected(AwsError):
    """There are no credentials, or AWS does not take them."""


class Absent(AwsError):
    """What was asked for does not exist."""
