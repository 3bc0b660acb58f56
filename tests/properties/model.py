"""A model of the service that predicts the response and the effects of each request."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from tests.fixtures.personas import App
from tests.properties.linking_model import LinkingModel
from tests.properties.people import REVOKED, Body, Refused, Session, User

REPEAT_WINDOW = timedelta(seconds=30)
CODE_RETENTION = timedelta(minutes=5)
RECENT_LOGIN = timedelta(minutes=10)
UNDO_WINDOW = timedelta(days=30)

# A function that returns the body of the response, and fails the test unless the response is a
# success. Each step calls the function after all its checks and before it changes the model.
ReadBody = Callable[[], Body]


class Model(LinkingModel):
    """Each method applies one request, or raises Refused with the errors the service may return."""

    # Login

    def log_in(
        self, session: Session, read_body: ReadBody, account: str | None, unionid: bool
    ) -> Session:
        """Log in with a code. `account` is given if account and password are sent, too."""
        identity = session.identity
        assert identity is not None
        identity.key_since = None  # wx.login created a new session_key
        proven_user = self.user_of_account(session.app.tenant, account) if account else None
        has_new_unionid = unionid and not identity.has_unionid
        with identity.seen_by_login(self.now, unionid):
            user = proven_user or identity.user or self.joined_user(identity)
            self.refuse_binding(identity, user, "social_account_taken")
            was_known = proven_user or identity.user
            other = self.other_user(identity, was_known) if was_known and has_new_unionid else None
            body = read_body()
        if user is None and session.app.registration == "on_login":
            user = self.register(session.app.tenant, body)
        if user:
            self.bind_to(identity, user, None)
            user = self.unite(user, other) if other else user
        identity.openid = identity.openid or body["openid"]
        return self._opened(session, body, user)

    def log_in_with_password(self, session: Session, read_body: ReadBody, account: str) -> Session:
        """Log in with account and password, without WeChat."""
        user = self.user_of_account(session.app.tenant, account)
        return self._opened(session, read_body(), user)

    def _opened(self, session: Session, body: Body, user: User | None) -> Session:
        self.make_room(session, user)
        session.set_tokens(body, user, self.now)
        self.sessions.append(session)
        return session

    def repeat_code(self, session: Session, read_body: ReadBody, device: str) -> Session:
        """Log in with a used code.

        The response is the login of the first use if the first response may have been lost.
        """
        passed = self.now - session.opened_at
        if passed > CODE_RETENTION:
            raise Refused("code_used", "code_invalid")
        unanswered = not session.ended and len(session.tokens) == 1
        if device != session.device or passed > REPEAT_WINDOW or not unanswered:
            raise Refused("code_used")
        assert session.identity is not None
        if session.identity.user and session.identity.user.disabled:
            raise Refused("user_disabled")
        body = read_body()
        assert [body["token"]] == session.tokens
        expected: Sequence[str | None] = session.refresh_tokens or [None]
        assert [body["refresh_token"]] == expected
        return session

    def refresh(
        self, session: Session, read_body: ReadBody, refresh_token: str, app: App, device: str
    ) -> Session:
        """Exchange a refresh token of the session, sent from a device to an app."""
        if refresh_token not in session.family:
            raise Refused("refresh_token_invalid")
        if app is not session.app:
            raise Refused("token_of_another_app")
        if session.ended:
            raise Refused(session.ended)
        if self.now >= session.refresh_until:
            raise Refused("refresh_token_expired")
        self._exchange(session, read_body, refresh_token, device)
        return session

    def _exchange(
        self, session: Session, read_body: ReadBody, refresh_token: str, device: str
    ) -> None:
        """Exchange the newest refresh token, or repeat the exchange of the previous one.

        The exchange is repeated if its response may have been lost. Otherwise, the previous refresh
        token ends the session.
        """
        if refresh_token == session.family[-1]:
            session.refuse_disabled()
            session.add_tokens(read_body(), self.now)
            session.refreshed_at, session.device = self.now, device
        elif self._response_was_lost(session, refresh_token, device):
            session.refuse_disabled()
            body = read_body()
            assert body["token"] == session.tokens[-1]
            assert body["refresh_token"] == session.family[-1]
        else:
            session.end(REVOKED)
            raise Refused("refresh_token_reused", changes=True)

    def _response_was_lost(self, session: Session, refresh_token: str, device: str) -> bool:
        return (
            refresh_token == session.family[-2]
            and session.refreshed_at is not None
            and self.now - session.refreshed_at < REPEAT_WINDOW
            and device == session.device
        )

    # Requests with a login token

    def use(self, session: Session, token: str, app: App | None = None, **how: bool) -> None:
        """Authenticate a request with a login token, optionally at an endpoint of an app."""
        session.use(token, self.now, **how)
        if app not in (None, session.app):
            raise Refused("token_of_another_app")

    def use_with_user(self, session: Session, token: str, app: App | None = None) -> None:
        """Authenticate a request that requires a session with a user."""
        self.use(session, token, app)
        if session.user is None:
            raise Refused("login_unbound")

    def verify(self, session: Session, token: str) -> Body:
        """Return the identity headers that /v1/verify returns for a login token.

        This does not extend the lifetime of the session.
        """
        session.refuse_old(token)
        if session.user and session.user.disabled:
            raise Refused("switched_off")
        if self.now >= session.expires_at:
            raise Refused("session_expired")
        if session.user is None:
            raise Refused("no_user")
        return {
            "X-User-Id": session.user.id,
            "X-App-Id": session.app.appid,
            "X-Session-Id": session.id,
        }

    def verify_phone(
        self, session: Session, read_body: ReadBody, token: str, phone: str, old_way: bool
    ) -> Session:
        """Bind a phone number to the user of the session.

        If another user has the phone number, link the identity to that user. `old_way` means that
        encryptedData is sent instead of a code.
        """
        self.use(session, token, session.app)
        identity = session.identity
        if identity is None:
            raise Refused("no_social_account")
        if old_way and not identity.knows_key(self.now):
            raise Refused("session_key_expired")
        owner = self.owner_of(session.app.tenant, phone)
        self.refuse_binding(identity, owner, "phone_taken")
        if not owner and not identity.user and session.app.registration == "closed":
            raise Refused("registration_closed")
        body = read_body()
        user = owner or identity.user or self.register(session.app.tenant, body)
        if owner is None:
            user.phone = phone  # this replaces the previous number
        self.bind_to(identity, user, session)
        self.make_room(session, user)
        session.set_tokens(body, user, self.now)
        return session

    def bind_account(
        self, session: Session, read_body: ReadBody, token: str, account: str
    ) -> Session:
        """Link the identity of the session to the user of an account."""
        self.use(session, token, session.app)
        owner = self.user_of_account(session.app.tenant, account)
        if session.identity is None:
            raise Refused("no_social_account")
        if session.refresh_tokens and self.now - session.opened_at > RECENT_LOGIN:
            raise Refused("login_too_old")
        self.refuse_binding(session.identity, owner, "social_account_taken")
        body = read_body()
        self.bind_to(session.identity, owner, session)
        self.make_room(session, owner)
        session.set_tokens(body, owner, self.now)
        return session

    def unbind(self, session: Session, read_body: ReadBody, token: str) -> Session:
        """Unlink all identities of the user in the session's app.

        Other sessions of the unlinked identities end.
        """
        self.use_with_user(session, token, session.app)
        unlinked = [
            identity for identity in self.identities_of(session.user) if identity.app is session.app
        ]
        if not unlinked:
            raise Refused("no_social_account")
        body = read_body()
        for identity in unlinked:
            identity.user, identity.merge, identity.joins = None, None, False
        affected = (one for one in self.sessions if one.identity in unlinked)
        self.end(one for one in affected if one is not session)
        session.set_tokens(body, None if session.identity in unlinked else session.user, self.now)
        return session

    # Logout

    def log_out(self, session: Session, token: str) -> None:
        """End the session, even if it has expired."""
        self.use(session, token, session.app, even_expired=True)
        self.end([session], here=session)

    def log_out_everywhere(self, session: Session, token: str, *, stay: bool = False) -> None:
        """End every session of the user and of the user's identities.

        `stay` keeps the session of the request.
        """
        self.use_with_user(session, token)
        identities = self.identities_of(session.user)
        theirs = (
            one for one in self.sessions if one.user is session.user or one.identity in identities
        )
        self.end((one for one in theirs if not (stay and one is session)), here=session)

    def end_session(self, session: Session, token: str, other: Session) -> None:
        """End another session of the user, with the login token of this session."""
        self.use_with_user(session, token)
        if not other.is_listed_for(session.user, self.now):
            raise Refused("session_unknown")
        self.end([other], here=session)

    # Operators

    def undo_merge(self, user: User) -> None:
        """Restore a merged user, and move the identities of the merge back to the restored user."""
        merge = user.merge
        if merge is None:
            raise Refused("not_merged")
        if self.now - merge.at > UNDO_WINDOW:
            raise Refused("merge_too_old")
        moved = [one for one in self.identities.values() if one.merge is merge]
        if len(moved) < merge.moved or {one.user for one in moved} != {merge.into}:
            raise Refused("merged_identities_gone")
        user.merge = None
        people = {one.person_key for one in moved if one.has_unionid}
        theirs = [one for one in self.identities_of(merge.into) if one.person_key in people]
        back = {*moved, *theirs}
        for one in back:
            one.user, one.merge = user, None
        sessions_of_them = (one for one in self.sessions if one.identity in back)
        self.end(one for one in sessions_of_them if one.user is merge.into)
