"""A message arrives, or it is said that it did not: bounded tries, no redirects, certificates checked."""

import shutil
import ssl
import subprocess

import pytest

from trainer_core.hooks.webhook import TRIES, WebhookError, post


@pytest.fixture
def send(webhook):
    """Send a message and return the pauses between the tries."""

    def send(url=None):
        pauses = []
        post(url or webhook.url, {"text": "ünïcode"}, pauses.append)
        return pauses

    return send


def test_it_arrives_once(send, webhook):
    assert send() == []
    ((path, headers, message),) = webhook.received
    assert (path, message) == ("/hook/SECRETPATH", {"text": "ünïcode"})
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("dbtui/")


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_what_may_pass_is_tried_again(send, webhook, status):
    webhook.answers = [status, status]
    assert send() == [1.0, 4.0]
    assert len(webhook.received) == 3


def test_tries_are_bounded(send, webhook):
    webhook.answers = [500] * 9
    with pytest.raises(WebhookError, match=r"^127\.0\.0\.1 answered 500$"):
        send()
    assert len(webhook.received) == TRIES


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_what_will_not_pass_is_not_tried_again(send, webhook, status):
    webhook.answers = [status]
    with pytest.raises(WebhookError, match=f"answered {status}"):
        send()
    assert len(webhook.received) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(send, webhook, status):
    webhook.answers = [status]
    with pytest.raises(WebhookError, match=f"answered {status}"):
        send()
    assert len(webhook.received) == 1


def test_nobody_there_is_said_without_the_secret_address(send, webhook):
    webhook.server.shutdown()
    webhook.server.server_close()
    with pytest.raises(WebhookError) as caught:
        send()
    assert "cannot be reached" in str(caught.value)
    assert "SECRET" not in str(caught.value)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl to make a certificate with")
def test_a_certificate_that_nobody_vouches_for_is_refused(send, webhook, tmp_path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    webhook.server.socket = context.wrap_socket(webhook.server.socket, server_side=True)
    address = f"https://localhost:{webhook.server.server_port}/hook"
    with pytest.raises(WebhookError, match="localhost cannot be reached"):
        send(address)
    assert webhook.received == []
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert send(address) == []
    assert len(webhook.received) == 1
