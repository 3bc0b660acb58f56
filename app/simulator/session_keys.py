"""session_keys. Each person has one valid key per app."""

from dataclasses import dataclass, replace

from app.simulator.minting import new_session_key

# WeChat documents no lifetime. Tests advance the clock to expire a key.
LIFETIME = 30 * 86400.0


@dataclass(frozen=True)
class Owner:
    """A person in one app."""

    person: str
    appid: str


@dataclass(frozen=True)
class SessionKey:
    """A session_key. Only the newest one of its owner is valid."""

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
        """Return a new key. The previous one becomes invalid."""
        return self._install(owner, SessionKey(new_session_key(), now, now + LIFETIME))

    def reset(self, owner: Owner, old: SessionKey) -> SessionKey:
        """Replace the key by a new one with the same expiry, as ResetUserSessionKey does."""
        return self._install(owner, replace(old, value=new_session_key()))

    def at_login(self, owner: Owner, now: float, interval: float) -> SessionKey:
        """Return the key after a wx.login. It is replaced if it is `interval` seconds old."""
        key = self.find(owner, now)
        if key and now - key.minted_at < interval:
            return key
        return self.mint(owner, now)

    def current_or_new(self, owner: Owner, now: float) -> SessionKey:
        """Return the valid key, or a new one for a phone without a login."""
        return self.find(owner, now) or self.mint(owner, now)

    def stale(self, owner: Owner) -> str:
        """Return an invalid key: the previous one, or one that was never issued."""
        previous = self._previous.get(owner)
        return previous.value if previous else new_session_key()

    def _install(self, owner: Owner, key: SessionKey) -> SessionKey:
        if old := self._current.get(owner):
            self._previous[owner] = old
        self._current[owner] = key
        return key
