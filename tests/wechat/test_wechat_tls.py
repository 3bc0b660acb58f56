"""Verification of WeChat's TLS certificate with the authorities of certifi."""

import certifi
import pytest
from cryptography import x509

from app.wechat import WeChatClient, WeChatUnavailable

ELSEWHERE = x509.DNSName("wechat.example")


def log_in(wechat):
    client = WeChatClient(wechat.url.replace("http:", "https:"))
    try:
        return client.code_to_session("wxacme", "a5ec12e7", "071GaTvK0UyoL92m")
    finally:
        client.close()


def assert_refused(wechat):
    with pytest.raises(WeChatUnavailable, match="SSLCertVerificationError") as caught:
        log_in(wechat)
    assert not caught.value.maybe_consumed
    assert wechat.received == []
    assert wechat.connections == 2


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
