"""URLs and addresses that notifications may use."""

import pytest

from app.notifications import NotDelivered, Reason
from app.notifications.addresses import HttpsUrl, is_public, public_addresses, read_url

NOT_PUBLIC = (
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1"),  # noqa: S104
    *("172.31.255.255", "192.168.1.1", "169.254.169.254", "169.254.0.23", "100.64.0.1"),
    *("100.100.100.200", "192.0.0.1", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1"),
    *("203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("192.88.99.1", "168.63.129.16"),
    *("::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:169.254.169.254", "::8.8.8.8"),
    *("64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1", "2001::1", "2001:db8::1"),
    *("fe80::1", "fe80::1%eth0", "2400:3200::1%1", "fc00::1", "fd00:ec2::254", "fec0::1"),
    *("ff02::1", "ff0e::1", "100::1", "3fff::1", "4000::1", "not an address", ""),
)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_addresses_of_special_networks_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "119.29.29.29", "223.5.5.5", "2400:3200::1", "2606:4700::1111"]
)
def test_unicast_addresses_of_the_internet_are_public(address):
    assert is_public(address)


def test_a_host_with_one_address_that_is_not_public_is_refused():
    with pytest.raises(NotDelivered) as caught:
        public_addresses(lambda *_: ["8.8.8.8", "10.0.0.1"], "hooks.example.com", 443)
    assert caught.value.reason == Reason.ADDRESS_NOT_PUBLIC
    assert not caught.value.may_retry


def test_a_host_without_an_address_is_refused():
    def fail(host, port):
        raise OSError

    for resolver in (fail, lambda *_: []):
        with pytest.raises(NotDelivered) as caught:
            public_addresses(resolver, "hooks.example.com", 443)
        assert caught.value.reason == Reason.HOST_UNKNOWN
        assert caught.value.may_retry


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://hooks.example.com", HttpsUrl("hooks.example.com", 443, "/")),
        ("https://Hooks.Example.com/a?b=c", HttpsUrl("hooks.example.com", 443, "/a?b=c")),
        ("https://hooks.example.com:8443/a", HttpsUrl("hooks.example.com", 8443, "/a")),
        ("https://xn--fiqs8s.example.com/", HttpsUrl("xn--fiqs8s.example.com", 443, "/")),
    ],
)
def test_https_urls_with_a_name_are_accepted(url, parts):
    assert read_url(url) == parts


@pytest.mark.parametrize(
    "url",
    [
        *("", "hooks.example.com", "http://hooks.example.com/", "ftp://hooks.example.com/"),
        *("file:///etc/passwd", "https:///path", "https://", "https://localhost/"),
        *("https://user@hooks.example.com/", "https://user:word@hooks.example.com/"),
        *("https://hooks.example.com@169.254.169.254/", "https://@hooks.example.com/"),
        *("https://127.0.0.1/", "https://8.8.8.8/", "https://[::1]/", "https://0x7f.1/"),
        *("https://2130706433/", "https://0177.0.0.1/", "https://127.1/", "https://1.2.3.4.5/"),
        *("https://hooks.example.com/ x", "https://hooks.example.com/\r\nHost: evil"),
        *("https://hooks.example.com/\n", "https://hooks.example.com/\t", "\nhttps://a.example/"),
        *("https://hooks.example.com\\@evil.example/", "https://hooks.example.com/#fragment"),
        *("https://hooks.example.com:99999/", "https://hooks.example.com:port/"),
        *("https://hooks.example.com./", "https://-a.example.com/", "https://a..example.com/"),
        *("https://钩子.example.com/", "https://hooks.example.com/钩", "https://a_b.example.com/"),
        "https://hooks.example.com/" + "a" * 1000,
    ],
)
def test_other_urls_are_refused(url):
    with pytest.raises(NotDelivered) as caught:
        read_url(url)
    assert caught.value.reason == Reason.URL_INVALID
