"""Commands about the encryption keys in WXPASS_KEYS."""

import sys
from collections.abc import Sequence

import click
from flask.cli import with_appcontext

from app.cli.keys.generate import generate
from app.cli.terminal import report_errors, report_errors_without_key_check, show
from app.keyring import keyring
from app.services.encryption import key_proofs
from app.services.encryption.key_rotation import rotate_keys
from app.services.encryption.key_usage import KeyUse, count_key_usage

STATES = {
    "current": "encrypts 当前加密",
    "old": "old: rotate 旧密钥，待轮换",
    "missing": "missing: not in WXPASS_KEYS 缺失：不在 WXPASS_KEYS 中",
    "unreadable": "no ciphertext 不是密文",
}


@click.group()
def keys() -> None:
    """Keys that encrypt stored data (WXPASS_KEYS). 落库加密的密钥。"""


keys.add_command(generate)


@keys.command("check")
@with_appcontext
@report_errors_without_key_check
def check() -> None:
    """Count the rows encrypted with each key. 检查各密钥的使用情况。

    Columns: key, column, rows, state. The exit code is 1 if a key is missing or a value is not a
    ciphertext, or if a key or the pepper is not the one that the database was used with. A key that
    is not listed is not needed by any row.
    """
    usage = count_key_usage()
    _show_usage(usage)
    for key_id, _ in keyring().keys[1:]:
        if key_id not in {use.key_id for use in usage}:
            show(
                key_id,
                "-",
                0,
                "not needed: may be removed from WXPASS_KEYS 不再需要，可从 WXPASS_KEYS 移除",
            )
    if any(use.state in ("missing", "unreadable") for use in usage):
        sys.exit(1)
    key_proofs.check_keys()


def _show_usage(usage: Sequence[KeyUse]) -> None:
    for use in usage:
        show(use.key_id or "-", use.column, use.rows, STATES[use.state])


@keys.command("rotate")
@with_appcontext
@report_errors
def rotate() -> None:
    """Re-encrypt old rows with the first key of WXPASS_KEYS. 用第一个密钥重新加密旧数据。

    The service can keep running. The command can be stopped and restarted at any time. The exit
    code is 1 if some rows still use an old key.
    """
    old = sum(use.rows for use in count_key_usage() if use.state == "old")
    with click.progressbar(
        length=old, label=_first_key_id(), file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        for changed in rotate_keys():
            bar.update(changed)
    usage = count_key_usage()
    key_id = _first_key_id()
    show(f"Re-encrypted {bar.pos} rows with {key_id}. 已用 {key_id} 重新加密 {bar.pos} 行。")
    if left := [use for use in usage if use.state != "current"]:
        _show_usage(left)
        sys.exit(1)


def _first_key_id() -> str:
    return keyring().first


@keys.command("forget")
@click.argument("lost", metavar="ID")
@click.confirmation_option(
    prompt="Values encrypted with the key become unreadable. Continue? "
    "用它加密的数据将无法恢复，继续？",
    help="Skip the confirmation. 不再询问。",
)
@with_appcontext
@report_errors_without_key_check
def forget(lost: str) -> None:
    """Give up a lost key, so that the service can start without it. 放弃已丢失的密钥。

    The encrypted rows stay unchanged and are listed by `keys check`. Set lost AppSecrets again with
    `apps set-secret`. session_keys and access tokens are replaced at the next login or call.
    """
    key_proofs.forget_key(lost)
    show(f"Gave up {lost}. 已放弃 {lost}。")
