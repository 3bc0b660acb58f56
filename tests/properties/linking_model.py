"""A model of account linking: users, identities, sessions, and the effects of linking."""

from collections.abc import Iterable
from datetime import datetime

from tests.fixtures.personas import App
from tests.properties.people import (
    LOGGED_OUT,
    REVOKED,
    Body,
    Clock,
    Identity,
    Merge,
    Refused,
    Session,
    User,
)

DEFAULT_LIMIT = 50


class LinkingModel:
    """The users of all tenants, with identities and sessions, and the rules of account linking."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.users: list[User] = []
        self.identities: dict[tuple[str, str], Identity] = {}
        self.sessions: list[Session] = []
        self.limits: dict[str, int | str | None] = {}

    @property
    def now(self) -> datetime:
        return self.clock.moment

    def identity(self, person: str, app: App) -> Identity:
        """Return a person's identity in an app. The openid is None before the first login."""
        return self.identities.setdefault((person, app.appid), Identity(person, app))

    def identities_of(self, user: User | None) -> list[Identity]:
        """Return the identities of a user. None has no identities."""
        return [one for one in self.identities.values() if user and one.user is user]

    def owner_of(self, tenant: str, phone: str) -> User | None:
        """Return the user of a tenant who has a phone number, or None."""
        owners = [one for one in self.users if (one.tenant, one.phone) == (tenant, phone)]
        assert len(owners) < 2
        return next(iter(owners), None)

    def user_of_account(self, tenant: str, account: str) -> User:
        """Return the user of an account. Raise Refused if the user is disabled."""
        user = next(one for one in self.users if (one.tenant, one.account) == (tenant, account))
        if user.disabled:
            raise Refused("user_disabled")
        return user

    def joined_user(self, identity: Identity) -> User | None:
        """Return the user that a login links the identity to by unionid.

        None if the identity must not be linked by unionid, or if there is not exactly one user.
        """
        if not (identity.joins and identity.has_unionid):
            return None
        users = self.users_of(identity)
        return users.pop() if len(users) == 1 else None

    def users_of(self, identity: Identity) -> set[User]:
        """Return the users of all identities that have the unionid of an identity."""
        same = (one for one in self.identities.values() if one.person_key == identity.person_key)
        return {one.user for one in same if one.user}

    def other_user(self, identity: Identity, user: User) -> User | None:
        """Return the other user of the same person that a new unionid reveals, or None.

        None also if the two users must not be merged. Raise Refused if the other user is disabled.
        """
        others = self.users_of(identity) - {user, identity.user}
        if len(others) != 1 or not identity.joins:
            return None
        other = others.pop()
        if not (self.is_bare(user) or self.is_bare(other)):
            return None
        if other.disabled:
            raise Refused("user_disabled")
        return other

    def unite(self, user: User, other: User) -> User:
        """Merge two users of one person, of which one is bare. Return the remaining user."""
        stays, bare = (other, user) if self.is_bare(user) else (user, other)
        self.merge(bare, stays, None)
        return stays

    def is_bare(self, user: User) -> bool:
        """Return whether a user has neither account nor phone, and one person's identities only."""
        people = {one.person_key for one in self.identities_of(user)}
        return user.account is None and user.phone is None and len(people) < 2

    def refuse_binding(self, identity: Identity, owner: User | None, taken: str) -> None:
        """Raise Refused if the identity must not be linked to `owner`.

        The error code is user_disabled if the owner or the identity's user is disabled, and `taken`
        if the identity has another user who is not bare.
        """
        current = identity.user
        if any(user.disabled for user in (current, owner) if user):
            raise Refused("user_disabled")
        if current and owner and current is not owner and not self.is_bare(current):
            raise Refused(taken)

    def bind_to(self, identity: Identity, owner: User, here: Session | None) -> None:
        """Link an identity to a user. Merge the previous user of the identity into that user.

        `here` is the session of the request, which does not end.
        """
        if identity.user and identity.user is not owner:
            self.merge(identity.user, owner, here)
        identity.user = owner

    def merge(self, bare: User, into: User, here: Session | None) -> None:
        """Merge a bare user into another user. End the bare user's sessions except `here`."""
        moved = self.identities_of(bare)
        bare.merge = Merge(into, len(moved), self.now)
        for one in moved:
            one.user, one.merge = into, bare.merge
        self.end(one for one in self.sessions if one.user is bare and one is not here)

    def make_room(self, session: Session, user: User | None) -> None:
        """End a user's oldest sessions in an app, so that a new session is within the limit.

        Do nothing if the session already belongs to the user.
        """
        limit = self.limits.get(session.app.appid) or DEFAULT_LIMIT
        if user is None or session.user is user or not isinstance(limit, int):
            return
        others = [
            one
            for one in self.sessions
            if one is not session and one.app is session.app and one.is_listed_for(user, self.now)
        ]
        # Sessions created at the same time are sorted by the order of their creation.
        numbered = sorted(enumerate(others), key=lambda one: (one[1].opened_at, one[0]))
        self.end(one for _, one in numbered[::-1][limit - 1 :])

    def register(self, tenant: str, body: Body) -> User:
        """Add the new user in the body of a response. Fail if the id is not new."""
        assert body["user"], "no user was registered"
        assert body["user"]["id"] not in {one.id for one in self.users}, "no new user"
        self.users.append(User(tenant, body["user"]["id"]))
        return self.users[-1]

    def end(self, sessions: Iterable[Session], here: Session | None = None) -> None:
        """End sessions.

        Later requests with a token of `here`, the session of the request, get LOGGED_OUT, and those
        with a token of another ended session get REVOKED.
        """
        for one in list(sessions):
            one.end(LOGGED_OUT if one is here else REVOKED)
