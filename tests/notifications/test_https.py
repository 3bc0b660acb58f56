"""HTTPS requests: checked addresses, certificates, redirects, deadlines and sizes."""

import socket
import subprocess
import sys
import threading
import time

import pytest

from app.notifications import NotDelivered, Notifier, Reason, tls
from app.notifications import https as https_module
from app.notifications.addresses import read_url
from app.notifications.https import HttpsClient
from tests.notifications.conftest import PUBLIC

URL = read_url("https://hooks.example.com/alerts?key=5ec2e7")


def refused(client, url=URL):
    with pytest.raises(NotDelivered) as caught:
        client.post(url, b"{}", {})
    assert "5ec2e7" not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


def test_a_request_goes_to_the_checked_address_with_the_name_of_the_host(client, network, receiver):
    answer = client.post(URL, b'{"a":1}', {"webhook-id": "msg_1"})
    assert (answer.status, answer.content) == (200, receiver.content)
    (request,) = receiver.received
    assert (request.path, request.body) == ("/alerts?key=5ec2e7", b'{"a":1}')
    assert request.headers["Host"] == "hooks.example.com"
    assert request.headers["webhook-id"] == "msg_1"
    assert network.dialled == [(PUBLIC, 443)]


def test_a_host_is_resolved_once_so_that_rebinding_has_no_effect(client, network, receiver):
    network.answers = [[PUBLIC], ["127.0.0.1"]]
    client.post(URL, b"{}", {})
    assert network.resolved == ["hooks.example.com"]
    assert network.dialled == [(PUBLIC, 443)]
    assert refused(client).reason == Reason.ADDRESS_NOT_PUBLIC
    assert len(network.dialled) == 1
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
)
def test_no_connection_is_made_to_an_address_that_is_not_public(client, network, address):
    network.answers = [[PUBLIC, address]]
    assert refused(client).reason == Reason.ADDRESS_NOT_PUBLIC
    assert network.dialled == []


def test_the_default_client_refuses_a_name_that_leads_to_loopback(receiver, monkeypatch):
    """With the resolver and the sockets of the system, as in production."""
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", 443))])
    assert refused(HttpsClient()).reason == Reason.ADDRESS_NOT_PUBLIC
    assert receiver.received == []


def test_a_second_address_is_tried_and_a_third_is_not(client, network, receiver):
    network.answers = [["8.8.8.8", "8.8.4.4", "1.1.1.1"]]
    attempts = []

    def dial(address, seconds):
        attempts.append(address[0])
        raise ConnectionRefusedError

    error = refused(HttpsClient(network.resolve, dial))
    assert (error.reason, error.may_retry) == (Reason.NOT_CONNECTED, True)
    assert attempts == ["8.8.8.8", "8.8.4.4"]


def test_a_redirect_is_not_followed(client, network, receiver):
    receiver.status = 302
    receiver.headers = {"Location": "https://169.254.169.254/latest/meta-data/"}
    error = refused(client)
    assert (error.reason, error.number, error.may_retry) == (Reason.REDIRECTED, 302, False)
    assert network.resolved == ["hooks.example.com"]
    assert len(network.dialled) == 1


@pytest.mark.parametrize(
    ("status", "reason", "may_retry"),
    [
        (400, Reason.STATUS, False),
        (401, Reason.STATUS, False),
        (410, Reason.STATUS, False),
        (429, Reason.RATE_LIMITED, True),
        (500, Reason.STATUS, True),
        (503, Reason.STATUS, True),
    ],
)
def test_only_a_temporary_status_allows_a_retry(client, receiver, status, reason, may_retry):
    receiver.status = status
    error = refused(client)
    assert (error.reason, error.number, error.may_retry) == (reason, status, may_retry)


def test_a_certificate_of_an_unknown_authority_is_refused(network, receiver):
    untrusting = HttpsClient(network.resolve, network.dial)
    assert refused(untrusting).reason == Reason.CERTIFICATE_INVALID
    assert receiver.received == []


def test_a_certificate_for_another_host_is_refused(client, receiver):
    other = read_url("https://other.example.com/")
    assert refused(client, other).reason == Reason.CERTIFICATE_INVALID
    assert receiver.received == []


def test_proxies_and_authorities_of_the_environment_are_ignored(
    client, network, receiver, monkeypatch, pem
):
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    client.post(URL, b"{}", {})
    assert len(receiver.received) == 1
    monkeypatch.setenv("SSL_CERT_FILE", pem)
    untrusting = HttpsClient(network.resolve, network.dial)
    assert refused(untrusting).reason == Reason.CERTIFICATE_INVALID


def drip(write):
    """Send a byte every 50 ms, which each timeout of a socket alone would allow."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 1000:
        write(bytes([byte]))
        time.sleep(0.05)


def test_a_response_in_single_bytes_ends_at_the_deadline(client, receiver, monkeypatch):
    monkeypatch.setattr(https_module, "TOTAL_SECONDS", 0.5)
    receiver.raw = drip
    begun = time.monotonic()
    error = refused(client)
    assert (error.reason, error.may_retry) == (Reason.NO_ANSWER, False)
    assert time.monotonic() - begun < 2


def test_a_missing_response_ends_at_the_deadline(client, receiver, monkeypatch):
    monkeypatch.setattr(https_module, "TOTAL_SECONDS", 0.3)
    released = threading.Event()
    receiver.raw = lambda write: released.wait(5)
    assert refused(client).reason == Reason.NO_ANSWER
    released.set()


def test_a_host_that_accepts_connections_without_tls_ends_at_the_deadline(network, monkeypatch):
    monkeypatch.setattr(https_module, "TOTAL_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        network.port = silent.getsockname()[1]
        error = refused(HttpsClient(network.resolve, network.dial))
    assert (error.reason, error.may_retry) == (Reason.NOT_CONNECTED, True)


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 1_000_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"a" * 1_000_000,
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
    ids=["body", "length", "header", "continue", "headers", "no_http", "nothing"],
)
def test_a_response_that_is_too_long_or_no_http_is_refused(client, receiver, response):
    receiver.raw = lambda write: write(response)
    assert refused(client).reason == Reason.ANSWER_INVALID
    assert tls.MOST_BYTES == 64 * 1024


def test_the_authorities_are_read_once(client, receiver, monkeypatch):
    client.post(URL, b"{}", {})
    monkeypatch.setattr("ssl.create_default_context", None)
    client.post(URL, b"{}", {})
    assert len(receiver.received) == 2


def test_the_keys_of_connections_are_not_written_to_a_file(client, receiver, monkeypatch, tmp_path):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    client.post(URL, b"{}", {})
    keys = tmp_path / "keys"  # Python writes a comment when it creates the context
    assert not keys.exists() or keys.read_text().count("\n") == 1


GEVENT = """
from gevent import monkey
monkey.patch_all()
import sys, socket, time
from app.notifications import https, NotDelivered
from app.notifications.addresses import read_url
port, pem = int(sys.argv[1]), sys.argv[2]
client = https.HttpsClient(
    lambda *_: ["8.8.8.8"],
    lambda address, seconds: socket.create_connection(("127.0.0.1", port), seconds),
    pem,
)
url = read_url("https://hooks.example.com/")
print(client.post(url, b"{}", {}).status)
https.TOTAL_SECONDS = 0.5
try:
    client.post(url, b"{}", {})
except NotDelivered as error:
    print(error.reason)
"""


def test_requests_and_deadlines_work_in_a_gevent_worker(receiver, pem):
    def drip_from_the_second(write):
        if len(receiver.received) == 1:
            write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        else:
            drip(write)

    receiver.raw = drip_from_the_second
    command = [sys.executable, "-c", GEVENT, str(receiver.server_port), pem]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["200", "no_answer"], done.stderr


def test_a_notifier_has_no_setting_that_allows_other_addresses(monkeypatch):
    """Only the constructor of the client has parameters, and the service passes none."""
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("10.0.0.1", 443))])
    assert refused(Notifier()._client).reason == Reason.ADDRESS_NOT_PUBLIC
