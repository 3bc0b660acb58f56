"""The base class of the state machine, which compares the service with the model."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from flask import Flask
from hypothesis.stateful import RuleBasedStateMachine, invariant
from sqlalchemy import Connection
from werkzeug.test import TestResponse

from app.errors import FAILURES
from app.extensions import db
from tests.fixtures.login_paths import general_path_only, outcome_of
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import Reader, WeChat, enter_user, failure, transactions_rolled_back
from tests.properties.driver import Driver
from tests.properties.model import Model, ReadBody
from tests.properties.people import Body, Clock, Refused, Session, User
from tests.properties.records import (
    modelled_records,
    name_sessions,
    read,
    stored_records,
    unchanged_by_use,
)

PASSWORDS = {
    ("acme", "desk"): f"{GOOD_PASSWORD}-a",
    ("acme", "boss"): f"{GOOD_PASSWORD}-b",
    ("globex", "desk"): f"{GOOD_PASSWORD}-c",
    ("globex", "boss"): f"{GOOD_PASSWORD}-d",
}
BOSS_PHONE = "13800138001"
IDENTITY_HEADERS = ("X-User-Id", "X-Tenant-Id", "X-App-Id", "X-Session-Id")


def body_of(answer: TestResponse) -> Any:
    """Return the JSON body of a response with status 200, or {} for 204. Fail for others."""
    assert answer.status_code in (200, 204), answer.text
    return answer.json if answer.status_code == 200 else {}


def assert_refused(status: int, code: str, refusal: Refused) -> None:
    """Check that an error response has an expected code and the status of that code."""
    assert code in refusal.codes
    assert status == FAILURES[code].status < 500


def assert_describes(body: Body, session: Session) -> None:
    """Check user, openid and `bound` in the response to a login or link."""
    user, identity = session.user, session.identity
    assert body["bound"] is (user is not None)
    assert body["openid"] == (identity and identity.openid)
    if user is None:
        assert body["user"] is None
    else:
        assert_shows(body["user"], user)


def assert_shows(body: Body, user: User) -> None:
    """Check id, account and phone number of a user in a response."""
    phone = user.phone and f"+86{user.phone}"
    assert (body["id"], body["account"], body["phone"]) == (user.id, user.account, phone)


class Scenario(RuleBasedStateMachine):
    """A sequence of steps with two tenants. All database changes are rolled back at the end.

    `answers` contains the last expected response of /v1/verify for each token. `was_refused` means
    that the last request must not have changed the database.
    """

    check_all_tokens = False

    def __init__(self, app: Flask, wechat: WeChat, clock: Clock) -> None:
        super().__init__()
        self.app, self.wechat, self.clock = app, wechat, clock
        self.exit_stack = ExitStack()
        self.exit_stack.enter_context(transactions_rolled_back(app))
        wechat.control("reset")
        clock.moment = datetime.now(UTC)
        self.driver, self.model, self.rows = Driver(app, wechat), Model(clock), Reader(app)
        self.answers: dict[str, Any] = {}
        self.unchanged_by_use: list[str] = []
        self.was_refused, self.guesses = False, 0
        self.enter_users()

    def enter_users(self) -> None:
        """Add two users with account and password to each tenant."""
        for (tenant, account), password in PASSWORDS.items():
            phone = BOSS_PHONE if (tenant, account) == ("acme", "boss") else None
            user_id = enter_user(self.app, tenant, account, password, phone)
            self.model.users.append(User(tenant, user_id, account, phone))

    def teardown(self) -> None:
        """Check every token unless a step has failed, and roll all changes back."""
        with self.exit_stack:
            if sys.exception() is None:
                self.check_every_token()

    def check_every_token(self) -> None:
        """Check the response for every token, and profile and sessions for every valid token."""
        for session, token in self.tokens():
            self.check_token(session, token)
            if isinstance(self.answers[token], dict):
                self.check_profile_and_sessions(session, token)

    def check_profile_and_sessions(self, session: Session, token: str) -> None:
        """Check the user's profile and list of sessions with a valid token."""
        user, client = session.user, self.driver.client
        assert user is not None
        assert_shows(body_of(client.me(token)), user)
        listed = [
            one["id"] for one in body_of(client.send("GET", "/v1/me/sessions?limit=200", token))
        ]
        own = [one for one in self.model.sessions if one.is_listed_for(user, self.clock.moment)]
        assert sorted(listed) == sorted(str(one.id) for one in own)

    def check_login_paths(self, log_in: Callable[[], TestResponse]) -> None:
        """Check that a login has the same outcome on the fast and the general login path.

        Both logins are rolled back.
        """
        enter = partial(outcome_of, self.app, self.rows, self.clock.moment, self.undo, log_in)
        outcome = enter()
        with general_path_only():
            general = enter()
        assert general == outcome, (general, outcome)

    @contextmanager
    def undo(self) -> Iterator[None]:
        """Roll the database back to its state before the block."""
        with self.app.app_context():
            savepoint = cast(Connection, db.engines[None]).begin_nested()
        try:
            yield
        finally:
            savepoint.rollback()

    def follow(self, answer: TestResponse, step: Callable[[ReadBody], Session | None]) -> None:
        """Apply a step to the model, and compare the expected response with the response."""
        try:
            session = step(partial(body_of, answer))
        except Refused as refusal:
            assert_refused(*failure(answer), refusal)
            self.was_refused = not refusal.changes
            return
        body = body_of(answer)
        if session and "bound" in body:
            assert_describes(body, session)

    @invariant()
    def service_matches_model(self) -> None:
        """Compare the database with the model, and check tokens with a new expected response."""
        rows = read(self.rows)
        assert stored_records(rows) == modelled_records(self.model)
        name_sessions(self.model, rows)
        before, self.unchanged_by_use = self.unchanged_by_use, unchanged_by_use(rows)
        assert not self.was_refused or self.unchanged_by_use == before, (
            "a refused request changed a row"
        )
        self.tenant_ids = {one["slug"]: one["id"] for one in rows["tenants"]}
        for session, token in self.tokens_to_check():
            self.check_token(session, token)
        self.was_refused = False
        self.clock.pass_(1)

    def tokens(self) -> Iterator[tuple[Session, str]]:
        """Yield every login token, with its session."""
        for session in self.model.sessions:
            for token in session.tokens:
                yield session, token

    def tokens_to_check(self) -> list[tuple[Session, str]]:
        """Return the tokens with a new expected response, each with its session.

        Checking all tokens takes longer. The comparison of the database with the model has shown
        that the other sessions did not change.
        """
        return [
            one
            for one in self.tokens()
            if self.check_all_tokens or self.answers.get(one[1]) != self.expected(*one)
        ]

    def expected(self, session: Session, token: str) -> Any:
        """Return the expected response for a token: identity headers, or possible error codes."""
        try:
            return self.model.verify(session, token)
        except Refused as refusal:
            return refusal.codes

    def check_token(self, session: Session, token: str) -> None:
        """Check that /v1/verify returns the expected identity headers or error for a token."""
        answer = self.driver.client.send("GET", "/v1/verify", token)
        expected = self.answers[token] = self.expected(session, token)
        headers = {
            name: answer.headers[name] for name in IDENTITY_HEADERS if name in answer.headers
        }
        if isinstance(expected, dict):
            assert answer.status_code == 204, answer.text
            assert headers == expected | {"X-Tenant-Id": self.tenant_ids[session.app.tenant]}
            session.mark_seen(self.clock.moment)
        else:
            assert_refused(*failure(answer), Refused(*expected))
            assert not headers
