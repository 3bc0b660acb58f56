"""Verification of WeChat's TLS certificate with the authorities of certifi."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.wechat import WeChatClient, WeChatUnavailable

HERE = x509.IPAddress(ip_address("127.0.0.1"))
ELSEWHERE = x509.DNSName("wechat.example")


@pytest.fixture
def serve_tls(wechat, tmp_path):
    """Return a function that makes the server use TLS with a self-signed certificate."""

    def serve(name=HERE):
        path = tmp_path / "wechat.pem"
        path.write_bytes(self_signed(name))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        wechat.socket = context.wrap_socket(wechat.socket, server_side=True)
        wechat.answers({"openid": "oAlice", "session_key": "tiihtNczf5v6AKRyjwEUhQ=="})
        return str(path)

    return serve


def self_signed(name):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def log_in(wechat):
    client = WeChatClient(wechat.url.replace("http:", "https:"))
    try:
        return client.code_to_session("wxacme", "a5ec12e7", "071GaTvK0UyoL92m")
    finally:
        client.close()


def assert_refused(wechat):
    with pytest.raises(WeChatUnavailable, match="SSLError") as caught:
        log_in(wechat)
    assert caught.value.maybe_consumed
    assert wechat.received == []
    assert wechat.connections == 1


def test_a_wechat_certificate_of_a_trusted_authority_is_accepted(wechat, serve_tls, monkeypatch):
    pem = serve_tls()
    monkeypatch.setattr(certifi, "where", lambda: pem)
    assert log_in(wechat).openid == "oAlice"


def test_a_wechat_certificate_of_an_unknown_authority_is_rejected(wechat, serve_tls):
    serve_tls()
    assert_refused(wechat)


def test_a_wechat_certificate_for_another_host_is_rejected(wechat, serve_tls, monkeypatch):
    pem = serve_tls(ELSEWHERE)
    monkeypatch.setattr(certifi, "where", lambda: pem)
    assert_refused(wechat)


def test_certificate_authorities_set_in_environment_variables_are_ignored(
    wechat, serve_tls, monkeypatch
):
    pem = serve_tls()
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, pem)
    assert_refused(wechat)


def test_the_certificate_authorities_are_loaded_once_per_client(wechat, serve_tls, monkeypatch):
    """Loading them for each connection would cost a second of CPU time per hundred logins."""
    pem, reads = serve_tls(), []

    def where():
        reads.append(pem)
        return pem

    monkeypatch.setattr(certifi, "where", where)
    client = WeChatClient(wechat.url.replace("http:", "https:"))
    wechat.answers({"openid": "oAlice"}, status=500)  # closes the connection
    for _ in range(3):
        with pytest.raises(WeChatUnavailable, match="HTTP 500"):
            client.code_to_session("wxacme", "a5ec12e7", "071GaTvK0UyoL92m")
    client.close()
    assert (len(reads), wechat.connections) == (1, 3)
