"""Tokens name their tenant. Those of release 0.3.0 do not, and work until their next refresh."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from string import ascii_lowercase, ascii_uppercase, digits
from uuid import UUID

import pytest
from flask import Flask

from app.errors import InvitationInvalid
from app.services import audit
from app.services.database.transactions import transaction
from app.services.operators.operators import accept_invitation, invite_operator
from app.services.principals import Device
from app.services.sessions.authentication import authenticate
from app.services.sessions.sessions import reissue
from app.services.sessions.tokens import RefreshToken, TokenPair, tenant_in_token, token_hash
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import Client, Person, Reader, failure
from tests.fixtures.tenant_sql import recorded_statements

SAFE = re.compile(r"wx[pr]_[A-Za-z0-9_-]+")
TENANT = UUID("01a22710-e2ba-7227-9fb3-db67c4515218")
OF_OLD_TOKENS = "NOT s.names_tenant"
ALPHABET = f"{ascii_uppercase}{ascii_lowercase}{digits}-_"


def old_pair(rows: Reader, secret: str) -> TokenPair:
    """Return tokens that do not name their tenant."""
    with rows.app.app_context():
        return TokenPair.derived(TENANT, secret, b"salt", name_tenant=False)


class OldSession:
    """A session with the tokens that release 0.3.0 has issued."""

    def __init__(self, client: Client, rows: Reader, person: Person) -> None:
        user_id = client.bind(person)["user"]["id"]
        self.rows = rows
        pair = old_pair(rows, person.name)
        self.token, self.refresh_token = pair.login, str(pair.refresh)
        rows(
            "UPDATE login_sessions SET names_tenant = false, token_hash = :token,"
            " refresh_family_hash = :family, refresh_hash = :rotating WHERE user_id = :user_id",
            user_id=user_id,
            token=token_hash(pair.login),
            family=pair.refresh.family_hash,
            rotating=pair.refresh.rotating_hash,
        )

    def age(self, column: str, interval: str) -> None:
        """Move a time of the session into the past."""
        self.rows(f"UPDATE login_sessions SET {column} = {column} - interval '{interval}'")


@pytest.fixture
def old(client: Client, rows: Reader, alice: Person) -> OldSession:
    """A bound session of Alice with old tokens."""
    return OldSession(client, rows, alice)


def tenant_id_of(rows: Reader, slug: str = "acme") -> UUID:
    ((tenant_id,),) = rows("SELECT id FROM tenants WHERE slug = :slug", slug=slug)
    assert isinstance(tenant_id, UUID)
    return tenant_id


def of_tenant(token: str, tenant_id: UUID) -> str:
    """Return a token with another tenant."""
    prefix, body = token[:4], token[4:]
    secret = urlsafe_b64decode(body + "=" * (-len(body) % 4))
    return prefix + urlsafe_b64encode(tenant_id.bytes + secret[16:]).rstrip(b"=").decode()


def test_tokens_name_their_tenant_in_fewer_than_100_safe_characters(
    client: Client, alice: Person, rows: Reader
) -> None:
    unbound, bound = client.log_in(alice), client.bind(alice)
    tenant_id = tenant_id_of(rows)
    for token in (unbound["token"], bound["token"]):
        assert tenant_in_token(token) == tenant_id
    refresh = RefreshToken.parsed(bound["refresh_token"])
    assert refresh is not None
    assert refresh.tenant_id == tenant_id
    for token in (unbound["token"], bound["token"], bound["refresh_token"]):
        assert SAFE.fullmatch(token)
        assert len(token) < 100


def test_tokens_of_one_secret_are_equal_and_reveal_nothing_of_it(app: Flask) -> None:
    """Tokens are derived from a login code or an earlier refresh token."""
    with app.app_context():
        first, second = (TokenPair.derived(TENANT, "the code", b"salt") for _ in range(2))
        other = TokenPair.derived(TENANT, "the code", b"other")
    assert (first.login, str(first.refresh)) == (second.login, str(second.refresh))
    assert other.login != first.login
    assert "the code" not in first.login + str(first.refresh)
    assert RefreshToken.parsed(str(first.refresh)) == first.refresh


@pytest.mark.parametrize("kind", ["token", "refresh_token"])
def test_token_with_the_id_of_another_tenant_is_refused(
    client: Client, alice: Person, rows: Reader, kind: str
) -> None:
    """The tenant in a token proves nothing."""
    login = client.bind(alice)
    changed = of_tenant(login[kind], tenant_id_of(rows, "globex"))
    if kind == "token":
        assert failure(client.me(changed)) == (401, "token_invalid")
    else:
        refused = client.post("refresh", refresh_token=changed)
        assert failure(refused) == (401, "refresh_token_invalid")
    assert client.me(login["token"]).status_code == 200


@pytest.mark.parametrize("body", ["A" * 64, "=" * 64, "é" * 64, "*" * 64, "A" * 91, "*" * 91])
def test_malformed_token_is_refused(client: Client, body: str) -> None:
    assert failure(client.me(f"wxp_{body.encode().decode('latin-1')}"))[0] == 401
    refused = client.post("refresh", refresh_token=f"wxr_{body}")
    assert failure(refused) == (401, "refresh_token_invalid")


def test_only_old_tokens_are_looked_up_in_all_tenants(
    client: Client, alice: Person, bob: Person, rows: Reader, app: Flask
) -> None:
    new = client.bind(bob)
    app.extensions["caches"].sessions._packed.clear()
    with recorded_statements() as sent:
        assert client.me(new["token"]).status_code == 200
    assert not any(OF_OLD_TOKENS in one.text for one in sent)
    old = OldSession(client, rows, alice)
    with recorded_statements() as sent:
        assert client.me(old.token).status_code == 200
    assert any(OF_OLD_TOKENS in one.text for one in sent)


def test_refresh_of_an_old_token_issues_tokens_that_name_the_tenant(
    client: Client, old: OldSession, rows: Reader
) -> None:
    fresh = client.post("refresh", refresh_token=old.refresh_token).json
    assert tenant_in_token(fresh["token"]) == tenant_id_of(rows)
    assert client.me(fresh["token"]).status_code == 200
    assert failure(client.me(old.token)) == (401, "session_replaced")
    again = client.post("refresh", refresh_token=fresh["refresh_token"]).json
    assert client.me(again["token"]).status_code == 200
    assert rows.count("login_sessions", "user_id IS NOT NULL") == 1


def test_repeated_refresh_of_an_old_token_returns_the_same_tokens(
    client: Client, old: OldSession
) -> None:
    first, second = (client.post("refresh", refresh_token=old.refresh_token).json for _ in range(2))
    assert first["token"] == second["token"]
    assert first["refresh_token"] == second["refresh_token"]


def test_reuse_of_an_old_refresh_token_ends_the_session(client: Client, old: OldSession) -> None:
    fresh = client.post("refresh", refresh_token=old.refresh_token).json
    old.age("refreshed_at", "31 seconds")
    reused = client.post("refresh", refresh_token=old.refresh_token)
    assert failure(reused) == (401, "refresh_token_reused")
    assert failure(client.me(fresh["token"])) == (401, "session_revoked")


def test_old_token_in_use_expires_with_its_refresh_token(client: Client, old: OldSession) -> None:
    assert client.me(old.token).status_code == 200
    old.age("refresh_expires_at", "30 days")
    assert failure(client.me(old.token)) == (401, "session_expired")


def test_old_tokens_log_out(client: Client, old: OldSession) -> None:
    assert client.post("logout", old.token).status_code == 204
    assert failure(client.me(old.token)) == (401, "session_ended")


def test_old_token_of_an_unbound_session_binds_the_account(
    client: Client, alice: Person, rows: Reader
) -> None:
    client.log_in(alice)
    pair = old_pair(rows, "unbound")
    rows(
        "UPDATE login_sessions SET names_tenant = false, token_hash = :token",
        token=token_hash(pair.login),
    )
    bound = client.post("phone", pair.login, **alice.tap_phone_new()).json
    assert tenant_in_token(bound["token"]) == tenant_id_of(rows)
    again = client.post("phone", pair.login, **alice.tap_phone_new())
    assert failure(again) == (401, "session_replaced")


def test_invitation_names_the_tenant_of_the_operator(app: Flask, rows: Reader) -> None:
    with app.app_context():
        of_acme = invite_operator(audit.OPERATOR, "ann@acme.example", "tenant_admin", "acme")
        of_platform = invite_operator(audit.OPERATOR, "root@wxpass.example", "platform", None)
        tenant_id, device = tenant_id_of(rows), Device(None, None)
        assert tenant_in_token(of_acme) == tenant_id
        assert tenant_in_token(of_platform) is None
        changed = of_tenant(f"inv_{of_acme}", tenant_id_of(rows, "globex")).removeprefix("inv_")
        with pytest.raises(InvitationInvalid):
            accept_invitation(changed, GOOD_PASSWORD, device)
        for invitation in (of_acme, of_platform):
            accept_invitation(invitation, GOOD_PASSWORD, device)


@pytest.mark.parametrize("token", ["wxp_x", "x", "wxp_" + "A" * 42, "wxp_" + "*" * 43])
def test_text_without_the_form_of_a_token_is_refused_without_a_statement(
    client: Client, app: Flask, token: str
) -> None:
    """Any client can send it, and a look-up without a tenant reads all nodes."""
    client.me(token)
    with recorded_statements() as sent:
        assert failure(client.me(token)) == (401, "token_invalid")
        assert failure(client.post("logout", token)) == (401, "token_invalid")
    assert not any("login_sessions" in one.text for one in sent)


def test_refresh_token_has_one_spelling(client: Client, alice: Person) -> None:
    """The last character of base64 has two unused bits."""
    token = client.bind(alice)["refresh_token"]
    place = ALPHABET.index(token[-1])
    for other in {place ^ bits for bits in (1, 2, 3)}:
        refused = client.post("refresh", refresh_token=token[:-1] + ALPHABET[other])
        assert failure(refused) == (401, "refresh_token_invalid")
    assert client.post("refresh", refresh_token=token).status_code == 200


def test_old_token_that_a_client_keeps_expires_no_later_after_another_binding(
    app: Flask, client: Client, old: OldSession, rows: Reader
) -> None:
    """Litemall's clients keep their login token when they bind a phone number."""
    old.age("refresh_expires_at", "29 days")
    read = "SELECT refresh_expires_at FROM login_sessions WHERE user_id IS NOT NULL"
    before = rows(read)
    with app.app_context():
        principal = authenticate(old.token)
        with transaction() as db:
            reissue(db, principal, principal.user_id, old.token)
    assert rows(read) == before
    assert client.me(old.token).status_code == 200


def test_session_of_old_tokens_names_its_tenant_after_the_second_refresh(
    client: Client, old: OldSession, rows: Reader
) -> None:
    """The response of the first one may have to be repeated for the old refresh token."""
    fresh = client.post("refresh", refresh_token=old.refresh_token).json
    assert rows("SELECT names_tenant FROM login_sessions WHERE user_id IS NOT NULL") == [(False,)]
    client.post("refresh", refresh_token=fresh["refresh_token"])
    assert rows("SELECT names_tenant FROM login_sessions WHERE user_id IS NOT NULL") == [(True,)]
