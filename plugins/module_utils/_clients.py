# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to cargohold.ecr: it may change in any release, so do not import it from another collection.

"""Clients of AWS by amazon.aws's own connection rules, and botocore's exceptions told in sentences.

The same code serves the modules and the action plugins: amazon.aws's function that knows the rules asks no more of a
"module" than its parameters and a way to fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

try:
    import boto3
    import botocore.exceptions as boto
    import botocore.session
    from botocore.config import Config
    from botocore.parsers import ResponseParserError
except ImportError:
    # The callers tell it in their own way: a module by AnsibleAWSModule, an action plugin by leaving it to the module.
    HAS_BOTO3 = False
else:
    HAS_BOTO3 = True

from ansible_collections.amazon.aws.plugins.module_utils.botocore import get_aws_connection_info

from ansible_collections.cargohold.ecr.plugins.module_utils._errors import (
    Absent,
    AwsError,
    CargoholdError,
    CredentialsRejected,
    Denied,
    Refused,
    Transient,
)

Clients = Callable[[str], Any]

# Seconds until a connection counts as failed, and until an answer does. An endpoint that nobody listens on is found out
# within both times the attempts, 12 s, and one that swallows packets within 15 s.
CONNECT_TIMEOUT = 4
READ_TIMEOUT = 20
ATTEMPTS = 3

_CREDENTIAL_CODES = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnrecognizedClientException",
    }
)
_DENIAL_CODES = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized", "UnauthorizedOperation"})
_THROTTLING_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_ABSENCE_CODES = frozenset(
    {
        "ChangeSetNotFound",
        "ImageNotFoundException",
        "LifecyclePolicyNotFoundException",
        "NoSuchEntity",
        "RepositoryNotFoundException",
        "RepositoryPolicyNotFoundException",
    }
)


class _Connection:
    """What amazon.aws's C(get_aws_connection_info) asks of a module, with failing as an exception."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = dict(params)

    def fail_json(self, msg: str, **_ignored: Any) -> NoReturn:
        raise Refused(msg)


def clients_for(params: Mapping[str, Any], *, attempts: int = ATTEMPTS) -> Clients:
    """A function from a service's name to a boto3 client for it, made on first use.

    :param params: a task's validated options, with those of amazon.aws's common and region fragments.
    :param attempts: how often botocore itself tries a request; 1 where the caller does the retrying.
    :raises Refused: when the profile does not exist, no region is known, or the options contradict each other.
    """
    region, endpoint, options = get_aws_connection_info(_Connection(params))
    # One session for all clients: amazon.aws's boto3_conn makes one for each, and reading botocore's data anew takes
    # longer than all the requests of a plan.
    session = _session(options.pop("profile_name", None))
    if not region:
        raise Refused(
            "No AWS region is known: give one with region (for a playbook, -e region=eu-west-1), "
            "with AWS_REGION in the environment, or in the profile."
        )
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent_extra="cargohold.ecr",
    )
    own_config = options.pop("aws_config", None)
    if own_config is not None:
        config = config.merge(own_config)
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in made:
            with told(f"connect to {service}"):
                made[service] = session.client(
                    service, region_name=region, endpoint_url=endpoint, config=config, **options
                )
        return made[service]

    return client


def _session(profile: str | None) -> Any:
    try:
        return boto3.session.Session(profile_name=profile)
    except boto.ProfileNotFound:
        # A session of boto3 would look for the profile of the environment, too.
        known = botocore.session.get_session().available_profiles
        raise Refused(
            f"The AWS profile {profile!r} does not exist: "
            + (f"use one of {', '.join(sorted(known))}." if known else "no profile is configured on this machine.")
        ) from None


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Turn what botocore raises in the block into one of our exceptions.

    :param doing: what was being done, as it would follow "could not": C(read the stack payments-api).
    """
    try:
        yield
    except (boto.BotoCoreError, boto.ClientError, ResponseParserError) as problem:
        raise explained(problem, doing) from problem


def explained(problem: Exception, doing: str) -> CargoholdError:
    """The exception of ours that says in a sentence what C(problem) means."""
    if isinstance(problem, boto.ClientError):
        return _service_error(problem, doing)
    name = type(problem).__name__
    if isinstance(problem, boto.NoRegionError):
        return Refused("No AWS region is known: give one with region, or with AWS_REGION in the environment.")
    if isinstance(problem, (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError)):
        return CredentialsRejected(
            f"Could not {doing}: no usable AWS credentials were found ({_sentence(problem)}). "
            "Name a profile, set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with the AWS CLI.",
            code=name,
        )
    # botocore has had LoginError since "aws login" came; an empty tuple matches nothing.
    if isinstance(problem, (boto.SSOError, boto.TokenRetrievalError, getattr(boto, "LoginError", ()))):
        return CredentialsRejected(
            f"Could not {doing}: the login session is over ({_sentence(problem)}). Run aws sso login, or aws login.",
            code=name,
        )
    if isinstance(problem, boto.SSLError):
        return AwsError(f"Could not {doing}: the TLS connection is not trusted ({_sentence(problem)}).", code=name)
    if isinstance(problem, (boto.HTTPClientError, boto.ConnectionError)):
        return Transient(
            f"Could not {doing}: nothing answers there ({_sentence(problem)}). Check the network, the region and the endpoint URL.",
            code=name,
        )
    if isinstance(problem, (ResponseParserError, boto.IncompleteReadError)):
        return Transient(f"Could not {doing}: the answer makes no sense ({_sentence(problem)}).", code=name)
    return AwsError(f"Could not {doing}: {_sentence(problem)}.", code=name)


def _service_error(problem: Any, doing: str) -> CargoholdError:
    error = problem.response.get("Error", {})
    status = problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = str(error.get("Code", "")) or str(status)
    message = str(error.get("Message", "")).strip().rstrip(".") or "no reason given"
    if code in _CREDENTIAL_CODES:
        return CredentialsRejected(
            f"Could not {doing}: AWS does not take the credentials ({code}: {message}). Renew or correct them.",
            code=code,
        )
    if code in _DENIAL_CODES:
        return Denied(f"Could not {doing}: it is not allowed ({message}).", code=code)
    if code in _THROTTLING_CODES or status == 429:
        return Transient(f"Could not {doing}: AWS asks for fewer requests ({code}).", code=code, throttled=True)
    if code in _ABSENCE_CODES or (code == "ValidationError" and "does not exist" in message):
        return Absent(f"Could not {doing}: {message}.", code=code)
    if status >= 500 or code == "RequestTimeout":
        return Transient(f"Could not {doing}: the service failed ({code}: {message}).", code=code)
    return AwsError(f"Could not {doing}: {message} ({code}).", code=code)


def _sentence(problem: Exception) -> str:
    return " ".join(str(problem).split()).rstrip(".")
