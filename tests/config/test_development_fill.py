"""Settings that are generated in development if they are not set."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from config import ConfigError, load_config
from config.development import fill
from config.development.keys import load_or_make_keys

GIVEN = "postgresql://given@db/wxpass"


def test_processes_that_start_concurrently_generate_the_same_keys(tmp_path: Path) -> None:
    together = Barrier(8)

    def start(_: int) -> dict[str, str]:
        together.wait()
        return load_or_make_keys(tmp_path)

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(start, range(8)))

    assert all(result == results[0] for result in results)
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.json"]
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_generated_settings_are_valid_and_the_same_each_time(tmp_path: Path) -> None:
    environ = {"WXPASS_VAR": str(tmp_path), "DATABASE_URL": GIVEN, "SIMULATOR_PORT": "8123"}
    again = dict(environ)

    fill(environ)
    fill(again)

    assert environ == again
    assert load_config(environ).wechat_api_base_url == "http://127.0.0.1:8123"


def test_generated_settings_do_not_replace_settings_in_the_environment(tmp_path: Path) -> None:
    given = {"WXPASS_PEPPER": "mine", "WECHAT_API_BASE_URL": "https://x", "DATABASE_URL": GIVEN}
    environ = {"WXPASS_VAR": str(tmp_path)} | given

    fill(environ)

    assert {name: environ[name] for name in given} == given


@pytest.mark.parametrize("env", ["production", "prod", "Production"])
def test_no_settings_are_generated_outside_development(tmp_path: Path, env: str) -> None:
    environ = {"WXPASS_ENV": env, "WXPASS_VAR": str(tmp_path / "var")}
    before = dict(environ)

    fill(environ)

    assert environ == before
    assert not (tmp_path / "var").exists()


def test_a_damaged_secrets_file_raises_config_error(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{")

    with pytest.raises(ConfigError, match=r"secrets\.json"):
        load_or_make_keys(tmp_path)
