"""Build deploy/Dockerfile without a registry: with buildah, or by executing its steps."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.deploy.image.dockerfile import execute

ARGUMENTS = {
    "VERSION": "1.2.3",
    "REVISION": "0123456789abcdef0123456789abcdef01234567",
    "PIP_NO_INDEX": "1",
}
BASE = "localhost/wxpass-base"
IMAGE = "localhost/wxpass"
SECONDS = 400


class CannotBuild(Exception):
    """buildah cannot run here. The message is what it printed."""


@dataclass(frozen=True)
class Image:
    """A built image: its files, its configuration as Docker writes it, and its size."""

    root: Path
    settings: dict[str, Any]
    how: str
    compressed: int  # bytes

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables of the image."""
        return dict(one.split("=", 1) for one in self.settings["Env"])


def build(folder: Path, base: Path, context: Path) -> Image:
    """Build the image in `folder`, with buildah if it runs here."""
    try:
        return _build_with_buildah(folder / "buildah", base, context)
    except CannotBuild as error:
        print(f"\nbuildah does not run here: {error}\n", flush=True)
        return _build_in_root(folder / "steps", base, context)


class Buildah:
    """buildah with its own storage. It uses neither namespaces of the network nor a registry."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.driver = folder, "overlay"
        self.folder.mkdir(parents=True)
        (folder / "registries.conf").write_text("unqualified-search-registries = []\n")
        try:
            self("info")
        except CannotBuild:  # in a container whose files are an overlay
            self.driver = "vfs"

    def __call__(self, *arguments: str) -> str:
        """Run a command of buildah and return its output."""
        storage = (f"--root={self.folder}/{self.driver}", f"--runroot={self.folder}/run")
        options = (f"--storage-driver={self.driver}", *storage)
        options += ("--registries-conf", str(self.folder / "registries.conf"))
        done = subprocess.run(
            ["buildah", *options, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        if done.returncode:
            raise CannotBuild(f"buildah {arguments[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout.strip()


def _build_with_buildah(folder: Path, base: Path, context: Path) -> Image:
    if shutil.which("buildah") is None:
        raise CannotBuild("apt-get install --no-install-recommends buildah")
    buildah = Buildah(folder)
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, str(base), "/")
    buildah("run", "--isolation", "chroot", container, "--", "true")
    buildah("commit", "--quiet", "--rm", container, BASE)
    arguments = [f"--build-arg={name}={value}" for name, value in ARGUMENTS.items()]
    command = ("build", "--isolation", "chroot", "--format", "docker", "--pull-never")
    file = ("--file", str(context / "deploy" / "Dockerfile"), "--tag", IMAGE)
    try:
        buildah(*command, f"--build-arg=BASE={BASE}", *arguments, *file, str(context))
    except CannotBuild as error:
        # A failing step is an error of the Dockerfile.
        raise AssertionError(str(error)) from None
    container = buildah("from", "--pull-never", IMAGE)
    described = json.loads(buildah("inspect", container))
    buildah("push", "--quiet", IMAGE, f"oci-archive:{folder}/image.tar")
    root = Path(buildah("mount", container))
    settings = described["Docker"]["config"]
    how = f"buildah --isolation chroot --storage-driver {buildah.driver}"
    return Image(root, settings, how, (folder / "image.tar").stat().st_size)


def _build_in_root(folder: Path, base: Path, context: Path) -> Image:
    root, settings = execute(folder, base, context, {"BASE": "root", **ARGUMENTS})
    command = ["tar", "--create", "--gzip", "--file", str(folder / "image.tar"), "."]
    subprocess.run(command, cwd=root, check=True, timeout=240)
    how = "the steps of the Dockerfile in a root"
    return Image(root, settings, how, (folder / "image.tar").stat().st_size)
