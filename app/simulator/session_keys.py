"""session_keys: each person has one valid key per app at a time."""

from dataclasses import dataclass, replace

from app.simulator.minting import new_session_key

# WeChat names no lifetime; a long one still lets a test see a key expire.
LIFETIME = 30 * 86400.0


@dataclass(frozen=True)
class Owner:
    """A person in one app."""

    person: str
    appid: str


@dataclass(frozen=True)
class SessionKey:
    """One session_key; only the newest of its owner is valid."""

    value: str
    minted_at: float
    expires_at: float


class SessionKeys:
    """The current and the previous key of each owner."""

    def __init__(self) -> None:
        self._current: dict[Owner, SessionKey] = {}
        self._previous: dict[Owner, SessionKey] = {}

    def find(self, owner: Owner, now: float) -> SessionKey | None:
        """Return the valid key, or None."""
        key = self._current.get(owner)
        return key if key and now < key.expires_at else None

    def mint(self, owner: Owner, now: float) -> SessionKey:
        """Return a new key. The former one stops working."""
        return self._install(owner, SessionKey(new_session_key(), now, now + LIFETIME))

    def reset(self, owner: Owner, old: SessionKey) -> SessionKey:
        """Replace the key by one that inherits its expiry, as ResetUserSessionKey does."""
        return self._install(owner, replace(old, value=new_session_key()))

    def at_login(self, owner: Owner, now: float, interval: float) -> SessionKey:
        """Return the key after a wx.login: a new one when the current is older than interval."""
        key = self.find(owner, now)
        if key and now - key.minted_at < interval:
            return key
        return self.mint(owner, now)

    def current_or_new(self, owner: Owner, now: float) -> SessionKey:
        """Return the valid key, making one for a phone that never logged in."""
        return self.find(owner, now) or self.mint(owner, now)

    def stale(self, owner: Owner) -> str:
        """Return a key that is not valid any more: the previous, else one never in force."""
        previous = self._previous.get(owner)
        return previous.value if previous else new_session_key()

    def _install(self, owner: Owner, key: SessionKey) -> SessionKey:
        if old := self._current.get(owner):
            self._previous[owner] = old
        self._current[owner] = key
        return key
