"""Random sequences of requests: a token never identifies another user than its own.

The Hypothesis profile sets the number of sequences, and whether each run has the same sequences
(tests/fixtures/profiles.py).
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from app import clock as service_clock
from app.errors import Failure
from app.models import SessionLimit
from app.services.apps.apps import change_app
from app.services.users.merges import undo_merge
from tests.fixtures.personas import (
    ACME_CLUB,
    ACME_SHOP,
    ACME_STAFF,
    APPS,
    GLOBEX_LIFE,
    App,
    WeChat,
    failure,
)
from tests.fixtures.profiles import NAME, PROFILE
from tests.properties.people import Clock, Refused, Session, User
from tests.properties.state_machine import BOSS_PHONE, PASSWORDS, Scenario, assert_refused

APP_BY_NAME = {"shop": ACME_SHOP, "club": ACME_CLUB, "staff": ACME_STAFF, "life": GLOBEX_LIFE}
# The people and the apps they use. Alice and bob use several apps, and apps of both tenants.
PEOPLE_AT_APPS = st.sampled_from(
    [
        *("alice@shop", "alice@club", "alice@life"),
        *("bob@shop", "bob@club", "bob@staff", "bob@life"),
        *("carol@shop", "carol@staff"),
    ]
)
PHONES = st.sampled_from([BOSS_PHONE, BOSS_PHONE, "13800138002", "13800138003"])
UNIONIDS = st.sampled_from([True, True, True, False])  # whether WeChat returns the unionid
DEVICES = st.sampled_from(["phone", "phone", "tablet"])
ACCOUNTS = st.sampled_from(["desk", "boss"])
# The number of newer tokens of the session. Most steps use the newest token, which has age 0.
AGES = st.sampled_from([0, 0, 0, 0, 1, 2])
# Seconds near the limits of repeated responses, of seen_at, of sessions and of refresh tokens.
PAUSES = st.sampled_from([27, 35, 70, 3600, 7201, 30 * 86400])
# Limits of sessions per user. None is the default, which no sequence reaches.
LIMITS = st.sampled_from([1, 1, 2, 3, "off", None])
WITH_TOKEN = st.sampled_from(["phone", "bind", "unbind", "logout", "logout-all", "jwt"])
MAX_GUESSES = 4  # fewer wrong passwords than login throttling allows


def one_session(holding: str = "tokens") -> st.SearchStrategy[Session]:
    """Draw a session with a value in the attribute `holding`. Prefer active sessions."""

    def choose(scenario: Scenario) -> st.SearchStrategy[Session]:
        sessions = [one for one in scenario.model.sessions if getattr(one, holding)]
        return st.sampled_from([one for one in sessions if not one.ended] * 3 + sessions)

    return st.runner().flatmap(choose)


def exists_session_with(what: str) -> Callable[[Any], Any]:
    """Return the precondition that a session has a value in the attribute `what`."""
    return precondition(lambda scenario: any(getattr(one, what) for one in scenario.model.sessions))


def one_user() -> st.SearchStrategy[User]:
    """Draw a user. Prefer merged users."""

    def choose(scenario: Scenario) -> st.SearchStrategy[User]:
        users = scenario.model.users
        return st.sampled_from([one for one in users if one.merge] * 5 + users)

    return st.runner().flatmap(choose)


def token_of_age(tokens: list[str], age: int) -> str:
    """Return the token with `age` newer tokens, or the oldest token if there are fewer."""
    return tokens[-min(age + 1, len(tokens))]


class Interleavings(Scenario):
    """Steps of people and operators, in any order."""

    check_all_tokens = NAME == "long"

    @initialize(logins=st.lists(PEOPLE_AT_APPS, min_size=1, max_size=2))
    def begin(self, logins: list[str]) -> None:
        """Log in with two or three identities. The first login registers a user."""
        self.limit_sessions("shop", 2)
        for context in ["alice@club", *logins]:
            self.log_in(context, "phone", None, True)

    @rule(context=PEOPLE_AT_APPS, device=DEVICES, account=st.none() | ACCOUNTS, unionid=UNIONIDS)
    def log_in(self, context: str, device: str, account: str | None, unionid: bool) -> None:
        """Log in with a code, optionally with account and password."""
        name, _, app_name = context.partition("@")
        app, model = APP_BY_NAME[app_name], self.model
        unionid = unionid or account is not None
        typed = self.credentials(app, account) if account else {}
        session = Session(app, device, model.now, model.identity(name, app))
        self.check_login_paths(
            lambda: self.driver.post(
                app, "login", device=device, code=self.driver.wx_login(name, app, unionid), **typed
            )
        )
        code = self.driver.wx_login(name, app, unionid)
        session.code = None if account else code
        answer = self.driver.post(app, "login", device=device, code=code, **typed)
        self.follow(answer, lambda read_body: model.log_in(session, read_body, account, unionid))

    def credentials(self, app: App, account: str) -> dict[str, str]:
        """Return the request fields for an account of the app's tenant and its password."""
        return {"account": account, "password": PASSWORDS[app.tenant, account]}

    @rule(app_name=st.sampled_from(sorted(APP_BY_NAME)), device=DEVICES, account=ACCOUNTS)
    def log_in_with_password(self, app_name: str, device: str, account: str) -> None:
        """Log in with account and password, without WeChat."""
        app = APP_BY_NAME[app_name]
        session = Session(app, device, self.model.now, None)
        typed = self.credentials(app, account)
        answer = self.driver.post(app, "password-login", device=device, **typed)
        modelled = partial(self.model.log_in_with_password, session, account=account)
        self.follow(answer, modelled)

    @precondition(lambda self: self.guesses < MAX_GUESSES)
    @rule(app_name=st.sampled_from(sorted(APP_BY_NAME)), account=ACCOUNTS)
    def guess(self, app_name: str, account: str) -> None:
        """Log in with the password that the same account has in the other tenant."""
        app = APP_BY_NAME[app_name]
        other_tenant = ACME_SHOP if app is GLOBEX_LIFE else GLOBEX_LIFE
        answer = self.driver.post(app, "password-login", **self.credentials(other_tenant, account))
        assert failure(answer) == (401, "credentials_wrong")
        self.guesses, self.was_refused = self.guesses + 1, True

    @exists_session_with("code")
    @rule(session=one_session("code"), device=DEVICES)
    def repeat_code(self, session: Session, device: str) -> None:
        """Log in with a used code."""
        answer = self.driver.post(session.app, "login", device=device, code=session.code)
        self.follow(answer, partial(self.model.repeat_code, session, device=device))

    @exists_session_with("tokens")
    @rule(session=one_session(), age=AGES, phone=PHONES)
    def verify_phone(self, session: Session, age: int, phone: str, old_way: bool = False) -> None:
        """Bind the phone number that the phone button returns."""
        name = session.identity.person if session.identity else "alice"
        tap = self.driver.tap_phone(name, phone, session.app, old_way)
        token = token_of_age(session.tokens, age)
        answer = self.driver.post(session.app, "phone", token, **tap)
        modelled = partial(
            self.model.verify_phone, session, token=token, phone=phone, old_way=old_way
        )
        self.follow(answer, modelled)

    @exists_session_with("tokens")
    @rule(session=one_session(), age=AGES, phone=PHONES)
    def verify_phone_the_old_way(self, session: Session, age: int, phone: str) -> None:
        """Bind the phone number that the phone button returns as encryptedData."""
        self.verify_phone(session, age, phone, old_way=True)

    @exists_session_with("tokens")
    @rule(session=one_session(), age=AGES, account=ACCOUNTS)
    def bind(self, session: Session, age: int, account: str) -> None:
        """Link the identity of the session to the user of an account."""
        token = token_of_age(session.tokens, age)
        typed = self.credentials(session.app, account)
        answer = self.driver.post(session.app, "bind", token, **typed)
        modelled = partial(self.model.bind_account, session, token=token, account=account)
        self.follow(answer, modelled)

    @exists_session_with("tokens")
    @rule(session=one_session(), age=AGES)
    def unbind(self, session: Session, age: int) -> None:
        """Unlink the user's identities in the app of the session."""
        token = token_of_age(session.tokens, age)
        answer = self.driver.post(session.app, "unbind", token)
        self.follow(answer, partial(self.model.unbind, session, token=token))

    @exists_session_with("refresh_tokens")
    @rule(
        session=one_session("refresh_tokens"),
        age=AGES,
        device=DEVICES,
        app_name=st.none() | st.none() | st.sampled_from(sorted(APP_BY_NAME)),
    )
    def refresh(self, session: Session, age: int, device: str, app_name: str | None) -> None:
        """Send a refresh token, possibly a used one, from another device, or to another app."""
        app = APP_BY_NAME[app_name] if app_name else session.app
        token = token_of_age(session.refresh_tokens, age)
        answer = self.driver.post(app, "refresh", device=device, refresh_token=token)
        modelled = partial(self.model.refresh, session, refresh_token=token, app=app, device=device)
        self.follow(answer, modelled)

    @exists_session_with("tokens")
    @rule(session=one_session(), age=AGES, everywhere=st.booleans())
    def log_out(self, session: Session, age: int, everywhere: bool) -> None:
        """End the session, or all sessions of the user."""
        token, model = token_of_age(session.tokens, age), self.model
        answer = self.driver.post(session.app, "logout-all" if everywhere else "logout", token)
        leave = model.log_out_everywhere if everywhere else model.log_out
        self.follow(answer, lambda _: leave(session, token))

    @exists_session_with("tokens")
    @rule(session=one_session(), age=AGES, other=st.none() | one_session())
    def end_session(self, session: Session, age: int, other: Session | None) -> None:
        """End one session, possibly of another user, or all other sessions."""
        token, model = token_of_age(session.tokens, age), self.model
        path = f"/v1/me/sessions/{other.id}" if other else "/v1/me/sessions"
        answer = self.driver.client.send("DELETE", path, token)
        if other:
            self.follow(answer, lambda _: model.end_session(session, token, other))
        else:
            self.follow(answer, lambda _: model.log_out_everywhere(session, token, stay=True))

    @exists_session_with("tokens")
    @rule(session=one_session(), age=AGES, what=WITH_TOKEN, app=st.sampled_from(APPS))
    def use_in_another_app(self, session: Session, age: int, what: str, app: App) -> None:
        """Use a token in another app, possibly of another tenant."""
        if app is not session.app:
            token = token_of_age(session.tokens, age)
            answer = self.driver.post(app, what, token)
            use = partial(self.model.use, session, token, app, even_expired=what == "logout")
            self.follow(answer, lambda _: use())

    # Operators and time

    @rule(app_name=st.sampled_from(sorted(APP_BY_NAME)), limit=LIMITS)
    def change_limit(self, app_name: str, limit: SessionLimit) -> None:
        """Change the number of sessions that a user may have in an app."""
        self.limit_sessions(app_name, limit)

    def limit_sessions(self, app_name: str, limit: SessionLimit) -> None:
        """Set the limit of sessions in the service and in the model.

        Existing sessions above the limit end at the next login.
        """
        app = APP_BY_NAME[app_name]
        with self.app.app_context():
            change_app(app.appid, session_limit=limit)
        self.model.limits[app.appid] = limit

    @rule(user=one_user(), what=st.sampled_from(["switch_user", "undo_merge"]))
    def operate(self, user: User, what: str) -> None:
        """Undo the merge of a user, or disable or enable the user."""
        if user.merge or what == "undo_merge":
            self.undo_merge(user)
        else:
            self.switch_user(user)

    def switch_user(self, user: User) -> None:
        """Disable an active user, or enable a disabled user."""
        user.disabled = not user.disabled
        self.rows("UPDATE users SET status = :s WHERE id = :i", s=user.status, i=user.id)

    def undo_merge(self, user: User) -> None:
        """Undo the merge of a user."""
        try:
            self.model.undo_merge(user)
        except Refused as refusal:
            self.was_refused = True
            with self.app.app_context(), pytest.raises(Failure) as failed:
                undo_merge(user.tenant, UUID(user.id))
            assert_refused(failed.value.status, failed.value.code, refusal)
        else:
            with self.app.app_context():
                undo_merge(user.tenant, UUID(user.id))

    @rule(seconds=PAUSES)
    def pass_time(self, seconds: int) -> None:
        """Move the clocks of the service and of the simulator forward."""
        self.clock.pass_(seconds)
        self.wechat.control("clock", advance=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that replaces the clock of the service and that only the test moves."""
    clock, real = Clock(), service_clock.now
    for name, module in list(sys.modules.items()):
        if name.startswith("app.") and getattr(module, "now", None) is real:
            monkeypatch.setattr(module, "now", clock.now)
    return clock


def test_a_token_identifies_only_its_own_user_after_any_sequence_of_requests(
    app: Flask, wechat: WeChat, clock: Clock
) -> None:
    # Hypothesis accepts a factory, but its annotation allows a class only.
    machine: Any = lambda: Interleavings(app, wechat, clock)  # noqa: E731
    run_state_machine_as_test(machine, settings=PROFILE)
