"""Two decorators that admit the users of wxpass to the views of a Flask back end."""

import os
import re
import threading
import time
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, NoReturn

import jwt
import requests
from flask import Response, abort, g, json, request

# The defaults are those of `make run`.
WXPASS_URL = os.environ.get("WXPASS_URL", "http://127.0.0.1:8000")
TENANT = os.environ.get("WXPASS_TENANT", "acme")
APPIDS = os.environ.get("WXPASS_APPIDS", "wxaaaa000000000001,wxaaaa000000000002").split(",")
ISSUER = os.environ.get("WXPASS_ISSUER", "wxpass")

TIMEOUT = (1, 2)  # seconds to connect, and to wait for each part of the answer
KEEP_SECONDS = 300  # how long the public keys are kept
REFETCH_SECONDS = 5  # at most one request for the public keys in this time
CLOCK_SKEW_SECONDS = 30
BEARER = re.compile(r"bearer ([A-Za-z0-9._~+/=-]{1,4096})", re.IGNORECASE)


class Http(threading.local):
    """A session of `requests` for each thread, because threads must not share one."""

    def __init__(self) -> None:
        self.session = requests.Session()
        # An entry in .netrc would replace the client's token, and a proxy could read it.
        self.session.trust_env = False


http = Http()

View = Callable[..., Any]


class KeysUnavailable(Exception):
    """wxpass does not answer, and there are no public keys, or only outdated ones."""


class PublicKeys:
    """The public keys of wxpass."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")

    def find(self, kid: str) -> jwt.PyJWK | None:
        """Return the key with this id. Fetch the keys if they are old, or the id is unknown."""
        if self._are_fresh() and (key := self._keys.get(kid)):
            return key
        with self._lock:
            is_needed = kid not in self._keys or not self._are_fresh()
            if is_needed and time.monotonic() - self._tried_at > REFETCH_SECONDS:
                self._fetch()
        if not self._are_fresh():
            raise KeysUnavailable
        return self._keys.get(kid)

    def _are_fresh(self) -> bool:
        return time.monotonic() - self._fetched_at < KEEP_SECONDS

    def _fetch(self) -> None:
        began = time.monotonic()
        try:
            url = f"{WXPASS_URL}/.well-known/jwks.json"
            answer = http.session.get(url, timeout=TIMEOUT, allow_redirects=False)
            if answer.status_code == HTTPStatus.OK:
                keys = jwt.PyJWKSet.from_dict(answer.json()).keys
                self._keys = {key.key_id: key for key in keys if key.key_id}
                self._fetched_at = began
        except (requests.RequestException, jwt.PyJWTError):
            pass  # `find` raises KeysUnavailable once the present keys are too old
        finally:
            self._tried_at = time.monotonic()


public_keys = PublicKeys()


def login_token_required(view: View) -> View:
    """Admit requests with a login token. wxpass is asked each time. Sets `g.user_id`."""

    @wraps(view)
    def admitted(*args: Any, **kwargs: Any) -> Any:
        g.user_id = user_of_login_token(find_bearer("token_missing"))
        return view(*args, **kwargs)

    return admitted


def jwt_required(view: View) -> View:
    """Admit requests with a JWT of wxpass. The JWT is verified here. Sets `g.user_id`."""

    @wraps(view)
    def admitted(*args: Any, **kwargs: Any) -> Any:
        g.user_id = user_of_jwt(find_bearer("jwt_invalid"))
        return view(*args, **kwargs)

    return admitted


def user_of_login_token(token: str) -> str:
    """Return the id of the user, or end the request with 401, 403 or 503."""
    headers = {"Authorization": f"Bearer {token}"}
    if language := request.headers.get("Accept-Language"):
        headers["Accept-Language"] = language
    try:
        answer = http.session.get(
            f"{WXPASS_URL}/v1/verify",
            params={"tenant": TENANT},
            headers=headers,
            timeout=TIMEOUT,
            allow_redirects=False,
        )
    except requests.RequestException:
        refuse(503, "wxpass_unavailable")
    if answer.status_code in (401, 403):
        # The client needs the code in the body, for example to renew an expired session.
        abort(problem(answer.status_code, answer.content))
    user_id = answer.headers.get("X-User-Id")
    if answer.status_code != HTTPStatus.NO_CONTENT or not user_id:
        refuse(503, "wxpass_unavailable")
    return user_id


def user_of_jwt(token: str) -> str:
    """Return the id of the user, or end the request with 401 or 503."""
    try:
        key = public_keys.find(str(jwt.get_unverified_header(token).get("kid")))
        if key is None:
            refuse(401, "jwt_invalid")
        claims = jwt.decode(
            token,
            key,  # PyJWT also checks that the JWT has the algorithm of this key
            algorithms=["EdDSA", "ES256"],
            issuer=ISSUER,
            audience=APPIDS,
            leeway=CLOCK_SKEW_SECONDS,
            options={"require": ["iss", "aud", "sub", "exp"]},
        )
    except KeysUnavailable:
        refuse(503, "wxpass_unavailable")
    except jwt.PyJWTError:
        refuse(401, "jwt_invalid")
    return str(claims["sub"])


def find_bearer(missing: str) -> str:
    """Return the token in the header Authorization, or end the request with 401."""
    found = BEARER.fullmatch(request.headers.get("Authorization", ""))
    if found is None:
        refuse(401, missing)
    return found[1]


def refuse(status: int, code: str) -> NoReturn:
    """End the request with a problem as wxpass sends it (RFC 9457)."""
    abort(problem(status, json.dumps({"status": status, "code": code})))


def problem(status: int, body: str | bytes) -> Response:
    """Return a response with the JSON of a problem."""
    response = Response(body, status, content_type="application/problem+json")
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response
