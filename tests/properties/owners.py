"""Who is who and who becomes whom, as a model of every step knows by the rules."""

from collections.abc import Iterable
from datetime import datetime

from tests.fixtures.personas import App
from tests.properties.people import (
    BY_ITSELF,
    FROM_ELSEWHERE,
    Clock,
    Identity,
    Merge,
    Refused,
    Said,
    Session,
    User,
)

DEFAULT_LIMIT = 50


class Owners:
    """All users of all tenants, their identities and sessions, and what binding does to them."""

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
        """Know a person's identity in an app; `openid` is None until the service has met it."""
        return self.identities.setdefault((person, app.appid), Identity(person, app))

    def identities_of(self, user: User | None) -> list[Identity]:
        """List what belongs to a user."""
        return [one for one in self.identities.values() if user and one.user is user]

    def owner_of(self, tenant: str, phone: str) -> User | None:
        """Find the one user of a tenant with a phone."""
        owners = [one for one in self.users if (one.tenant, one.phone) == (tenant, phone)]
        assert len(owners) < 2
        return next(iter(owners), None)

    def proven(self, tenant: str, account: str) -> User:
        """Find whom a right password proves; it lets no disabled user in."""
        user = next(one for one in self.users if (one.tenant, one.account) == (tenant, account))
        if user.disabled:
            raise Refused("user_disabled")
        return user

    def joined(self, identity: Identity) -> User | None:
        """Find the one user whom the person already is in the tenant."""
        if not (identity.joins and identity.has_unionid):
            return None
        users = self.users_of(identity)
        return users.pop() if len(users) == 1 else None

    def users_of(self, identity: Identity) -> set[User]:
        """Find all users whom the person is, as far as WeChat tells."""
        same = (one for one in self.identities.values() if one.whose == identity.whose)
        return {one.user for one in same if one.user}

    def twin(self, identity: Identity, user: User) -> User | None:
        """Find the other user whom a person turns out to be when WeChat tells of them at last."""
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
        """Make one of two users who are one person, and give the one who stays."""
        stays, bare = (other, user) if self.is_bare(user) else (user, other)
        self.merge(bare, stays, None)
        return stays

    def is_bare(self, user: User) -> bool:
        """Tell whether a user is nothing but one person's WeChat."""
        people = {one.whose for one in self.identities_of(user)}
        return user.account is None and user.phone is None and len(people) < 2

    def refuse_binding(self, identity: Identity, owner: User | None, taken: str) -> None:
        """Refuse where either user is disabled, or two real users stand against each other."""
        its_user = identity.user
        if any(user.disabled for user in (its_user, owner) if user):
            raise Refused("user_disabled")
        if its_user and owner and its_user is not owner and not self.is_bare(its_user):
            raise Refused(taken)

    def bind_to(self, identity: Identity, owner: User, here: Session | None) -> None:
        """Give an identity to its owner; a bare user it had goes into the owner whole."""
        if identity.user and identity.user is not owner:
            self.merge(identity.user, owner, here)
        identity.user = owner

    def merge(self, bare: User, into: User, here: Session | None) -> None:
        """Close a bare user in favour of another; who is logged in as them is out."""
        moved = self.identities_of(bare)
        bare.merge = Merge(into, len(moved), self.now)
        for one in moved:
            one.user, one.merge = into, bare.merge
        self.end(one for one in self.sessions if one.user is bare and one is not here)

    def make_room(self, session: Session, user: User | None) -> None:
        """End a user's oldest sessions in an app, so that one more is within the limit.

        A session that was the user's already takes no further place.
        """
        limit = self.limits.get(session.app.appid) or DEFAULT_LIMIT
        if user is None or session.user is user or not isinstance(limit, int):
            return
        others = [
            one
            for one in self.sessions
            if one is not session and one.app is session.app and one.is_listed_for(user, self.now)
        ]
        # Those of one moment in the order in which they were opened.
        numbered = sorted(enumerate(others), key=lambda one: (one[1].opened_at, one[0]))
        self.end(one for _, one in numbered[::-1][limit - 1 :])

    def register(self, tenant: str, said: Said) -> User:
        """Know a new user by the id that the service gave them."""
        assert said["user"], "nobody was registered"
        assert said["user"]["id"] not in {one.id for one in self.users}, "no new user"
        self.users.append(User(tenant, said["user"]["id"]))
        return self.users[-1]

    def end(self, sessions: Iterable[Session], here: Session | None = None) -> None:
        """End sessions; only the one that asked for it ended by itself."""
        for one in list(sessions):
            one.end(BY_ITSELF if one is here else FROM_ELSEWHERE)
