"""The console's session cookie: its keys, name, path and security attributes."""

from flask import Flask, Request, Response, current_app, g, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin

ROOT = "/console"
COOKIE = "wxpass_console"
# Keys of the session. The cookie is signed but not encrypted. It contains no tenant, because the
# tenant of a page is taken from its URL only.
TOKEN, LANGUAGE, DRAFT, THEME = "token", "language", "draft", "theme"
THEMES = ("system", "light", "dark")
# Preferences for this browser. They are kept when the operator signs out.
PREFERENCES = (LANGUAGE, THEME)


def is_console() -> bool:
    """Return whether the path of the request is below /console."""
    return request.path == ROOT or request.path.startswith(f"{ROOT}/")


def keep_cookie() -> None:
    """Send no Set-Cookie header in this response, even if the session was changed.

    A browser sends no SameSite cookie with a form from another site. Otherwise the response would
    replace the cookie of a signed-in operator with an empty cookie.
    """
    g.cookie_is_kept = True


def has_two_cookies() -> bool:
    """Return whether the browser sent two session cookies.

    Below a path prefix, another host of the same domain can set a second cookie, so that an
    operator unknowingly works in an attacker's session. The host cannot remove the first cookie.
    """
    name = current_app.session_interface.get_cookie_name(current_app)
    return len(request.cookies.getlist(name)) > 1


class ConsoleCookies(SecureCookieSessionInterface):
    """Flask session interface that uses the cookie for paths below /console only.

    Over HTTPS the cookie name has a prefix (RFC 6265bis, 4.1.3). At the root path it is `__Host-`:
    no other host can set the cookie. Below a path prefix it is `__Secure-`: any host of the domain
    can set the cookie over HTTPS, so `has_two_cookies` must be checked.
    """

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return the session of a console request, or None for any other request."""
        return super().open_session(app, request) if is_console() else None

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Set the cookie in the response, unless `keep_cookie` was called."""
        if not g.get("cookie_is_kept"):
            super().save_session(app, session, response)

    def get_cookie_name(self, app: Flask) -> str:
        """Return the cookie name, with a security prefix over HTTPS."""
        if not self.get_cookie_secure(app):
            return COOKIE
        return f"__Secure-{COOKIE}" if request.root_path.strip("/") else f"__Host-{COOKIE}"

    def get_cookie_path(self, app: Flask) -> str:
        """Return the path prefix under which the service is reached, or `/`."""
        return request.root_path.rstrip("/") or "/"

    def get_cookie_secure(self, app: Flask) -> bool:
        """Return whether the cookie gets the Secure attribute."""
        return bool(app.config["WXPASS_PRODUCTION"]) or request.is_secure
