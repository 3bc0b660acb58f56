"""A stolen dump of the database contains no secret in plain text or in a usable encoding."""

import hashlib
import subprocess
from base64 import b64encode, urlsafe_b64encode
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from sqlalchemy import update

from app.clock import now
from app.models import User
from app.services.apps.app_secrets import set_next_secret
from app.services.apps.apps import NewApp, add_app
from app.services.apps.claims import claim_app
from app.services.apps.tenants import TenantSettings, change_tenant, tenant_id_of
from app.services.audit import OPERATOR
from app.services.database.transactions import transaction
from app.services.encryption.key_proofs import check_keys
from app.services.login.code_failures import CodeFailures
from app.services.retention.run import run_retention
from app.services.runtime.rate_limits import RateLimits
from app.services.signing.signing_keys import rotate_signing_key
from app.services.user_import.files import read_user_file
from app.services.user_import.preview import preview_import
from config import Config
from config.development.postgres_commands import binaries
from tests.fixtures.operators import PASSWORD as OPERATORS_PASSWORD
from tests.fixtures.operators import Script, enrol, signed_in
from tests.fixtures.passwords import OTHER_PASSWORD
from tests.fixtures.personas import ACME_SHOP, Client, Person, Reader, WeChat, enter_user, failure
from tests.fixtures.portal import Portal, configure, event, succeeded
from tests.services.database.test_idempotency import create
from tests.test_logs import PASSWORD, Story

PG_DUMP = binaries() / "pg_dump"
PUSH_TOKEN, AES_KEY = "PushToken12345", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
NEXT_SECRET, TO_IMPORT = "e1" * 16, "13800138077"
CLAIMED = ("c2" * 16, "ClaimToken2345", "zyxwvutsrqponmlkjihgfedcba0123456789ABCDEFG")

pytestmark = pytest.mark.real_commits


@pytest.fixture
def story(app: Flask, client: Client, wechat: WeChat, alice: Person) -> Story:
    """Return a walkthrough that has stored every kind of secret."""
    enter_user(app, account="bob", password=PASSWORD, phone="13800138002")
    with app.app_context():
        new = NewApp("wxcccc000000000001", "x", "closed", "xml", "c1" * 16, PUSH_TOKEN, AES_KEY)
        add_app("acme", new)
        claim = NewApp("wxcccc000000000002", "x", "closed", "xml", *CLAIMED)
        claim_app(OPERATOR, tenant_id_of("acme"), claim)
        set_next_secret(ACME_SHOP.appid, NEXT_SECRET)
        rotate_signing_key()
        check_keys()
        file = read_user_file(f"account,phone\n,{TO_IMPORT}\n".encode())
        preview_import(OPERATOR, tenant_id_of("acme"), file)
    story = Story(client, wechat, alice)
    story.keep("push secret", "c1" * 16, PUSH_TOKEN, AES_KEY)
    story.keep("next AppSecret", NEXT_SECRET)
    story.keep("secret of a claim", *CLAIMED)
    story.keep("phone to import", TO_IMPORT)
    story.keep("digest of a file with one phone", file.digest)
    use_operators(app, story)
    story.tell()
    receive_pushes(app, story)
    # The story ends with errcode 45011, after which the device waits.
    app.extensions["code_failures"] = CodeFailures(RateLimits(), 30)
    erase_a_user(app, story)
    return story


def receive_pushes(app: Flask, story: Story) -> None:
    """Receive a text push, and consent revocations with an unknown and with a known number."""
    configure(app)
    portal = Portal(story.client)
    words = "a private word of a customer"
    story.keep("push message", words)
    assert succeeded(portal.push(event("text", MsgType="text", Content=words)))
    for number in ("99", "16"):
        unknown_openid = f"oUnknown{number}OpenidWithoutIdentity"
        story.keep("push openid", unknown_openid)
        assert succeeded(portal.push(event(OpenID=unknown_openid, RevokeInfo=number)))


def erase_a_user(app: Flask, story: Story) -> None:
    """Log in a user, request the export, close the account, and erase the user."""
    client, carol = story.client, Person(story.wechat, "carol", "13800138009")
    login = client.bind(carol)
    client.post("profile", login["token"], nickname="CarolWhoLeft")
    assert client.send("GET", "/v1/me/export", login["token"]).data
    assert client.send("DELETE", "/v1/me", login["token"]).status_code == 200
    story.keep("erased", login["openid"], login["unionid"], "CarolWhoLeft", login["user"]["phone"])
    story.kept_tokens(login)
    with app.app_context():
        change_tenant("acme", TenantSettings(grace_days=0))
        with transaction() as db:
            db.execute(update(User).where(User.erase_after.is_not(None)).values(erase_after=now()))
        assert dict(run_retention())["closed_accounts"] == 1


def use_operators(app: Flask, story: Story) -> None:
    """Sign operators in, and record their credentials as secrets to search for."""
    ops = signed_in(app, "ops@wxpass.example", "platform")
    body = {"email": "new@wxpass.example", "role": "platform"}
    invited = create(ops, "/operators", body)
    story.keep("invitation", invited.json["invitation"])
    person = {"account": "dave", "password": OTHER_PASSWORD, "phone": "13800138002"}
    create(ops, "/tenants/globex/users", person, "key-2")
    story.keep("password", OTHER_PASSWORD)
    story.keep("operator's password", OPERATORS_PASSWORD)
    story.keep("operator's token", ops.tokens["access_token"], ops.tokens["refresh_token"])
    _, totp, codes = enrol(app, ops.email)
    story.keep("secret of one-time codes", totp.secret)
    story.keep("recovery code", *codes, *(code.replace("-", "") for code in codes))
    unknown_email = "unknown@nowhere.example"
    story.keep("unknown e-mail address", unknown_email)
    assert Script(ops.client, unknown_email).sign_in().status_code == 401


@pytest.fixture
def dump(config: Config) -> Callable[[], str]:
    """Return a function that returns the data of the database as INSERT statements."""
    url = config.database_url.replace("postgresql+psycopg", "postgresql")

    def take() -> str:
        command = [str(PG_DUMP), "--data-only", "--inserts", "--dbname", url]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=30
        ).stdout

    return take


def raw_forms(secret: str) -> Iterator[bytes]:
    """Yield the bytes of a secret, and the bytes it decodes to if it is base64."""
    yield secret.encode()
    body = secret.removeprefix("wxp_").removeprefix("wxr_").replace("-", "+").replace("_", "/")
    try:
        decoded = a2b_base64(body + "=" * (-len(body) % 4), strict_mode=True)
    except NotBase64:
        return
    if len(decoded) >= 8:
        yield decoded


def in_base64(raw: bytes) -> Iterator[str]:
    """Yield the base64 encodings of bytes at each offset within a longer text."""
    for encode in (b64encode, urlsafe_b64encode):
        for shift in range(3):
            encoded = encode(bytes(shift) + raw).decode().rstrip("=")
            yield encoded[4 if shift else 0 : -2]


def spellings(secret: str) -> set[str]:
    """Return the secret in all encodings to search for: plain, reversed, hex, base64 and hash."""
    found = {secret, secret[::-1]}
    if secret.startswith(
        "138"
    ):  # The numbers can be enumerated, so a hash without a key reveals them.
        found |= {f"86{secret}", hashlib.sha256(f"+86{secret}".encode()).hexdigest()}
        found |= {hashlib.sha256(secret.encode()).hexdigest()}
    for raw in raw_forms(secret):
        found |= {raw.hex(), raw[::-1].hex(), *in_base64(raw)}
    return {one for one in found if len(one) >= 8}


def found_in(dumped: str, story: Story) -> set[str]:
    """Return the kinds of secret that the dump contains in any encoding."""
    lowered = dumped.lower()
    return {
        what
        for secret, what in story.secrets.items()
        for one in spellings(secret)
        if one in dumped or (one.isalnum() and one == one.lower() and one in lowered)
    }


def test_database_dump_contains_no_secret(story: Story, dump: Callable[[], str]) -> None:
    dumped = dump()

    tables = ("wechat_apps", "users", "phones", "social_accounts", "login_sessions")
    tables += ("wechat_access_tokens", "wechat_pushes", "audit_events", "password_tries")
    tables += ("platform_audit_events",)
    tables += ("operator_recovery_codes", "operator_sessions", "app_claims")
    for table in (*tables, "signing_keys", "key_proofs", "idempotent_requests"):
        assert f"INSERT INTO public.{table} VALUES" in dumped
    assert {
        *("AppSecret", "session_key", "token", "phone", "password", "access token"),
        *("code", "phone code", "push secret", "next AppSecret", "push message"),
        *("push openid", "erased", "secret of a claim"),
        *("invitation", "operator's password", "operator's token", "secret of one-time codes"),
        *("recovery code", "unknown e-mail address"),
    } <= set(story.secrets.values())
    assert found_in(dumped, story) == set()


@pytest.mark.parametrize(
    "spell",
    [
        str,
        lambda secret: secret[::-1],
        lambda secret: secret.encode().hex().upper(),
        lambda secret: b64encode(f"key={secret};".encode()).decode(),
        lambda secret: urlsafe_b64encode(f"k={secret}".encode()).decode(),
    ],
    ids=["plain", "reversed", "hex", "base64", "base64url"],
)
def test_search_of_the_dump_finds_a_planted_secret_in_each_encoding(
    spell: Callable[[str], str],
    app: Flask,
    rows: Reader,
    dump: Callable[[], str],
    client: Client,
    alice: Person,
) -> None:
    story = Story(client, alice.wechat, alice)
    user = enter_user(app, account="carol", password=PASSWORD)
    for secret, what in ((ACME_SHOP.secret, "AppSecret"), (PASSWORD, "password")):
        planted = spell(secret)
        rows("UPDATE users SET nickname = :name WHERE id = :id", name=planted, id=user)
        assert found_in(dump(), story) == {what}
    rows("UPDATE users SET nickname = NULL WHERE id = :id", id=user)
    assert found_in(dump(), story) == set()


def test_database_dump_contains_no_unkeyed_hash_of_a_phone_number(
    story: Story, dump: Callable[[], str], rows: Reader
) -> None:
    assert rows.count("phones") == 3
    tenants = [str(tenant) for (tenant,) in rows("SELECT id FROM tenants")]
    dumped = dump()
    for number in ("+8613800138001", "+8613800138002"):
        for tenant in tenants:
            text = f"phones:{tenant}\0{number}".encode()
            assert hashlib.sha256(text).hexdigest() not in dumped


def test_token_hashes_and_session_ids_of_a_dump_do_not_authenticate(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    token = client.bind(alice)["token"]
    assert client.me(token).status_code == 200
    ((session_id, *hashes),) = rows(
        "SELECT id, token_hash, refresh_family_hash, refresh_hash FROM login_sessions"
    )

    stolen = [bytes(one) for one in hashes]
    for one in stolen:
        encoded = urlsafe_b64encode(one).decode().rstrip("=")
        for spelt in (one.hex(), encoded, f"wxp_{encoded}", f"wxp_{one.hex()}", str(session_id)):
            assert failure(client.me(spelt)) == (401, "token_invalid")
    family, rotating = (urlsafe_b64encode(one).decode().rstrip("=") for one in stolen[1:])
    refused = client.post("refresh", refresh_token=f"wxr_{family}{rotating}")
    assert failure(refused) == (401, "refresh_token_invalid")
    assert client.me(token).status_code == 200


def test_encrypted_app_secret_copied_into_a_phone_column_is_not_decrypted(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    token = client.bind(alice)["token"]
    ((sealed,),) = rows("SELECT secret_sealed FROM wechat_apps WHERE appid = :a", a=ACME_SHOP.appid)
    rows("UPDATE phones SET number_sealed = :sealed", sealed=sealed)

    answer = client.me(token)

    assert failure(answer) == (500, "internal")
    assert ACME_SHOP.secret not in answer.text
