"""The settings in docs/deployment.md start the service and the migration in production."""

import re
import subprocess
from pathlib import Path

import pytest

from config import load_config
from tests.fixtures.documented_commands import DEPLOY, Block, blocks_run_by

SUDO = 'sudo() { "$@"; }; owner=1234 service=5678\n'
LINE = re.compile(r"^([A-Z_]+)=('?)(.*)\2$", re.MULTILINE)


def values_in(file: Path) -> dict[str, str]:
    """Read a file as EnvironmentFile= of systemd does."""
    return {name: value for name, _, value in LINE.findall(file.read_text())}


@pytest.mark.parametrize("block", blocks_run_by(DEPLOY), ids=str)
def test_the_documented_settings_are_valid(block: Block, tmp_path: Path) -> None:
    code = block.code.replace("/etc/wxpass", str(tmp_path / "wxpass"))
    subprocess.run(["bash", "-euc", SUDO + code], check=True, timeout=30)

    service = values_in(tmp_path / "wxpass" / "wxpass.env")
    owner = service | values_in(tmp_path / "wxpass" / "migrate.env")
    config = load_config({"WXPASS_ENV": "production"} | service)
    assert config.database_url.startswith("postgresql")
    assert ":5678@" in service["DATABASE_URL"]
    assert load_config({"WXPASS_ENV": "production"} | owner)
    assert "wxpass_owner:1234@" in owner["DATABASE_URL"]
    assert (tmp_path / "wxpass").stat().st_mode & 0o777 == 0o700
