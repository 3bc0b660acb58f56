"""The WeChat simulator, and the two services with different paths to the database."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from config.development import ROOT, fill
from config.development.demo import TENANTS
from tests.ha.processes import Part
from tests.ha.site import MEMBERS, PASSWORD, Site, render

WORKERS = 2
POOL = 5
# Registers each new person at the first login, so that its sessions are bound to a user.
APP = next(app for app in TENANTS[0].apps if app.registration_policy == "on_login")


def settings(site: Site) -> dict[str, str]:
    """Return the environment of both services and of commands, which connect through HAProxy."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environ |= {
        "WXPASS_ENV": "development",  # production requires HTTPS for WeChat
        "WXPASS_VAR": str(site.folder / "var"),
        "WECHAT_API_BASE_URL": f"http://127.0.0.1:{site.ports.wechat}",
        "DATABASE_URL": through_haproxy(site),
        "DATABASE_POOL_SIZE": str(POOL),
        "GUNICORN_WORKERS": str(WORKERS),
        "TRUSTED_PROXIES": "1",
    }
    fill(environ)
    return environ


def through_haproxy(site: Site) -> str:
    """Return the URL of the database behind HAProxy."""
    return f"postgresql://wxpass:{PASSWORD}@127.0.0.1:{site.ports.haproxy}/wxpass"


def direct_settings(site: Site) -> dict[str, str]:
    """Return the settings of a service that finds the primary among the three servers."""
    replacements = {"CHANGE_ME": PASSWORD}
    for one in MEMBERS:
        replacements[f"10.0.0.1{one}:5432"] = f"127.0.0.1:{site.ports.postgres[one]}"
    return {"PORT": str(site.ports.direct)} | read_settings(render("direct.env", replacements))


def pooled_settings(site: Site) -> dict[str, str]:
    """Return the settings of a service behind PgBouncer. It listens through HAProxy."""
    replacements = {
        "CHANGE_ME": PASSWORD,
        "127.0.0.1:6432": f"127.0.0.1:{site.ports.pgbouncer}",
        "127.0.0.1:5000": f"127.0.0.1:{site.ports.haproxy}",
    }
    return {"PORT": str(site.ports.pooled)} | read_settings(render("pooled.env", replacements))


def read_settings(text: str) -> dict[str, str]:
    """Return the variables of an environment file."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def service(site: Site, name: str, environ: Mapping[str, str]) -> Part:
    """Return a gunicorn with the service."""
    conf = str(ROOT / "config" / "gunicorn.conf.py")
    command = (sys.executable, "-m", "gunicorn", "-c", conf, "wsgi:app")
    return site.own_part(name, environ, *command)


def simulator(site: Site, environ: Mapping[str, str], certificate: Path | None = None) -> Part:
    """Return the WeChat simulator. With a certificate and its key, it uses TLS."""
    options = f"--workers 1 --worker-class gevent --bind 127.0.0.1:{site.ports.wechat}"
    command = ("gunicorn", *options.split(), "--no-control-socket")
    if certificate is not None:
        command += ("--certfile", str(certificate), "--keyfile", str(certificate))
    app = "app.simulator:create_simulator()"
    return site.own_part("wechat", environ, sys.executable, "-m", *command, app)
