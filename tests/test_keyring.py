"""Encryption at rest: what is sealed opens in its own place, with its own key, and unchanged."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from app.keyring import KeyRing, SealBroken

OLD, NEW, OTHER = bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96))
PLACE = "wechat_apps.secret_sealed:wx1"
RING = KeyRing((("k1", OLD),), b"p" * 32)
SECRET = "decafbad" * 4
# Nonce 0..11, by another library than the one in use.
KEPT = "k1:AAECAwQFBgcICQoLI2e1eqOHo3_pJPTq14sZCeez5FWWGT4YXAKG5HsLYdZbXNWA0deJNxoPTPNcAvkz"


@pytest.mark.parametrize(
    "text",
    ["", "x", SECRET, "密钥 🌸 is here", "a\0b\n", "長" * 10_000],
    ids=["nothing", "short", "secret", "unicode", "control", "long"],
)
def test_what_is_sealed_would_be_lost(text: str) -> None:
    sealed = RING.seal(text, PLACE)

    assert RING.open(sealed, PLACE) == text
    assert sealed.startswith("k1:")
    assert len(text) < 8 or text not in sealed


def test_what_is_in_databases_already_would_be_lost() -> None:
    assert RING.open(KEPT, PLACE) == SECRET


def test_changing_the_key_would_lose_what_was_sealed_before() -> None:
    rotated = KeyRing((("k2", NEW), ("k1", OLD)), b"p" * 32)

    assert rotated.open(RING.seal(SECRET, PLACE), PLACE) == SECRET
    assert rotated.seal(SECRET, PLACE).startswith("k2:")


@pytest.mark.parametrize(
    "ring", [KeyRing((("k2", NEW),), b""), KeyRing((("k1", OTHER),), b"")], ids=["id", "bytes"]
)
def test_another_key_would_open_it_or_crash(ring: KeyRing) -> None:
    with pytest.raises(SealBroken):
        ring.open(RING.seal(SECRET, PLACE), PLACE)


@pytest.mark.parametrize(
    "place",
    [
        "wechat_apps.secret_sealed:wx2",
        "wechat_apps.push_token_sealed:wx1",
        "tenants.secret_sealed:wx1",
        "wechat_apps.secret_sealed:",
        "",
    ],
    ids=["row", "column", "table", "no row", "nowhere"],
)
def test_a_ciphertext_could_be_moved(place: str) -> None:
    with pytest.raises(SealBroken):
        RING.open(RING.seal(SECRET, PLACE), place)


def test_a_flipped_bit_would_pass_or_crash() -> None:
    sealed = RING.seal(SECRET, PLACE)
    raw = urlsafe_b64decode(sealed.removeprefix("k1:"))

    for position in range(len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1 << position % 8
        with pytest.raises(SealBroken):
            RING.open(f"k1:{urlsafe_b64encode(changed).decode()}", PLACE)


def test_a_changed_character_would_pass_or_crash() -> None:
    sealed = RING.seal(SECRET, PLACE)

    for position, kept in enumerate(sealed):
        for char in {"A", "z", "=", "+", ":", "\n", "é", "\ud800", "\0", ""} - {kept}:
            with pytest.raises(SealBroken):
                RING.open(sealed[:position] + char + sealed[position + 1 :], PLACE)


def test_two_spellings_would_open_as_one() -> None:
    sealed = RING.seal("x" * 6, PLACE)  # 34 bytes: the last character has bits to spare
    assert sealed.endswith("==")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    sibling = alphabet[alphabet.index(sealed[-3]) ^ 1]

    with pytest.raises(SealBroken):
        RING.open(f"{sealed[:-3]}{sibling}==", PLACE)


def test_a_truncated_one_would_pass_or_crash() -> None:
    sealed = RING.seal(SECRET, PLACE)
    raw = urlsafe_b64decode(sealed.removeprefix("k1:"))
    cut = [sealed[:length] for length in range(len(sealed))]
    cut += [f"k1:{urlsafe_b64encode(raw[:length]).decode()}" for length in range(len(raw))]
    cut += [f"k1:{urlsafe_b64encode(raw[length:]).decode()}" for length in range(1, len(raw))]

    for one in cut:
        with pytest.raises(SealBroken):
            RING.open(one, PLACE)


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        ":",
        "k1",
        "k1:",
        "k1:=",
        "k1:A",
        "k1:AA==",
        "k1:!!!!",
        "k1:密",
        ":AAAA",
        "k1:" + "A" * 40,
    ],
)
def test_garbage_would_crash(garbage: str) -> None:
    with pytest.raises(SealBroken):
        RING.open(garbage, PLACE)


@pytest.mark.parametrize("plaintext", [SECRET, f"Wx:{SECRET}", f"{SECRET}:{SECRET}"])
def test_a_secret_that_was_never_sealed_would_be_told_in_the_error(plaintext: str) -> None:
    with pytest.raises(SealBroken) as broken:
        RING.open(plaintext, PLACE)

    assert SECRET not in str(broken.value)
    assert "wechat_apps.secret_sealed" in str(broken.value)
    assert broken.value.__cause__ is None


def test_equal_secrets_would_be_seen_to_be_equal() -> None:
    sealed = {RING.seal(SECRET, PLACE) for _ in range(2000)}
    nonces = {urlsafe_b64decode(one.removeprefix("k1:"))[:12] for one in sealed}

    assert len(sealed) == len(nonces) == 2000


def test_the_blind_index_would_not_find_or_would_tell_across_tenants() -> None:
    number, index = "+8613800138001", RING.blind_index("+8613800138001", "phones:acme")

    assert index == RING.blind_index(number, "phones:acme")
    assert index != RING.blind_index("+8613800138002", "phones:acme")
    assert index != RING.blind_index(number, "phones:globex")
    assert index != KeyRing(RING.keys, b"q" * 32).blind_index(number, "phones:acme")


def test_scope_and_number_would_run_into_each_other() -> None:
    assert RING.blind_index("1", "phones:a1") != RING.blind_index("11", "phones:a")


def test_the_blind_index_could_be_computed_without_the_pepper() -> None:
    number, index = b"+8613800138001", RING.blind_index("+8613800138001", "phones:acme")

    for message in (number, b"phones:acme\0" + number):
        assert index != hashlib.sha256(message).digest()
        assert index != hmac.digest(b"", message, hashlib.sha256)


def test_printing_the_ring_would_print_its_keys() -> None:
    ring = KeyRing((("k1", OLD),), b"pepper-pepper-pepper-pepper-pepper")

    assert repr(ring) == str(ring) == "KeyRing()"
