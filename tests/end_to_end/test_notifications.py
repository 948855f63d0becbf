# Copyright: Contributors to the cargohold.ecr project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is told of a stack's events stays told: an update that names no topics would remove those that there are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ansible_collections.cargohold.ecr.tests.support.account import Account, assert_done
from ansible_collections.cargohold.ecr.tests.support.ministack import MiniStack
from ansible_collections.cargohold.ecr.tests.support.playbook import PlaybookRunner
from ansible_collections.cargohold.ecr.tests.support.stand_in import ACCOUNT, HOST, REGION, SECONDS_TO_ANSWER

TOPICS = [f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}" for name in ("deployments", "audit")]


@contextmanager
def with_topics(cloud: MiniStack) -> Iterator[str]:
    """A proxy to MiniStack, which forgets a stack's topics, that tells of them; its URL."""
    told = "".join(f"<member>{topic}</member>" for topic in TOPICS)
    status, status_and_topics = b"<StackStatus>", f"<NotificationARNs>{told}</NotificationARNs><StackStatus>".encode()

    class Proxy(BaseHTTPRequestHandler):
        """Passes a request on, and the answer back."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with closing(HTTPConnection(HOST, cloud.port, timeout=SECONDS_TO_ANSWER)) as connection:
                connection.request("POST", self.path, body, dict(self.headers))
                answer = connection.getresponse()
                text = answer.read()
            if b"Action=DescribeStacks&" in body:
                text = text.replace(status, status_and_topics)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((HOST, 0), Proxy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_topics_are_kept(account: Account, operator: PlaybookRunner) -> None:
    """An update names the topics that the stack has."""
    account.create()
    with with_topics(account.cloud) as endpoint, account.recorded() as calls:
        person = replace(operator, environment={**operator.environment, "AWS_ENDPOINT_URL": endpoint})
        run = person("playbooks/deploy.yml", iam_user="bob")
    assert_done(run, changed=1)
    [update] = [call for call in calls if call["Action"] == "UpdateStack"]
    named = [value for name, value in update.items() if name.startswith("NotificationARNs.")]
    assert named == TOPICS
