"""The rule for active sessions has the same result in Python and in SQL."""

from datetime import timedelta
from itertools import product

from flask import Flask
from sqlalchemy import select, text

from app.clock import now
from app.extensions import db
from app.models import LoginSession
from app.services.sessions.active import (
    BOUND_AND_ACTIVE,
    active_sessions_of,
    is_active,
    is_active_row,
)
from tests.fixtures.many_sessions import copy_session
from tests.fixtures.personas import Client, Person, Reader

LATER, EARLIER = timedelta(minutes=5), timedelta(minutes=-5)


def test_python_and_sql_agree_on_which_sessions_are_active(
    app: Flask, client: Client, alice: Person, rows: Reader
) -> None:
    copy_session(rows, client.bind(alice)["token"], 40)
    with app.app_context():
        sessions = db.session.scalars(select(LoginSession).order_by(LoginSession.id)).all()
        kinds = list(product((LATER, EARLIER), (LATER * 2, EARLIER / 2, None), (True, False)))
        user_id = next(one.user_id for one in sessions if one.user_id)
        for session, (expires, refreshable, ended) in zip(sessions, kinds * 4, strict=False):
            session.expires_at = now() + expires
            if refreshable is None:
                session.user_id = session.refresh_hash = session.refresh_family_hash = None
            session.refresh_expires_at = now() + refreshable if refreshable else None
            session.ended_at, session.end_reason = (now(), "revoked") if ended else (None, None)
        db.session.commit()
        tenant_id = sessions[0].tenant_id

        every = {one.id for one in sessions if is_active(one)}
        bound = {one.id for one in sessions if one.user_id and is_active(one)}
        by_row = set(db.session.scalars(select(LoginSession.id).where(is_active_row())))
        of_user = active_sessions_of(tenant_id, user_id)
        by_user = set(db.session.scalars(select(LoginSession.id).where(*of_user)))
        condition = BOUND_AND_ACTIVE.replace("%(moment)s", ":moment")
        by_text = f"SELECT id FROM login_sessions WHERE user_id = :user_id AND {condition}"
        found = db.session.scalars(text(by_text), {"user_id": user_id, "moment": now()})
        assert every == by_row
        assert bound == by_user == set(found)
        assert 0 < len(bound) < len(every) < len(sessions)
