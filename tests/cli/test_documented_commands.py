"""The `flask` commands on the pages, run one block after the other as they are written."""

import re
import shlex
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.cli import terminal
from app.keyring import KeyRing
from app.notifications import Message, Notifier, SmtpServer, Target
from app.services.alerts import alerts, channels
from app.services.alerts.channels import NewChannel
from app.services.alerts.owner import Owner
from app.services.apps.apps import NewApp, add_app
from app.services.apps.claims import claim_app
from app.services.apps.tenants import add_tenant, tenant_id_of
from app.services.audit import OPERATOR
from tests.fixtures.documented_commands import CLI, Block, blocks_run_by
from tests.fixtures.operators import add_operator, enable_one_time_codes, signed_in
from tests.fixtures.passwords import GOOD_PASSWORD, OTHER_PASSWORD
from tests.fixtures.personas import WeChat, enter_user
from tests.fixtures.user_files import xlsx_of

APPID, SECRET = "wx0123456789abcdef", "5e" * 16
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
USER_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
# What is typed at the prompts of a command. A secret is typed twice.
TYPED = {
    "apps add": [SECRET] * 2,
    "apps set-secret": [SECRET] * 2,
    "apps set-next-secret": ["6f" * 16] * 2,
    "apps set-push": [*["PushToken12345"] * 2, *[AES_KEY] * 2],
    "users add": [GOOD_PASSWORD] * 2,
    "users set-password": [OTHER_PASSWORD] * 2,
    "users end-sessions": ["y"],
    "users erase": ["y"],
    "operators remove-codes": ["y"],
    "keys forget": ["y"],
}
ROBOTS = {
    "wecom": ["https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=5ec2e7"] * 2,
    "dingtalk": [
        *["https://oapi.dingtalk.com/robot/send?access_token=5ec2e7"] * 2,
        *["SEC5ec2e7"] * 2,
    ],
    "webhook": ["https://hooks.initech.invalid/"] * 2,
}


class World:
    """What a command on a page takes for granted: a tenant, its mini-program, users, operators."""

    def __init__(self, app: Flask, wechat: WeChat, folder: Path) -> None:
        self.app, self.wechat, self.folder = app, wechat, folder
        self.user_id = ""

    def prepare(self, command: str) -> None:
        """Add what a command needs, but not what it adds itself."""
        self.wechat.control("apps", appid=APPID, secret=SECRET, open_platform="initech")
        (self.folder / "secret.txt").write_text(f"{SECRET}\n")
        people = xlsx_of(("account", "phone"), ("peter", "13800138009"))
        (self.folder / "people.xlsx").write_bytes(people)
        if command == "tenants add":
            return
        with self.app.app_context():
            add_tenant("initech", "Initech")
        if command != "apps add":
            self._add_app()
        if command != "users add":
            self.user_id = enter_user(self.app, "initech", "milton", GOOD_PASSWORD)
        if command != "operators invite":
            add_operator(self.app, "ops@example.com", "platform")
            add_operator(self.app, "ann@example.com", "tenant_admin", "initech")
        if command in SPECIAL:
            SPECIAL[command](self)

    def _add_app(self) -> None:
        with self.app.app_context():
            add_app("initech", NewApp(APPID, "Initech Shop", "on_phone", "json", SECRET))

    def add_claim(self) -> None:
        """Let acme enter the appid as well, so that it can be moved there."""
        with self.app.app_context():
            new = NewApp(APPID, "Initech Shop", "on_phone", "json", SECRET)
            claim_app(OPERATOR, tenant_id_of("acme"), new)

    def merge_user(self) -> None:
        """Merge the user into another one."""
        other = enter_user(self.app, "initech", phone="13800138007")
        admin = signed_in(self.app, "admin@example.com", "tenant_admin", "initech")
        path = f"/tenants/initech/users/{self.user_id}/merge"
        assert admin("POST", path, json={"into_id": other}).status_code == 200

    def enable_codes(self) -> None:
        """Enable one-time codes for the operator Ann."""
        enable_one_time_codes(self.app, "ann@example.com")

    def add_channel(self) -> None:
        """Add a channel of initech. Its id replaces the one on the page."""
        with self.app.app_context():
            owner = Owner(OPERATOR, tenant_id_of("initech"))
            new = NewChannel("webhook", "On call", "zh", "https://hooks.initech.invalid/")
            self.user_id = str(channels.add_channel(owner, new).channel.id)

    def add_mute(self) -> None:
        """Add a mute of initech. Its id replaces the one on the page."""
        with self.app.app_context():
            owner = Owner(OPERATOR, tenant_id_of("initech"))
            self.user_id = str(alerts.add_mute(owner, None, None, timedelta(hours=1)).id)

    def lose_key(self) -> None:
        """Encrypt a phone number with the key k1, which is then lost."""
        right = self.app.extensions["keyring"]
        self.app.extensions["keyring"] = KeyRing((("k1", b"k" * 32), *right.keys), right.pepper)
        enter_user(self.app, "initech", phone="13800138008")
        self.app.extensions["keyring"] = right


class SilentNotifier(Notifier):
    """A notifier with a mail server, which sends nothing."""

    def __init__(self) -> None:
        super().__init__(SmtpServer("smtp.example.com", 465, "wxpass@example.com"))

    def deliver(self, target: Target, message: Message) -> None:
        """Send nothing."""


SPECIAL: dict[str, Callable[[World], None]] = {
    "alerts channels remove": World.add_channel,
    "alerts channels test": World.add_channel,
    "alerts unmute": World.add_mute,
    "apps move": World.add_claim,
    "users undo-merge": World.merge_user,
    "keys forget": World.lose_key,
    "operators remove-codes": World.enable_codes,
    "operators reset": World.enable_codes,
}


class Terminal:
    """A replacement of the module `sys`. Standard input is a terminal, so that commands prompt."""

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of `sys`, or of its standard input."""
        return getattr(sys, name) if hasattr(sys, name) else getattr(sys.stdin, name)

    @property
    def stdin(self) -> "Terminal":
        """Return this object, which has the methods of standard input."""
        return self

    def isatty(self) -> bool:
        """Return true."""
        return True


def words_of(line: str) -> list[str]:
    """Return the words of a command after `flask`, without a comment."""
    words = shlex.split(line, comments=True)
    assert words[0] in ("flask", ".venv/bin/flask"), line
    return words[3:] if words[1:3] == ["--app", "wsgi"] else words[1:]


def name_of(words: list[str]) -> str:
    """Return the name of a command, such as `apps add`."""
    if words[:2] == ["alerts", "channels"]:
        return " ".join(words[:3])
    return " ".join(words[:1] if words[0] in ("demo", "version") else words[:2])


def robot_of(words: list[str]) -> list[str]:
    """Return what is typed to add a robot or a webhook."""
    return ROBOTS.get(words[words.index("--kind") + 1], []) if "--kind" in words else []


@pytest.fixture
def world(app: Flask, wechat: WeChat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world of the commands. Commands read and write files in a temporary folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(terminal, "sys", Terminal())
    monkeypatch.setitem(app.extensions, "notifier", SilentNotifier())
    return World(app, wechat, tmp_path)


@pytest.mark.real_commits
@pytest.mark.parametrize("block", blocks_run_by(CLI), ids=str)
def test_every_documented_flask_command_succeeds(block: Block, app: Flask, world: World) -> None:
    """Only the user id is replaced by that of an existing user."""
    lines = [words_of(line) for line in block.code.splitlines()]
    world.prepare(name_of(lines[0]))
    for number, words in enumerate(lines):
        if number and name_of(words) == "apps add":
            # The lines of this block are alternatives.
            run(app, world, ["apps", "remove", APPID, "--tenant", "initech"])
        run(app, world, words)


def run(app: Flask, world: World, words: list[str]) -> None:
    """Run a command with its redirections. Fail if the exit code is not 0."""
    typed = "".join(f"{text}\n" for text in TYPED.get(name_of(words), []))
    for sign in ("<", ">"):
        if sign in words:
            at = words.index(sign)
            file, words = words[at + 1], words[:at] + words[at + 2 :]
            typed = Path(file).read_text() if sign == "<" else typed
    typed = "".join(f"{text}\n" for text in robot_of(words)) or typed
    words = [USER_ID.sub(world.user_id, word) for word in words]
    result = app.test_cli_runner().invoke(args=words, input=typed)
    assert result.exit_code == 0, (words, result.output)
    assert "Traceback" not in result.output
