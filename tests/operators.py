"""Operators of the cast, at the API with a script of theirs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pyotp
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.errors import OneTimeCodeWrong
from app.extensions import db
from app.models import Tenant
from app.services.audit import OPERATOR, Actor
from app.services.desks import Desk
from app.services.one_time_codes import begin_enrolment, confirm_enrolment
from app.services.operator_sessions import SignedIn, find_console_session
from app.services.operator_sign_in import sign_in
from app.services.operators import accept_invitation, find_operator_id, invite_operator
from app.services.sessions import Device
from tests.cast import Client
from tests.passwords import GOOD_PASSWORD

PASSWORD = GOOD_PASSWORD
DEVICE = Device("script", "192.0.2.1")


@dataclass
class Script:
    """A script of an operator: what it sends below /v1/admin carries their JWT."""

    client: Client
    email: str
    tokens: dict[str, Any] = field(default_factory=dict)

    def sign_in(self, password: str = PASSWORD, **more: str) -> TestResponse:
        """Sign in; the tokens are kept if there are any."""
        body = {"email": self.email, "password": password, **more}
        answer = self.client.send("POST", "/v1/admin/sign-in", json=body)
        if answer.status_code == 200:
            self.tokens = answer.json
        return answer

    def refresh(self, refresh_token: str | None = None) -> TestResponse:
        """Trade the refresh token, or an older one."""
        body = {"refresh_token": refresh_token or self.tokens["refresh_token"]}
        return self.client.send("POST", "/v1/admin/refresh", json=body)

    def __call__(self, method: str, path: str, **how: Any) -> TestResponse:
        """Send a request."""
        return self.client.send(method, f"/v1/admin{path}", self.tokens["access_token"], **how)


def invite(app: Flask, email: str, role: str, tenant: str | None = None) -> str:
    """Invite an operator from the command line, and give the invitation."""
    with app.app_context():
        return invite_operator(OPERATOR, email, role, tenant)


def add_operator(app: Flask, email: str, role: str, tenant: str | None = None) -> UUID:
    """Add an operator who has taken the invitation up."""
    invitation = invite(app, email, role, tenant)
    with app.app_context():
        accept_invitation(invitation, PASSWORD, DEVICE)
        return find_operator_id(email)


def signed_in(app: Flask, email: str, role: str, tenant: str | None = None) -> Script:
    """Add an operator, and sign a script of theirs in."""
    add_operator(app, email, role, tenant)
    script = Script(Client(app), email)
    assert script.sign_in().status_code == 200
    return script


def session_of(app: Flask, email: str) -> SignedIn:
    """Sign an operator without codes in at the console; return the session."""
    with app.app_context():
        return find_console_session(sign_in(email, PASSWORD, DEVICE).token, DEVICE)


def enrol(app: Flask, email: str) -> tuple[SignedIn, pyotp.TOTP, Sequence[str]]:
    """Enrol an operator in one-time codes; return session, authenticator app, recovery codes.

    The code that confirms it is of the step before this one, so this one's is still valid. If
    a step ends just then, that code is too old, and the next one is taken. The operator's other
    sessions end.
    """
    session = session_of(app, email)
    with app.app_context():
        totp = pyotp.parse_uri(begin_enrolment(session).uri)
        assert isinstance(totp, pyotp.TOTP)
        try:
            codes = confirm_enrolment(session, code_of(totp, -1))
        except OneTimeCodeWrong:
            codes = confirm_enrolment(session, code_of(totp, -1))
        return session, totp, codes


def ask_for_codes(app: Flask, email: str) -> pyotp.TOTP:
    """Enrol an operator in one-time codes; return the authenticator app."""
    return enrol(app, email)[1]


def code_of(totp: pyotp.TOTP, steps_off: int = 0) -> str:
    """Read a code off the authenticator app, now or some steps of 30 seconds away."""
    return totp.at(int(time.time()) + 30 * steps_off)


def wrong_codes(totp: pyotp.TOTP, how_many: int) -> list[str]:
    """Return codes that the authenticator app shows at no moment near this one."""
    right = {code_of(totp, steps_off) for steps_off in range(-4, 5)}
    numbers = (f"{number:06}" for number in range(how_many + len(right)))
    return [one for one in numbers if one not in right][:how_many]


def desk_of(app: Flask, slug: str = "acme", *, may_change: bool = True) -> Desk:
    """Sit down at a tenant's desk."""
    with app.app_context():
        tenant_id = db.session.scalars(select(Tenant.id).where(Tenant.slug == slug)).one()
    return Desk(Actor("operator", None, "192.0.2.1"), tenant_id, slug, may_change)
