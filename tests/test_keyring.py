"""Encryption at rest: a ciphertext is bound to its location and key."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from app.keyring import KeyRing, SealBroken

OLD, NEW, OTHER = bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96))
LOCATION = "wechat_apps.secret_sealed:wx1"
RING = KeyRing((("k1", OLD),), b"p" * 32)
SECRET = "decafbad" * 4
# SECRET, encrypted by another library with a nonce of the bytes 0 to 11.
STORED = "k1:AAECAwQFBgcICQoLI2e1eqOHo3_pJPTq14sZCeez5FWWGT4YXAKG5HsLYdZbXNWA0deJNxoPTPNcAvkz"


@pytest.mark.parametrize(
    "text",
    ["", "x", SECRET, "密钥 🌸 is here", "a\0b\n", "長" * 10_000],
    ids=["nothing", "short", "secret", "unicode", "control", "long"],
)
def test_open_returns_the_text_that_seal_encrypted(text: str) -> None:
    sealed = RING.seal(text, LOCATION)

    assert RING.open(sealed, LOCATION) == text
    assert sealed.startswith("k1:")
    assert len(text) < 8 or text not in sealed


def test_a_ciphertext_of_another_library_is_decrypted() -> None:
    assert RING.open(STORED, LOCATION) == SECRET


def test_after_a_key_rotation_ciphertexts_of_the_older_key_are_decrypted() -> None:
    rotated = KeyRing((("k2", NEW), ("k1", OLD)), b"p" * 32)

    assert rotated.open(RING.seal(SECRET, LOCATION), LOCATION) == SECRET
    assert rotated.seal(SECRET, LOCATION).startswith("k2:")


@pytest.mark.parametrize(
    "ring", [KeyRing((("k2", NEW),), b""), KeyRing((("k1", OTHER),), b"")], ids=["id", "bytes"]
)
def test_a_ciphertext_of_a_key_that_is_not_in_the_key_ring_is_rejected(ring: KeyRing) -> None:
    with pytest.raises(SealBroken):
        ring.open(RING.seal(SECRET, LOCATION), LOCATION)


@pytest.mark.parametrize(
    "location",
    [
        "wechat_apps.secret_sealed:wx2",
        "wechat_apps.push_token_sealed:wx1",
        "tenants.secret_sealed:wx1",
        "wechat_apps.secret_sealed:",
        "",
    ],
    ids=["row", "column", "table", "no row", "nowhere"],
)
def test_a_ciphertext_moved_to_another_row_column_or_table_is_rejected(location: str) -> None:
    with pytest.raises(SealBroken):
        RING.open(RING.seal(SECRET, LOCATION), location)


def test_a_ciphertext_with_a_flipped_bit_is_rejected() -> None:
    sealed = RING.seal(SECRET, LOCATION)
    raw = urlsafe_b64decode(sealed.removeprefix("k1:"))

    for position in range(len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1 << position % 8
        with pytest.raises(SealBroken):
            RING.open(f"k1:{urlsafe_b64encode(changed).decode()}", LOCATION)


def test_a_ciphertext_with_a_changed_character_is_rejected() -> None:
    sealed = RING.seal(SECRET, LOCATION)

    for position, kept in enumerate(sealed):
        for char in {"A", "z", "=", "+", ":", "\n", "é", "\ud800", "\0", ""} - {kept}:
            with pytest.raises(SealBroken):
                RING.open(sealed[:position] + char + sealed[position + 1 :], LOCATION)


def test_a_ciphertext_in_another_base64_spelling_is_rejected() -> None:
    sealed = RING.seal("x" * 6, LOCATION)  # 34 bytes, so the last base64 character has unused bits
    assert sealed.endswith("==")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    sibling = alphabet[alphabet.index(sealed[-3]) ^ 1]

    with pytest.raises(SealBroken):
        RING.open(f"{sealed[:-3]}{sibling}==", LOCATION)


def test_a_truncated_ciphertext_is_rejected() -> None:
    sealed = RING.seal(SECRET, LOCATION)
    raw = urlsafe_b64decode(sealed.removeprefix("k1:"))
    cut = [sealed[:length] for length in range(len(sealed))]
    cut += [f"k1:{urlsafe_b64encode(raw[:length]).decode()}" for length in range(len(raw))]
    cut += [f"k1:{urlsafe_b64encode(raw[length:]).decode()}" for length in range(1, len(raw))]

    for text in cut:
        with pytest.raises(SealBroken):
            RING.open(text, LOCATION)


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
def test_a_text_that_is_not_a_ciphertext_is_rejected(garbage: str) -> None:
    with pytest.raises(SealBroken):
        RING.open(garbage, LOCATION)


@pytest.mark.parametrize("plaintext", [SECRET, f"Wx:{SECRET}", f"{SECRET}:{SECRET}"])
def test_the_exception_for_an_unencrypted_secret_does_not_contain_the_secret(
    plaintext: str,
) -> None:
    with pytest.raises(SealBroken) as broken:
        RING.open(plaintext, LOCATION)

    assert SECRET not in str(broken.value)
    assert "wechat_apps.secret_sealed" in str(broken.value)
    assert broken.value.__cause__ is None


def test_each_encryption_of_a_text_has_a_different_nonce_and_ciphertext() -> None:
    sealed = {RING.seal(SECRET, LOCATION) for _ in range(2000)}
    nonces = {urlsafe_b64decode(text.removeprefix("k1:"))[:12] for text in sealed}

    assert len(sealed) == len(nonces) == 2000


def test_the_blind_index_depends_on_number_scope_and_pepper() -> None:
    number, index = "+8613800138001", RING.blind_index("+8613800138001", "phones:acme")

    assert index == RING.blind_index(number, "phones:acme")
    assert index != RING.blind_index("+8613800138002", "phones:acme")
    assert index != RING.blind_index(number, "phones:globex")
    assert index != KeyRing(RING.keys, b"q" * 32).blind_index(number, "phones:acme")


def test_the_blind_index_differs_if_a_digit_moves_from_scope_to_number() -> None:
    assert RING.blind_index("1", "phones:a1") != RING.blind_index("11", "phones:a")


def test_the_blind_index_cannot_be_computed_without_the_pepper() -> None:
    number, index = b"+8613800138001", RING.blind_index("+8613800138001", "phones:acme")

    for message in (number, b"phones:acme\0" + number):
        assert index != hashlib.sha256(message).digest()
        assert index != hmac.digest(b"", message, hashlib.sha256)


def test_the_repr_of_a_key_ring_contains_no_key() -> None:
    ring = KeyRing((("k1", OLD),), b"pepper-pepper-pepper-pepper-pepper")

    assert repr(ring) == str(ring) == "KeyRing()"
