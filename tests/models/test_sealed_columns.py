"""Encrypted columns: covered by key rotation, and bound to table, column and row."""

from itertools import product
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Column, MetaData, Table, Uuid

from app.extensions import db
from app.keyring import SealBroken, keyring
from app.models.distribution import key_within_tenant
from app.models.sealed_columns import SealedColumn, sealed_columns

NAMES = {column.name for column in sealed_columns()}
# Values of two rows, by the column that identifies the row in the associated data.
ROWS: dict[str, tuple[object, object]] = {
    "id": (UUID(int=1), UUID(int=2)),
    "social_account_id": (UUID(int=1), UUID(int=2)),
    "appid": ("wx1", "wx2"),
    "kid": ("kid1", "kid2"),
}


def row_of(column: SealedColumn, which: int) -> list[object]:
    """Return the values that identify the first (0) or second (1) row in the associated data."""
    return [ROWS[name][which] for name in column.sealed.row]


def sealed(column: SealedColumn, which: int = 0) -> str:
    """Return a ciphertext for the first (0) or second (1) row of a column."""
    row = dict(zip(column.sealed.row, row_of(column, which), strict=True))
    return column.sealed.seal("a secret", column.model, **row)


def test_sealed_columns_contains_every_column_with_sealed_in_its_name() -> None:
    in_tables = {
        f"{table.name}.{column.name}"
        for table in db.metadata.sorted_tables
        for column in table.columns
        if "sealed" in column.name
    }
    assert in_tables == NAMES
    assert {"wechat_apps.secret_sealed", "signing_keys.private_key_sealed"} < NAMES


@pytest.mark.parametrize("column", sealed_columns(), ids=lambda column: column.name)
def test_the_columns_that_identify_a_row_of_ciphertext_are_not_nullable(
    column: SealedColumn,
) -> None:
    assert column.key in column.model.__table__.columns.values()
    assert all(not bound.nullable for bound in column.bound_to)


@pytest.mark.parametrize(
    ("own", "other"),
    list(product(sealed_columns(), sealed_columns())),
    ids=lambda column: column.name,
)
def test_reseal_rejects_a_ciphertext_of_another_row_or_column(
    own: SealedColumn, other: SealedColumn, app: Flask
) -> None:
    with app.app_context():
        text = sealed(own)
        for which in (0, 1):
            if (own, which) == (other, 0):
                fresh = own.sealed.reseal(text, own.model, row_of(own, 0))
                assert fresh != text
                continue
            with pytest.raises(SealBroken):
                other.sealed.reseal(text, other.model, row_of(other, which))
        assert text.startswith(f"{keyring().first}:")


@pytest.mark.parametrize("key", [("id",), ("tenant_id", "id")])
def test_key_within_a_tenant_is_the_primary_key_without_the_tenant(key: tuple[str, ...]) -> None:
    columns = [Column(name, Uuid, primary_key=name in key) for name in ("tenant_id", "id")]
    assert key_within_tenant(Table("phones", MetaData(), *columns)).name == "id"


def test_encrypted_columns_of_tenant_tables_have_a_tenant() -> None:
    with_tenant = {one.name for one in sealed_columns() if one.tenant_id is not None}
    assert with_tenant == {
        "people_imports.people_sealed",
        "phones.number_sealed",
        "session_keys.session_key_sealed",
        "wechat_access_tokens.token_sealed",
        "wechat_pushes.message_sealed",
    }
