"""The operator CLI: effects of commands, error messages and secrecy of entered secrets."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy.exc import OperationalError

from app.cli.apps import apps
from app.cli.audit import audit
from app.cli.demo import demo
from app.cli.doctor import doctor
from app.cli.jobs import jobs
from app.cli.jwt_keys import jwt_keys
from app.cli.keys import keys
from app.cli.operators import operators
from app.cli.pushes import pushes
from app.cli.retention import retention
from app.cli.tenants import tenants
from app.cli.users import users
from app.models import WeChatApp
from app.services.database.transactions import transaction
from config import Config
from config.development.demo import TENANTS
from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import (
    ACME_SHOP,
    App,
    Client,
    Person,
    Reader,
    WeChat,
    enter_user,
    failure,
)

ROOT = Path(__file__).resolve().parents[2]
GROUPS = (
    tenants,
    apps,
    users,
    operators,
    pushes,
    audit,
    retention,
    jobs,
    keys,
    jwt_keys,
    demo,
    doctor,
)
NEW = App("wxcccc000000000001", "acme", "c1" * 16)
PASSWORD = GOOD_PASSWORD
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
PUSH_TOKEN = "PushToken12345"

Command = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Command:
    """Return a function that runs a command and checks the output for tracebacks and secrets."""
    runner = app.test_cli_runner()

    def run(*arguments: str, stdin: str | bytes = "") -> Result:
        result = runner.invoke(args=list(arguments), input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        text = stdin if isinstance(stdin, str) else stdin.decode(errors="ignore")
        for secret in text.split():
            assert secret not in result.output
        return result

    return run


def add_app(run: Command, *more: str, stdin: str = NEW.secret, **other: str) -> Result:
    """Run `apps add` for the app NEW with `--unproven`, which skips the request to WeChat."""
    return claim_app(run, "--unproven", *more, stdin=stdin, **other)


def claim_app(run: Command, *more: str, stdin: str = NEW.secret, **other: str) -> Result:
    """Run `apps add` for the app NEW. The app is active if WeChat accepts the AppSecret."""
    given = {"tenant": "acme", "name": "New"} | other
    options = [f"--{name}={value}" for name, value in given.items()]
    return run("apps", "add", NEW.appid, *options, "--secret-stdin", *more, stdin=f"{stdin}\n")


def add_user(run: Command, *options: str, stdin: str | bytes = PASSWORD) -> Result:
    flags = ["--password-stdin"] if "--account" in options else []
    return run("users", "add", "--tenant", "acme", *flags, *options, stdin=stdin)


def walk(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all its subcommands, each with its full name such as `apps add`."""
    path = f"{path} {command.name}".strip()
    yield path, command
    for child in getattr(command, "commands", {}).values():
        yield from walk(child, path)


COMMANDS = dict(pair for group in GROUPS for pair in walk(group))


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= char <= "\u9fff" for char in text)


def is_english(text: str) -> bool:
    return any(char.isascii() and char.isalpha() for char in text)


# Help and options


def test_the_command_groups_contain_exactly_the_listed_commands() -> None:
    assert set(COMMANDS) == {
        *("tenants", "tenants add", "tenants list", "tenants set", "tenants overview"),
        "tenants failing",
        *("apps", "apps add", "apps list", "apps disable", "apps enable"),
        *("apps set", "apps set-secret", "apps set-next-secret", "apps set-push", "apps verify"),
        *("apps remove", "apps release", "apps move"),
        *("users", "users add", "users list", "users set-password", "users undo-merge"),
        *("users end-sessions", "users personal-data", "users erase", "operators end-sessions"),
        *("users normalise-accounts", "users set-account"),
        *("users import", "users export"),
        *("operators", "operators invite", "operators list", "operators reset"),
        *("operators remove-codes", "operators disable", "operators enable"),
        *("pushes", "pushes list", "pushes retry"),
        *("audit", "audit list", "retention", "retention run"),
        *("jobs", "jobs list", "jobs record"),
        *("jwt-keys", "jwt-keys list", "jwt-keys rotate"),
        *("keys", "keys check", "keys rotate", "keys forget"),
        *("keys generate", "demo", "doctor"),
    }


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_help_in_both_languages(path: str, run: Command) -> None:
    shown = run(*path.split(), "--help")

    assert shown.exit_code == 0
    assert is_english(COMMANDS[path].help or "")
    assert is_chinese(COMMANDS[path].help or "")
    for param in COMMANDS[path].params:
        if isinstance(param, click.Option):
            assert is_english(param.help or ""), param.name
            assert is_chinese(param.help or ""), param.name
            assert param.opts[0] in shown.output


@pytest.mark.parametrize("path", COMMANDS)
def test_no_command_reads_a_secret_from_an_argument_or_environment_variable(path: str) -> None:
    secret = ("secret", "password", "token", "key")
    for param in COMMANDS[path].params:
        names = " ".join((param.name or "", *param.opts)).lower()
        if any(word in names for word in secret):
            assert isinstance(param, click.Option)
            assert param.is_flag, names
            assert param.envvar is None


# Tenants


def test_tenants_list_shows_an_added_tenant(run: Command) -> None:
    added = run("tenants", "add", "initech-2", "--name", "英尼泰克 🌸")

    assert (added.exit_code, "initech-2" in added.output) == (0, True)
    listed = run("tenants", "list")
    assert listed.output.splitlines() == [
        "acme\tactive\tbind\t15\t1095\t180\tAcme",
        "globex\tactive\tbind\t15\t1095\t180\tGlobex",
        "initech-2\tactive\tbind\t15\t1095\t180\t英尼泰克 🌸",
    ]


@pytest.mark.parametrize(
    "slug",
    ["", "Acme", "a b", "-a", "a-", "a--b", "a_b", "a/b", "a\0b", "é", "a\n", "x" * 41, "\udcff"],
    ids=repr,
)
def test_tenants_add_rejects_a_malformed_slug(slug: str, run: Command, rows: Reader) -> None:
    assert run("tenants", "add", "--name", "x", "--", slug).exit_code == 2
    assert rows.count("tenants") == 2


@pytest.mark.parametrize(
    "name", ["", "  ", "a\0b", "a\tb", "a\nb", "\x9b31m", "\udcff", "x" * 65], ids=repr
)
def test_tenants_add_and_apps_add_reject_an_invalid_display_name(
    name: str, run: Command, rows: Reader
) -> None:
    assert run("tenants", "add", "initech", "--name", name).exit_code == 2
    assert add_app(run, name=name).exit_code == 2
    assert (rows.count("tenants"), rows.count("wechat_apps")) == (2, 4)


def test_tenants_add_reports_a_duplicate_slug_in_both_languages(run: Command, rows: Reader) -> None:
    again = run("tenants", "add", "acme", "--name", "Other")

    assert again.exit_code == 1
    assert "Error: tenant_exists: A tenant with this slug already exists." in again.output
    assert "该租户标识已存在" in again.output
    assert rows("SELECT name FROM tenants WHERE slug = 'acme'") == [("Acme",)]


# Apps


def test_an_app_added_by_command_serves_logins_immediately(
    run: Command, client: Client, wechat: WeChat, alice: Person
) -> None:
    wechat.control("apps", appid=NEW.appid, secret=NEW.secret, open_platform="acme")
    code = alice.wx_login(NEW)
    assert failure(client.post("login", app=NEW, code=code)) == (404, "app_unknown")

    assert claim_app(run, registration="on_login").exit_code == 0

    login = client.post("login", app=NEW, code=code)
    assert (login.status_code, login.json["bound"]) == (200, True)
    assert f"{NEW.appid}\tacme\ton_login\tenabled\tdefault\tNew" in run("apps", "list").output


def test_logins_and_sessions_of_an_app_are_rejected_from_apps_disable_to_apps_enable(
    run: Command, client: Client, alice: Person
) -> None:
    token = client.bind(alice)["token"]

    assert run("apps", "disable", ACME_SHOP.appid).exit_code == 0
    refused = client.post("login", code=alice.wx_login())
    assert failure(refused) == (403, "app_disabled")
    assert failure(client.me(token)) == (403, "app_disabled")
    assert f"{ACME_SHOP.appid}\tacme\ton_phone\tdisabled" in run("apps", "list").output
    assert run("apps", "disable", ACME_SHOP.appid).exit_code == 0

    assert run("apps", "enable", ACME_SHOP.appid).exit_code == 0
    assert client.me(token).status_code == 200
    assert client.post("login", code=alice.wx_login()).status_code == 200


def test_apps_set_changes_and_audits_settings_and_rejects_invalid_values(
    run: Command, rows: Reader
) -> None:
    change = ("apps", "set", ACME_SHOP.appid)
    assert run(*change, "--session-limit", "2", "--registration", "closed").exit_code == 0
    assert f"{ACME_SHOP.appid}\tacme\tclosed\tenabled\t2\t" in run("apps", "list").output
    assert run(*change, "--session-limit", "off", "--name", "Shop").exit_code == 0
    assert f"{ACME_SHOP.appid}\tacme\tclosed\tenabled\toff\tShop" in run("apps", "list").output
    assert run(*change, "--session-limit", "default").exit_code == 0
    assert f"{ACME_SHOP.appid}\tacme\tclosed\tenabled\tdefault\tS" in run("apps", "list").output
    assert rows("SELECT details FROM audit_events WHERE action = 'app.changed' ORDER BY id") == [
        (
            {
                "before": {"session_limit": None, "registration": "on_phone"},
                "after": {"session_limit": 2, "registration": "closed"},
            },
        ),
        (
            {
                "before": {"session_limit": 2, "name": ACME_SHOP.appid},
                "after": {"session_limit": "off", "name": "Shop"},
            },
        ),
        ({"before": {"session_limit": "off"}, "after": {"session_limit": None}},),
    ]
    for limit in ("0", "-1", "1001", "two", "", "OFF", "٣", "1e2"):
        refused = run(*change, "--session-limit", limit)
        assert (refused.exit_code, is_chinese(refused.output)) == (2, True), limit
    for invalid in ((), ("--name", " ")):
        assert run(*change, *invalid).exit_code == 2, invalid
    assert run("apps", "set", "wxnobody", "--name", "x").exit_code == 1


def test_apps_add_stores_appsecret_and_push_secrets_encrypted(
    run: Command, app: Flask, rows: Reader
) -> None:
    secrets = f"{NEW.secret}\n{PUSH_TOKEN}\n{AES_KEY}"
    added = add_app(run, "--push-token", "--encoding-aes-key", "--data-format=XML", stdin=secrets)
    assert added.exit_code == 0, added.output

    with app.app_context(), transaction() as db:
        stored = db.get_one(WeChatApp, NEW.appid)
        opened = (stored.secret, stored.push_token, stored.encoding_aes_key)
    assert opened == (NEW.secret, PUSH_TOKEN, AES_KEY)
    assert stored.data_format == "xml"
    (row,) = rows("SELECT a::text FROM wechat_apps a WHERE appid = :appid", appid=NEW.appid)
    for secret in opened:
        assert str(secret) not in row[0]


def test_apps_set_push_replaces_the_token_and_the_encoding_aes_key(
    run: Command, app: Flask, rows: Reader
) -> None:
    change = ("apps", "set-push", ACME_SHOP.appid, "--secret-stdin")

    both = run(*change, "--encoding-aes-key", stdin=f"{PUSH_TOKEN}\n{AES_KEY}\n")
    assert (both.exit_code, push_secrets(app)) == (0, (PUSH_TOKEN, AES_KEY)), both.output
    assert run(*change, stdin=f"{PUSH_TOKEN[::-1]}\n").exit_code == 0
    assert push_secrets(app) == (PUSH_TOKEN[::-1], None)
    for invalid in ("", "ab", "to_ken"):
        assert run(*change, stdin=invalid).exit_code == 2
    assert run(*change, "--encoding-aes-key", stdin=f"{PUSH_TOKEN}\n{AES_KEY}x").exit_code == 2
    assert push_secrets(app) == (PUSH_TOKEN[::-1], None)
    assert run("apps", "set-push", "wxnobody", "--secret-stdin", stdin=PUSH_TOKEN).exit_code == 1
    assert rows.count("audit_events", "action = 'app.push_secrets_replaced'") == 2


def push_secrets(app: Flask) -> tuple[str | None, str | None]:
    with app.app_context(), transaction() as db:
        stored = db.get_one(WeChatApp, ACME_SHOP.appid)
        return stored.push_token, stored.encoding_aes_key


def test_apps_add_without_options_uses_the_documented_defaults(run: Command, rows: Reader) -> None:
    assert add_app(run).exit_code == 0

    columns = "registration, data_format, enabled, push_token_sealed, encoding_aes_key_sealed"
    (row,) = rows(f"SELECT {columns} FROM wechat_apps WHERE appid = :appid", appid=NEW.appid)
    assert row == ("on_phone", "json", True, None, None)


@pytest.mark.parametrize(
    ("options", "stdin", "exit_code"),
    [
        ({"tenant": "nobody"}, NEW.secret, 1),
        ({"tenant": "a\0b"}, NEW.secret, 2),
        ({"tenant": "\udcff"}, NEW.secret, 2),
        ({"registration": "maybe"}, NEW.secret, 2),
        ({"data-format": "yaml"}, NEW.secret, 2),
        ({}, "", 2),
        ({}, "   ", 2),
        ({}, "\0" * 32, 2),
        ({}, "decaf bad", 2),
        ({}, "密钥", 2),
        ({}, "a" * 129, 2),
        ({"push-token": None}, NEW.secret, 2),
        ({"push-token": None}, f"{NEW.secret}\nab", 2),
        ({"push-token": None}, f"{NEW.secret}\nto_ken", 2),
        ({"encoding-aes-key": None}, f"{NEW.secret}\n{AES_KEY}x", 2),
        ({"encoding-aes-key": None}, f"{NEW.secret}\n{AES_KEY[:-1]}=", 2),
    ],
)
def test_apps_add_rejects_an_invalid_option_or_secret(
    options: dict[str, str | None], stdin: str, exit_code: int, run: Command, rows: Reader
) -> None:
    flags = [f"--{name}" for name, value in options.items() if value is None]
    given = {name: value for name, value in options.items() if value is not None}
    refused = add_app(run, *flags, stdin=stdin, **given)

    assert refused.exit_code == exit_code
    assert "Error: " in refused.output
    assert rows.count("wechat_apps") == 4


@pytest.mark.parametrize(
    "appid", ["", "wx 1", "wx/1", "wx\0", "微信", "w" * 65, "\udcff"], ids=repr
)
@pytest.mark.parametrize("action", ["add", "disable", "enable"])
def test_app_commands_reject_a_malformed_appid(appid: str, action: str, run: Command) -> None:
    more = ["--tenant=acme", "--name=x", "--secret-stdin"] if action == "add" else []

    assert run("apps", action, *more, "--", appid, stdin=NEW.secret).exit_code == 2


@pytest.mark.parametrize(
    "appid",
    [
        *("wx0123456789abcde", "wx0123456789abcdef0", "wy0123456789abcdef", "wx0123456789abcde-"),
        *("WX0123456789ABCDEF", "wx０123456789abcdef", "wx0123456789abcdef\n"),
        "wxaaaa000000000001~20260101000000000000",
    ],
    ids=repr,
)
def test_apps_add_requires_an_appid_of_wx_and_16_letters_or_digits(
    appid: str, run: Command, rows: Reader
) -> None:
    more = ["--tenant=acme", "--name=x", "--secret-stdin", "--unproven"]
    refused = run("apps", "add", *more, "--", appid, stdin=NEW.secret)
    assert refused.exit_code == 2
    assert "an appid is wx followed by 16 letters or digits." in refused.output
    assert "appid 由 wx 和 16 位字母或数字组成" in refused.output
    assert (rows.count("wechat_apps"), rows.count("app_claims")) == (4, 0)


def test_apps_add_rejects_an_appid_that_is_already_in_use(run: Command, rows: Reader) -> None:
    assert add_app(run).exit_code == 0
    before = rows("SELECT * FROM wechat_apps ORDER BY appid")

    again = add_app(run, tenant="globex", stdin="e1" * 16)

    assert (again.exit_code, "app_taken" in again.output) == (1, True)
    assert rows("SELECT * FROM wechat_apps ORDER BY appid") == before
    again = add_app(run, stdin="e1" * 16)
    assert (again.exit_code, "app_exists" in again.output) == (1, True)


@pytest.mark.parametrize("action", ["disable", "enable"])
def test_apps_enable_and_apps_disable_fail_for_an_unknown_app(action: str, run: Command) -> None:
    unknown = run("apps", action, "wx-unknown")

    assert (unknown.exit_code, "app_unknown" in unknown.output) == (1, True)


def test_apps_list_shows_only_apps_of_the_given_tenant(run: Command) -> None:
    shown = run("apps", "list", "--tenant", "globex").output.splitlines()

    assert [line.split("\t")[:2] for line in shown] == [["wxbbbb000000000001", "globex"]]
    assert run("apps", "list", "--tenant", "nobody").exit_code == 1
    assert run("apps", "list", "--tenant", "a\0b").exit_code == 2
    assert len(run("apps", "list").output.splitlines()) == 4


# Users


def test_a_user_added_by_command_can_log_in(run: Command, client: Client) -> None:
    assert add_user(run, "--account", " Alice ", "--phone", "138 0013 8001").exit_code == 0

    login = client.post("password-login", account="alice", password=PASSWORD)
    assert login.status_code == 200, login.text
    assert login.json["user"]["phone"] == "+8613800138001"


def test_a_user_added_with_the_longest_account_and_password_can_log_in(
    run: Command, client: Client
) -> None:
    account, password = "字" * 64, GOOD_PASSWORD.ljust(128, "长")
    assert add_user(run, "--account", account, stdin=password).exit_code == 0

    assert client.post("password-login", account=account, password=password).status_code == 200


def test_users_list_masks_phones_and_shows_only_users_of_the_given_tenant(
    run: Command, app: Flask
) -> None:
    alice = enter_user(app, account="alice", phone="13800138001", password=PASSWORD)
    enter_user(app, "globex", phone="13800138001")

    listed = run("users", "list", "--tenant", "acme")

    assert listed.output == f"{alice}\tactive\talice\t+86138****8001\t-\n"
    assert run("users", "list", "--tenant", "nobody").exit_code == 1
    assert run("users", "list", "--tenant", "a\0b").exit_code == 2


def test_users_list_replaces_control_characters_in_nicknames(
    run: Command, app: Flask, rows: Reader
) -> None:
    enter_user(app, phone="13800138001")
    rows("UPDATE users SET nickname = :name", name="\x1b[2J\x9b31m\u202eevil\tname\r\nx 🌸 小花")

    line = run("users", "list", "--tenant", "acme").output

    assert line.endswith("\t?[2J?31m?evil?name??x 🌸 小花\n")


@pytest.mark.parametrize(
    ("options", "stdin", "exit_code"),
    [
        ([], PASSWORD, 2),
        (["--account", ""], PASSWORD, 2),
        (["--account", "", "--phone", "13800138001"], PASSWORD, 2),
        (["--account", "   "], PASSWORD, 2),
        (["--account", "\u3000"], PASSWORD, 2),
        (["--account", "\u200b\u3164"], PASSWORD, 2),
        (["--account", "\u2800"], PASSWORD, 2),
        (["--phone", "12306"], "", 1),
        (["--phone", "85268326366"], "", 1),
        (["--phone", "1380013"], "", 1),
        (["--account", "\udcff"], PASSWORD, 2),
        (["--account", "x" * 65], PASSWORD, 2),
        (["--account", "alice"], "", 2),
        (["--account", "alice"], "\n", 2),
        (["--account", "alice"], " " * 10, 2),
        (["--account", "alice"], "seven77", 2),
        (["--account", "alice"], "x" * 129, 2),
        (["--account", "alice"], "password1234", 1),
        (["--account", "alice"], "nul\0nul\0nul", 2),
        (["--account", "alice"], "tab\ttab\ttab", 2),
        (["--account", "alice"], b"latin-\xe9-latin", 2),
        (["--phone", ""], "", 2),
        (["--phone", "13800138000", "--password-stdin"], PASSWORD, 2),
        (["--account", "alice", "--phone", ""], PASSWORD, 2),
        (["--phone", "12"], "", 1),
        (["--phone", "not a phone"], "", 1),
        (["--phone", "\0"], "", 1),
        (["--phone", "\udcff"], "", 1),
        (["--phone", "+999 1234567"], "", 1),
        (["--account", "alice", "--phone", "1" * 30], PASSWORD, 1),
    ],
)
def test_users_add_rejects_an_invalid_account_phone_or_password(
    options: list[str], stdin: str | bytes, exit_code: int, run: Command, rows: Reader
) -> None:
    refused = add_user(run, *options, stdin=stdin)

    assert refused.exit_code == exit_code, refused.output
    assert "Error: " in refused.output
    assert is_chinese(refused.output)
    assert rows.count("users") == rows.count("phones") == 0


def test_users_add_rejects_an_unknown_tenant(run: Command, rows: Reader) -> None:
    for tenant, exit_code in (("nobody", 1), ("a\0b", 2), ("", 2)):
        refused = run("users", "add", "--tenant", tenant, "--phone", "13800138001")
        assert refused.exit_code == exit_code
    assert rows.count("users") == 0


def test_users_add_rejects_a_duplicate_account_or_phone(
    run: Command, app: Flask, rows: Reader
) -> None:
    enter_user(app, account="alice", password=PASSWORD, phone="13800138001")

    by_account = add_user(run, "--account", "ＡＬＩＣＥ", "--phone", "13800138002")
    by_phone = add_user(run, "--account", "bob", "--phone", "+86 138-0013-8001")

    assert (by_account.exit_code, "account_exists" in by_account.output) == (1, True)
    assert (by_phone.exit_code, "phone_taken" in by_phone.output) == (1, True)
    assert rows.count("users") == rows.count("phones") == 1


# Input of secrets


@pytest.mark.parametrize(
    "arguments",
    [
        ["apps", "add", NEW.appid, "--tenant=acme", "--name=x"],
        ["users", "add", "--tenant=acme", "--account=alice"],
    ],
)
def test_secrets_are_read_from_standard_input_only_with_the_stdin_option(
    arguments: list[str], run: Command, rows: Reader
) -> None:
    refused = run(*arguments, stdin=PASSWORD)

    assert refused.exit_code == 2
    assert "-stdin" in refused.output
    assert (rows.count("users"), rows.count("wechat_apps")) == (0, 4)


# The database


def test_a_command_reports_an_unavailable_database_without_a_traceback(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OperationalError("SELECT 1", {}, Exception("connection to 10.0.0.1 refused"))

    monkeypatch.setattr("app.services.apps.tenants.list_tenants", refuse)
    refused = run("tenants", "list")

    assert (refused.exit_code, "database_unavailable" in refused.output) == (1, True)
    assert "SELECT" not in refused.output


def test_a_command_reports_missing_migrations_without_a_traceback(
    run: Command, rows: Reader
) -> None:
    rows("ALTER TABLE tenants RENAME TO gone")
    refused = run("tenants", "list")

    assert (refused.exit_code, "migrations_missing" in refused.output) == (1, True)
    assert "make migrate" in refused.output


def test_the_demo_command_succeeds_when_the_demo_data_exists(run: Command, rows: Reader) -> None:
    assert (run("demo").exit_code, run("demo").exit_code) == (0, 0)
    people = {user.account for tenant in TENANTS for user in tenant.users}

    assert people <= {account for (account,) in rows("SELECT account FROM users")}


def test_repeated_demo_command_sets_up_message_push_once(run: Command, rows: Reader) -> None:
    rows("DELETE FROM wechat_apps")
    assert run("demo").exit_code == 0
    apps = len([app for tenant in TENANTS for app in tenant.apps])
    assert rows("SELECT count(*) FROM wechat_apps WHERE push_token_sealed IS NOT NULL") == [(apps,)]
    events = rows.count("audit_events")
    assert run("demo").exit_code == 0
    assert rows.count("audit_events") == events


def test_the_demo_command_ages_sessions_outside_production_only(
    app: Flask, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("demo").exit_code == 0
    assert run("demo", "--age-sessions", "24").exit_code == 0
    monkeypatch.setitem(app.config, "WXPASS_PRODUCTION", True)
    refused = run("demo", "--age-sessions", "24")
    assert refused.exit_code == 1
    assert "development only" in refused.output


# Real processes


def environ_of(config: Config) -> dict[str, str]:
    """Return environment variables for a process that uses the database of the tests."""
    return dict(os.environ) | {
        "DATABASE_URL": config.database_url,
        "WECHAT_API_BASE_URL": config.wechat_api_base_url,
        "PYTHONIOENCODING": "",
    }


def flask(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]


@pytest.mark.real_commits
@pytest.mark.slow
def test_apps_add_succeeds_in_a_process_with_ascii_output(
    config: Config, client: Client, wechat: WeChat, alice: Person
) -> None:
    wechat.control("apps", appid=NEW.appid, secret=NEW.secret, open_platform="acme")
    options = ("--tenant", "acme", "--name", "小花 🌸", "--secret-stdin")
    environ = environ_of(config) | {"PYTHONIOENCODING": "ascii"}

    added = subprocess.run(
        flask("apps", "add", NEW.appid, *options),
        cwd=ROOT,
        env=environ,
        input=f"{NEW.secret}\r\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (added.returncode, added.stderr) == (0, "")
    assert f"{NEW.appid} is active for acme." in added.stdout
    assert NEW.secret not in added.stdout
    assert client.post("login", app=NEW, code=alice.wx_login(NEW)).status_code == 200


@pytest.mark.real_commits
@pytest.mark.slow
def test_users_add_prompts_for_the_password_without_echo(
    config: Config, client: Client, rows: Reader
) -> None:
    terminal, child_terminal = pty.openpty()
    process = subprocess.Popen(
        flask("users", "add", "--tenant", "acme", "--account", "alice"),
        cwd=ROOT,
        env=environ_of(config),
        stdin=child_terminal,
        stdout=child_terminal,
        stderr=child_terminal,
        start_new_session=True,
    )
    os.close(child_terminal)
    shown = ""
    for prompt, typed in (
        ("password: ", PASSWORD),
        ("confirmation: ", "something-else"),
        ("password: ", PASSWORD),
        ("confirmation: ", PASSWORD),
    ):
        shown += read_until(terminal, prompt)
        os.write(terminal, f"{typed}\n".encode())
    shown += read_until(terminal, "Added user")
    assert process.wait(60) == 0
    os.close(terminal)

    assert "do not match" in shown
    assert PASSWORD not in shown
    assert "something-else" not in shown
    assert client.post("password-login", account="alice", password=PASSWORD).status_code == 200


def read_until(terminal: int, wanted: str) -> str:
    """Read the output of a terminal until it ends with `wanted`, at most 60 seconds."""
    shown, deadline = "", time.monotonic() + 60
    while not shown.rstrip("\r\n").endswith(wanted) and "Added" not in shown:
        assert time.monotonic() < deadline, shown
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                shown += os.read(terminal, 4096).decode()
            except OSError:
                break
    assert wanted in shown, shown
    return shown
