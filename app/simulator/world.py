"""State of the simulated WeChat: apps, people, codes, keys, tokens, and the time."""

import math
import threading
import time
from dataclasses import dataclass
from typing import Any

from flask import current_app

from app.simulator.access_tokens import AccessTokens
from app.simulator.calls import CallLog
from app.simulator.codes import Codes
from app.simulator.faults import Faults
from app.simulator.minting import openid_of, unionid_of
from app.simulator.session_keys import Owner, SessionKeys


@dataclass(frozen=True)
class App:
    """A mini-program and its settings in WeChat's console."""

    appid: str
    secret: str
    open_platform: str | None = None
    frozen: bool = False
    ip_whitelist: tuple[str, ...] = ()
    push_url: str | None = None
    push_token: str | None = None
    encoding_aes_key: str | None = None


@dataclass(frozen=True)
class Person:
    """A person with WeChat on a phone."""

    name: str
    nickname: str
    phone: str | None = None
    country_code: str = "86"
    avatar_url: str = ""
    gender: int = 0


@dataclass(frozen=True)
class LoginGrant:
    """The person and session_key that a login code is exchanged for."""

    person: Person
    session_key: str


@dataclass(frozen=True)
class PhoneGrant:
    """The openid and phone info that a phone code is exchanged for."""

    openid: str
    phone_info: dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """Settings for behaviour in which the real WeChat varies."""

    session_key_policy: str | float = "always"
    escape_slashes: bool = False
    sns_content_type: str = "text/plain"

    @property
    def session_key_interval(self) -> float:
        """The age in seconds up to which a wx.login keeps the session_key."""
        if isinstance(self.session_key_policy, str):
            return {"always": 0.0, "never": math.inf}[self.session_key_policy]
        return self.session_key_policy


class World:
    """The state of the simulator.

    Hold the lock to read or change it, and do not sleep while holding it.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.apps: dict[str, App] = {}
        self.reset_all_but_apps()

    def reset_all_but_apps(self) -> None:
        """Reset all state except the apps, and return to the real time."""
        self.people: dict[str, Person] = {}
        self.settings = Settings()
        self.login_codes = Codes[LoginGrant]()
        self.phone_codes = Codes[PhoneGrant]()
        self.session_keys = SessionKeys()
        self.access_tokens = AccessTokens()
        self.faults = Faults()
        self.calls = CallLog()
        self._ahead = 0.0
        self._owners: dict[tuple[str, str], Owner] = {}

    def now(self) -> float:
        """Return the simulated Unix time."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Advance the simulated time."""
        self._ahead += seconds

    def identify(self, person: Person, app: App) -> dict[str, str]:
        """Return the person's openid in the app, and the unionid if `open_platform` is set."""
        openid = openid_of(app.appid, person.name)
        self._owners[app.appid, openid] = Owner(person.name, app.appid)
        identity = {"openid": openid}
        if app.open_platform:
            identity["unionid"] = unionid_of(app.open_platform, person.name)
        return identity

    def find_owner(self, appid: str, openid: str) -> Owner | None:
        """Return the owner of an openid, or None."""
        return self._owners.get((appid, openid))


def current_world() -> World:
    """Return the world of the simulator app that handles the request."""
    world: World = current_app.extensions["simulated_world"]
    return world
