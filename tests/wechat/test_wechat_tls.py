"""Whom the door gives a secret to: whom certifi's authorities name, and nobody else."""

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
    """Make WeChat speak TLS, with a certificate that it signed itself."""

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


def test_one_whom_an_authority_names_is_asked(wechat, serve_tls, monkeypatch):
    pem = serve_tls()
    monkeypatch.setattr(certifi, "where", lambda: pem)
    assert log_in(wechat).openid == "oAlice"


def test_a_certificate_that_nobody_vouches_for_is_refused(wechat, serve_tls):
    serve_tls()
    assert_refused(wechat)


def test_another_ones_certificate_is_refused(wechat, serve_tls, monkeypatch):
    pem = serve_tls(ELSEWHERE)
    monkeypatch.setattr(certifi, "where", lambda: pem)
    assert_refused(wechat)


def test_authorities_of_the_environment_are_ignored(wechat, serve_tls, monkeypatch):
    pem = serve_tls()
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, pem)
    assert_refused(wechat)


def test_the_authorities_are_read_once_and_not_for_each_connection(wechat, serve_tls, monkeypatch):
    """Otherwise a hundred logins at once read a hundred times 200 KB, a second of CPU."""
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
