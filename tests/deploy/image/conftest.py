"""The image, built and started on this machine. The tests run only with `make test-image`."""

import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from werkzeug.serving import make_server

from app.simulator import create_simulator
from config.development.keys import load_or_make_keys
from tests.deploy.image.base_root import base_root
from tests.deploy.image.building import Image, build
from tests.deploy.image.certificates import make_certificate
from tests.deploy.image.container import Container
from tests.deploy.image.context import ROOT, make_context
from tests.fixtures.personas import ACME_SHOP, WeChat
from tests.fixtures.servers.ports import free_port
from tests.fixtures.servers.replication import new_server, server_folder

# Set by `make test-image`. Without it, the tests of this folder are not collected.
collect_ignore_glob = [] if os.environ.get("TEST_IMAGE") else ["test_*.py"]
PYTHON = "3.11"  # of the base image
NEEDED = {"mmdebstrap": "mmdebstrap", "unshare": "util-linux", "git": "git"}


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    """The built image. Prints how it was built and its size."""
    missing = {package for name, package in NEEDED.items() if shutil.which(name) is None}
    assert not missing, f"apt-get install --no-install-recommends {' '.join(sorted(missing))}"
    assert os.geteuid() == 0, "make test-image needs root, to make a root file system and enter it"
    cache = ROOT / "var" / "image"
    cache.mkdir(parents=True, exist_ok=True)
    # Not below the folder of pytest, of which other users cannot read the files.
    with TemporaryDirectory(prefix="wxpass-image-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with ThreadPoolExecutor() as pool:
            base = pool.submit(base_root, cache)
            context = pool.submit(make_context, folder / "context", cache, PYTHON)
        built = build(folder, base.result(), context.result())
        print(f"\nBuilt with {built.how}; {built.compressed / 1e6:.0f} MB compressed", flush=True)
        yield built
        unmount_below(folder)


def unmount_below(folder: Path) -> None:
    """Unmount what buildah has mounted in a folder."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for path in sorted((one for one in mounted if one.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", path], check=True)


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the container sees as /run/secrets."""
    folder = tmp_path_factory.mktemp("secrets")
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def https_wechat(secrets: Path) -> Iterator[WeChat]:
    """A WeChat simulator with TLS, as production requires, and one mini-program."""
    certificate, key = make_certificate(secrets)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    simulator = create_simulator({})
    server = make_server("127.0.0.1", 0, simulator, threaded=True, ssl_context=context)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    simulated = WeChat(f"https://127.0.0.1:{server.port}", simulator)
    simulated.control("apps", appid=ACME_SHOP.appid, secret=ACME_SHOP.secret)
    simulated.control("people", name="alice", phone="13800138000")
    yield simulated
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """The URL of an empty database of a PostgreSQL on TCP."""
    with server_folder() as folder:
        server = new_server(folder, "image")
        server.create()
        yield f"postgresql://postgres@{server.address}/wxpass"
        server.remove()


@pytest.fixture(scope="session")
def container(
    image: Image,
    secrets: Path,
    database: str,
    https_wechat: WeChat,
    tmp_path_factory: pytest.TempPathFactory,
) -> Container:
    """Containers of the image with the settings of production."""
    values = load_or_make_keys(tmp_path_factory.mktemp("keys")) | {"DATABASE_URL": database}
    environ = {
        "WECHAT_API_BASE_URL": https_wechat.url,
        "WECHAT_CA_FILE": "/run/secrets/certificate.pem",
        "PORT": str(free_port()),
        "METRICS_BIND": f"127.0.0.1:{free_port()}",
        "GUNICORN_WORKERS": "1",
    }
    for name, value in values.items():
        (secrets / name).write_text(value)
        (secrets / name).chmod(0o644)
        environ[f"{name}_FILE"] = f"/run/secrets/{name}"
    return Container(image, secrets, environ)
