"""`make run`: start and stop the database, the simulator and the service together."""

import fcntl
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import requests

from config import Config, ConfigError, load_config
from config.development import ROOT, fill, guide, is_missing, simulator_url, var_folder
from config.development.addresses import check_free, is_local, service_address
from config.development.children import Child, RunFailed, launch
from config.development.demo import OPERATOR, PEOPLE, TENANTS
from config.development.postgres import hold_server
from config.development.walkthrough import login_commands
from config.readers import read_number
from config.secret_files import load_environment

READY_SECONDS = 60
POLL_SECONDS = 0.1
_INVITATION = (
    "\nTo try a login, paste this into another terminal. / 在另一终端粘贴以下命令体验登录：\n"
)


class Interrupted(Exception):
    """The process was asked to stop."""


class Interruption:
    """Record stop signals, which `pause` raises where no process is half started."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup ignores SIGHUP, so that a closed terminal does not stop the process.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True

    def pause(self) -> None:
        """Wait for `POLL_SECONDS`. Raise Interrupted after a stop signal."""
        if not self.asked:
            time.sleep(POLL_SECONDS)
        if self.asked:
            raise Interrupted


@dataclass(frozen=True)
class Run:
    """One `make run`: the environment of its processes, and the stack that stops them."""

    environ: dict[str, str]
    stack: ExitStack
    interruption: Interruption

    @property
    def logs(self) -> Path:
        """Return the folder of the log files."""
        return var_folder(self.environ) / "log"

    def finish(self, name: str, *arguments: str) -> None:
        """Run a command and wait for its end. Raise RunFailed if it fails."""
        child = launch(name, list(arguments), self.environ, ROOT, self.logs / f"{name}.log")
        with ExitStack() as stack:
            stack.callback(child.stop, 5)
            while not child.has_ended():
                self.interruption.pause()
        child.check_succeeded()

    def keep(self, name: str, patience: float, *arguments: str) -> Child:
        """Start a process that runs until `make run` stops."""
        child = launch(name, list(arguments), self.environ, ROOT, self.logs / f"{name}.log")
        self.stack.callback(child.stop, patience)
        self.stack.callback(say, f"Stopping the {name} / 正在停止 {name} ...")
        return child

    def wait(self, child: Child, is_ready: Callable[[], bool]) -> None:
        """Wait until `is_ready`. Raise RunFailed if the child ends or takes too long."""
        deadline = time.monotonic() + READY_SECONDS
        while not is_ready():
            child.check_running()
            if time.monotonic() > deadline:
                raise RunFailed(f"{child.name} is not ready after {READY_SECONDS} s: {child.log}")
            self.interruption.pause()


def say(text: str) -> None:
    """Print a line. Ignore a closed terminal."""
    with suppress(OSError):
        print(text, flush=True)


def main() -> int:
    """Run everything until a signal (exit code 0) or a failure (1)."""
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    interruption = Interruption()
    try:
        with ExitStack() as stack:
            _run_everything(Run(load_environment(), stack, interruption))
    except Interrupted:
        say("Stopped. / 已停止。")
    except (ConfigError, RunFailed) as error:
        say(f"\n{error}")
        return 1
    return 0


def _run_everything(run: Run) -> None:
    children: list[Child] = []
    simulate = is_missing(run.environ, "WECHAT_API_BASE_URL")
    service = _check_addresses(run.environ, simulate)
    _claim_var(run)
    config = _prepare(run)
    wechat = config.wechat_api_base_url
    if simulate:
        children.append(_start_simulator(run, wechat, service))
    _bring_database_up_to_date(run)
    for child in children:
        run.wait(child, lambda: _answers(f"{wechat}/_simulator/health"))
    playable = is_local(wechat) and _answers(f"{wechat}/_simulator/health")
    if playable:
        _add_demo_data(wechat, service)
    demo = f"{wechat}/demo/" if simulate and is_local(service) else ""
    run.environ["DEMO_PHONE_URL"] = demo
    children.append(_start_service(run, service))
    build = guide.start_build(run.environ, run.logs) if config.website else None
    if build:
        run.stack.callback(build.stop, 5)
    say(_summary(run, service, config, demo))
    if config.website:
        say(guide.describe(service, build))
    if playable:
        say(_INVITATION + login_commands(service, wechat))
    _supervise(run, children, build, service)


def _supervise(run: Run, children: list[Child], build: Child | None, service: str) -> None:
    """Wait for a signal or the end of a child. Report the end of the build of the documentation."""
    while True:
        for child in children:
            child.check_running()
        if build and build.has_ended():
            say(guide.describe_end(service, build))
            build = None
        run.interruption.pause()


def _check_addresses(environ: dict[str, str], simulate: bool) -> str:
    """Check that both ports are free, and return the URL of the service."""
    if environ.get("WXPASS_ENV", "").strip() not in ("", "development"):
        raise ConfigError(
            "WXPASS_ENV",
            "make run is for development only; elsewhere run "
            "`gunicorn -c config/gunicorn.conf.py wsgi:app`. / make run 仅用于开发环境。",
        )
    host, port = service_address(environ)
    check_free("PORT", host, port)
    if simulate:
        simulator_port = int(simulator_url(environ).rpartition(":")[2])
        if simulator_port == port:
            raise ConfigError("SIMULATOR_PORT", f"is {port}, as PORT is. / 与 PORT 相同。")
        check_free("SIMULATOR_PORT", "127.0.0.1", simulator_port)
    reached = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104
    return f"http://{reached}:{port}"


def _claim_var(run: Run) -> None:
    """Lock the folder. Raise RunFailed if another `make run` uses it and its log files."""
    var = var_folder(run.environ)
    var.mkdir(parents=True, exist_ok=True)
    claim = run.stack.enter_context((var / "run.lock").open("ab"))
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunFailed(
            f"another `make run` uses {var}; stop it, or: WXPASS_VAR={var}2 make run\n"
            f"已有 make run 在使用 {var}，请先停止它，或换一个 WXPASS_VAR。"
        ) from None


def _prepare(run: Run) -> Config:
    """Start the database, set the missing variables, and return the settings."""
    environ = run.environ
    environ["WXPASS_VAR"] = str(var_folder(environ))
    if is_missing(environ, "DATABASE_URL"):
        say("Starting PostgreSQL / 正在启动 PostgreSQL ...")
        server = run.stack.enter_context(hold_server(var_folder(environ)))
        run.stack.callback(say, "Stopping PostgreSQL / 正在停止 PostgreSQL ...")
        environ["DATABASE_URL"] = server.url
    fill(environ)
    return load_config(environ)


def _bring_database_up_to_date(run: Run) -> None:
    """Run the migrations and add the demo data."""
    say("Bringing the database up to date / 正在更新数据库 ...")
    run.finish("demo", "flask", "--app", "wsgi", "demo", "--migrate")


def _start_simulator(run: Run, url: str, service: str) -> Child:
    """Start the simulator without waiting, because the database is migrated first.

    It serves the demo phone if the service can be reached at a loopback address.
    """
    say("Starting the WeChat simulator / 正在启动微信模拟器 ...")
    address = urlsplit(url).netloc
    options = f"--workers 1 --worker-class gevent --no-control-socket --bind {address}"
    log = str(run.logs / "service.log")
    demo = f"demo_service={service!r}, service_log={log!r}" if is_local(service) else ""
    created = f"app.simulator:create_simulator({demo})"
    return run.keep("simulator", 5, "gunicorn", *options.split(), created)


def _add_demo_data(url: str, service: str) -> None:
    """Add the demo mini-programs and people to the simulator."""
    for tenant in TENANTS:
        for app in tenant.apps:
            body = {"appid": app.appid, "secret": app.secret, "open_platform": app.open_platform}
            body |= {"push_token": app.push_token, "encoding_aes_key": app.encoding_aes_key}
            body |= {"push_url": f"{service}/wx/portal/{app.appid}"}
            _post(f"{url}/_simulator/apps", body)
    for person in PEOPLE:
        _post(f"{url}/_simulator/people", {"name": person.name, "phone": person.phone})


def _start_service(run: Run, url: str) -> Child:
    say("Starting the service / 正在启动服务 ...")
    patience = read_number(run.environ, "GUNICORN_GRACEFUL_TIMEOUT", 30, range(1, 3601)) + 5
    child = run.keep("service", patience, "gunicorn", "-c", "config/gunicorn.conf.py", "wsgi:app")
    run.wait(child, lambda: _answers(f"{url}/readyz"))
    return child


def _answers(url: str) -> bool:
    """Return whether a GET is answered with 200."""
    with suppress(requests.RequestException), requests.Session() as session:
        session.trust_env = False  # no proxy for what runs here
        return session.get(url, timeout=5).status_code == HTTPStatus.OK
    return False


def _post(url: str, body: dict[str, str]) -> None:
    """Post to the simulator's control API. Raise RunFailed if it does not succeed."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            session.post(url, json=body, timeout=5).raise_for_status()
        except requests.RequestException as error:
            raise RunFailed(f"the simulator rejected the demo data: {error}") from None


def _summary(run: Run, service: str, config: Config, demo: str) -> str:
    lines = [
        "",
        "wxpass is ready. Ctrl-C stops everything. / 已就绪，按 Ctrl-C 全部停止。",
        f"  Service / 服务    {service}   ({service}/openapi.json)",
        *([f"  API / 接口调试    {service}/docs"] if config.website else []),
        f"  Console / 控制台  {service}/console/   {OPERATOR.email}   {OPERATOR.password}",
        f"  WeChat / 微信     {config.wechat_api_base_url}",
        *([f"  Demo / 演示手机   {demo}"] if demo else []),
        f"  Logs / 日志       {run.logs}/*.log",
        "  Accounts / 账号   alice, bob (acme), carol (globex)   NAME-likes-green-tea",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
