"""The search for rows that need a key, and the counts of several tenants."""

import psycopg
import pytest
from flask import Flask

from app.keyring import keyring
from app.services.encryption.key_usage import count_key_usage, is_key_used_within
from config import Config
from tests.fixtures.personas import ACME_SHOP, GLOBEX_LIFE, Client, Person


def test_rows_of_all_tenants_are_counted_together(
    app: Flask, client: Client, alice: Person, bob: Person
) -> None:
    client.log_in(alice, ACME_SHOP)
    client.log_in(bob, ACME_SHOP)
    client.log_in(alice, GLOBEX_LIFE)
    with app.app_context():
        usage = {(use.column, use.key_id): use.rows for use in count_key_usage()}
        assert usage["session_keys.session_key_sealed", keyring().first] == 3
        assert usage["wechat_apps.secret_sealed", keyring().first] == 4


def test_key_of_the_last_tenant_is_found(
    app: Flask, client: Client, alice: Person, bob: Person
) -> None:
    client.log_in(alice, GLOBEX_LIFE)
    with app.app_context():
        assert is_key_used_within(10, keyring().first) is True
        assert is_key_used_within(10, "k9") is False


@pytest.mark.real_commits
@pytest.mark.parametrize("table", ["session_keys", "wechat_apps"])
def test_search_for_a_key_ends_after_its_time(app: Flask, config: Config, table: str) -> None:
    url = config.database_url.replace("+psycopg", "")
    with app.app_context(), psycopg.connect(url) as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        assert is_key_used_within(0.2, "k9") is None
        other.rollback()
        assert is_key_used_within(10, "k9") is False
