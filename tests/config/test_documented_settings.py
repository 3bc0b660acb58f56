"""The settings on the pages, evaluated by a shell."""

import os
import re
import subprocess
from base64 import b64encode
from pathlib import Path

import certifi
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from config import load_config
from config.secret_files import read_secret_files
from tests.fixtures.documented_commands import SETTINGS, Block, blocks_run_by

BLOCKS = blocks_run_by(SETTINGS)
FILES = "/etc/wxpass"


def pem_of_a_new_key() -> str:
    """Return a new Ed25519 private key."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the settings read."""
    for name, content in {
        "keys": f"k1:{b64encode(bytes(32)).decode()}",
        "k1": b64encode(bytes(32)).decode(),
        "k2": b64encode(bytes(range(32))).decode(),
        "pepper": "p" * 32,
        "jwt.pem": pem_of_a_new_key(),
        "ca.pem": Path(certifi.where()).read_text(),
    }.items():
        (tmp_path / name).write_text(content)
    return tmp_path


def variables_of(script: str, folder: Path) -> dict[str, str]:
    """Return the variables that a shell script sets in an empty environment."""
    done = subprocess.run(
        ["env", "-i", f"PATH={os.environ['PATH']}", "sh", "-eac", f"{script}\nenv -0"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    pairs = (entry.partition("=") for entry in done.stdout.split("\0") if entry)
    return {name: value for name, _, value in pairs if name not in ("PATH", "PWD", "SHLVL", "_")}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_the_service_accepts_documented_settings(block: Block, folder: Path) -> None:
    """Lines with the same name are alternatives. Other lines are one environment."""
    secrets = {
        # Required by the example of SMTP_URL.
        "SMTP_FROM": "wxpass@example.com",
        "DATABASE_URL": "postgresql://localhost/wxpass",
        # Required by the example of DATABASE_POOLER.
        "DATABASE_LISTEN_URL": "postgresql://localhost/wxpass",
        "WXPASS_KEYS": f"k1:{b64encode(bytes(32)).decode()}",
        "WXPASS_PEPPER": "p" * 32,
        "JWT_PRIVATE_KEY": pem_of_a_new_key(),
    }
    code = block.code.replace(FILES, str(folder))
    names = re.findall(r"^(?:export )?(\w+)=", code, re.MULTILINE)
    scripts = [code] if len(names) == len(set(names)) else code.splitlines()
    for script in scripts:
        found = variables_of(script, folder)
        assert found
        environ = {name: value for name, value in secrets.items() if f"{name}_FILE" not in found}
        load_config(environ | found | read_secret_files(found))
