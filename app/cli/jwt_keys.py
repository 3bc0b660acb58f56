"""Commands about the keys that sign JWTs."""

import click
from flask.cli import with_appcontext

from app.cli.terminal import report_errors, show
from app.services.signing import signing_keys as service


@click.group("jwt-keys")
def jwt_keys() -> None:
    """Keys that sign JWTs. JWT 签名密钥。"""


@jwt_keys.command("rotate")
@with_appcontext
@report_errors
def rotate() -> None:
    """Create the next key. It is published immediately and signs in five minutes. 轮换签名密钥。"""
    key = service.rotate_signing_key()
    show(f"Key {key.kid} signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC. 届时启用新密钥。")


@jwt_keys.command("list")
@with_appcontext
@report_errors
def list_() -> None:
    """List the published keys, oldest first: id, algorithm, signs from. 列出已发布的密钥。"""
    for key in service.published_keys():
        show(key.kid, key.algorithm, key.signs_from.isoformat())
