"""Defaults of development: keys, database and simulator."""

from collections.abc import MutableMapping
from pathlib import Path

from config.development.keys import load_or_make_keys
from config.development.postgres import hold_server
from config.readers import read_number

ROOT = Path(__file__).resolve().parents[2]
PORTS = range(1, 65536)


def fill(environ: MutableMapping[str, str]) -> None:
    """Set the missing variables of `environ`. Start or join the embedded PostgreSQL if needed.

    Does nothing unless WXPASS_ENV is development or unset, so that a misspelt "production" does not
    get the development keys. Raises ConfigError.
    """
    if environ.get("WXPASS_ENV", "").strip() not in ("", "development"):
        return
    var = var_folder(environ)
    var.mkdir(parents=True, exist_ok=True)
    for name, value in load_or_make_keys(var).items():
        _set_if_missing(environ, name, value)
    if is_missing(environ, "WECHAT_API_BASE_URL"):
        environ["WECHAT_API_BASE_URL"] = simulator_url(environ)
    if is_missing(environ, "DATABASE_URL"):
        environ["DATABASE_URL"] = hold_server(var).url


def var_folder(environ: MutableMapping[str, str]) -> Path:
    """Return the folder for keys, data and logs: WXPASS_VAR, or `var` in the checkout."""
    return Path(environ.get("WXPASS_VAR", "").strip() or ROOT / "var").expanduser().resolve()


def simulator_url(environ: MutableMapping[str, str]) -> str:
    """Return the address of the simulator of `make run`."""
    return f"http://127.0.0.1:{read_number(environ, 'SIMULATOR_PORT', 8001, PORTS)}"


def is_missing(environ: MutableMapping[str, str], name: str) -> bool:
    """Return whether a variable is unset or empty."""
    return not environ.get(name, "").strip()


def _set_if_missing(environ: MutableMapping[str, str], name: str, value: str) -> None:
    if is_missing(environ, name):
        environ[name] = value
