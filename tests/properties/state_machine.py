"""Where people act: two tenants, their apps, and a model whom the service must not surprise."""

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
from tests.fixtures.personas import Reader, WeChat, enter_user, failure, taken_back
from tests.properties.driver import Driver
from tests.properties.model import Hear, Model
from tests.properties.people import Clock, Refused, Said, Session, User
from tests.properties.records import held, known, lasting, name_sessions, read

PASSWORDS = {
    ("acme", "desk"): f"{GOOD_PASSWORD}-a",
    ("acme", "boss"): f"{GOOD_PASSWORD}-b",
    ("globex", "desk"): f"{GOOD_PASSWORD}-c",
    ("globex", "boss"): f"{GOOD_PASSWORD}-d",
}
BOSSES_PHONE = "13800138001"
ABOUT_WHOM = ("X-User-Id", "X-Tenant-Id", "X-App-Id", "X-Session-Id")


def told(answer: TestResponse) -> Any:
    """Give what an answer says that is no refusal."""
    assert answer.status_code in (200, 204), answer.text
    return answer.json if answer.status_code == 200 else {}


def assert_refused(status: int, code: str, refusal: Refused) -> None:
    """Demand the refusal that was due."""
    assert code in refusal.codes
    assert status == FAILURES[code].status < 500


def assert_describes(said: Said, session: Session) -> None:
    """Demand that an answer tells of the session's user, identity and nobody else."""
    user, identity = session.user, session.identity
    assert said["bound"] is (user is not None)
    assert said["openid"] == (identity and identity.openid)
    if user is None:
        assert said["user"] is None
    else:
        assert_shows(said["user"], user)


def assert_shows(said: Said, user: User) -> None:
    """Demand that a user is shown as who they are."""
    phone = user.phone and f"+86{user.phone}"
    assert (said["id"], said["account"], said["phone"]) == (user.id, user.account, phone)


class Scenario(RuleBasedStateMachine):
    """Begins with whom the tenants know, and takes everything back in the end."""

    ask_everybody = False

    def __init__(self, app: Flask, wechat: WeChat, clock: Clock) -> None:
        super().__init__()
        self.app, self.wechat, self.clock = app, wechat, clock
        self.until_the_end = ExitStack()
        self.until_the_end.enter_context(taken_back(app))
        wechat.control("reset")
        clock.moment = datetime.now(UTC)
        self.driver, self.model, self.rows = Driver(app, wechat), Model(clock), Reader(app)
        self.answers: dict[str, Any] = {}
        self.lasting: list[str] = []
        self.was_refused, self.guesses = False, 0
        self.enter_users()

    def enter_users(self) -> None:
        """Enter whom the tenants know before anybody comes."""
        for (tenant, account), password in PASSWORDS.items():
            phone = BOSSES_PHONE if (tenant, account) == ("acme", "boss") else None
            user_id = enter_user(self.app, tenant, account, password, phone)
            self.model.users.append(User(tenant, user_id, account, phone))

    def teardown(self) -> None:
        """Ask for every token there was, unless something has failed; take everything back."""
        with self.until_the_end:
            if sys.exception() is None:
                self.ask_for_all()

    def ask_for_all(self) -> None:
        """Ask for every token who it is, and those that still answer what their user sees."""
        for session, token in self.tokens():
            self.ask(session, token)
            if isinstance(self.answers[token], dict):
                self.look(session, token)

    def look(self, session: Session, token: str) -> None:
        """See one's own profile and one's own sessions."""
        user, client = session.user, self.driver.client
        assert user is not None
        assert_shows(told(client.me(token)), user)
        listed = [one["id"] for one in told(client.send("GET", "/v1/me/sessions?limit=200", token))]
        own = [one for one in self.model.sessions if one.is_listed_for(user, self.clock.moment)]
        assert sorted(listed) == sorted(str(one.id) for one in own)

    def compare_paths(self, log_in: Callable[[], TestResponse]) -> None:
        """Demand that a login has the same outcome on both paths; undo it each time."""
        enter = partial(outcome_of, self.app, self.rows, self.clock.moment, self.undone, log_in)
        outcome = enter()
        with general_path_only():
            general = enter()
        assert general == outcome, (general, outcome)

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Undo what the service and the simulator are told inside."""
        with self.app.app_context():
            savepoint = cast(Connection, db.engines[None]).begin_nested()
        try:
            yield
        finally:
            savepoint.rollback()

    def follow(self, answer: TestResponse, step: Callable[[Hear], Session | None]) -> None:
        """Let the model follow a step: what was answered must be what had to be."""
        try:
            session = step(partial(told, answer))
        except Refused as refusal:
            assert_refused(*failure(answer), refusal)
            self.was_refused = not refusal.changes
            return
        said = told(answer)
        if session and "bound" in said:
            assert_describes(said, session)

    @invariant()
    def everything_is_as_modelled(self) -> None:
        """Compare the database, and ask for tokens, whatever the last step was."""
        rows = read(self.rows)
        assert held(rows) == known(self.model)
        name_sessions(self.model, rows)
        before, self.lasting = self.lasting, lasting(rows)
        assert not self.was_refused or self.lasting == before, (
            "a refused step has changed something"
        )
        self.tenant_ids = {one["slug"]: one["id"] for one in rows["tenants"]}
        for session, token in self.due():
            self.ask(session, token)
        self.was_refused = False
        self.clock.pass_(1)

    def tokens(self) -> Iterator[tuple[Session, str]]:
        """Go through every login token that anybody ever got."""
        for session in self.model.sessions:
            for token in session.tokens:
                yield session, token

    def due(self) -> list[tuple[Session, str]]:
        """Choose the tokens to ask for: those whose answer should have changed.

        That nothing else has changed is seen in the database; asking takes longer.
        """
        return [
            one
            for one in self.tokens()
            if self.ask_everybody or self.answers.get(one[1]) != self.expected(*one)
        ]

    def expected(self, session: Session, token: str) -> Any:
        """Say what a token must be answered with: a refusal's codes, or who it is."""
        try:
            return self.model.verify(session, token)
        except Refused as refusal:
            return refusal.codes

    def ask(self, session: Session, token: str) -> None:
        """Ask who a token is, and demand the very user, tenant, app and session, or nobody."""
        answer = self.driver.client.send("GET", "/v1/verify", token)
        due = self.answers[token] = self.expected(session, token)
        said = {name: answer.headers[name] for name in ABOUT_WHOM if name in answer.headers}
        if isinstance(due, dict):
            assert answer.status_code == 204, answer.text
            assert said == due | {"X-Tenant-Id": self.tenant_ids[session.app.tenant]}
            session.be_seen(self.clock.moment)
        else:
            assert_refused(*failure(answer), Refused(*due))
            assert not said
