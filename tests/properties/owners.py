"""A model of account linking: users, identities, sessions, and the effects of each link."""

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


class Owners:
    """All users of all tenants, with their identities and sessions."""

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
        """Return a person's identity in an app. Its `openid` is None before the first login."""
        return self.identities.setdefault((person, app.appid), Identity(person, app))

    def identities_of(self, user: User | None) -> list[Identity]:
        """List the identities of a user."""
        return [one for one in self.identities.values() if user and one.user is user]

    def owner_of(self, tenant: str, phone: str) -> User | None:
        """Return the user of a tenant with a phone number, if any."""
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
        """Return the user that an identity joins by unionid, if there is exactly one."""
        if not (identity.joins and identity.has_unionid):
            return None
        users = self.users_of(identity)
        return users.pop() if len(users) == 1 else None

    def users_of(self, identity: Identity) -> set[User]:
        """List the users of a person, as far as the unionid identifies the person."""
        same = (one for one in self.identities.values() if one.person_key == identity.person_key)
        return {one.user for one in same if one.user}

    def other_user(self, identity: Identity, user: User) -> User | None:
        """Return the second user that a new unionid shows to be the same person, if any."""
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
        """Merge two users of one person. Return the user that remains."""
        stays, bare = (other, user) if self.is_bare(user) else (user, other)
        self.merge(bare, stays, None)
        return stays

    def is_bare(self, user: User) -> bool:
        """Return whether a user has no account, no phone and one person's identities only."""
        people = {one.person_key for one in self.identities_of(user)}
        return user.account is None and user.phone is None and len(people) < 2

    def refuse_binding(self, identity: Identity, owner: User | None, taken: str) -> None:
        """Raise Refused if a user is disabled, or if the identity has another user that is not
        bare.
        """
        its_user = identity.user
        if any(user.disabled for user in (its_user, owner) if user):
            raise Refused("user_disabled")
        if its_user and owner and its_user is not owner and not self.is_bare(its_user):
            raise Refused(taken)

    def bind_to(self, identity: Identity, owner: User, here: Session | None) -> None:
        """Link an identity to its owner. A bare user of the identity is merged into the owner."""
        if identity.user and identity.user is not owner:
            self.merge(identity.user, owner, here)
        identity.user = owner

    def merge(self, bare: User, into: User, here: Session | None) -> None:
        """Merge a bare user into another user. Its other sessions end."""
        moved = self.identities_of(bare)
        bare.merge = Merge(into, len(moved), self.now)
        for one in moved:
            one.user, one.merge = into, bare.merge
        self.end(one for one in self.sessions if one.user is bare and one is not here)

    def make_room(self, session: Session, user: User | None) -> None:
        """End a user's oldest sessions in an app, so that one more is within the limit.

        A session that belongs to the user already does not count again.
        """
        limit = self.limits.get(session.app.appid) or DEFAULT_LIMIT
        if user is None or session.user is user or not isinstance(limit, int):
            return
        others = [
            one
            for one in self.sessions
            if one is not session and one.app is session.app and one.is_listed_for(user, self.now)
        ]
        # Sessions of the same moment are sorted by creation order.
        numbered = sorted(enumerate(others), key=lambda one: (one[1].opened_at, one[0]))
        self.end(one for _, one in numbered[::-1][limit - 1 :])

    def register(self, tenant: str, body: Body) -> User:
        """Add a new user with the id in the response."""
        assert body["user"], "no user was registered"
        assert body["user"]["id"] not in {one.id for one in self.users}, "no new user"
        self.users.append(User(tenant, body["user"]["id"]))
        return self.users[-1]

    def end(self, sessions: Iterable[Session], here: Session | None = None) -> None:
        """End sessions. The session of the request ends with another code than the others."""
        for one in list(sessions):
            one.end(LOGGED_OUT if one is here else REVOKED)
