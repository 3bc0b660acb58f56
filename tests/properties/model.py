"""A model of every step, who knows by the rules what the service must say and do next."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from tests.fixtures.personas import App
from tests.properties.owners import Owners
from tests.properties.people import FROM_ELSEWHERE, Refused, Said, Session, User

REPEATABLE = timedelta(seconds=30)
CODES_ARE_KEPT = timedelta(minutes=5)
JUST_NOW = timedelta(minutes=10)
UNDONE_WITHIN = timedelta(days=30)

# Gives what the service said, having seen that it was no refusal. A step that asks for it has
# decided: what it changes it changes afterwards.
Hear = Callable[[], Said]


class Model(Owners):
    """Follows each step, or raises the refusal that the service must have given."""

    # Logging in

    def log_in(self, session: Session, hear: Hear, account: str | None, unionid: bool) -> Session:
        """Log in with a code, and perhaps with account and password."""
        identity = session.identity
        assert identity is not None
        identity.key_since = None  # wx.login has made a new one
        proven = self.proven(session.app.tenant, account) if account else None
        is_news = unionid and not identity.has_unionid
        with identity.met(self.now, unionid):
            user = proven or identity.user or self.joined(identity)
            self.refuse_binding(identity, user, "social_account_taken")
            was_known = proven or identity.user
            twin = self.twin(identity, was_known) if was_known and is_news else None
            said = hear()
        if user is None and session.app.registration == "on_login":
            user = self.register(session.app.tenant, said)
        if user:
            self.bind_to(identity, user, None)
            user = self.unite(user, twin) if twin else user
        identity.openid = identity.openid or said["openid"]
        return self._opened(session, said, user)

    def log_in_with_password(self, session: Session, hear: Hear, account: str) -> Session:
        """Log in without WeChat."""
        user = self.proven(session.app.tenant, account)
        return self._opened(session, hear(), user)

    def _opened(self, session: Session, said: Said, user: User | None) -> Session:
        self.make_room(session, user)
        session.begin(said, user, self.now)
        self.sessions.append(session)
        return session

    def repeat_code(self, session: Session, hear: Hear, device: str) -> Session:
        """Send a code once more: the same login for whom it may be an answer that was lost."""
        passed = self.now - session.opened_at
        if passed > CODES_ARE_KEPT:
            raise Refused("code_used", "code_invalid")
        unanswered = not session.ended and len(session.tokens) == 1
        if device != session.device or passed > REPEATABLE or not unanswered:
            raise Refused("code_used")
        assert session.identity is not None
        if session.identity.user and session.identity.user.disabled:
            raise Refused("user_disabled")
        said = hear()
        assert [said["token"]] == session.tokens
        expected: Sequence[str | None] = session.refresh_tokens or [None]
        assert [said["refresh_token"]] == expected
        return session

    def refresh(self, session: Session, hear: Hear, shown: str, app: App, device: str) -> Session:
        """Trade a refresh token."""
        if shown not in session.family:
            raise Refused("refresh_token_invalid")
        if app is not session.app:
            raise Refused("token_of_another_app")
        if session.ended:
            raise Refused(session.ended)
        if self.now >= session.refresh_until:
            raise Refused("refresh_token_expired")
        self._trade(session, hear, shown, device)
        return session

    def _trade(self, session: Session, hear: Hear, shown: str, device: str) -> None:
        """Give new tokens for the newest, the same again for a lost answer, else the end."""
        if shown == session.family[-1]:
            session.refuse_disabled()
            session.take(hear(), self.now)
            session.refreshed_at, session.device = self.now, device
        elif self._was_lost(session, shown, device):
            session.refuse_disabled()
            said = hear()
            assert said["token"] == session.tokens[-1]
            assert said["refresh_token"] == session.family[-1]
        else:
            session.end(FROM_ELSEWHERE)
            raise Refused("refresh_token_reused", changes=True)

    def _was_lost(self, session: Session, shown: str, device: str) -> bool:
        return (
            shown == session.family[-2]
            and session.refreshed_at is not None
            and self.now - session.refreshed_at < REPEATABLE
            and device == session.device
        )

    # With a login token

    def use(self, session: Session, token: str, app: App | None = None, **how: bool) -> None:
        """Come with a token, to an app or to none in particular."""
        session.use(token, self.now, **how)
        if app not in (None, session.app):
            raise Refused("token_of_another_app")

    def use_bound(self, session: Session, token: str, app: App | None = None) -> None:
        """Come with a token to what is for users only."""
        self.use(session, token, app)
        if session.user is None:
            raise Refused("login_unbound")

    def verify(self, session: Session, token: str) -> Said:
        """Say whom a token answers for, though nobody has seen it being used."""
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
        self, session: Session, hear: Hear, token: str, phone: str, old_way: bool
    ) -> Session:
        """Become the owner of a phone, or become its owner's."""
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
        said = hear()
        user = owner or identity.user or self.register(session.app.tenant, said)
        if owner is None:
            user.phone = phone  # and whichever they had is free
        self.bind_to(identity, user, session)
        self.make_room(session, user)
        session.begin(said, user, self.now)
        return session

    def bind_account(self, session: Session, hear: Hear, token: str, account: str) -> Session:
        """Become the user of an account."""
        self.use(session, token, session.app)
        owner = self.proven(session.app.tenant, account)
        if session.identity is None:
            raise Refused("no_social_account")
        if session.refresh_tokens and self.now - session.opened_at > JUST_NOW:
            raise Refused("login_too_old")
        self.refuse_binding(session.identity, owner, "social_account_taken")
        said = hear()
        self.bind_to(session.identity, owner, session)
        self.make_room(session, owner)
        session.begin(said, owner, self.now)
        return session

    def unbind(self, session: Session, hear: Hear, token: str) -> Session:
        """Free the user's identities in the app; who else stands on them is out."""
        self.use_bound(session, token, session.app)
        freed = [one for one in self.identities_of(session.user) if one.app is session.app]
        if not freed:
            raise Refused("no_social_account")
        said = hear()
        for one in freed:
            one.user, one.merge, one.joins = None, None, False
        on_them = (one for one in self.sessions if one.identity in freed)
        self.end(one for one in on_them if one is not session)
        session.begin(said, None if session.identity in freed else session.user, self.now)
        return session

    # Leaving

    def log_out(self, session: Session, token: str) -> None:
        """End the session, though it may have expired."""
        self.use(session, token, session.app, even_expired=True)
        self.end([session], here=session)

    def log_out_everywhere(self, session: Session, token: str, *, stay: bool = False) -> None:
        """End all that is, or can become, logged in as the user; perhaps but this session."""
        self.use_bound(session, token)
        identities = self.identities_of(session.user)
        theirs = (
            one for one in self.sessions if one.user is session.user or one.identity in identities
        )
        self.end((one for one in theirs if not (stay and one is session)), here=session)

    def end_session(self, session: Session, token: str, other: Session) -> None:
        """End one of the user's sessions."""
        self.use_bound(session, token)
        if not other.is_listed_for(session.user, self.now):
            raise Refused("session_unknown")
        self.end([other], here=session)

    # The operator

    def undo_merge(self, user: User) -> None:
        """Let a merged user live again."""
        merge = user.merge
        if merge is None:
            raise Refused("not_merged")
        if self.now - merge.at > UNDONE_WITHIN:
            raise Refused("merge_too_old")
        moved = [one for one in self.identities.values() if one.merge is merge]
        if len(moved) < merge.moved or {one.user for one in moved} != {merge.into}:
            raise Refused("merged_identities_gone")
        user.merge = None
        people = {one.whose for one in moved if one.has_unionid}
        theirs = [one for one in self.identities_of(merge.into) if one.whose in people]
        back = {*moved, *theirs}
        for one in back:
            one.user, one.merge = user, None
        stand_on_them = (one for one in self.sessions if one.identity in back)
        self.end(one for one in stand_on_them if one.user is merge.into)
