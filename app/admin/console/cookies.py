"""The console's session cookie: what it holds, its name and where browsers send it."""

from flask import Flask, Request, Response, current_app, g, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin

ROOT = "/console"
COOKIE = "wxpass_console"
# Keys of the session. The cookie is signed but readable, and never names a tenant: pages take
# their tenant from the address alone.
TOKEN, LANGUAGE, DRAFT = "token", "language", "draft"


def is_console() -> bool:
    """Return whether the request is for the console."""
    return request.path == ROOT or request.path.startswith(f"{ROOT}/")


def keep_cookie() -> None:
    """Leave the browser's cookie unchanged, even if this request changes the session.

    A browser sends no SameSite cookie with a form of another site. The response to such a form
    would otherwise replace the cookie of a signed-in operator with an empty one.
    """
    g.cookie_is_kept = True


def has_two_cookies() -> bool:
    """Return whether the browser sent two session cookies.

    A host of the same domain can plant a second one below a path prefix, to make an operator work
    in the session of another operator. It cannot remove the first one.
    """
    name = current_app.session_interface.get_cookie_name(current_app)
    return len(request.cookies.getlist(name)) > 1


class ConsoleCookies(SecureCookieSessionInterface):
    """Read and write the cookie below /console. Other requests have no session.

    Over HTTPS the name has a prefix (RFC 6265bis, 4.1.3). When the service is mounted at `/`, it is
    `__Host-`: only this host can set the cookie, over HTTPS. Below a path prefix it is `__Secure-`:
    any host of the domain can, over HTTPS, so `has_two_cookies` is checked.
    """

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return the session of a console request, None for every other request."""
        return super().open_session(app, request) if is_console() else None

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Write the cookie, unless `keep_cookie` was called."""
        if not g.get("cookie_is_kept"):
            super().save_session(app, session, response)

    def get_cookie_name(self, app: Flask) -> str:
        """Return the name, with the prefix that HTTPS allows."""
        if not self.get_cookie_secure(app):
            return COOKIE
        return f"__Secure-{COOKIE}" if request.root_path.strip("/") else f"__Host-{COOKIE}"

    def get_cookie_path(self, app: Flask) -> str:
        """Return the path at which the service is mounted."""
        return request.root_path.rstrip("/") or "/"

    def get_cookie_secure(self, app: Flask) -> bool:
        """Return whether browsers may send the cookie over HTTPS only."""
        return bool(app.config["WXPASS_PRODUCTION"]) or request.is_secure
