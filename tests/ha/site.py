"""The folder, the ports and the configuration files of the cluster."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pwd import struct_passwd

from config.development import ROOT
from tests.fixtures.servers.ports import free_port
from tests.ha.processes import Part

DEPLOY = ROOT / "deploy" / "ha"
# The members of each cluster: etcd1 to etcd3, db1 to db3.
MEMBERS = ("1", "2", "3")
# Only for connections on the loopback interface to databases that are deleted afterwards.
PASSWORD = "not-a-secret"


class Ports:
    """The ports of the cluster, all different. `links` lead from each Patroni to each etcd member.

    A port that is free is chosen again if no server uses it yet, so the chosen ones are recorded.
    """

    def __init__(self) -> None:
        self._chosen: set[int] = set()
        self.etcd, self.etcd_peer = self._one_each(), self._one_each()
        self.postgres, self.patroni = self._one_each(), self._one_each()
        self.links = {member: self._one_each() for member in MEMBERS}
        self.haproxy, self.pgbouncer, self.nginx = self._choose(), self._choose(), self._choose()
        self.redirect = self._choose()  # of nginx, to https
        self.wechat, self.direct, self.pooled = self._choose(), self._choose(), self._choose()

    def _one_each(self) -> dict[str, int]:
        return {member: self._choose() for member in MEMBERS}

    def _choose(self) -> int:
        while (port := free_port()) in self._chosen:
            pass
        self._chosen.add(port)
        return port


@dataclass(frozen=True)
class Site:
    """The folder and the ports of the cluster, and the user of the programs that refuse root."""

    folder: Path
    ports: Ports
    user: struct_passwd | None

    def folder_of(self, name: str) -> Path:
        """Return the folder of a part, which is created if it is missing."""
        folder = self.folder / name
        folder.mkdir(mode=0o700, exist_ok=True)
        self._hand_over(folder)
        return folder

    def write(self, name: str, file: str, text: str) -> Path:
        """Write a file into the folder of a part."""
        path = self.folder_of(name) / file
        path.write_text(text)
        self._hand_over(path)
        return path

    def part(self, name: str, *command: str) -> Part:
        """Return a part that runs as the user of the cluster."""
        folder = self.folder_of(name)
        environ = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": str(folder)}
        return Part(name, command, folder, environ, self.folder / f"{name}.log", self.user)

    def own_part(self, name: str, environ: Mapping[str, str], *command: str) -> Part:
        """Return a part that runs our code as the current user."""
        folder = self.folder / name
        folder.mkdir(mode=0o700, exist_ok=True)
        environ = {**environ, "PYTHONPATH": str(ROOT)}
        return Part(name, command, folder, environ, self.folder / f"{name}.log")

    def _hand_over(self, path: Path) -> None:
        if self.user is not None:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)


def render(file: str, replacements: Mapping[str, str]) -> str:
    """Return a file of `deploy/ha` with replaced texts. Each must occur."""
    text = (DEPLOY / file).read_text()
    for documented, replacement in replacements.items():
        assert documented in text, f"{file} does not contain {documented}"
        text = text.replace(documented, replacement)
    return text
