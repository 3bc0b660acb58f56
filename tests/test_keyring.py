"""Encryption at rest: texts are bound to their place and key."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from app.keyring import KeyRing, SealBroken

OLD, NEW, OTHER = bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96))
PLACE = "wechat_apps.secret_sealed:wx1"
RING = KeyRing((("k1", OLD),), b"p" * 32)
SECRET = "decafbad" * 4
# Nonce 0 to 11, encrypted with another library.
STORED = "k1:AAECAwQFBgcICQoLI2e1eqOHo3_pJPTq14sZCeez5FWWGT4YXAKG5HsLYdZbXNWA0deJNxoPTPNcAvkz"


@pytest.mark.parametrize(
    "text",
    ["", "x", SECRET, "密钥 🌸 is here", "a\0b\n", "長" * 10_000],
    ids=["nothing", "short", "secret", "unicode", "control", "long"],
)
def test_an_encrypted_text_is_decrypted(text: str) -> None:
    sealed = RING.seal(text, PLACE)

    assert RING.open(sealed, PLACE) == text
    assert sealed.startswith("k1:")
    assert len(text) < 8 or text not in sealed


def test_a_stored_ciphertext_is_decrypted() -> None:
    assert RING.open(STORED, PLACE) == SECRET


def test_a_ciphertext_of_an_older_key_is_decrypted() -> None:
    rotated = KeyRing((("k2", NEW), ("k1", OLD)), b"p" * 32)

    assert rotated.open(RING.seal(SECRET, PLACE), PLACE) == SECRET
    assert rotated.seal(SECRET, PLACE).startswith("k2:")


@pytest.mark.parametrize(
    "ring", [KeyRing((("k2", NEW),), b""), KeyRing((("k1", OTHER),), b"")], ids=["id", "bytes"]
)
def test_a_ciphertext_of_an_unknown_key_is_rejected(ring: KeyRing) -> None:
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
def test_a_ciphertext_of_another_place_is_rejected(place: str) -> None:
    with pytest.raises(SealBroken):
        RING.open(RING.seal(SECRET, PLACE), place)


def test_a_flipped_bit_is_rejected() -> None:
    sealed = RING.seal(SECRET, PLACE)
    raw = urlsafe_b64decode(sealed.removeprefix("k1:"))

    for position in range(len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1 << position % 8
        with pytest.raises(SealBroken):
            RING.open(f"k1:{urlsafe_b64encode(changed).decode()}", PLACE)


def test_a_changed_character_is_rejected() -> None:
    sealed = RING.seal(SECRET, PLACE)

    for position, kept in enumerate(sealed):
        for char in {"A", "z", "=", "+", ":", "\n", "é", "\ud800", "\0", ""} - {kept}:
            with pytest.raises(SealBroken):
                RING.open(sealed[:position] + char + sealed[position + 1 :], PLACE)


def test_another_base64_spelling_is_rejected() -> None:
    sealed = RING.seal("x" * 6, PLACE)  # 34 bytes: the last character has bits to spare
    assert sealed.endswith("==")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    sibling = alphabet[alphabet.index(sealed[-3]) ^ 1]

    with pytest.raises(SealBroken):
        RING.open(f"{sealed[:-3]}{sibling}==", PLACE)


def test_a_truncated_ciphertext_is_rejected() -> None:
    sealed = RING.seal(SECRET, PLACE)
    raw = urlsafe_b64decode(sealed.removeprefix("k1:"))
    cut = [sealed[:length] for length in range(len(sealed))]
    cut += [f"k1:{urlsafe_b64encode(raw[:length]).decode()}" for length in range(len(raw))]
    cut += [f"k1:{urlsafe_b64encode(raw[length:]).decode()}" for length in range(1, len(raw))]

    for text in cut:
        with pytest.raises(SealBroken):
            RING.open(text, PLACE)


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
def test_garbage_is_rejected(garbage: str) -> None:
    with pytest.raises(SealBroken):
        RING.open(garbage, PLACE)


@pytest.mark.parametrize("plaintext", [SECRET, f"Wx:{SECRET}", f"{SECRET}:{SECRET}"])
def test_the_error_for_a_plaintext_does_not_contain_it(plaintext: str) -> None:
    with pytest.raises(SealBroken) as broken:
        RING.open(plaintext, PLACE)

    assert SECRET not in str(broken.value)
    assert "wechat_apps.secret_sealed" in str(broken.value)
    assert broken.value.__cause__ is None


def test_equal_texts_have_different_ciphertexts() -> None:
    sealed = {RING.seal(SECRET, PLACE) for _ in range(2000)}
    nonces = {urlsafe_b64decode(text.removeprefix("k1:"))[:12] for text in sealed}

    assert len(sealed) == len(nonces) == 2000


def test_the_blind_index_depends_on_number_scope_and_pepper() -> None:
    number, index = "+8613800138001", RING.blind_index("+8613800138001", "phones:acme")

    assert index == RING.blind_index(number, "phones:acme")
    assert index != RING.blind_index("+8613800138002", "phones:acme")
    assert index != RING.blind_index(number, "phones:globex")
    assert index != KeyRing(RING.keys, b"q" * 32).blind_index(number, "phones:acme")


def test_the_blind_index_separates_scope_and_number() -> None:
    assert RING.blind_index("1", "phones:a1") != RING.blind_index("11", "phones:a")


def test_the_blind_index_requires_the_pepper() -> None:
    number, index = b"+8613800138001", RING.blind_index("+8613800138001", "phones:acme")

    for message in (number, b"phones:acme\0" + number):
        assert index != hashlib.sha256(message).digest()
        assert index != hmac.digest(b"", message, hashlib.sha256)


def test_the_repr_contains_no_key() -> None:
    ring = KeyRing((("k1", OLD),), b"pepper-pepper-pepper-pepper-pepper")

    assert repr(ring) == str(ring) == "KeyRing()"
