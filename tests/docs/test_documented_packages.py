"""The commands on the pages that pack and install the client package."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from config.development import ROOT
from tests.fixtures.documented_commands import PACK, Block, blocks_run_by

PACKS = [block for block in blocks_run_by(PACK) if "npm pack" in block.code]
INSTALLS = [block for block in blocks_run_by(PACK) if "npm install" in block.code]


def run(code: str, folder: Path) -> None:
    """Run commands in a folder, without a network."""
    offline = {"npm_config_offline": "true", "npm_config_audit": "false"}
    subprocess.run(
        ["sh", "-euc", code], cwd=folder, env=os.environ | offline, timeout=60, check=True
    )


@pytest.mark.parametrize("install", INSTALLS, ids=str)
def test_the_client_package_is_packed_and_installed(install: Block, tmp_path: Path) -> None:
    """The folder of wxpass is beside that of the mini-program, as the page says."""
    wxpass, program = tmp_path / "wxpass", tmp_path / "program"
    wxpass.mkdir()
    program.mkdir()
    (wxpass / "clients").symlink_to(ROOT / "clients")
    assert len({block.code for block in PACKS}) == 1
    run(PACKS[0].code, wxpass)
    if "npm init" not in install.code:
        (program / "package.json").write_text("{}")
    run(install.code, program)
    installed = program / "node_modules" / "@wxpass" / "miniprogram" / "package.json"
    assert json.loads(installed.read_text())["name"] == "@wxpass/miniprogram"
