# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clients follow amazon.aws's connection rules, and what botocore raises is told in sentences."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions
from botocore.parsers import ResponseParserError

from ansible_collections.cargohold.ecr.plugins.module_utils._clients import clients_for, explained, told
from ansible_collections.cargohold.ecr.plugins.module_utils._errors import (
    Absent,
    AwsError,
    CargoholdError,
    CredentialsRejected,
    Denied,
    Refused,
    Transient,
)
from ansible_collections.cargohold.ecr.tests.unit.support.fake_client import client_error

URL = {"endpoint_url": "https://ecr.eu-west-1.amazonaws.com"}

LOGIN_OVER = getattr(exceptions, "LoginRefreshRequired", Exception)

PROBLEMS = [
    pytest.param(
        LOGIN_OVER(),
        CredentialsRejected,
        "aws login",
        marks=pytest.mark.skipif(LOGIN_OVER is Exception, reason="an older botocore knows nothing of aws login"),
        id="login over",
    ),
    pytest.param(
        client_error("ExpiredToken", "The token has expired.", 403),
        CredentialsRejected,
        r"ExpiredToken: The token has expired\)\. Renew",
        id="expired",
    ),
    pytest.param(
        client_error("InvalidClientTokenId"), CredentialsRejected, "does not take the credentials", id="unknown key"
    ),
    pytest.param(
        client_error("SignatureDoesNotMatch"), CredentialsRejected, "does not take the credentials", id="wrong secret"
    ),
    pytest.param(
        client_error("UnrecognizedClientException"), CredentialsRejected, "Renew or correct", id="unknown to ECR"
    ),
    pytest.param(
        client_error("AccessDenied", "User x is not authorized to do y", 403),
        Denied,
        r"not allowed \(User x is",
        id="denied",
    ),
    pytest.param(client_error("AccessDeniedException"), Denied, "not allowed", id="denied by ECR"),
    pytest.param(
        client_error("Throttling", "Rate exceeded"), Transient, r"fewer requests \(Throttling\)", id="throttled"
    ),
    pytest.param(client_error("Whatever", status=429), Transient, "fewer requests", id="429"),
    pytest.param(client_error("InternalFailure", "oops", 500), Transient, "service failed.*oops", id="500"),
    pytest.param(
        client_error("", "", 503), Transient, r"service failed \(503: no reason given\)", id="503 without a word"
    ),
    pytest.param(client_error("RequestTimeout"), Transient, "service failed", id="request timeout"),
    pytest.param(
        client_error("ValidationError", "Stack with id a does not exist"), Absent, r"a does not exist\.$", id="no stack"
    ),
    pytest.param(client_error("RepositoryNotFoundException", "not found"), Absent, "not found", id="no repository"),
    pytest.param(client_error("NoSuchEntity", "no such user"), Absent, "no such user", id="no user"),
    pytest.param(
        client_error("ValidationError", "Template error"),
        AwsError,
        r"Template error \(ValidationError\)",
        id="any other",
    ),
    pytest.param(
        exceptions.NoCredentialsError(),
        CredentialsRejected,
        "no usable AWS credentials.*AWS_PROFILE",
        id="no credentials",
    ),
    pytest.param(
        exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        CredentialsRejected,
        "no usable.*AWS_SECRET_ACCESS_KEY",
        id="half of the credentials",
    ),
    pytest.param(
        exceptions.CredentialRetrievalError(provider="process", error_msg="exit code 1"),
        CredentialsRejected,
        "exit code 1",
        id="no credentials from a process",
    ),
    pytest.param(exceptions.UnauthorizedSSOTokenError(), CredentialsRejected, "aws sso login", id="SSO over"),
    pytest.param(
        exceptions.TokenRetrievalError(provider="sso", error_msg="expired"),
        CredentialsRejected,
        "aws sso login",
        id="SSO token expired",
    ),
    pytest.param(exceptions.NoRegionError(), Refused, "No AWS region is known.*AWS_REGION", id="no region"),
    pytest.param(
        exceptions.EndpointConnectionError(**URL), Transient, "nothing answers there.*endpoint URL", id="nobody listens"
    ),
    pytest.param(
        exceptions.ConnectTimeoutError(**URL), Transient, "nothing answers there", id="connecting takes too long"
    ),
    pytest.param(exceptions.ReadTimeoutError(**URL), Transient, "nothing answers there", id="answering takes too long"),
    pytest.param(exceptions.ConnectionClosedError(**URL), Transient, "nothing answers there", id="reset"),
    pytest.param(
        exceptions.ProxyConnectionError(proxy_url="http://proxy"), Transient, "nothing answers there", id="proxy"
    ),
    pytest.param(
        exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2),
        Transient,
        "Could not read",
        id="half an answer",
    ),
    pytest.param(
        exceptions.SSLError(error=ValueError("self-signed"), **URL),
        AwsError,
        "TLS connection is not trusted.*self-signed",
        id="TLS",
    ),
    pytest.param(ResponseParserError("no XML"), Transient, "answer makes no sense.*no XML", id="garbage"),
    pytest.param(
        exceptions.ParamValidationError(report="bad"),
        AwsError,
        "Could not read the stack a: .*bad",
        id="anything else of botocore's",
    ),
]


@pytest.mark.parametrize(("problem", "kind", "says"), PROBLEMS)
def test_explained(problem: Exception, kind: type[CargoholdError], says: str) -> None:
    """What botocore raises becomes one of our exceptions, which says what was being done and what is wrong."""
    ours = explained(problem, "read the stack a")
    assert ours.__class__ is kind
    assert re.search(says, ours.message)


@pytest.mark.parametrize(("problem", "kind", "says"), PROBLEMS)
def test_told(problem: Exception, kind: type[CargoholdError], says: str) -> None:
    """Whatever botocore raises in a block leaves it as ours."""
    with pytest.raises(kind, match=says), told("read the stack a"):
        raise problem


@pytest.mark.parametrize(
    ("code", "throttled"),
    [
        ("Throttling", True),
        ("ThrottlingException", True),
        ("TooManyRequestsException", True),
        ("InternalFailure", False),
    ],
)
def test_throttled(code: str, throttled: bool) -> None:
    """Only a service that asks for fewer requests is said to."""
    ours = explained(client_error(code, status=500), "read")
    assert isinstance(ours, Transient)
    assert ours.throttled is throttled


def test_told_lets_others_through() -> None:
    """What is not botocore's is not explained away."""
    with pytest.raises(KeyError), told("read the stack a"):
        raise KeyError("Stacks")


@pytest.fixture(autouse=True)
def no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without AWS's variables, and with two profiles."""
    for name in (
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_URL",
        "AWS_ENDPOINT_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "config"
    config.write_text("[profile work]\nregion = eu-central-1\n[profile play]\nregion = eu-west-3\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def options(**more: Any) -> dict[str, Any]:
    """The options of a task, as amazon.aws's argument spec leaves them."""
    names = (
        "region",
        "profile",
        "endpoint_url",
        "access_key",
        "secret_key",
        "session_token",
        "aws_ca_bundle",
        "aws_config",
    )
    return {**dict.fromkeys(names), "validate_certs": True, "debug_botocore_endpoint_logs": False, **more}


def test_no_region() -> None:
    """Without a region anywhere, it is said where to give one."""
    with pytest.raises(Refused, match=r"No AWS region is known.*-e region=eu-west-1.*AWS_REGION"):
        clients_for(options())


def test_no_such_profile() -> None:
    """Who names a profile that does not exist is told those that do."""
    with pytest.raises(Refused, match="'wrok' does not exist: use one of play, work"):
        clients_for(options(profile="wrok", region="eu-west-1"))


def test_no_profile_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where there are no profiles, that is what is told."""
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(Refused, match="'work' does not exist: no profile is configured"):
        clients_for(options(profile="work", region="eu-west-1"))


def test_client() -> None:
    """A client is made once, with the region, the endpoint, the limits and the number of attempts asked for."""
    clients = clients_for(options(region="eu-west-1", endpoint_url="http://localhost:4566"), attempts=1)
    ecr = clients("ecr")
    config = ecr.meta.config
    assert clients("ecr") is ecr
    assert (ecr.meta.region_name, ecr.meta.endpoint_url) == ("eu-west-1", "http://localhost:4566")
    assert (config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]) == (4, 20, 1)


def test_own_configuration_counts_more() -> None:
    """What a task gives as aws_config is taken before ours."""
    config = clients_for(options(region="eu-west-1", aws_config={"read_timeout": 7}))("ecr").meta.config
    assert (config.connect_timeout, config.read_timeout) == (4, 7)
