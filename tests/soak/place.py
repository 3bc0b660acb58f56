"""The parts of the test: PostgreSQL, the WeChat simulator, nginx, and gunicorn in production mode.

A new version or new settings start in a second gunicorn ("blue" and "green"). nginx then moves the
requests there, and the first gunicorn stops.
"""

import os
import shutil
import signal
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from config.development import ROOT, var_folder
from config.development.keys import load_or_make_keys
from config.development.postgres_user import find_server_user
from tests.bench.progress import say
from tests.e2e.upgrade.previous_release import Release, unpack_previous_release
from tests.fixtures.personas import ACME_CLUB, APPS
from tests.fixtures.portal import AES_KEY, TOKEN
from tests.fixtures.servers.certificates import self_signed
from tests.fixtures.servers.gunicorn import is_ready
from tests.fixtures.servers.replication import PostgresProcess, new_server
from tests.ha.database import nginx_part, write_nginx
from tests.ha.processes import Part, temporary_folder
from tests.ha.services import simulator
from tests.ha.site import Ports, Site
from tests.soak.gunicorn import Gunicorn, wait_for

RESULTS = var_folder(dict(os.environ)) / "soak"
LOGS = RESULTS / "log"
WORKERS = 2
# Full within ten minutes, so that later growth is not that of the cache.
SESSION_CACHE_SIZE = 2000
# A restart must not lose what was acknowledged, so the server writes to disk as in production.
DATABASE_SETTINGS = "fsync = on\nautovacuum_naptime = 20s\nmax_connections = 200\n"
# Until nginx has ended its old workers, which still send requests to the first gunicorn.
SETTLE_SECONDS = 3
NOT_CODE = (".git", ".venv", "var", "node_modules", "__pycache__", "tests")


@dataclass
class Place:
    """All parts. `service` is the gunicorn that nginx leads to."""

    site: Site
    environ: dict[str, str]
    certificate: Path
    database: PostgresProcess
    previous: Release
    release: Release
    nginx: Part
    wechat: Part
    # How long WeChat is slow or unavailable.
    disturbed_seconds: float = 30.0
    service: Gunicorn = field(init=False)
    # Pairs of name and value, the current key first.
    keys: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Return the URL of nginx."""
        return f"http://127.0.0.1:{self.site.ports.nginx}"

    @property
    def wechat_url(self) -> str:
        """Return the URL of the simulator."""
        return self.environ["WECHAT_API_BASE_URL"]

    def query(self, statement: str, *values: object) -> Sequence[tuple[Any, ...]]:
        """Run a statement as superuser."""
        return self.database(statement, *values)

    def command(self, *arguments: str, stdin: str = "") -> str:
        """Run a command of the service with its settings. Return the output."""
        return self.service.release.flask(self.environ, *arguments, stdin=stdin)

    def new_service(self, release: Release) -> Gunicorn:
        """Return a gunicorn that has not been started, on the port that is not used."""
        ports = self.site.ports
        is_blue = not hasattr(self, "service") or self.service.port != ports.direct
        name, port = ("blue", ports.direct) if is_blue else ("green", ports.pooled)
        folder = self.site.folder / name
        environ = self.environ | {
            "PORT": str(port),
            "GUNICORN_PIDFILE": str(folder / "gunicorn.pid"),
            "PYTHONPATH": str(release.checkout),
        }
        folder.mkdir(mode=0o700, exist_ok=True)
        conf = str(release.checkout / "config" / "gunicorn.conf.py")
        command = (release.python, "-m", "gunicorn", "-c", conf, "wsgi:app")
        log = self.site.folder / f"{name}.log"
        return Gunicorn(Part(name, command, folder, environ, log), port, release)

    def replace_service(self, release: Release) -> None:
        """Start a second gunicorn with a release and the current settings, and stop the first."""
        first, second = self.service, self.new_service(release)
        second.start()
        self.service = second
        write_nginx(self.site, (second.port,))
        self.nginx.send(signal.SIGHUP)
        time.sleep(SETTLE_SECONDS)
        first.stop()


def settings(site: Site, database: PostgresProcess, certificate: Path) -> dict[str, str]:
    """Return the environment of the service in production mode."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    temporary = site.folder / "tmp"
    temporary.mkdir()
    return (
        environ
        | load_or_make_keys(temporary.parent)
        | {
            "WXPASS_ENV": "production",
            "WXPASS_VAR": str(site.folder / "var"),
            "WECHAT_API_BASE_URL": f"https://127.0.0.1:{site.ports.wechat}",
            "WECHAT_CA_FILE": str(certificate),
            "DATABASE_URL": f"postgresql://postgres@{database.address}/wxpass",
            "GUNICORN_WORKERS": str(WORKERS),
            "SESSION_CACHE_SIZE": str(SESSION_CACHE_SIZE),
            "TRUSTED_PROXIES": "1",
            "TMPDIR": str(temporary),
        }
    )


def new_key(name: str) -> str:
    """Return a new key for WXPASS_KEYS."""
    return f"{name}:{b64encode(os.urandom(32)).decode()}"


@contextmanager
def place() -> Iterator[Place]:
    """Start all parts inside the block, with the previous release of the service."""
    with temporary_folder(LOGS) as folder:
        site = Site(folder, Ports(), find_server_user(folder / "none"))
        certificate = folder / "wechat.pem"
        certificate.write_bytes(self_signed())
        say("Starting PostgreSQL, the WeChat simulator, nginx and the previous release")
        database = _start_database(site)
        environ = settings(site, database, certificate)
        previous = unpack_previous_release(folder)
        release = Release(_copy_checkout(folder / "this_release"), sys.executable)
        wechat = simulator(site, environ | {"WXPASS_ENV": "development"}, certificate)
        made = Place(
            site, environ, certificate, database, previous, release, nginx_part(site), wechat
        )
        made.keys = environ["WXPASS_KEYS"].split(",")
        _start(made)
        try:
            yield made
        finally:
            database.remove()


def _start_database(site: Site) -> PostgresProcess:
    database = new_server(site.folder_of("database"), "data")
    database.create()
    with (database.data / "postgresql.conf").open("a") as file:
        file.write(DATABASE_SETTINGS)
    database.restart("fast")
    return database


def _copy_checkout(folder: Path) -> Path:
    """Copy the code, because files of the checkout may change during the test."""
    shutil.copytree(ROOT, folder, symlinks=True, ignore=shutil.ignore_patterns(*NOT_CODE))
    return folder


def _start(made: Place) -> None:
    made.wechat.start()
    wait_for("the simulator is not ready", lambda: _answers(made), 30)
    for app in APPS:
        body = {"appid": app.appid, "secret": app.secret, "open_platform": "acme"}
        body |= {"push_token": TOKEN, "encoding_aes_key": AES_KEY}
        _control(made, "apps", body)
    made.service = made.new_service(made.previous)
    made.previous.create_database(made.environ)
    push = ("apps", "set-push", ACME_CLUB.appid, "--encoding-aes-key", "--secret-stdin")
    made.command(*push, stdin=f"{TOKEN}\n{AES_KEY}\n")
    made.service.start()
    write_nginx(made.site, (made.service.port,))
    made.nginx.start()
    wait_for("nginx is not ready", lambda: is_ready(made.url), 30)


def _answers(made: Place) -> bool:
    made.wechat.check_running()
    try:
        url = f"{made.wechat_url}/_simulator/health"
        return requests.get(url, verify=str(made.certificate), timeout=5).ok
    except requests.RequestException:
        return False


def _control(made: Place, what: str, body: dict[str, str]) -> None:
    url = f"{made.wechat_url}/_simulator/{what}"
    requests.post(url, json=body, verify=str(made.certificate), timeout=5).raise_for_status()
