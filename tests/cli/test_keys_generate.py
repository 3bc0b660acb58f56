"""`keys generate`: the settings of a new deployment, as a shell, systemd and Docker read them."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli.keys.generate import generate
from app.keyring import KeyRing
from config import ConfigError, load_config
from config.new_settings import new_secrets
from config.readers import read_private_key
from config.secret_files import SECRETS, read_secret_files
from tests.config.test_documented_settings import variables_of

ROOT = Path(__file__).resolve().parents[2]
URL = "postgresql://me:p%40w@db.internal/wxpass?sslmode=verify-full"
WITH_AMPERSAND = f"{URL}&sslrootcert=/etc/wxpass/ca.pem"


def run(*arguments: str, stdin: str = "") -> Result:
    """Run the command."""
    return CliRunner().invoke(generate, arguments, input=stdin)


def as_systemd_reads(path: Path) -> dict[str, str]:
    """Parse a file by the rules of EnvironmentFile= in systemd.exec(5)."""
    found = {}
    for line in path.read_text().splitlines():
        if line.strip() and line.lstrip()[0] not in "#;":
            name, _, value = line.partition("=")
            value = value.strip()
            assert "\\" not in value
            found[name.strip()] = value[1:-1] if value[:1] in ("'", '"') else value
    return found


def as_docker_reads(path: Path) -> dict[str, str]:
    """Parse a file by the rules of `docker run --env-file`: no quotes and no escapes."""
    lines = [line for line in path.read_text().splitlines() if line and line[0] != "#"]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def as_a_shell_reads(path: Path) -> dict[str, str]:
    """Load a file in a real shell, as docs/configuration.md describes."""
    return variables_of(f"set -a; . {path}; set +a", path.parent)


READERS = (as_systemd_reads, as_docker_reads, as_a_shell_reads)


@pytest.mark.parametrize("url", [URL, WITH_AMPERSAND])
@pytest.mark.parametrize("read", READERS)
def test_generated_file_is_complete_however_it_is_loaded(
    read: object, url: str, tmp_path: Path
) -> None:
    file = tmp_path / "wxpass.env"
    arguments = ("--output", str(file), "--host", "login.example.com", "--database-url-stdin")
    made = run(*arguments, stdin=f"{url}\n")
    assert made.exit_code == 0, made.output
    assert "p%40w" not in made.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    config = load_config(read(file))  # type: ignore[operator]
    assert config.production
    assert config.database_url == url.replace("postgresql:", "postgresql+psycopg:")
    assert config.allowed_hosts == ("login.example.com",)
    assert config.jwt_algorithm == "EdDSA"
    assert KeyRing(config.keys, config.pepper).first == "k1"


@pytest.mark.parametrize("read", READERS)
def test_printed_file_is_rejected_until_the_database_is_filled_in(
    read: object, tmp_path: Path
) -> None:
    (file := tmp_path / ".env").write_text(run().output)
    with pytest.raises(ConfigError, match="DATABASE_URL: still contains CHANGE_ME"):
        load_config(read(file))  # type: ignore[operator]


@pytest.mark.parametrize("read", READERS)
def test_secrets_are_written_to_files_that_only_the_owner_can_read(
    read: object, tmp_path: Path
) -> None:
    folder = tmp_path / "secrets"
    assert run("--directory", str(folder), "--database-url-stdin", stdin=URL).exit_code == 0
    assert sorted(os.listdir(folder)) == [".env", "database_url", "jwt.pem", "keys", "pepper"]
    assert {stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / "jwt.pem").read_text().startswith("-----BEGIN PRIVATE KEY-----\n")
    environ = read(folder / ".env")  # type: ignore[operator]
    assert not set(environ) & set(SECRETS)
    assert load_config(environ | read_secret_files(environ)).production


def test_commented_settings_are_valid(tmp_path: Path) -> None:
    text = re.sub(r"^#([A-Z_]+=)", r"\1", run("--database-url-stdin", stdin=URL).output, flags=re.M)
    (file := tmp_path / ".env").write_text(text)
    assert load_config(as_a_shell_reads(file)).trusted_proxies == 1


def test_existing_files_are_not_overwritten(tmp_path: Path) -> None:
    (file := tmp_path / ".env").write_text("mine")
    refused = run("--output", str(file))
    assert refused.exit_code == 1
    assert "exists" in refused.output
    (tmp_path / "keys").write_text("mine")
    assert run("--directory", str(tmp_path), "--output", str(tmp_path / "new")).exit_code == 1
    assert sorted(os.listdir(tmp_path)) == [".env", "keys"]
    assert {one.read_text() for one in tmp_path.iterdir()} == {"mine"}


@pytest.mark.parametrize("url", ["", "mysql://x/y", f"{URL}&x='", f"{URL} x"])
def test_malformed_database_url_is_a_usage_error(url: str) -> None:
    refused = run("--database-url-stdin", stdin=f"{url}\n")
    assert refused.exit_code == 2
    assert "p%40w" not in refused.output


def test_malformed_host_is_a_usage_error() -> None:
    assert run("--host", "https://x").exit_code == 2


def test_single_keys_are_valid_and_new() -> None:
    keys = [run("--only", "ring").output.strip() for _ in range(2)]
    assert keys[0] != keys[1]
    secrets = new_secrets()
    environ = {"DATABASE_URL": URL, **secrets, "WXPASS_KEYS": f"{keys[0]},{secrets['WXPASS_KEYS']}"}
    assert len(load_config(environ).keys) == 2
    read_private_key({"JWT_PRIVATE_KEY": run("--only", "jwt").output})


@pytest.mark.parametrize("name", ["production", "development", ""])
def test_command_needs_no_setting_and_starts_nothing(name: str, tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "WXPASS_ENV": name, "WXPASS_VAR": str(tmp_path / "var")}
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "keys", "generate"]
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "WXPASS_ENV=production\n" in done.stdout
    assert not (tmp_path / "var").exists()


def test_other_commands_still_need_the_settings(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "WXPASS_ENV": "production"}
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "keys", "check"]
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 3
    assert "DATABASE_URL: is not set" in done.stderr
