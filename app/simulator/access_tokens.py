"""Access tokens: the legacy and the stable family, isolated from each other."""

import math
import re
from dataclasses import dataclass
from typing import Literal

from app.simulator.minting import new_access_token
from app.simulator.refusals import Refusal

Family = Literal["legacy", "stable"]

LIFETIME = 7200.0
OVERLAP = 300.0
FORCED_GAP = 30.0
FORCED_PER_DAY = 20
_CHINA = 8 * 3600
_WELL_FORMED = re.compile(r"\d+_[A-Za-z0-9_-]{100,}")


@dataclass
class AccessToken:
    """An access token. It is valid until it expires or is revoked at `killed_at`."""

    value: str
    appid: str
    family: Family
    expires_at: float
    killed_at: float = math.inf

    def works(self, now: float) -> bool:
        """Return whether WeChat accepts the token now."""
        return now < min(self.expires_at, self.killed_at)


class AccessTokens:
    """All issued access tokens, and the newest one of each app and family."""

    def __init__(self) -> None:
        self._issued: dict[str, AccessToken] = {}
        self._newest: dict[tuple[str, Family], AccessToken] = {}
        self._forced: dict[str, list[float]] = {}

    def issue_legacy(self, appid: str, now: float) -> AccessToken:
        """Issue a new token. The previous one stays valid for `OVERLAP` seconds."""
        if old := self._newest.get((appid, "legacy")):
            old.killed_at = min(old.killed_at, now + OVERLAP)
        return self._issue(appid, "legacy", now)

    def issue_stable(self, appid: str, now: float) -> AccessToken:
        """Return the current token, or a new one in the last five minutes of its lifetime."""
        token = self._newest.get((appid, "stable"))
        if token and token.works(now + OVERLAP):
            return token
        return self._issue(appid, "stable", now)

    def force_stable(self, appid: str, now: float) -> AccessToken:
        """Issue a new token and revoke the others.

        Raises 45009 after 20 calls a day, and 45011 for calls less than 30 seconds apart.
        """
        self._count_forced(appid, now)
        for token in self._of(appid, "stable"):
            token.killed_at = min(token.killed_at, now)
        return self._issue(appid, "stable", now)

    def find(self, value: str) -> AccessToken | None:
        """Return the token, valid or not, or None if it was never issued."""
        return self._issued.get(value)

    def get_working(self, value: str, now: float) -> AccessToken:
        """Return a valid token. Raise 41001, 40014, 40001 or 42001."""
        if not value:
            raise Refusal(41001)
        if not _WELL_FORMED.fullmatch(value):
            raise Refusal(40014)
        token = self._issued.get(value)
        if token is None or token.killed_at <= min(now, token.expires_at):
            raise Refusal(40001)
        if not token.works(now):
            raise Refusal(42001)
        return token

    def working(self, appid: str, family: Family, now: float) -> list[str]:
        """Return the app's valid tokens, oldest first."""
        return [token.value for token in self._of(appid, family) if token.works(now)]

    def _of(self, appid: str, family: Family) -> list[AccessToken]:
        issued = self._issued.values()
        return [token for token in issued if (token.appid, token.family) == (appid, family)]

    def _issue(self, appid: str, family: Family, now: float) -> AccessToken:
        token = AccessToken(new_access_token(), appid, family, expires_at=now + LIFETIME)
        self._issued[token.value] = self._newest[appid, family] = token
        return token

    def _count_forced(self, appid: str, now: float) -> None:
        forced = [at for at in self._forced.get(appid, []) if _china_day(at) == _china_day(now)]
        if len(forced) >= FORCED_PER_DAY:
            raise Refusal(45009)
        if forced and now - forced[-1] < FORCED_GAP:
            raise Refusal(45011)
        self._forced[appid] = [*forced, now]


def _china_day(at: float) -> int:
    return int(at + _CHINA) // 86400
