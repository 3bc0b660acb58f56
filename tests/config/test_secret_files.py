"""`X_FILE`: settings whose value is in a file."""

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from config import Config, ConfigError, load_config
from config.secret_files import MAX_BYTES, SECRETS, load_environment, read_secret_files
from tests.config.test_settings import environ

ROOT = Path(__file__).resolve().parents[2]
SECRET = "do-not-print-me-do-not-print-me-1"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with a pepper."""
    path = tmp_path / "pepper"
    path.write_text(f"{SECRET}\n")
    return path


def in_files(folder: Path, settings: dict[str, str]) -> dict[str, str]:
    """Write the secrets among the settings to files. Return the settings that name the files."""
    for name in SECRETS:
        if name in settings:
            (folder / name).write_text(settings[name])
            settings[f"{name}_FILE"] = str(folder / name)
            del settings[name]
    return settings


def test_every_secret_can_be_in_a_file(tmp_path: Path) -> None:
    """JWT_PRIVATE_KEY is a PEM file of several lines."""
    expected = environ(
        DATABASE_LISTEN_URL="postgresql://l:pw@db.internal/wxpass",
        DATABASE_REPLICA_URL="postgresql://r:pw@standby.internal/wxpass",
        RATE_LIMIT_STORAGE_URL="redis://:pw@redis.internal/0",
        WECHAT_PROXY="http://me:pw@proxy.internal:3128",
        SMTP_URL="smtps://me:pw@smtp.internal",
        SMTP_FROM="wxpass@example.com",
    )
    assert "\n" in expected["JWT_PRIVATE_KEY"].strip()
    settings = in_files(tmp_path, dict(expected))
    assert sorted(settings) == sorted(
        ["WXPASS_ENV", "SMTP_FROM", *(f"{name}_FILE" for name in SECRETS)]
    )
    assert load_config(settings | read_secret_files(settings)) == load_config(expected)


def test_settings_that_the_repr_of_the_configuration_omits_can_be_in_a_file() -> None:
    """A new secret setting belongs in SECRETS."""
    hidden = {field.name.upper() for field in fields(Config) if not field.repr}
    renamed = {"KEYS": "WXPASS_KEYS", "PEPPER": "WXPASS_PEPPER"}
    assert {renamed.get(name, name) for name in hidden} == set(SECRETS)


@pytest.mark.parametrize("content", [SECRET, f"{SECRET}\n", f"{SECRET}\r\n", f"\ufeff{SECRET}\n"])
def test_line_break_at_the_end_and_byte_order_mark_do_not_belong_to_the_value(
    file: Path, content: str
) -> None:
    file.write_bytes(content.encode())
    assert read_secret_files({"WXPASS_PEPPER_FILE": str(file)}) == {"WXPASS_PEPPER": SECRET}


def test_symbolic_links_and_files_readable_by_all_are_accepted(file: Path) -> None:
    """Kubernetes mounts symbolic links, and Docker files that every user may read."""
    file.chmod(0o444)
    link = file.with_name("link")
    link.symlink_to(file)
    assert read_secret_files({"WXPASS_PEPPER_FILE": str(link)}) == {"WXPASS_PEPPER": SECRET}


def test_empty_variables_count_as_unset(file: Path) -> None:
    settings = {"WXPASS_PEPPER": "", "WXPASS_PEPPER_FILE": f" {file} ", "WXPASS_KEYS_FILE": ""}
    assert read_secret_files(settings) == {"WXPASS_PEPPER": SECRET}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (SECRET.encode() + b"\xff", "is not UTF-8 text"),
        (SECRET.encode() + b"\0", "NUL"),
        (SECRET.encode() * (MAX_BYTES // 32), f"is larger than {MAX_BYTES} bytes"),
    ],
)
def test_unusable_content_is_refused_without_showing_it(
    file: Path, content: bytes, reason: str
) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=reason) as refused:
        read_secret_files({"WXPASS_PEPPER_FILE": str(file)})
    assert str(refused.value).startswith(f"WXPASS_PEPPER_FILE: {file}")
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_missing_file_folder_and_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    for path, reason in {
        tmp_path / "missing": "No such file or directory",
        tmp_path: "is not a file",
        pipe: "is not a file",
    }.items():
        with pytest.raises(ConfigError, match=f"WXPASS_KEYS_FILE.*{reason}"):
            read_secret_files({"WXPASS_KEYS_FILE": str(path)})


def test_file_whose_content_cannot_be_read_is_refused() -> None:
    """Reading the beginning of /proc/self/mem fails, even for root."""
    reason = r"WXPASS_PEPPER_FILE: cannot read .*Input/output error"
    with pytest.raises(ConfigError, match=reason):
        read_secret_files({"WXPASS_PEPPER_FILE": "/proc/self/mem"})


def test_variable_and_file_of_one_setting_are_refused(file: Path) -> None:
    settings = {"WXPASS_PEPPER": "other", "WXPASS_PEPPER_FILE": str(file)}
    with pytest.raises(ConfigError, match="WXPASS_PEPPER_FILE: is set, and WXPASS_PEPPER is set"):
        read_secret_files(settings)


def test_one_error_names_all_unusable_files(tmp_path: Path) -> None:
    settings = {f"{name}_FILE": str(tmp_path / "missing") for name in SECRETS}
    with pytest.raises(ConfigError) as refused:
        read_secret_files(settings)
    assert refused.value.name == ", ".join(settings)


def test_process_reads_files_once_until_it_names_others(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that replaces another must not fail because of a file that has changed."""
    monkeypatch.delenv("WXPASS_PEPPER", raising=False)
    monkeypatch.setenv("WXPASS_PEPPER_FILE", str(file))
    assert load_environment()["WXPASS_PEPPER"] == SECRET
    file.unlink()
    assert load_environment()["WXPASS_PEPPER"] == SECRET
    assert "WXPASS_PEPPER_FILE" not in load_environment()
    assert "WXPASS_PEPPER" not in os.environ
    (other := tmp_path / "other").write_text("o" * 32)
    monkeypatch.setenv("WXPASS_PEPPER_FILE", str(other))
    assert load_environment()["WXPASS_PEPPER"] == "o" * 32


COMMANDS = {
    "gunicorn": ("-m", "gunicorn", "-c", "config/gunicorn.conf.py", "-b", "127.0.0.1:0"),
    "flask": ("-m", "flask", "--app", "wsgi", "tenants", "list"),
    "migrations": ("-m", "flask", "--app", "wsgi", "db", "upgrade"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_gunicorn_commands_and_migrations_read_the_files(command: str, tmp_path: Path) -> None:
    """Each of them reports a malformed URL in a file, and not that the setting is missing."""
    url = f"mysql://me:{SECRET}@db/wxpass"
    settings = in_files(tmp_path, environ(DATABASE_URL=url))
    clean = {name: value for name, value in os.environ.items() if name not in SECRETS}
    more = ("wsgi:app",) if command == "gunicorn" else ()
    ended = subprocess.run(
        [sys.executable, *COMMANDS[command], *more],
        cwd=ROOT,
        env=clean | settings,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode in (1, 3), ended.stderr
    assert "DATABASE_URL: " in ended.stderr
    assert "is not set" not in ended.stderr
    assert SECRET not in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("page", ["docs/configuration.md", "docs/configuration.zh-CN.md"])
def test_configuration_page_lists_exactly_the_settings_that_can_be_in_a_file(page: str) -> None:
    section = re.split(r"^## ", (ROOT / page).read_text(), flags=re.MULTILINE)
    (about,) = [part for part in section if "X_FILE" in part.partition("\n")[0]]
    assert set(re.findall(r"^\| `(\w+)_FILE` \|", about, re.MULTILINE)) == set(SECRETS)
